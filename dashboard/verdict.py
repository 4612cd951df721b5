"""The verdict on one image: in words, on a scale, with its reliability; and the error budget."""

from dataclasses import dataclass

import streamlit as st

from dashboard import detectors, widgets
from dfcore.confidence import FINDINGS, DecisionThresholds, ErrorBudget, Finding
from dfcore.detectors.trained_on import Seen, in_words
from dfcore.detectors.verdict import Verdict
from dfcore.figures import FINDING_COLOURS

UNLISTED = (
    "Whether this image was among those that the detector was trained on is unknown: its bundle does not list them."
)


@dataclass(frozen=True)
class Strictness:
    """Settings of the analyst.

    Attributes:
        budget: Maximum error rates; None for those of the card.
        ignore_ood: Whether out-of-distribution images get a verdict too.
    """

    budget: ErrorBudget | None
    ignore_ood: bool


def choose_strictness() -> Strictness:
    """Shows the error-budget settings, folded, with their current values in the heading; returns the choice."""
    own = st.session_state.get("inspect_own_budget", False)
    share = st.session_state.get("inspect_max_fpr", 5.0), st.session_state.get("inspect_max_fnr", 5.0)
    now = f"{share[0]:g}% false alarms, {share[1]:g}% missed fakes" if own else "from the detector's card"
    with st.expander(f"Error budget (now: {now})", icon=":material/tune:"):
        own = st.toggle(
            "Set my own error budget", key="inspect_own_budget", persist_state="session",
            help="By default, the error budget on the detector's card applies. Less reliable detectors have stricter "
            "budgets and leave more images undecided.",
        )  # fmt: skip
        left, right = st.columns(2)
        max_fpr = left.number_input(
            "False alarms on real images (%)", 0.0, 50.0, 5.0, 1.0, key="inspect_max_fpr", disabled=not own,
            persist_state="session",
            help="Maximum share of real images called likely fake. Lower values leave more images undecided.",
        )  # fmt: skip
        max_fnr = right.number_input(
            "Missed fakes (%)", 0.0, 50.0, 5.0, 1.0, key="inspect_max_fnr", disabled=not own, persist_state="session",
            help="Maximum share of fakes below the lower threshold. Lower values leave more images undecided.",
        )  # fmt: skip
        ignore_ood = st.toggle(
            "Also decide on out-of-distribution images (unlike the training images)", key="inspect_ignore_ood",
            persist_state="session",
            help="By default such an image is inconclusive. With this on, its score decides, with unknown reliability.",
        )  # fmt: skip
    return Strictness(ErrorBudget(max_fpr=max_fpr / 100, max_fnr=max_fnr / 100) if own else None, ignore_ood)


def show_verdict(entry: detectors.Entry, name: str, verdict: Verdict, why: str = "") -> None:
    """Shows the verdict in words, with score, thresholds, detector and its reliability.

    Args:
        entry: The detector.
        name: File name of the image.
        verdict: Its verdict.
        why: Reason for the automatic choice of this detector; "" if the user chose it.
    """
    with st.container(border=True):
        st.markdown(f"## {widgets.verdict_words(verdict.finding)}")
        st.caption(widgets.plain(name))
        if verdict.score is None:
            st.error(widgets.plain(verdict.error), icon=":material/broken_image:")
            return
        if verdict.seen.found:
            st.warning(in_words(verdict.seen), icon=":material/content_copy:")
        if verdict.ood.is_ood:
            _show_unlike(verdict)
        thresholds = verdict.thresholds or DecisionThresholds.single(verdict.threshold)
        st.html(_scale(verdict, thresholds))
        st.markdown(_score_in_words(verdict, thresholds), help=_calibration(entry))
        st.markdown(_trust(entry, why))
        st.caption(_promise(thresholds))
        st.caption(widgets.plain(entry.card.words.in_words(thresholds)))
        if verdict.seen is Seen.UNKNOWN:
            st.caption(UNLISTED)
        if entry.card.limits:
            st.warning(widgets.plain(entry.card.limits[0]), icon=":material/report:")


