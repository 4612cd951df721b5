"""Inspect's memory on the page: keys to decide on the picture in sight, what is known of it, and its notes."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import (
    batch_decided,
    case_actions,
    filmstrip,
    memory,
    notes_panel,
    review_keys,
    seen_before,
    uploads,
    widgets,
)
from dfcore import workspace
from dfcore.errors import DfcoreError, detached
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    from dashboard import batch_review
    from dfcore.cases import Decision

_KEYS, _ERROR = "inspect_review", "inspect_review_error"
# A verdict is written within milliseconds, unless the disk or the network to the database is slow.
_SOON, _PATIENT = 0.5, 10.0


def answer(pictures: Sequence[uploads.Picture], turn: Callable[[int], None] | None = None) -> None:
    """Does what was asked for by keys since the last run.

    Args:
        pictures: The pictures.
        turn: Opens the picture so many places further on; by default another one of `pictures`.
    """
    for press in review_keys.presses(_KEYS):
        st.session_state[_ERROR] = None
        if press.decision is None:
            step = 1 if press.action == "next" else -1
            if turn is None:
                filmstrip.choose(pictures, (filmstrip.chosen(pictures) + step) % len(pictures))
            else:
                turn(step)
            continue
        try:
            memory.settle(press.picture, _PATIENT)
            case_actions.decide(press.picture, press.decision)
            batch_decided.add(press.picture)
        except DfcoreError as error:
            st.session_state[_ERROR] = detached(error)


def show_keys(
    pictures: Sequence[uploads.Picture], number: int, decisions: "Mapping[str, Decision]",
    review: "batch_review.Review | None" = None,
) -> None:  # fmt: skip
    """Shows the keys, and what they led to; of a batch that is gone through, its place there."""
    keeps, picture = workspace.keeps_cases(), pictures[number]
    total, done = len(pictures), len({one.id for one in pictures} & set(decisions))
    if review is not None:
        number, total, done = review.place or 0, review.total, review.decided
    if not keeps and total == 1:
        return
    decision = decisions.get(picture.id)
    review_keys.show(
        picture.id, printable(picture.name), key=_KEYS, number=number, total=total, may=keeps, done=done,
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
            notes_panel.show(store, store.history(picture.id), key="inspect", data=picture.data,
                             name=picture.name)  # fmt: skip


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
