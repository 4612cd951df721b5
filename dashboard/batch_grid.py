"""Rows of a batch as thumbnails or as a list, with what was said of each: arrow keys move, Enter or a click opens."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import batch_decided, batch_filters, viewer, widgets
from dashboard.batch_view import View
from dfcore.detectors.trained_on import Seen, in_words
from dfcore.utils.html import file_url
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    from dfcore.batch.job import Batch

_KEY, _TURN, _FOCUS = "batch_grid", "batch_grid_turn", "batch_grid_focus"

_grid = st.components.v2.component(
    "dfcore_batch_grid", css=viewer.asset("batch_grid.css"), js=viewer.asset("batch_grid.js")
)


def focus() -> None:
    """Has the row in sight take the keyboard's focus when the grid is drawn next."""
    st.session_state[_FOCUS] = True
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1


def opened() -> int | None:
    """Number of the row that was just opened; None if none was."""
    number = st.session_state.get(_KEY, {}).get("open")
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def show(batch: "Batch", view: View, *, opens: bool) -> None:
    """Shows one page of the rows; turning it reruns the page.

    Args:
        batch: The batch.
        view: Which rows, in which order and layout.
        opens: Whether rows can be opened.
    """
    found = batch.rows(view.query(), **view.ordering(), limit=view.size, offset=view.page * view.size)
    if not found.total:
        st.info("No row is left by these filters.", icon=":material/filter_alt_off:")
        return
    if not found.rows:  # Fewer than before: the rows of a batch change while it is at work.
        batch_filters.turn(0)
        st.rerun()
    pages = -(-found.total // view.size)
    _pager(view, found.total, pages)
    several, decided = len(batch.detectors()) > 1, batch_decided.known(row["sha256"] for row in found.rows)
    _grid(
        key=_KEY,
        data={
            "items": [_item(batch, row, several, decided.get(row["sha256"])) for row in found.rows],
            "layout": view.layout,
            "at": view.at - view.page * view.size,
            "page": view.page,
            "pages": pages,
            "turn": st.session_state.get(_TURN, 0),
            "focus": st.session_state.pop(_FOCUS, False),
            "opens": opens,
            "label": f"Pictures {_range(view, found.total)}; arrow keys move{', Enter opens' if opens else ''}",
            "keys": f"Arrow keys move, Page Up and Page Down turn pages{', Enter opens in Inspect' if opens else ''}.",
        },
        on_open_change=lambda: None,
        on_turn_change=_turn,
    )  # fmt: skip


def _pager(view: View, total: int, pages: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Pictures {_range(view, total)}", width="content")
        if pages < 2:
            return
        for label, icon, step in (("Previous page", "chevron_left", -1), ("Next page", "chevron_right", 1)):
            st.button(
                label, icon=f":material/{icon}:", key=f"batch_page_{step}", on_click=batch_filters.turn,
                args=((view.page + step) * view.size,), disabled=not 0 <= view.page + step < pages,
            )  # fmt: skip
        st.session_state["batch_page"] = view.page + 1
        st.number_input(
            f"Page (of {pages:,})", 1, pages, key="batch_page", width=120, label_visibility="collapsed",
            help=f"Page, of {pages:,}.", on_change=_jump, args=(view.size,),
        )  # fmt: skip
        st.markdown(f"of {pages:,}", width="content")


def _range(view: View, total: int) -> str:
    first = view.page * view.size
    return f"{first + 1:,} to {min(first + view.size, total):,} of {total:,}"


def _jump(size: int) -> None:
    batch_filters.turn((st.session_state["batch_page"] - 1) * size)


def _turn() -> None:
    asked = st.session_state.get(_KEY, {}).get("turn")
    if isinstance(asked, dict) and isinstance(asked.get("page"), int) and asked["page"] >= 0:
        batch_filters.turn_page(asked["page"], last=bool(asked.get("last")))
        focus()


def _item(batch: "Batch", row: dict[str, Any], several: bool, decided: str | None) -> dict[str, Any]:
    words, name = widgets.VERDICTS[row["finding"]], printable(row["name"])
    score = ""
    if row["score"] is not None:
        score = f"{row['score']:.3f}" if row["is_used"] else "score not used"
    by = f" · {row['detector']}" if several and row["score"] is not None else ""
    note = row["error"] or row["reason"] or ""
    if row["trained_on"] and (seen := in_words(Seen(row["trained_on"]))):
        note = f"{seen} {note}"
    if decided:
        note = f"Decided: {decided}. {note}"
    thumbnail = batch.thumbnail(row)
    spoken = f"score {score}{by}" if row["is_used"] else score
    return {
        "number": row["number"],
        "name": name,
        "title": f"{printable(row['path'])}\n{note}".strip(),
        "said": ", ".join(part for part in (name, words, spoken, note) if part),
        "src": file_url(thumbnail, "JPEG") if thumbnail else None,
        **widgets.verdict_mark(row["finding"]),
        "score": f"{score}{by}",
        "note": printable(note),
    }
