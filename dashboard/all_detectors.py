"""All detectors side by side on one picture: each on its own scale, and whether they agree."""

import streamlit as st

from dashboard import detectors, inference, verdict, widgets
from dfcore.confidence import DecisionThresholds
from dfcore.detectors.verdict import Verdict
from dfcore.inspection import agreement, titles

_COLUMNS = 3


def show(entries: list[detectors.Entry], data: bytes, strictness: verdict.Strictness) -> None:
    """Shows what each detector of the library says, under the analyst's settings."""
    named = titles({entry.key: entry.card for entry in entries})
    judged = zip(entries, inference.verdicts(entries, data), strict=True)
    results = [(entry, named[entry.key], strictness.applied(entry, one)) for entry, one in judged]
    st.markdown(widgets.plain(agreement({title: one for _, title, one in results})))
    st.caption("Each score lies on a scale of its own: 0.8 of one detector is not 0.8 of another. Agreement counts for "
               "less than it seems where detectors learned from the same images.")  # fmt: skip
    for start in range(0, len(results), _COLUMNS):
        for place, (entry, title, one) in zip(st.columns(_COLUMNS), results[start : start + _COLUMNS], strict=False):
            with place, st.container(border=True, gap="small"):
                _show_one(entry, title, one)


def _show_one(entry: detectors.Entry, title: str, result: Verdict) -> None:
    st.markdown(f"**{widgets.plain(title)}**")
    unlike = result.score is not None and not result.is_used
    said = f":gray[:material/block: {result.says.capitalize()}]" if unlike else widgets.verdict_words(result.finding)
    st.markdown(said)
    if result.score is None:
        st.caption(widgets.plain(result.error))
        return
    st.html(verdict.scale(result, result.thresholds or DecisionThresholds.single(result.threshold)))
    if result.reason:
        st.caption(widgets.plain(f"{result.reason}."))
    if result.is_used and entry.card.limits:
        st.caption(f":material/report: {widgets.plain(entry.card.limits[0])}")
    if not entry.card.answers_unasked:
        st.caption(":material/science: Trained on the demonstration set: it recognises a simulation.")
