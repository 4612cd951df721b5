"""What a detector refuses, what that costs and saves, and whether its budget holds for each source."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import detectors, widgets
from dfcore.confidence import ORIGINAL, DecisionThresholds
from dfcore.detectors.card import Card
from dfcore.errors import DfcoreError
from dfcore.evaluation import HANDLED, coverage, predictions_path, read_predictions, refusal_table
from dfcore.imaging import handling

_SHARE = st.column_config.NumberColumn(format="percent")
_COVERAGE = {
    "group": "Source", "real": "Real", "fake": "Fake", "refused": "Refused", "fpr": "False alarms",
    "passed": "Passed fakes", "inconclusive": "Between the thresholds", "fpr_without": "False alarms, held out",
    "passed_without": "Passed fakes, held out",
}  # fmt: skip
_RULES = {
    "title": "Rule", "images": "Images", "alone": "No other rule", "fpr": "False alarms", "passed": "Passed fakes",
    "decided": "Outside the thresholds",
}  # fmt: skip
_GATE = {
    "title": "Handling", "images": "Images", "refused": "Refused", "fpr": "False alarms", "passed": "Passed fakes",
    "inconclusive": "Between the thresholds", "sound": "Counted in",
}  # fmt: skip
_WORDS = {
    "source": "Source", "held out by": "Held out by", "fakes": "Judged fakes", "refused": "Refused",
    "below": "Below the lower threshold", "share": "Share", "upper": "At most (95%)",
}  # fmt: skip


def show_coverage(predictions: pd.DataFrame, thresholds: DecisionThresholds) -> None:
    """Shows whether the budget holds for each group of images, where there are several with both classes."""
    groups = predictions.groupby(predictions.group.fillna("")).label.nunique()
    if len(groups) < 2 or (groups < 2).all():
        return
    st.caption(
        f"By source: budget {thresholds.budget.max_fpr:.1%} false alarms, {thresholds.budget.max_fnr:.1%} passed "
        "fakes. Held out: at the thresholds that the other sources alone would give, as for an unknown source."
    )
    _table(coverage(predictions, thresholds), _COVERAGE, {"real", "fake"}, "Error rates by source")


def show_refusals(entry: detectors.Entry) -> None:
    """Shows what each rule that refuses images costs and saves, on held-out images after handling."""
    path = predictions_path(entry.folder, HANDLED) if entry.folder else None
    if path is None or not path.is_file():
        return
    try:
        table = read_predictions(path)
    except DfcoreError as error:
        st.warning(widgets.told(error))
        return
    if not {"rules", "is_ood"} <= set(table):
        return
    st.caption(
        "What each rule costs and saves, on held-out images as they are and after handling: a rule is worth having "
        "where the images that it refuses would be misjudged more often than those that it lets pass."
    )
    _table(refusal_table(table, entry.card.thresholds), _RULES, {"images", "alone"}, "What each rule refuses")


def show_gate(card: Card) -> None:
    """Shows what handling was measured to do to a detector's decisions, and the evidence for its words."""
    if rows := card.words.rows(card.thresholds):
        st.markdown("**Fakes from sources that it was not trained on, by thresholds chosen without their source**")
        _table(rows, _WORDS, {"fakes", "refused", "below"}, "Fakes of each source below the lower threshold")
        if not card.words.are_known(card.thresholds):
            st.caption("Only the lowest scores of a source are kept: where so many lie below, there may be more.")
    gate = card.ood.gate if card.ood else None
    if gate is None or not gate.measured:
        return
    st.markdown(f"**After handling, on {widgets.plain(gate.fitted_on)}**")
    st.caption(
        "Thresholds are fitted on images after handling that keeps the error budget; the gate should refuse the rest."
    )
    rows = [row.model_dump() | {"title": _title(row.handling)} for row in gate.measured]
    _table(rows, _GATE, {"images"}, "Error rates after each handling")


def _title(name: str) -> str:
    return "As it is" if name == ORIGINAL else next((h.title for h in handling.HANDLINGS if h.name == name), name)


def _table(rows: list[dict[str, Any]], columns: dict[str, str], counts: set[str], alt: str) -> None:
    """A table with these columns, {key: title}; numbers are shares unless their key is among the counts."""
    table = pd.DataFrame([{title: row.get(key) for key, title in columns.items()} for row in rows])
    numeric = table.select_dtypes("number").columns
    shares = {title: _SHARE for key, title in columns.items() if key not in counts and title in numeric}
    widgets.table(table, alt, column_config=shares)
