"""Buttons that make a report of a case, or of a judged picture, from what is stored; when pressed and not before."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import actions, roles
from dashboard.report_buttons import FORMATS
from dfcore.utils import extras

if TYPE_CHECKING:
    from dfcore.cases import Case, History

_HELP = (
    "Pictures that were kept, verdicts, decisions, notes, figures, limits, versions, and how to repeat it, in one file "
    "to hand over. It is made when you press this; a large case takes minutes."
)


def of_case(case: "Case") -> None:
    """Shows a button for each format of a case's report."""
    _buttons(f"case-{case.id}", partial(_case, case.id, roles.who()))


def of_picture(history: "History") -> None:
    """Shows a button for each format of a picture's report."""
    sha256 = history.picture.sha256
    _buttons(f"picture-{sha256[:16]}", partial(_picture, sha256, roles.who()))


def _buttons(name: str, make: Callable[[str], bytes]) -> None:
    if not roles.may(roles.Role.ANALYST):
        return
    for title, (suffix, mime) in FORMATS.items():
        missing = suffix == ".pdf" and not extras.installed("typst")
        lacks = f" This server lacks typst: {extras.install('pdf')}" if missing else ""
        st.download_button(
            f"Report ({title})", actions.report(partial(make, suffix)), f"{name}.report{suffix}", mime,
            key=f"report_{name}{suffix}", on_click="ignore", icon=":material/description:", disabled=missing,
            help=_HELP + lacks,
        )  # fmt: skip


def _case(case: int, by: str, suffix: str) -> bytes:
    from dfcore.cases import open_store
    from dfcore.detectors.bundle import now
    from dfcore.reports import rendered, report_of
    from dfcore.reports.of_case import of_case as parts
    from dfcore.reports.of_case import title_of

    store = open_store()
    return rendered(report_of(title_of(store, case), parts(store, case), now(), by), suffix)


def _picture(sha256: str, by: str, suffix: str) -> bytes:
    from dfcore.cases import open_store
    from dfcore.detectors.bundle import now
    from dfcore.reports import rendered, report_of
    from dfcore.reports.of_history import of_history

    store = open_store()
    history = store.history(sha256)
    data = store.image(sha256) if history.image else None
    name = history.picture.name or sha256[:16]
    return rendered(report_of(f"What is known of {name}", [of_history(history, data)], now(), by), suffix)
