"""The verdict card: in words, on its scale, and four answers; and the error budget that it keeps."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import detectors, file_evidence, inference, widgets
from dfcore.confidence import FINDINGS, DecisionThresholds, ErrorBudget, Finding, Policy, sides_in_words
from dfcore.detectors.trained_on import Seen, in_words
from dfcore.detectors.verdict import Verdict
from dfcore.figures import FINDING_COLOURS
from dfcore.inspection import ONE_IN, Alarm, alarm, answers, aside, looks_like
from dfcore.inspection.alarm import COMMONEST, RAREST
from dfcore.utils.texts import percent

if TYPE_CHECKING:
    from dfcore.films.rows import Row

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

    def applied(self, entry: detectors.Entry, verdict: Verdict) -> Verdict:
        """A detector's verdict under these settings."""
        at = inference.thresholds(entry, self.budget) if self.budget else entry.card.thresholds
        return verdict.under(Policy(at, self.ignore_ood))


def choose_strictness(card_budget: ErrorBudget | None) -> Strictness:
    """Shows the error budget in a popover that names the present one; returns the choice.

    Args:
        card_budget: What the card of the detector in use asks for, shown until another one is set; None where several
            detectors are in use, each with its own.
    """
    own = st.session_state.get("inspect_own_budget", False)
    if not own:
        shown = card_budget or ErrorBudget()
        st.session_state["inspect_max_fpr"] = 100 * shown.max_fpr
        st.session_state["inspect_max_fnr"] = 100 * shown.max_fnr
    ignoring = st.session_state.get("inspect_ignore_ood", False)
    alarms, passed = (st.session_state[f"inspect_max_{rate}"] for rate in ("fpr", "fnr"))
    label = f"At most {alarms:g}% false alarms, {passed:g}% missed fakes"
    if card_budget is None and not own:
        label = "Errors as each detector's card accepts"
    label += f"{' (your own)' if own else ''}{', out-of-distribution pictures too' if ignoring else ''}"
    with st.popover(label, icon=":material/tune:", key="inspect_budget"):
        own = st.toggle(
            "Set my own error budget", key="inspect_own_budget", persist_state="session",
            help="By default, the error budget on the detector's card applies: at most so many real images called "
            "likely fake, and so many fakes below the lower threshold. What lies between stays undecided.",
        )  # fmt: skip
        left, right = st.columns(2)
        max_fpr = left.number_input(
            "False alarms on real images (%)", 0.0, 50.0, step=1.0, key="inspect_max_fpr", disabled=not own,
            persist_state="session",
            help="Maximum share of real images called likely fake. Lower values leave more images undecided.",
        )  # fmt: skip
        max_fnr = right.number_input(
            "Missed fakes (%)", 0.0, 50.0, step=1.0, key="inspect_max_fnr", disabled=not own, persist_state="session",
            help="Maximum share of fakes below the lower threshold. Lower values leave more images undecided.",
        )  # fmt: skip
        ignore_ood = st.toggle(
            "Also decide on out-of-distribution images (unlike the training images)", key="inspect_ignore_ood",
            persist_state="session",
            help="By default such an image is inconclusive. With this on, its score decides, with unknown reliability.",
        )  # fmt: skip
    return Strictness(ErrorBudget(max_fpr=max_fpr / 100, max_fnr=max_fnr / 100) if own else None, ignore_ood)


