"""Buttons that make a report of a picture, when they are pressed and not before."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import actions, detectors, evidence, face_work, inference, inference_queue, roles, verdict
from dashboard.uploads import Picture
from dfcore import workspace
from dfcore.confidence import Policy
from dfcore.errors import DfcoreError
from dfcore.utils import extras

if TYPE_CHECKING:
    from dfcore.detectors.detector import Detector
    from dfcore.inspection.faces import FoundFaces

FORMATS = {"HTML": (".html", "text/html"), "PDF": (".pdf", "application/pdf")}
_HELP = (
    "Picture, heat-map, verdict, what the file says of itself, figures, limits, versions, and how to repeat it, in one "
    "file to hand over. It is made when you press this, which takes some seconds."
)


@dataclass(frozen=True)
class _Wanted:
    """A report, apart from its format: all that a thread without a session needs."""

    entries: list[detectors.Entry]
    picture: Picture
    policies: dict[str, Policy]
    options: tuple[str, ...]
    heatmap: evidence.Wanted | None
    one_in: int
    by: str
    faces: detectors.Entry | str


def show(
    entries: list[detectors.Entry], picture: Picture, strictness: verdict.Strictness, heatmap: evidence.Wanted | None,
    faces: detectors.Entry | str,
) -> None:  # fmt: skip
    """Shows a button for each format.

    Args:
        entries: The detectors that were asked for the verdict.
        picture: The picture.
        strictness: The analyst's settings.
        heatmap: The heat-map that is shown; None if none is.
        faces: The detector for faces; why there is none, a sentence.
    """
    if not roles.may(roles.Role.ANALYST):
        return
    asked = [*entries, *([] if isinstance(faces, str) else [faces])]
    wanted = _Wanted(
        entries, picture, {entry.key: _policy(entry, strictness) for entry in asked}, _options(strictness), heatmap,
        verdict.one_in(), roles.who(), faces,
    )  # fmt: skip
    with st.container(horizontal=True):
        for title, (suffix, mime) in FORMATS.items():
            missing = suffix == ".pdf" and not extras.installed("typst")
            lacks = f" This server lacks typst: {extras.install('pdf')}" if missing else ""
            st.download_button(
                f"Report ({title})", _content(wanted, suffix), f"{picture.name}.report{suffix}", mime,
                key=f"report_{suffix}_{picture.id[:16]}", on_click="ignore", icon=":material/description:",
                disabled=missing, help=_HELP + lacks,
            )  # fmt: skip


def _content(wanted: _Wanted, suffix: str) -> Callable[[], bytes]:
    return actions.report(partial(_made, wanted, suffix))


def _policy(entry: detectors.Entry, strictness: verdict.Strictness) -> Policy:
    at = inference.thresholds(entry, strictness.budget) if strictness.budget else entry.card.thresholds
    return Policy(at, strictness.ignore_ood)


def _options(strictness: verdict.Strictness) -> tuple[str, ...]:
    """The settings as options of the command line."""
    budget = strictness.budget
    rates = ["--max-fpr", repr(budget.max_fpr), "--max-fnr", repr(budget.max_fnr)] if budget else []
    return (*rates, *(["--ignore-ood"] if strictness.ignore_ood else []))


def _made(wanted: _Wanted, suffix: str) -> bytes:
    from dfcore.detectors.bundle import now
    from dfcore.inspection.inspect import inspect
    from dfcore.reports import Asked, of_inspection, rendered, report_of

    loaded = {entry.key: detectors.detector(entry) for entry in wanted.entries}
    by, found = _found(wanted)
    with inference_queue.inference.take():
        one = inspect(
            wanted.picture.data, wanted.picture.name, loaded, wanted.policies,
            explain=vars(wanted.heatmap) if wanted.heatmap else False, one_in=wanted.one_in,
            face_detector=by, found_faces=found,
        )  # fmt: skip
    asked = Asked(wanted.entries[0].key if len(loaded) == 1 else "auto", wanted.options)
    part = of_inspection(one, asked, _known(wanted.picture.id))
    return rendered(report_of(f"Inspection of {wanted.picture.name}", [part], now(), wanted.by), suffix)


def _found(wanted: _Wanted) -> "tuple[tuple[str, Detector] | str, FoundFaces | None]":
    """Who judges faces, or why nobody does, and the faces: they are looked for before the turn to judge is taken."""
    if isinstance(wanted.faces, str):
        return wanted.faces, None
    try:
        found = face_work.found(wanted.picture.id, wanted.picture.data)
        return (wanted.faces.key, detectors.detector(wanted.faces)), found
    except DfcoreError as error:  # The rest of the report does without.
        return str(error), None


def _known(picture: str) -> tuple:
    """What people wrote of the picture, and earlier verdicts, where cases are kept and it is known."""
    from dfcore.cases.opening import open_store
    from dfcore.reports.of_history import beside

    if not workspace.keeps_cases():
        return ()
    try:
        return beside(open_store().history(picture))
    except DfcoreError:  # It is not known.
        return ()
