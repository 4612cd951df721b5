"""The list of cases, searchable, and the way to open a new one."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import case_actions, cases_address, decided, doing, roles, widgets
from dashboard.roles import Role

if TYPE_CHECKING:
    from dfcore.cases import Case, Store

_PAGE = 50
_KEY, _IDS = "case_table", "case_table_ids"
_STATES: dict[str, bool | None] = {"Open": True, "Closed": False, "All": None}


def show(store: "Store") -> None:
    """Lists cases, the last changed first; a click opens one."""
    may = roles.may(Role.ANALYST)
    if not store.cases(limit=1).total:
        if may:
            _offer_new()
        st.markdown("There is no case yet. A case holds pictures that belong together, with what was said of them. "
                    "Open one here, or from Inspect under Notes.")  # fmt: skip
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input("Search", key="cases_text", persist_state="session", placeholder="Title, note, tag",
                             help="All words must occur in title, notes or tags; or a case's number.")  # fmt: skip
        tags = [name for name, _ in store.case_tags()]
        tag = st.selectbox("Tag", tags, index=None, key="cases_tag", placeholder="Any", width=200,
                           help="Cases with this tag.") if tags else None  # fmt: skip
        state = st.segmented_control("State", list(_STATES), default="Open", required=True, key="cases_state",
                                     persist_state="session", help="Closed cases can be opened again.")  # fmt: skip
        if may:
            _offer_new()
    total = store.cases(text, tag=tag, is_open=_STATES[state], limit=1).total
    if not total:
        st.markdown("No case fits.")
        return
    offset = page(total, _PAGE, f"cases_page_{text}_{tag}_{state}")
    found = store.cases(text, tag=tag, is_open=_STATES[state], limit=_PAGE, offset=offset)
    st.session_state[_IDS] = [case.id for case in found.rows]
    widgets.table(
        [_row(case) for case in found.rows], f"{total} cases with titles, numbers of pictures, tags and dates",
        key=_KEY, on_select=_open, selection_mode=["single-row", "single-cell"], column_config=_columns(),
    )  # fmt: skip


def page(total: int, size: int, key: str) -> int:
    """Asks for a page where there are several; returns the number of rows to pass over."""
    pages = -(-total // size)
    if pages <= 1:
        return 0
    number = st.number_input(f"Page (of {pages:,})", 1, pages, key=key, width=160, help=f"{size} on each page.")
    return (number - 1) * size


def _offer_new() -> None:
    with st.popover("New case", icon=":material/create_new_folder:"):
        st.text_input("Title", key="new_case_title", help="Up to 300 characters; it can be changed later.")
        doing.button("Open the case", _create, key="new_case_create", icon=":material/create_new_folder:")


def _create() -> str:
    made = case_actions.create_case(st.session_state.get("new_case_title", ""))
    st.session_state["new_case_title"] = ""
    cases_address.open_(case=made.id)
    return f"Case {made.id} is opened."


def _open() -> None:
    chosen = st.session_state[_KEY]["selection"]
    rows = [*chosen["rows"], *(row for row, _ in chosen["cells"])]
    ids = st.session_state.get(_IDS, [])
    if rows and rows[0] < len(ids):
        cases_address.open_(case=ids[rows[0]])


def _row(case: "Case") -> dict[str, object]:
    return {
        "Number": case.id, "Title": case.title, "Pictures": case.pictures,
        "State": "closed" if case.closed else "open", "Tags": ", ".join(case.tags) or None,
        "Opened": decided.short(case.created), "By": case.by,
    }  # fmt: skip


def _columns() -> dict[str, object]:
    column = st.column_config
    return {
        "Number": column.NumberColumn(width=80, format="%d"), "Title": column.TextColumn(width="large"),
        "Pictures": column.NumberColumn(width=80, format="%d"), "State": column.TextColumn(width=80),
        "Opened": column.TextColumn(help="Date and time in UTC.", width=130),
    }  # fmt: skip
