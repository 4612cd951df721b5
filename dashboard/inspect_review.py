"""Inspect's memory on the page: keys to decide on the picture in sight, what is known of it, and its notes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import case_actions, filmstrip, memory, notes_panel, review_keys, seen_before, uploads, widgets
from dfcore import workspace
from dfcore.errors import DfcoreError

if TYPE_CHECKING:
    from dfcore.cases import Decision

_KEYS, _ERROR = "inspect_review", "inspect_review_error"
# A verdict is written within milliseconds, unless the disk or the network to the database is slow.
_SOON, _PATIENT = 0.5, 10.0


def answer(pictures: Sequence[uploads.Picture]) -> None:
    """Does what was asked for by keys since the last run."""
    for press in review_keys.presses(_KEYS):
        st.session_state[_ERROR] = None
        if press.decision is None:
            number, step = filmstrip.chosen(pictures), 1 if press.action == "next" else -1
            filmstrip.choose(pictures, (number + step) % len(pictures))
            continue
        try:
            memory.settle(press.picture, _PATIENT)
            case_actions.decide(press.picture, press.decision)
        except DfcoreError as error:
            st.session_state[_ERROR] = error


def show_keys(pictures: Sequence[uploads.Picture], number: int, decisions: "Mapping[str, Decision]") -> None:
    """Shows the keys, and what they led to."""
    keeps, picture = workspace.keeps_cases(), pictures[number]
    if not keeps and len(pictures) == 1:
        return
    decision, listed = decisions.get(picture.id), {one.id for one in pictures}
    review_keys.show(
        picture.id, key=_KEYS, number=number, total=len(pictures), may=keeps, done=len(listed & set(decisions)),
        decided=review_keys.decided(decision.decided) if decision else None,
    )  # fmt: skip
    if (error := st.session_state.get(_ERROR)) is not None:
        st.error(f"The decision is not kept: {widgets.told(error)}", icon=":material/error:")


def show_notes(picture: uploads.Picture) -> None:
    """Shows what people said of the picture, and the ways to say more."""
    if not workspace.keeps_cases():
        st.caption(seen_before.OFF)
        return
    memory.settle(picture.id, _PATIENT)
    seen_before.show_state(picture)
    with widgets.errors():
        from dfcore.cases import open_store

        if memory.is_written(picture.id):
            store = open_store()
            notes_panel.show(store, store.history(picture.id), key="inspect", data=picture.data)


def tell_news(picture: uploads.Picture, *, was_settled: bool, hurry: bool) -> None:
    """Draws the page anew once something is known of the picture that was not when it was drawn.

    Args:
        picture: The picture in sight.
        was_settled: Whether its verdict had been written when the page was drawn.
        hurry: Whether something else is to be done as well, after which the page is drawn anew anyway.
    """
    if was_settled or not memory.settle(picture.id, _SOON if hurry else _PATIENT):
        return
    if memory.seen(picture.id) or memory.problem(picture.id) is not None:
        st.rerun()