def show_verdict(entry: detectors.Entry, name: str, data: bytes, verdict: Verdict, why: str = "") -> None:
    """Shows what is said of a picture, on its scale, and what that means.

    Args:
        entry: The detector.
        name: File name of the picture.
        data: Its contents.
        verdict: Its verdict.
        why: Reason for the automatic choice of this detector; "" if the user chose it.
    """
    with st.container(border=True, gap="small"):
        says = file_evidence.says(data) if verdict.score is not None else "something"
        st.markdown(f"## {widgets.verdict_words(verdict.finding)}{aside(verdict, says)}")
        st.caption(widgets.plain(name))
        if verdict.score is None:
            st.error(widgets.plain(verdict.error), icon=":material/broken_image:")
        thresholds = verdict.thresholds or DecisionThresholds.single(verdict.threshold)
        if verdict.score is not None:
            if verdict.seen.found:
                st.warning(in_words(verdict.seen), icon=":material/content_copy:")
            st.html(scale(verdict, thresholds))
        rates = inference.rates(entry, thresholds)
        kind = looks_like(inference.facts(data)) if verdict.score is not None else None
        result = answers(entry.card, verdict, rates, chosen=why, kind=kind, file_says=says)
        for title, text in (("Conclusion", result.conclusion), ("How sure", result.sure), ("Why", result.why)):
            st.markdown(f"**{title}.** {widgets.plain(text)}")
        if alarm(verdict, rates) is not None:
            _base_rate(entry, verdict)
        st.markdown(f"**Next.** {widgets.plain(result.next)}")
        if verdict.score is not None and verdict.seen is Seen.UNKNOWN:
            st.caption(UNLISTED)
        if verdict.score is not None and entry.card.limits:
            st.caption(f":material/report: {widgets.plain(entry.card.limits[0])}")


def one_in() -> int:
    """How rare fakes are among the analyst's pictures: one in so many."""
    chosen = st.session_state.get("inspect_one_in")
    return ONE_IN if chosen is None else int(chosen)


def worth(entry: detectors.Entry, verdict: Verdict) -> Alarm | None:
    """What a verdict is worth as an alarm among the analyst's pictures; None if it is none."""
    thresholds = verdict.thresholds or DecisionThresholds.single(verdict.threshold)
    return alarm(verdict, inference.rates(entry, thresholds), one_in())


def _base_rate(entry: detectors.Entry, verdict: Verdict) -> None:
    """How often an alarm is right, by how rare fakes are among the analyst's pictures."""
    left, right = st.columns(2, vertical_alignment="center")
    # Without bounds: beyond them the browser keeps what is typed to itself, and the sentence would tell another number.
    left.number_input(
        "One in … is fake", value=ONE_IN, key="inspect_one_in", persist_state="session",
        help="How rare fakes are among the pictures that you look at. Where they are rare, most alarms are false ones, "
        "however good the detector is.",
    )  # fmt: skip
    if not COMMONEST <= one_in() <= RAREST:
        right.markdown(f"For one in {one_in():,} there is no answer. Choose a number from {COMMONEST} to {RAREST:,}.")
    elif result := worth(entry, verdict):
        right.markdown(widgets.plain(result.in_words))


def show_details(entry: detectors.Entry, verdict: Verdict) -> None:
    """Shows score, calibration, thresholds and record of the detector."""
    thresholds = verdict.thresholds or DecisionThresholds.single(verdict.threshold)
    st.markdown(_score_in_words(verdict, thresholds), help=_calibration(entry))
    st.markdown(_record(entry))
    st.markdown(_promise(thresholds))
    st.markdown(widgets.plain(entry.card.words.in_words(thresholds)))
    for limit in entry.card.limits:
        st.caption(f":material/report: {widgets.plain(limit)}")


def _score_in_words(verdict: Verdict, thresholds: DecisionThresholds) -> str:
    if not verdict.is_used:
        return "The score was not used: the picture is unlike those that the detector learned from."
    low, high = max(thresholds.real_below, 0.0), min(thresholds.fake_from, 1.0)
    word = FINDINGS["real" if thresholds.says_real else "no_sign"]
    sides = f"{word} below **{low:.3f}**" if thresholds.real_below > 0 else "never likely real"
    sides += f", likely fake from **{high:.3f}** on" if thresholds.fake_from <= 1 else ", never likely fake"
    return f"Score **{verdict.score:.3f}** from 0 to 1, the higher the more like fakes: {sides}."


