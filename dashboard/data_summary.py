"""What is known of a data set, told before training: whether its reading was confirmed, and what its audit found."""

from pathlib import Path

import streamlit as st

from dashboard import audit_view, audit_work, background, understood, widgets
from dashboard.navigation import ask_for_dataset, go
from dfcore.audit import Audit
from dfcore.audit.stored import is_stale, recall
from dfcore.datasets import Dataset

_MOST = 4


def show(root: Path, dataset: Dataset) -> None:
    """Sums up reading and audit of a data set, the severe findings in red; what is told here stands on the card too."""
    with st.container(border=True):
        st.markdown("**Before you train: what is known of this data set**")
        _reading(dataset)
        _audit(root, dataset)
        if st.button("Open it in Data sets", icon=":material/photo_library:", type="tertiary", key="look at data set"):
            ask_for_dataset(root)
            go("datasets")


def _reading(dataset: Dataset) -> None:
    usable = dataset.usable
    with st.container(horizontal=True, vertical_alignment="center"):
        understood.state(dataset)
        st.markdown(
            f"{(usable.label == 0).sum():,} {widgets.class_words(0)}, {(usable.label == 1).sum():,} "
            f"{widgets.class_words(1)}. {widgets.plain(dataset.layout).capitalize()}.",
            width="content",
        )
    if dataset.self_made:
        st.markdown(f":violet[:material/science: {widgets.plain(dataset.self_made)}]")
    for doubt in dataset.doubts:
        colour = "gray" if dataset.reading.confirmed else "red"
        st.markdown(f":{colour}[:material/help: {widgets.told(doubt)}]")


def _audit(root: Path, dataset: Dataset) -> None:
    if audit_work.watch(background.audit_key(root)):
        return
    audit = recall(root)
    if audit is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge("Not audited", icon=":material/pending:", color="gray")
            st.markdown(
                "Nobody has checked yet what a detector could learn here other than traces.",
                width="content",
            )
            audit_work.offer(root, dataset, "Audit now")
        return
    stale = is_stale(audit, dataset)
    with st.container(horizontal=True, vertical_alignment="center"):
        audit_view.counts(audit)
        if stale:
            st.badge("Out of date", icon=":material/history:", color="gray", help="The data set has changed since.")
            audit_work.offer(root, dataset, "Audit again")
    _severe(audit)


def _severe(audit: Audit) -> None:
    severe = audit.of("high")
    for finding in severe[:_MOST]:
        st.markdown(f":red[:material/error: **{widgets.plain(finding.title)}**] {widgets.plain(finding.advice)}")
    if len(severe) > _MOST:
        st.markdown(f":red[… and {len(severe) - _MOST} more.]")
