"""All pictures of Inspect as a table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import decided, detectors, file_evidence, uploads, widgets
from dfcore.detectors.trained_on import in_words
from dfcore.detectors.verdict import Verdict

if TYPE_CHECKING:
    from dfcore.cases import Decision


def show(
    pictures: Sequence[uploads.Picture], judged: Sequence[tuple[detectors.Entry, str, Verdict]],
    decisions: "Mapping[str, Decision]",
) -> None:  # fmt: skip
    """Lists pictures with the verdict on each and what people decided."""
    rows = [
        {"File": picture.name, "Verdict": widgets.VERDICTS[result.finding],
         "Score": result.score if result.is_used else None, "Detector": entry.title,
         "Decision": decided.WORDS[decisions[picture.id].decided] if picture.id in decisions else None,
         "The file": file_evidence.in_a_word(picture.data), "Remark": remark(result)}
        for picture, (entry, _, result) in zip(pictures, judged, strict=True)
    ]  # fmt: skip
    st.caption("Scores of different detectors lie on different scales and cannot be compared.")
    columns = {
        "Score": st.column_config.NumberColumn(
            format="%.3f", help="On its detector's own scale; none if it was not used."
        ),
        "Decision": st.column_config.TextColumn(help="What a person decided, whatever the detector says.", width=100),
        "The file": st.column_config.TextColumn(help="What it says of itself.", width=180),
        "Remark": st.column_config.TextColumn(width="large"),
    }
    widgets.table(rows, "Pictures with their verdicts", column_config=columns)


def remark(result: Verdict) -> str:
    """What there is to say about a verdict, in a cell."""
    parts = [result.error or result.reason, in_words(result.seen)]
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts if part)
