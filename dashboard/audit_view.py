"""Findings of an audit: what each means, how many images, which, and what to do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import streamlit as st

from dashboard import audit_work, background, error_reporting, remedies, stored, widgets
from dfcore.audit import Audit, Finding, Severity
from dfcore.audit.stored import is_stale, recall
from dfcore.datasets import Dataset

# On a page: whole rows both at 1024 pixels (two pairs, four images a row) and at 1440 (three, eight).
_PAIRS, _IMAGES = 6, 8
# Width of a thumbnail in pixels, and characters of its name.
_WIDTH, _NAME = 108, 13


class _Style(NamedTuple):
    colour: Literal["red", "yellow", "gray", "green"]
    icon: str
    word: str
    help: str


STYLES: dict[Severity, _Style] = {
    "high": _Style("red", "error", "High", "Makes results worthless."),
    "medium": _Style("yellow", "warning", "Medium", "Distorts results by an unknown amount."),
    "low": _Style("gray", "info", "Low", "Worth knowing."),
    "ok": _Style("green", "check_circle", "No fault", "A check that found nothing, or that could not be run."),
}


def badge(severity: Severity, text: str = "") -> None:
    """Shows a severity with its icon and word, never by colour alone."""
    style = STYLES[severity]
    st.badge(text or style.word, icon=f":material/{style.icon}:", color=style.colour, help=style.help)


def counts(audit: Audit) -> None:
    """One badge for each severity that occurs, with the number of findings."""
    for severity, number in audit.counts().items():
        if number:
            badge(severity, f"{number} {STYLES[severity].word.lower()}")


def show(root: Path, dataset: Dataset) -> None:
    """Shows the stored audit of a data set, or how to make one."""
    if audit_work.watch(background.audit_key(root)):
        return
    audit = recall(root)
    if audit is None:
        st.markdown(
            "Not audited yet. The audit asks what a detector could learn from these images **instead of** the traces "
            "of generators: the file format, the subjects, copies in both training and test, wrong labels."
        )
        audit_work.offer(root, dataset, "Audit this data set", primary=True)
        return
    _header(root, dataset, audit)
    for finding in audit.of("high", "medium", "low"):
        _finding(root, dataset, finding)
    sound = audit.of("ok")
    if sound:
        with st.expander(f"{len(sound)} checks without a fault", icon=":material/check_circle:"):
            for finding in sound:
                st.markdown(
                    f":green[:material/check:] **{widgets.plain(finding.title)}** {widgets.plain(finding.meaning)}"
                )
    for note in audit.notes:
        st.caption(widgets.plain(note))


def _header(root: Path, dataset: Dataset, audit: Audit) -> None:
    stale = is_stale(audit, dataset)
    if stale:
        st.warning(
            "The data set has changed since this audit: what follows may no longer hold. Audit it again.",
            icon=":material/history:",
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        counts(audit)
        when = audit.created.replace("T", " ")[:16]
        st.caption(f"{audit.images:,} images, audited {when} UTC", width="content")
        audit_work.offer(root, dataset, "Audit again", primary=stale)
        remedies.downloads(dataset, audit)


@error_reporting.fragment()
def _finding(root: Path, dataset: Dataset, finding: Finding) -> None:
    key = f"{finding.kind} {finding.title}"
    with st.container(border=True), widgets.errors():
        with st.container(horizontal=True, vertical_alignment="center"):
            badge(finding.severity)
            st.markdown(f"**{widgets.plain(finding.title)}**", width="content")
        st.markdown(widgets.plain(finding.meaning))
        if finding.details:
            st.markdown("\n".join(f"- {widgets.plain(text)}" for text in finding.details))
        if finding.pairs:
            _pairs(dataset, finding.pairs, finding.count, key)
        elif finding.images:
            _images(dataset, finding.images, finding.count, key)
        if finding.advice:
            st.markdown(f":material/build: **What to do:** {widgets.plain(finding.advice)}")
        remedies.offer(root, dataset, finding, key)


def _pairs(dataset: Dataset, pairs: Sequence[tuple[str, str]], count: int, key: str) -> None:
    shown = _page(pairs, _PAIRS, max(count, len(pairs)), "pairs", key)
    facts = _facts(dataset, [path for pair in shown for path in pair])
    with st.container(horizontal=True):
        for number, pair in enumerate(shown):
            with st.container(border=True, horizontal=True, gap="small", width=2 * _WIDTH + 48):
                for side, path in enumerate(pair):
                    _thumbnail(dataset, path, facts, f"{key} {number} {side}")


def _images(dataset: Dataset, images: Sequence[str], count: int, key: str) -> None:
    shown = _page(images, _IMAGES, max(count, len(images)), "images", key)
    facts = _facts(dataset, shown)
    with st.container(horizontal=True, gap="small"):
        for number, path in enumerate(shown):
            _thumbnail(dataset, path, facts, f"{key} {number}")


def _page(items: Sequence[Any], size: int, count: int, what: str, key: str) -> Sequence[Any]:
    """One page of a gallery, with a control for the others if there are any."""
    pages = -(-len(items) // size)
    listed = (
        f"{len(items):,} of {count:,} {what}, the most telling first" if count > len(items) else f"{count:,} {what}"
    )
    if pages < 2:
        st.caption(listed)
        return items
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.number_input(
            f"Page (of {pages})", 1, pages, key=f"page {key}", width=130, help=f"{size} {what} on each page."
        )
        st.caption(listed)
    return items[(number - 1) * size : number * size]


def _facts(dataset: Dataset, paths: Sequence[str]) -> dict[str, Any]:
    rows = dataset.table[dataset.table.path.isin(list(paths))]
    return {str(row.path): row for row in rows.itertuples()}


def _thumbnail(dataset: Dataset, path: str, facts: dict[str, Any], key: str) -> None:
    """An image with its class, its split and its name; a click on the name opens Inspect."""
    file = dataset.root / path
    picture = stored.thumbnail(str(file), stored.stamp(file))
    row = facts.get(path)
    with st.container(gap=None, width=_WIDTH):
        if picture is None:
            st.caption(":material/broken_image: not readable")
        else:
            st.image(picture, width="stretch", alt=path)
        told = [widgets.class_words(row.label), row.split] if row is not None else ["no longer there"]
        st.caption(", ".join(part for part in told if isinstance(part, str)))
        name = path if len(path) <= _NAME else f"…{path[1 - _NAME :]}"
        if picture is not None and st.button(
            widgets.plain(name), key=f"open {key} {path}", type="tertiary", help=f"Inspect {widgets.plain(path)}"
        ):
            widgets.inspect_file(file, row.film if row is not None else None)
