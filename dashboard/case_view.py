"""A case: its pictures with what was said of each, its notes and tags; rename, close, delete, review, report."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import (
    case_actions,
    cases_address,
    changed_detectors,
    decided,
    decisions_export,
    dialogs,
    doing,
    kept_pictures,
    notes_panel,
    picture_search,
    roles,
    stored_reports,
    uploads,
    widgets,
)
from dashboard.markup import plain
from dashboard.navigation import go
from dashboard.roles import Role

if TYPE_CHECKING:
    from dfcore.cases import Case, Store

_RENAME = "case_rename"


def show(store: "Store", case: "Case") -> None:
    """Shows a case."""
    if st.button("All cases", icon=":material/arrow_back:", type="tertiary", key="case_back"):
        cases_address.leave(view="cases")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"{case.id}: {plain(case.title)}", width="content")
        st.badge("closed" if case.closed else "open", icon=f":material/{'lock' if case.closed else 'folder_open'}:",
                 color="gray" if case.closed else "green")  # fmt: skip
    closed = f", closed on {decided.when(case.closed)}" if case.closed else ""
    st.caption(f"Opened by {plain(case.by)} on {decided.when(case.created)}{closed}. {case.pictures:,} "
               f"{'picture' if case.pictures == 1 else 'pictures'}.")  # fmt: skip
    _act(store, case)
    changed_detectors.tell(store, case)
    picture_search.show(store, key=f"case_{case.id}", case=case.id)
    left, right = st.columns(2, gap="large")
    may = roles.may(Role.ANALYST)
    with left:
        notes_panel.show_notes(store.case_notes(case.id), key=f"case_{case.id}", case=case.id, may=may)
    with right:
        known = [name for name, _ in store.case_tags()]
        notes_panel.show_tags(case.tags, known, key=f"case_{case.id}", case=case.id, may=may)
        decisions_export.offer(store, case=case.id)


def _act(store: "Store", case: "Case") -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if roles.may(Role.ANALYST):
            _review(store, case)
            with st.popover("Rename", icon=":material/edit:", key=_RENAME, on_change="rerun"):
                new = f"case_title_{case.id}"
                st.text_input("Title", case.title, key=new, help="Up to 300 characters.")
                doing.button("Rename it", lambda: _rename(case.id, new), key=f"case_rename_{case.id}")
            label, icon = ("Open it again", "lock_open") if case.closed else ("Close the case", "lock")
            doing.button(label, lambda: _close(case), key=f"case_close_{case.id}", icon=f":material/{icon}:",
                         help="A closed case leaves the list of open ones; nothing in it changes.")  # fmt: skip
        stored_reports.of_case(case)
        if roles.may(Role.TRAINER) and st.button("Delete", icon=":material/delete:", key=f"case_delete_{case.id}"):
            _confirm_delete(case)


def _review(store: "Store", case: "Case") -> None:
    """Opens the pictures of the case that were kept in Inspect, to go through them by keyboard."""
    from dfcore.cases import Query

    if not case.pictures:
        return
    rows = store.search(Query(case=case.id), limit=uploads.MOST_FILES * 2, order="name").rows
    kept = [row.picture for row in rows if row.image]
    if kept and st.button(f"Review in Inspect ({len(kept)})", icon=":material/play_arrow:", key=f"review_{case.id}",
                          help="Opens the pictures that were kept, to be decided on by keyboard."):  # fmt: skip
        with widgets.errors():
            uploads.add(*(uploads.Picture(one.name, kept_pictures.contents(store, one.sha256)) for one in kept))
            go("inspect")


def _rename(case: int, field: str) -> str:
    case_actions.change_case(case, title=st.session_state.get(field, ""))
    widgets.close(_RENAME)
    return "The case is renamed."


def _close(case: "Case") -> str:
    case_actions.change_case(case.id, closed=case.closed is None)
    return "The case is closed." if case.closed is None else "The case is open again."


@st.dialog("Delete this case?")
def _confirm_delete(case: "Case") -> None:
    st.markdown(
        f"Case **{case.id}: {plain(case.title)}** will be deleted, with its notes, its tags and the decisions that "
        "were made in it. Its pictures stay among the judged ones, with their verdicts. A tombstone stays in the log: "
        "who deleted it, when and why."
    )
    st.text_input("Why", key="delete_case_why", help="It stays in the log.")
    dialogs.decide("Delete for good", lambda: _delete(case), done=f"Case {case.id} is deleted.")


def _delete(case: "Case") -> None:
    case_actions.delete_case(case.id, st.session_state.get("delete_case_why", ""))
    cases_address.open_(view="cases")
