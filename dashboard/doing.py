"""Buttons that do something before the page is drawn, so that all of it shows the result; errors stand beside them."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import error_reporting, widgets
from dfcore.errors import DfcoreError, detached


def button(label: str, act: Callable[[], str | None], *, key: str, place: Any = st, **options: Any) -> None:
    """A button that does something; a failure stays beside it until it is pressed again, and fields keep their text.

    Args:
        label: Label of the button.
        act: What it does; gives what is told when it is done, or None.
        key: Key of the button.
        place: Container to draw into.
        options: Further arguments of `st.button`.
    """
    outcome = f"{key}_outcome"
    place.button(label, key=key, on_click=_try, args=(outcome, act), **options)
    result = st.session_state.get(outcome)
    if isinstance(result, DfcoreError):
        with place.container(), widgets.errors():
            raise result
    elif result:
        st.toast(result, icon=":material/check:")
        st.session_state[outcome] = None


def _try(outcome: str, act: Callable[[], str | None]) -> None:
    st.session_state[outcome] = None
    with error_reporting.reported():
        try:
            st.session_state[outcome] = act()
        except DfcoreError as error:
            st.session_state[outcome] = detached(error)
