"""A table of judged pictures: what was said of each, with thumbnails of those that were kept."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import cases_address, decided, kept_pictures, pictures, widgets

if TYPE_CHECKING:
    from dfcore.cases import Row, Store


def show(store: "Store", rows: "Sequence[Row]", *, key: str, case: int | None = None) -> list[str]:
    """Shows pictures; a click on a cell opens one.

    Args:
        store: The store.
        rows: The pictures.
        key: Key of the table.
        case: Case in which they are looked at.

    Returns:
        Hashes of those that are ticked.
    """
    names = [row.picture.sha256 for row in rows]
    # Other pictures are other rows: what was ticked among the old ones is not ticked here.
    own = f"{key}_{hash(tuple(names))}"
    cells = [_cells(store, row, with_cases=case is None) for row in rows]
    empty = [name for name in ("Picture", "Decision", "Tags", "Cases") if all(not one.get(name) for one in cells)]
    height: dict[str, Any] = {} if "Picture" in empty else {"row_height": pictures.SIDE}
    chosen = widgets.table(
        [{name: value for name, value in one.items() if name not in empty} for one in cells],
        f"{len(rows)} judged pictures with verdict, score, detector, decision, tags and cases",
        key=own, on_select=lambda: _open(own, names, case), selection_mode=["multi-row", "single-cell"],
        column_config=_columns(), height=min(37 + (pictures.SIDE if height else 35) * len(rows), 560), **height,
    )  # fmt: skip
    return [names[number] for number in chosen["selection"]["rows"] if number < len(names)]


def _open(key: str, names: list[str], case: int | None) -> None:
    cells = st.session_state[key]["selection"]["cells"]
    if cells and cells[0][0] < len(names):
        cases_address.open_(picture=names[cells[0][0]], case=case)


def _cells(store: "Store", row: "Row", *, with_cases: bool) -> dict[str, Any]:
    judged = row.judgement
    result = {
        "Picture": kept_pictures.thumbnail(store, row.picture.sha256, kept=row.image),
        "File": row.picture.name or row.picture.sha256[:16],
        "Verdict": widgets.VERDICTS[judged.finding] if judged else None,
        "Score": judged.score if judged and judged.is_used else None,
        "Detector": judged.detector if judged else None,
        "Judged": decided.short(judged.at) if judged else None,
        "Decision": decided.WORDS[row.decision.decided] if row.decision else None,
        "Tags": ", ".join(row.tags) or None,
        "Cases": ", ".join(f"{case.id}: {case.title}" for case in row.cases) or None,
    }
    return result if with_cases else {name: value for name, value in result.items() if name != "Cases"}


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "Picture": column.ImageColumn(" ", width=pictures.SIDE, help="Only of pictures that were asked to be kept."),
        "File": column.TextColumn(width="medium"),
        "Verdict": column.TextColumn(help="What the detector said last.", width=160),
        "Score": column.NumberColumn(
            format="%.3f", width=70, help="On its detector's own scale; none if it was not used."
        ),
        "Judged": column.TextColumn(help="Date and time in UTC.", width=130),
        "Decision": column.TextColumn(help="What a person decided last, whatever the detector says.", width=100),
    }
