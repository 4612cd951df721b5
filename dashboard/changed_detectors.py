"""Detectors that changed since they judged, or are gone: which pictures that concerns, and judging them again."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import case_list, cases_address, decided, detectors, judging_again, widgets
from dfcore.detectors.remembered import card_sha256

if TYPE_CHECKING:
    from dfcore.cases import Case, Store
    from dfcore.cases.changes import Changed, Detector

_PAGE = 50
_HOW = {
    "settings": "same network, other settings", "network": "another network", "gone": "is gone",
}  # fmt: skip


def present() -> "dict[str, Detector]":
    """The detectors that are there, as the store compares them."""
    from dfcore.cases.changes import Detector

    return {entry.key: Detector(card_sha256(entry.card), entry.card.model_sha256) for entry in detectors.detectors()}


def show(store: "Store", case: "Case | None" = None) -> None:
    """Lists pictures whose newest verdict is by a detector that changed or is gone."""
    if case is None:
        st.markdown(
            "A verdict holds for the detector that made it. These pictures were last judged by a detector "
            "that has changed since, or is gone. Old verdicts always stay; new ones stand beside them."
        )
    now, number = present(), case.id if case else None
    total = store.changed(now, case=number, limit=1).total
    if not total:
        st.success("Every picture was last judged by a detector that is there as it was.", icon=":material/check:")
        return
    offset = case_list.page(total, _PAGE, f"changed_page_{number}")
    found = store.changed(now, case=number, limit=_PAGE, offset=offset)
    st.caption(f"{total:,} {'picture' if total == 1 else 'pictures'}")
    judging_again.offer(number, total)
    _table(found.rows, f"changed_{number}")


def tell(store: "Store", case: "Case") -> None:
    """Warns in a case if pictures of it were judged by a detector that changed or is gone."""
    total = store.changed(present(), case=case.id, limit=1).total
    if not total:
        return
    verb = "picture was" if total == 1 else "pictures were"
    st.warning(
        f"{total:,} {verb} last judged by a detector that has changed since, or is gone.", icon=":material/update:"
    )
    if place := widgets.folded("Which, and judge them again", f"case_changed_{case.id}"):
        with place:
            show(store, case)


def _table(rows: "Sequence[Changed]", key: str) -> None:
    names = [one.row.picture.sha256 for one in rows]
    own = f"{key}_{hash(tuple(names))}"
    widgets.table(
        [_cells(one) for one in rows], f"{len(rows)} pictures whose detector changed", key=own,
        on_select=lambda: _open(own, names), selection_mode="single-cell",
    )  # fmt: skip


def _open(key: str, names: list[str]) -> None:
    cells = st.session_state[key]["selection"]["cells"]
    if cells and cells[0][0] < len(names):
        cases_address.open_(picture=names[cells[0][0]])


def _cells(changed: "Changed") -> dict[str, Any]:
    row, judged = changed.row, changed.row.judgement
    return {
        "File": row.picture.name or row.picture.sha256[:16],
        "Verdict then": widgets.VERDICTS[judged.finding] if judged else None,
        "Detector": (judged.title or judged.detector) if judged else None, "It": _HOW[changed.how],
        "Judged": decided.short(judged.at) if judged else None, "Kept": "yes" if row.image else "no",
        "Cases": ", ".join(f"{case.id}: {case.title}" for case in row.cases) or None,
    }  # fmt: skip
