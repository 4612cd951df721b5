"""Models: all detectors and their cards; promote a run, rename, set the default, delete."""

import os

import streamlit as st

from dashboard import actions, adopt_view, background, detectors, dialogs, export_view, hub_view, roles, widgets
from dashboard.card_view import show_card
from dashboard.navigation import go, require_front_door
from dashboard.roles import Role
from dfcore.detectors.library import default_name
from dfcore.detectors.remembered import cited

require_front_door()


def act(entry: detectors.Entry) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button("Inspect with it", icon=":material/frame_inspect:", key=f"inspect_{entry.key}",
                     help="Opens Inspect with this detector."):  # fmt: skip
            go("inspect", detector=entry.key)
        if default_name() != entry.key and st.button(
            "Make default", icon=":material/star:", key=f"default_{entry.key}"
        ):
            with widgets.errors():
                actions.set_default(entry.key)
                st.rerun()
        if entry.shipped:
            st.caption("It ships with the package, so it cannot be renamed or deleted.")
        else:
            change(entry)
        if roles.may(Role.ANALYST):
            st.download_button(
                "Download", actions.pack(entry.folder), f"{entry.key}.zip", "application/zip", on_click="ignore",
                icon=":material/download:", key=f"download_{entry.key}",
                help="The complete detector as one archive, for sharing.",
            )  # fmt: skip
        hub_view.offer_publishing(entry)
    hub_view.publishing(entry)


def change(entry: detectors.Entry) -> None:
    with st.popover("Rename", icon=":material/edit:", key=f"renaming_{entry.key}", on_change="rerun"):
        new = st.text_input("New name", entry.key, key=f"rename_{entry.key}", help="Letters, digits, . - and _")
        if st.button("Rename it", key=f"rename_it_{entry.key}") and new != entry.key:
            with widgets.errors():
                actions.rename(entry.key, new)
                st.rerun()
    if st.button("Delete", icon=":material/delete:", key=f"delete_{entry.key}"):
        confirm_delete(entry)


@st.dialog("Delete this detector?")
def confirm_delete(entry: detectors.Entry) -> None:
    st.markdown(f"**{widgets.plain(entry.title)}** will be deleted permanently.")
    if told := cited(entry.folder):
        st.warning(widgets.plain(told), icon=":material/folder_open:")
    others = {other.key: other.title for other in detectors.library()[0] if other.key != entry.key}
    successor = f"successor_{entry.key}"
    if default_name() == entry.key and others:
        st.selectbox(
            "It is the default. New default", list(others), format_func=others.__getitem__, key=successor,
            help="The detector that is offered first, and used where none is named.",
        )  # fmt: skip
    dialogs.decide(
        "Delete for good", lambda: actions.delete_detector(entry.key, st.session_state.get(successor)),
        done=f"{entry.key} is deleted.",
    )  # fmt: skip


def promote() -> None:
    finished = {entry.run.id: entry.title for entry in detectors.detectors() if entry.run is not None}
    if not finished:
        widgets.empty("No completed run yet.", "train", "Train a detector", "model_training")
        return
    with st.form("promote", border=False):
        picked = st.selectbox("Completed run", list(finished), format_func=finished.__getitem__,
                              help="Its detector is copied into the library; the run is kept.")  # fmt: skip
        name = st.text_input("Name in the library", placeholder="faces-2026", help="Letters, digits, . - and _")
        if st.form_submit_button("Promote", icon=":material/upload:"):
            with widgets.errors():
                actions.promote(picked, name)
                st.rerun()


def take_in() -> None:
    st.caption(
        "Import a shared detector, from an archive made with Download. It is first loaded in a separate process, and "
        "rejected unless it holds a supported network with its card. The claims on its card are not verified."
    )
    with st.form("take_in", border=False):
        file = st.file_uploader("Archive", type=["zip"], help="model.keras, card.json, domain.npz, predictions.")
        name = st.text_input("Name in the library", placeholder="faces-from-ada", help="Letters, digits, . - and _")
        if st.form_submit_button("Import", icon=":material/upload_file:") and file:
            with widgets.errors(), st.spinner("Loading it in a separate process …"):
                actions.take_in(name, file.getvalue())
                st.rerun()


def asked_first(entries: list[detectors.Entry]) -> list[detectors.Entry]:
    """The library with the detector that the address names on top, if there is one."""
    asked = st.query_params.get("detector")
    if asked is None or asked in (entry.key for entry in entries):
        return sorted(entries, key=lambda entry: entry.key != asked)
    if asked in (entry.key for entry in detectors.detectors()):
        st.info(f"The detector of {widgets.plain(asked.removeprefix('run:'))} is not in the library: promote its run "
                "below to keep it here.", icon=":material/upload:")  # fmt: skip
    else:
        widgets.missing("Detector", asked)
    return entries


st.title("Models")
library, problems = detectors.library()
for problem in problems:
    st.error(widgets.told(problem), icon=":material/error:")
if not library:
    st.markdown("The library is empty. Promote a completed run to keep its detector here.")
for entry in asked_first(library):
    with st.container(border=True):
        st.subheader(widgets.plain(entry.title))
        hub_view.origin(entry)
        show_card(entry.card, entry.key)
        act(entry)
        export_view.offer(entry)
with st.expander("Promote a run", expanded=not library, icon=":material/upload:"):
    promote()
if os.environ.get("DFCORE_TAKE_IN") == "1":
    with st.expander("Import a detector", icon=":material/upload_file:"):
        take_in()
    at_work = background.find(background.FETCH_DETECTOR) is not None
    with st.expander("Fetch from the Hugging Face Hub", expanded=at_work, icon=":material/cloud_download:"):
        hub_view.fetch()
    with st.expander("Import a Keras model", expanded=adopt_view.under_way(), icon=":material/input:"):
        adopt_view.offer()
