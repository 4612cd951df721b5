"""What can be done about a finding with one click, and undone; and the audit as files."""

from collections.abc import Iterable

from pathlib import Path

import streamlit as st

from dashboard import actions, audit_work, background, roles, widgets
from dashboard.roles import Role
from dfcore.audit import Audit, Finding
from dfcore.datasets import Dataset

# Findings that a neutralised copy is meant for.
NEUTRALISED = ("shortcuts",)


def offer(root: Path, dataset: Dataset, finding: Finding, key: str) -> None:
    """Shows the remedies of a finding; each that was applied can be undone."""
    may = roles.may(Role.TRAINER)
    with st.container(horizontal=True, vertical_alignment="center"):
        if finding.exclude:
            _exclude(root, dataset, finding, key, may)
        if finding.together:
            _together(root, dataset, finding, key, may)
    if finding.kind in NEUTRALISED and finding.severity != "ok":
        _neutralise(root, dataset, key, may)


def _exclude(root: Path, dataset: Dataset, finding: Finding, key: str, may: bool) -> None:
    number = len(finding.exclude)
    if set(finding.exclude) <= set(dataset.reading.excluded):
        st.markdown(f":green[:material/check:] {_images(number)} taken out of the index", width="content")
        if st.button("Put back", icon=":material/undo:", key=f"include {key}", disabled=not may):
            actions.include(root, finding.exclude)
            st.rerun()
    elif st.button(
        f"Take {_images(number)} out of the index", icon=":material/playlist_remove:", key=f"exclude {key}",
        disabled=not may,
        help="They are no longer used in training and evaluation. The files are not touched, and it can be undone.",
    ):  # fmt: skip
        actions.exclude(root, finding.exclude)
        st.rerun()


def _together(root: Path, dataset: Dataset, finding: Finding, key: str, may: bool) -> None:
    number = len(finding.together)
    groups = "1 group" if number == 1 else f"{number:,} groups"
    if set(finding.together) <= set(dataset.reading.together):
        st.markdown(f":green[:material/check:] {groups} kept together", width="content")
        if st.button("Let them part", icon=":material/undo:", key=f"part {key}", disabled=not may):
            actions.part(root, finding.together)
            st.rerun()
    elif st.button(
        f"Keep {groups} together", icon=":material/link:", key=f"together {key}", disabled=not may,
        help="Images of one group are then never split between training, validation and test. Splits that the "
        "folders give are kept. It can be undone.",
    ):  # fmt: skip
        actions.keep_together(root, finding.together)
        st.rerun()


def _neutralise(root: Path, dataset: Dataset, key: str, may: bool) -> None:
    work = background.neutralise_key(root)
    if audit_work.watch(work):
        return
    if st.button(
        "Make a neutralised copy", icon=":material/content_copy:", key=f"neutralise {key}", disabled=not may,
        help="Takes both classes through the same crop, resize and coding, in a new folder that is registered as a "
        "data set. The original files are not touched.",
    ):  # fmt: skip
        actions.start_neutralising(root, dataset)
        st.rerun()


def downloads(dataset: Dataset, audit: Audit) -> None:
    """Buttons that save the audit as a report and as JSON."""
    st.download_button(
        "JSON", audit.to_json(), f"audit-{dataset.name}.json", "application/json", on_click="ignore",
        icon=":material/download:", help="The whole audit, for other programs.",
    )  # fmt: skip


def _images(number: int) -> str:
    return "1 image" if number == 1 else f"{number:,} images"