def _calibration(entry: detectors.Entry) -> str:
    calibration = entry.card.calibration
    if calibration.method == "none":
        return "This detector is not calibrated: the score is the network's raw output, not a probability."
    return (
        f"Calibrated: among images {entry.card.measured_on}, about 80% of those that score 0.8 are fake, if half of "
        f"all images are. Fitted on {calibration.images:,} images: {calibration.fitted_on}."
    )


def _promise(thresholds: DecisionThresholds) -> str:
    if not thresholds.images:
        return "One threshold: the detector's card has no error budgets."
    budget = thresholds.budget
    return (
        f"Thresholds for at most {percent(budget.max_fpr)} false alarms and {percent(budget.max_fnr)} missed fakes, "
        f"chosen on {thresholds.images:,} images ({widgets.plain(thresholds.chosen_on)}), of which "
        f"{thresholds.abstention_rate:.0%} are inconclusive. This holds only for images like those."
    )


def _record(entry: detectors.Entry) -> str:
    """The detector's measured performance when it has to decide, with split and number of images, as Markdown."""
    split, metrics = entry.card.record
    if not metrics:
        return "Its card has no metrics on both classes: treat the verdict with caution."
    return (
        f"On {metrics['images']:,} {split} images {entry.card.measured_on} it called {metrics['accuracy_fake']:.0%} of "
        f"fakes and {metrics['false_positive_rate']:.0%} of real images fake when forced to decide, at a threshold of "
        f"{metrics['threshold']:.3g}. On other kinds of images it can be far worse."
    )


def scale(verdict: "Verdict | Row", thresholds: DecisionThresholds) -> str:
    """The score on its scale, as HTML; without a knob where it is not used, on images unlike the training images."""
    score = verdict.score or 0.0
    low, high = (100 * min(max(place, 0.0), 1.0) for place in (thresholds.real_below, thresholds.fake_from))
    side: Finding = "real" if thresholds.says_real else "no_sign"
    used = verdict.is_used
    label = f"Score {score:.3f}" if used else "The score is not used"
    label += f"; {sides_in_words(thresholds.real_below, thresholds.fake_from, says_real=thresholds.says_real)}"
    zones: tuple[tuple[Finding, float, float], ...]
    zones = ((side, 0.0, low), ("inconclusive", low, high), ("fake", high, 100.0))
    bands = "".join(
        f'<div style="position:absolute;top:.35rem;left:{left:.2f}%;width:{right - left:.2f}%;height:.6rem;'
        f'background:{FINDING_COLOURS[zone]};opacity:{0.45 if used else 0.2}"></div>'
        for zone, left, right in zones
        if right > left
    )
    colour = FINDING_COLOURS[verdict.finding or "inconclusive"]
    knob = (
        f'<div style="position:absolute;top:0;left:calc({100 * score:.2f}% - .65rem);width:1.3rem;height:1.3rem;'
        f'border-radius:50%;background:{colour};border:2px solid white;box-shadow:0 0 0 1px rgba(0,0,0,.35)"></div>'
        if used
        else ""
    )
    names = "".join(
        f'<span style="text-align:{align}">{text}</span>'
        for align, text in zip(
            ("left", "center", "right"), _zone_names(side, low, high, score if used else None), strict=True
        )
    )
    return f"""<div role="img" aria-label="{label}"><div style="position:relative;height:1.35rem">{bands}{knob}</div>
<div style="display:flex;justify-content:space-between;gap:.6rem;font-size:.8rem;line-height:1.3">{names}</div></div>"""


def _zone_names(side: Finding, low: float, high: float, score: float | None) -> tuple[str, str, str]:
    """What the two ends are called, and what lies between."""
    middle = "score not used" if score is None else f"score {score:.3f}"
    if score is not None and (low > 0 or high < 100):
        middle += " · undecided in between"
    return FINDINGS[side] if low > 0 else "0", middle, FINDINGS["fake"] if high < 100 else "1"
