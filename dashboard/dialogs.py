"""Dialogs that ask before something is destroyed or sent: each can be cancelled; what destroys is no primary button."""

from collections.abc import Callable

import streamlit as st

from dashboard import error_reporting, widgets
from dfcore.errors import DfcoreError, detached

_OUTCOME = "dialog_outcome"


def decide(
    label: str, act: Callable[[], None], *, done: str, icon: str = ":material/delete:", disabled: bool = False
) -> None:
    """The two buttons that end a dialog; it closes once `act` has succeeded, and stays open with its error otherwise.

    Args:
        label: Label of the button that acts, such as "Delete for good".
        act: What it does. It reads what fields say from the session state: Streamlit calls it as it was when the dialog
            was last drawn, and a field may say something else by now.
        done: What is told afterwards.
        icon: Its icon.
        disabled: Whether only Cancel can be pressed.
    """
    with st.container(horizontal=True):
        clicked = st.button(label, icon=icon, key="dialog_go", on_click=_try, args=(act,), disabled=disabled)
        cancelled = st.button("Cancel", key="dialog_cancel")
    outcome = st.session_state.get(_OUTCOME) if clicked else None
    with widgets.errors():
        if isinstance(outcome, DfcoreError):
            raise outcome
    if outcome is True:
        st.toast(done, icon=icon)
    if outcome is True or cancelled:
        st.rerun()  # Of the whole page: by itself a dialog reruns alone, with the page behind it as it was.


def _try(act: Callable[[], None]) -> None:
    st.session_state[_OUTCOME] = None
    with error_reporting.reported():
        try:
            act()
            st.session_state[_OUTCOME] = True
        except DfcoreError as error:
            st.session_state[_OUTCOME] = detached(error)