def _show_unlike(verdict: Verdict) -> None:
    reasons = "; ".join(widgets.plain(reason) for reason in verdict.ood.reasons)
    start = "Decided although out of distribution: the" if verdict.ignore_ood else "Out of distribution: the"
    st.warning(
        f"{start} image is unlike those that this detector was trained on: {reasons}. The score's reliability on such "
        "images is unknown.",
        icon=":material/explore_off:",
    )


def _score_in_words(verdict: Verdict, thresholds: DecisionThresholds) -> str:
    low, high = max(thresholds.real_below, 0.0), min(thresholds.fake_from, 1.0)
    word = FINDINGS["real" if thresholds.says_real else "no_sign"]
    sides = f"{word} below **{low:.3f}**" if thresholds.real_below > 0 else "never likely real"
    sides += f", likely fake from **{high:.3f}** on" if thresholds.fake_from <= 1 else ", never likely fake"
    return f"Score **{verdict.score:.3f}** on a scale from 0 (real) to 1 (fake): {sides}."


def _calibration(entry: detectors.Entry) -> str:
    calibration = entry.card.calibration
    if calibration.method == "none":
        return "This detector is not calibrated: the score is the network's raw output, not a probability."
    return (
        "Calibrated: among images like its training images that score 0.8, about 80% are fake, if half of all "
        f"images are. Fitted on {calibration.images:,} images: {calibration.fitted_on}."
    )


def _promise(thresholds: DecisionThresholds) -> str:
    if not thresholds.images:
        return "One threshold: the detector's card has no error budgets."
    budget = thresholds.budget
    return (
        f"Thresholds for at most {budget.max_fpr:.0%} false alarms and {budget.max_fnr:.0%} missed fakes, chosen "
        f"on {thresholds.images:,} images ({widgets.plain(thresholds.chosen_on)}), of which "
        f"{thresholds.abstention_rate:.0%} are inconclusive. This holds only for images like those."
    )


def _trust(entry: detectors.Entry, why: str) -> str:
    """The detector's measured performance, with split and number of images, as Markdown."""
    split, text = entry.card.record
    title = f"Judged by **{widgets.plain(entry.card.title)}**" + (f": {widgets.plain(why)}" if why else "")
    if not text:
        return f"{title}. Its card has no metrics on both classes: treat the verdict with caution."
    return (
        f"{title}. On {text['images']:,} {split} images like its training data it called "
        f"{text['accuracy_fake']:.0%} of fakes and {text['false_positive_rate']:.0%} of real images fake when forced "
        "to decide. On other kinds of images it can be far worse."
    )


def _scale(verdict: Verdict, thresholds: DecisionThresholds) -> str:
    score = verdict.score or 0.0
    low, high = (100 * min(max(place, 0.0), 1.0) for place in (thresholds.real_below, thresholds.fake_from))
    side: Finding = "real" if thresholds.says_real else "no_sign"
    label = f"Score {score:.3f}; {FINDINGS[side]} below {low / 100:.3f}, likely fake from {high / 100:.3f}"
    zones: tuple[tuple[Finding, float, float], ...]
    zones = ((side, 0.0, low), ("inconclusive", low, high), ("fake", high, 100.0))
    bands = "".join(
        f'<div style="position:absolute;top:.7rem;left:{left:.2f}%;width:{right - left:.2f}%;height:.6rem;'
        f'background:{FINDING_COLOURS[zone]};opacity:.45"></div>'
        for zone, left, right in zones
    )
    colour = FINDING_COLOURS[verdict.finding or "inconclusive"]
    return f"""<div role="img" aria-label="{label}"
style="position:relative;height:3.1rem;max-width:40rem;margin-top:.2rem">{bands}
<div style="position:absolute;top:.35rem;left:calc({100 * score:.2f}% - .65rem);width:1.3rem;height:1.3rem;
border-radius:50%;background:{colour};border:2px solid white;box-shadow:0 0 0 1px rgba(0,0,0,.35)"></div>
<div style="position:absolute;top:1.9rem;left:0;font-size:.8rem">0 real</div>
<div style="position:absolute;top:1.9rem;left:0;right:0;text-align:center;font-size:.8rem">inconclusive between the two
thresholds</div><div style="position:absolute;top:1.9rem;right:0;font-size:.8rem">1 fake</div></div>"""
