"""Filters of a batch's results, and the histogram of the scores that they leave."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import streamlit as st

from dashboard import batch_view, batches, widgets
from dashboard.batch_view import NO_VERDICT, Layout, View
from dfcore import figures

if TYPE_CHECKING:
    from dfcore.batch.job import Batch

# Keys of the controls, by field of the view.
_KEYS = {"found": "batch_found", "text": "batch_text", "by": "batch_by", "order": "batch_order",
         "layout": "batch_layout"}  # fmt: skip
_SCORES, _OF, _WRITTEN, _AT = "batch_scores", "batch_view_of", "batch_view_written", "batch_at"
_SIGNS = {"fake": "▲", "real": "●", "no_sign": "○", "inconclusive": "?", NO_VERDICT: "×"}
_LAYOUTS = {"thumbnails": ":material/grid_view: Thumbnails", "list": ":material/view_list: List"}
_BINS = 40


def choose(batch: "Batch") -> View:
    """Shows the filters; returns what they leave, which the address holds as well."""
    counts, by = batch.counts(), batch.detectors()
    _take_over(batch, by)
    options = [one for one in batch_view.FOUND if counts.get("" if one == NO_VERDICT else one)]
    found = st.pills(
        "Verdict", options, selection_mode="multi", key=_KEYS["found"], persist_state="session",
        format_func=lambda one: f"{_SIGNS[one]} {_word(one)} ({counts['' if one == NO_VERDICT else one]:,})",
        help="Shows these alone; none chosen shows all.",
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input("Name contains", key=_KEYS["text"], persist_state="session", width=220)
        judge = _choose_detector(by)
        low, high = _choose_scores(judge, by)
        order = st.selectbox(
            "Order", list(batch_view.ORDERS), format_func=batch_view.ORDERS.__getitem__, key=_KEYS["order"],
            persist_state="session", width=200, help="Pictures whose score was not used come last, ordered by score.",
        )  # fmt: skip
        layout = st.segmented_control(
            "Shown as", list(_LAYOUTS), format_func=_LAYOUTS.__getitem__, key=_KEYS["layout"], required=True,
            persist_state="session", label_visibility="collapsed",
        )  # fmt: skip
    chosen = View(tuple(found), text.strip(), judge, low, high, order, cast(Layout, layout))
    before = st.session_state.get(_AT, (None, 0))
    # Another filter begins at its first row.
    view = replace(chosen, at=before[1] if before[0] == replace(chosen, at=0) else 0)
    return _kept(view)


def turn(at: int) -> None:
    """Has the page show another row when it runs next, by its place among those that are shown."""
    st.session_state[_AT] = st.session_state.get(_AT, (View(), 0))[0], max(at, 0)


def turn_page(page: int, *, last: bool = False) -> None:
    """The same by the number of a page: its first row, or its last one."""
    size = st.session_state.get(_AT, (View(), 0))[0].size
    turn(page * size + (size - 1 if last else 0))


def _kept(view: View) -> View:
    st.session_state[_AT] = replace(view, at=0), view.at
    batch_view.write(view)
    st.session_state[_WRITTEN] = view.parameters()
    return view


def _take_over(batch: "Batch", by: Mapping[str, int]) -> None:
    """Sets the controls to what the address asks for, unless they wrote it; another batch begins without filters.

    An address without filters, as that of the page alone, leaves them as they were.
    """
    asked, written = batch_view.asked(), st.session_state.get(_WRITTEN)
    new = st.session_state.get(_OF) != batch.id
    other = asked.parameters() != written
    if new and not other:
        asked = View()
    if new or (other and asked != View()):
        asked = replace(asked, by=asked.by if asked.by in by else "")
        if not asked.by and len(by) > 1:
            asked = replace(asked, lowest=0.0, highest=1.0)
        for name, key in _KEYS.items():
            value = getattr(asked, name)
            st.session_state[key] = list(value) if isinstance(value, tuple) else value
        st.session_state[_SCORES] = (asked.lowest, asked.highest)
        st.session_state[_AT] = replace(asked, at=0), asked.at
    st.session_state[_OF] = batch.id


def _choose_detector(by: Mapping[str, int]) -> str:
    if len(by) < 2:
        return ""
    titles = {"": "All detectors"} | batches.detector_titles(list(by))
    return st.selectbox(
        "Judged by", list(titles), format_func=lambda key: f"{titles[key]} ({by[key]:,})" if key else titles[key],
        key=_KEYS["by"], persist_state="session", width=240,
        help="Scores of different detectors lie on different scales and cannot be compared: choose one to look for a "
        "range of scores.",
    )  # fmt: skip


def _choose_scores(judge: str, by: Mapping[str, int]) -> tuple[float, float]:
    """The range of scores; the whole one while several detectors are shown, whose scores cannot be compared."""
    if not judge and len(by) > 1:
        st.session_state[_SCORES] = (0.0, 1.0)
        return 0.0, 1.0
    chosen = st.slider(
        "Score from, to", 0.0, 1.0, step=0.01, key=_SCORES, persist_state="session", width=220,
        help="The higher the more like fakes, on this detector's own scale. A narrower range leaves out pictures whose "
        "score was not used.",
    )  # fmt: skip
    return cast(tuple[float, float], chosen)  # Its value in the session is a range.


def show_histogram(batch: "Batch", view: View) -> None:
    """Draws the scores of the rows that are shown, for each detector on a scale of its own."""
    by = [key for key in batch.detectors() if view.by in ("", key)]
    if not by:
        st.caption("No picture was judged.")
        return
    titles, places = batches.detector_titles(by), st.columns(len(by))
    for key, place in zip(by, places, strict=True):
        bars = batch.histogram(replace(view, by=key).query(), bins=_BINS)
        total = sum(count for _, _, count in bars)
        with place:
            st.caption(f"Scores by {widgets.plain(titles[key])}: {total:,} used")
            if total:
                widgets.chart(
                    figures.scores_so_far(bars, _thresholds(batch, key)), f"batch_scores_{key}",
                    f"Histogram of {total:,} scores by {titles[key]}: {_described(bars, total)}.",
                    config={"displayModeBar": False},
                )  # fmt: skip


def _thresholds(batch: "Batch", key: str) -> tuple[float, float] | None:
    """The two thresholds by which the detector judged; None if they are not known."""
    at = batch.judges().get(key, {}).get("thresholds")
    return (at["real_below"], at["fake_from"]) if isinstance(at, dict) else None


def _described(bars: list[tuple[float, float, int]], total: int) -> str:
    """Quarters of the scale with their shares, in words."""
    parts = []
    for start in (0.0, 0.25, 0.5, 0.75):
        share = sum(count for low, high, count in bars if start <= (low + high) / 2 < start + 0.25) / total
        parts.append(f"{share:.0%} from {start:g} to {start + 0.25:g}")
    return ", ".join(parts)


def _word(one: str) -> str:
    return widgets.VERDICTS[None if one == NO_VERDICT else one]
