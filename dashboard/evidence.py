"""Why a detector says what it says: settings of its heat-map, and how stable its score is."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

from dashboard import detectors, inference, widgets
from dashboard.uploads import Picture
from dfcore import figures
from dfcore.confidence import FINDINGS, Finding, decide, find
from dfcore.detectors.verdict import Verdict
from dfcore.explanation import METHODS, Heatmap
from dfcore.inspection import maps

_COMPUTED = "inspect_mapped"
_TARGETS = {"verdict": "the verdict", "fake": "fake", "real": "real"}


@dataclass(frozen=True)
class Wanted:
    """The heat-map that is asked for: `inference.heatmap` without the image."""

    method: str
    target: Literal["fake", "real"]
    layer: str | None
    view: int


def wanted(entry: detectors.Entry, verdict: Verdict) -> Wanted | None:
    """The heat-map that the settings ask for, whether they are in sight or not; None if none is wanted, or the score
    that it would explain is not used."""
    state = st.session_state
    if not verdict.is_used or not state.get("inspect_explain", True):
        return None
    target: Any = state.get("inspect_target") or "verdict"
    view = state.get(f"inspect_view_{entry.key}") or 0
    if target == "verdict":
        target = verdict.side or "fake"
    layer = state.get(f"inspect_layer_{entry.key}")
    return Wanted(
        state.get("inspect_method") or next(iter(METHODS)),
        target,
        # The usual one, chosen or not, is one map.
        None if layer == entry.card.cam_layer else layer,
        view if view < len(entry.card.spec.view_titles) else 0,
    )


def heatmap(entry: detectors.Entry, picture: Picture, verdict: Verdict) -> tuple[Heatmap | None, str]:
    """The heat-map that is wanted, if it was computed; else what is to be computed, in words, or "" if none is wanted.

    The picture is shown before its map: see `compute`.
    """
    asked = wanted(entry, verdict)
    if asked is None:
        return None, ""
    if st.session_state.get(_COMPUTED) != (picture.id, entry.version, asked):
        return None, "Computing the heat-map …"
    return inference.heatmap(entry, picture.data, asked.method, asked.target, asked.layer, asked.view), ""


def is_quick(entry: detectors.Entry, verdict: Verdict) -> bool:
    """Whether a heat-map is wanted, and takes no longer than a verdict."""
    asked = wanted(entry, verdict)
    usual = asked is not None and (asked.method, asked.layer) == (next(iter(METHODS)), None)
    return usual and detectors.detector(entry).has_quick_maps


def compute(entry: detectors.Entry, picture: Picture, verdict: Verdict) -> None:
    """Computes the heat-map that is wanted, so that `heatmap` gives it from now on."""
    asked = wanted(entry, verdict)
    if asked is not None:
        inference.heatmap(entry, picture.data, asked.method, asked.target, asked.layer, asked.view)
        st.session_state[_COMPUTED] = (picture.id, entry.version, asked)


def show_settings(entry: detectors.Entry, verdict: Verdict, heatmap: Heatmap | None) -> None:
    """Shows the settings of the heat-map, or why there is none."""
    if not verdict.is_used:
        st.markdown(maps.NO_MAP)
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.toggle(
            "Show what the detector looked at", value=True, key="inspect_explain", persist_state="session",
            help="A heat-map of the evidence. It shows where the network is sensitive; it is no proof of editing.",
        )  # fmt: skip
        if not st.session_state.get("inspect_explain", True):
            return
        st.segmented_control(
            "Evidence of", list(_TARGETS), default="verdict", required=True, key="inspect_target",
            persist_state="session", format_func=_TARGETS.__getitem__,
            help="What the map argues for: the detector's own verdict, that the image is fake, or that it is real.",
        )  # fmt: skip
        st.selectbox(
            "Method", list(METHODS), format_func=lambda key: METHODS[key].title, key="inspect_method",
            persist_state="session", width=220,
            help=" ".join(f"{method.title}: {method.help}" for method in METHODS.values()),
        )  # fmt: skip
        _choose_view(entry)
        _choose_layer(entry)
    if wanted_method := st.session_state.get("inspect_method"):
        st.caption(widgets.plain(maps.method_note(entry.card, wanted_method)))
    if heatmap is not None and not heatmap.peak:
        st.info(
            f"At this layer the detector finds no evidence of {heatmap.target} at all: the map is empty. "
            f"Try the evidence of {'real' if heatmap.target == 'fake' else 'fake'}, or another method.",
            icon=":material/info:",
        )


def _held(findings: list[Finding]) -> str:
    """Whether what is said of the picture, the first, is said after each change too."""
    first, *others = findings
    changed = Counter(finding for finding in others if finding != first)
    if not changed:
        return "it stays undecided." if first == "inconclusive" else "the verdict holds."
    turned = ", ".join(f"after {count} it is “{FINDINGS[finding]}”" for finding, count in changed.most_common())
    return f"the verdict does not hold for all of them; {turned}."


def _choose_layer(entry: detectors.Entry) -> None:
    with st.spinner("Preparing the network for heat-maps; this takes a few seconds the first time …"):
        explainer = detectors.explainer(entry)
    layers, default = explainer.layers, explainer.default_layer
    st.selectbox(
        "Depth in the network", layers, index=layers.index(default), key=f"inspect_layer_{entry.key}", width=220,
        persist_state="session", format_func=lambda name: _depth(layers.index(name), len(layers), name == default),
        help="Where in the network the map is read: deep layers respond to structure, early ones to texture. The usual "
        f"depth is the one that was measured. The network's own names: {', '.join(layers)}.",
    )  # fmt: skip


def _depth(place: int, count: int, usual: bool) -> str:
    return f"Layer {place + 1} of {count}{', the usual one' if usual else ''}"


def _choose_view(entry: detectors.Entry) -> None:
    """The view to explain; asked for where the detector judges several."""
    titles = entry.card.spec.view_titles
    if len(titles) > 1:
        st.segmented_control(
            "Part of the image", range(len(titles)), default=0, required=True, key=f"inspect_view_{entry.key}",
            persist_state="session",
            format_func=lambda number: titles[number][0].upper() + titles[number][1:],
            help="The detector judges each of these parts and takes the mean. The map shows the evidence in one of "
            "them.",
        )  # fmt: skip


def stability(entry: detectors.Entry, data: bytes, verdict: Verdict) -> list[dict[str, Any]] | None:
    """The picture's score after small changes, decided by the thresholds in use; None unless it was asked for."""
    if not st.session_state.get("inspect_stability") or not verdict.is_used:
        return None
    thresholds = verdict.thresholds or entry.card.thresholds
    rows = inference.stability(entry, data)
    scores = [row["score"] for row in rows]
    said = zip(rows, decide(scores, thresholds).tolist(), find(scores, thresholds).tolist(), strict=True)
    return [row | {"decision": decision, "finding": finding} for row, decision, finding in said]


def show_stability(entry: detectors.Entry, data: bytes, verdict: Verdict) -> None:
    """Shows, on request, the picture's score after small changes; a verdict that flips is a weak one."""
    st.toggle(
        "Show how stable the score is", key="inspect_stability", persist_state="session",
        help="Rescores the image after recompression, resizing, blur, noise, brightness and cropping.",
    )  # fmt: skip
    if st.session_state.get("inspect_stability") and not verdict.is_used:
        st.markdown("The score was not used, so how it moves says nothing.")
    rows = stability(entry, data, verdict)
    if rows is None:
        return
    scores, thresholds = [row["score"] for row in rows], verdict.thresholds or entry.card.thresholds
    st.markdown(
        f"After {len(rows) - 1} small changes the score lies between **{min(scores):.3f}** and **{max(scores):.3f}**: "
        f"{_held([row['finding'] for row in rows])}"
    )
    low, high = thresholds.real_below, thresholds.fake_from
    widgets.chart(
        figures.stability(rows, low, high, says_real=thresholds.says_real), "stability_band",
        f"Scores after {len(rows) - 1} small changes, between {min(scores):.3f} and {max(scores):.3f}",
    )  # fmt: skip
