"""Dialogs that ask before something is destroyed: each can be cancelled, and what destroys is no primary button."""

from collections.abc import Callable

import streamlit as st

from dashboard import error_reporting, widgets
from dfcore.errors import DfcoreError

_OUTCOME = "dialog_outcome"


def decide(label: str, act: Callable[[], None], *, done: str) -> None:
    """The two buttons that end a dialog; it closes once `act` has succeeded, and stays open with its error otherwise.

    Args:
        label: Label of the button that destroys, such as "Delete for good".
        act: What it does.
        done: What is told afterwards.
    """
    with st.container(horizontal=True):
        clicked = st.button(label, icon=":material/delete:", key="dialog_go", on_click=_try, args=(act,))
        cancelled = st.button("Cancel", key="dialog_cancel")
    outcome = st.session_state.get(_OUTCOME) if clicked else None
    with widgets.errors():
        if isinstance(outcome, DfcoreError):
            raise outcome
    if outcome is True:
        st.toast(done, icon=":material/delete:")
    if outcome is True or cancelled:
        st.rerun()  # Of the whole page: by itself a dialog reruns alone, with the page behind it as it was.


def _try(act: Callable[[], None]) -> None:
    st.session_state[_OUTCOME] = None
    with error_reporting.reported():
        try:
            act()
            st.session_state[_OUTCOME] = True
        except DfcoreError as error:
            st.session_state[_OUTCOME] = error
