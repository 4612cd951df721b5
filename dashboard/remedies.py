"""What can be done about a finding with one click, and undone; and the audit as files."""

import tempfile
from pathlib import Path

import streamlit as st

from dashboard import actions, audit_work, background, navigation, roles, widgets
from dashboard.roles import Role
from dfcore.audit import Audit, Finding
from dfcore.audit.stored import recall
from dfcore.datasets import Dataset

# The finding that a neutralised copy is meant for.
SHORTCUTS = "shortcuts"


def offer(root: Path, dataset: Dataset, finding: Finding, key: str) -> None:
    """Shows the remedies of a finding; each that was applied can be undone."""
    may = roles.may(Role.TRAINER)
    with st.container(horizontal=True, vertical_alignment="center"):
        if finding.exclude:
            _exclude(root, dataset, finding, key, may)
        if finding.together:
            _together(root, dataset, finding, key, may)
    if finding.kind == SHORTCUTS and finding.severity != "ok":
        _neutralise(root, dataset, finding, key, may)


def _exclude(root: Path, dataset: Dataset, finding: Finding, key: str, may: bool) -> None:
    number = int(dataset.table.pixels_sha256.isin(finding.exclude).sum())
    if set(finding.exclude) <= set(dataset.reading.excluded):
        st.markdown(f":green[:material/check:] {_images(number)} taken out of the index", width="content")
        if st.button("Put back", icon=":material/undo:", key=f"include {key}", disabled=not may):
            actions.exclude(root, finding.exclude, out=False)
            st.rerun()
    elif st.button(
        f"Take {_images(number)} out of the index", icon=":material/playlist_remove:", key=f"exclude {key}",
        disabled=not may,
        help="They are no longer used in training and evaluation. The files are not touched, and it can be undone.",
    ):  # fmt: skip
        actions.exclude(root, finding.exclude, out=True)
        st.rerun()


def _together(root: Path, dataset: Dataset, finding: Finding, key: str, may: bool) -> None:
    number = len(finding.together)
    groups = "1 group" if number == 1 else f"{number:,} groups"
    if set(finding.together) <= set(dataset.reading.together):
        st.markdown(f":green[:material/check:] {groups} kept together", width="content")
        if st.button("Let them part", icon=":material/undo:", key=f"part {key}", disabled=not may):
            actions.keep_together(root, finding.together, together=False)
            st.rerun()
    elif st.button(
        f"Keep {groups} together", icon=":material/link:", key=f"together {key}", disabled=not may,
        help="Images of one group are then never split between training, validation and test. Splits that the "
        "folders give are kept. It can be undone.",
    ):  # fmt: skip
        actions.keep_together(root, finding.together, together=True)
        st.rerun()


def _neutralise(root: Path, dataset: Dataset, finding: Finding, key: str, may: bool) -> None:
    if audit_work.watch(background.neutralise_key(root)):
        return
    from dfcore.audit.copies import registered_copies  # Imports the audit, which takes a second.

    copies = registered_copies(dataset)
    for copy in copies:
        after = next(iter(found.kind(SHORTCUTS)), None) if (found := recall(copy)) else None
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f":material/content_copy: **{widgets.plain(copy.name)}**, without looking at the pictures: "
                f"AUC {_auc(finding)} before, **{_auc(after)}** after (0.5 is guessing)",
                width="content",
            )
            if st.button("Open the copy", key=f"open {copy} {key}", type="tertiary", icon=":material/arrow_forward:"):
                navigation.ask_for_dataset(copy)
                st.rerun()
    if st.button(
        "Make another neutralised copy" if copies else "Make a neutralised copy",
        icon=":material/content_copy:", key=f"neutralise {key}", disabled=not may,
        help="Takes both classes through the same crop, resize and coding, in a new folder that is registered as a "
        "data set, and probes it again. The original files are not touched.",
    ):  # fmt: skip
        actions.start_neutralising(root, dataset)
        st.rerun()


def _auc(finding: Finding | None) -> str:
    """An AUC with its interval, from the figures of a probe."""
    figures = finding.figures if finding else {}
    if "auc" not in figures:
        return "not measured"
    low, high = figures.get("auc_low"), figures.get("auc_high")
    return f"{figures['auc']:.2f}" + (f" ({low:.2f} to {high:.2f})" if low is not None and high is not None else "")


def downloads(dataset: Dataset, audit: Audit) -> None:
    """Buttons that save the audit as a report and as JSON."""
    st.download_button(
        "Report", lambda: _report(audit), f"audit-{dataset.name}.html", "text/html", on_click="ignore",
        icon=":material/download:", help="One HTML file with all findings and their images, to pass on or print.",
    )  # fmt: skip
    st.download_button(
        "JSON", audit.to_json(), f"audit-{dataset.name}.json", "application/json", on_click="ignore",
        icon=":material/data_object:", help="The whole audit, for other programs.",
    )  # fmt: skip


def _report(audit: Audit) -> bytes:
    from dfcore.audit.report import write_report

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        write_report(audit, file)
        return file.read_bytes()


def _images(number: int) -> str:
    return "1 image" if number == 1 else f"{number:,} images"
