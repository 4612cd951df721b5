"""Registered data sets whose folder is gone: forget them, or say where they are now."""

from pathlib import Path

import streamlit as st

from dashboard import actions, navigation, roles, widgets
from dashboard.roles import Role
from dfcore.datasets.registry import missing

_NAMED = 3


def show() -> None:
    """Lists registered data sets that no longer exist, each with two ways on."""
    gone = missing()
    if not gone:
        return
    names = ", ".join(widgets.plain(root.name) for root in gone[:_NAMED]) + (" …" if len(gone) > _NAMED else "")
    title = "1 data set is missing" if len(gone) == 1 else f"{len(gone)} data sets are missing"
    with st.expander(f"{title}: {names}", icon=":material/folder_off:"):
        for root in gone:
            _one(root)


def _one(root: Path) -> None:
    may = roles.may(Role.TRAINER)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = st.text_input(
            f"{widgets.plain(root.name)} was at {widgets.plain(root)}", key=f"moved {root}", disabled=not may,
            placeholder="Where it is now", help="The folder or manifest under its new path. Your answers about it and "
            "its audit are kept.",
        )  # fmt: skip
        if st.button("It is here now", key=f"relocate {root}", icon=":material/drive_file_move:", disabled=not may):
            with widgets.errors():
                navigation.ask_for_dataset(actions.relocate(root, place))
                st.rerun()
        if st.button("Forget", key=f"forget {root}", icon=":material/remove:", disabled=not may):
            with widgets.errors():
                actions.forget(root)
                st.rerun()
