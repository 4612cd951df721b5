"""Stored verdicts as rows of tables, and two of them side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import decided, widgets
from dfcore.confidence import sides_in_words

if TYPE_CHECKING:
    from dfcore.cases import Judgement

VIAS = {"inspect": "Inspect", "batch": "Batch", "watch": "Watched folder", "again": "Judged again"}


def thresholds(judgement: "Judgement") -> str:
    """The thresholds in use, in words; "" if they are not known."""
    whole = (judgement.record or {}).get("verdict") or {}
    at = judgement.thresholds or whole.get("thresholds")
    if not at:
        return ""
    says_real = bool(at.get("says_real")) or judgement.finding == "real"
    return sides_in_words(at["real_below"], at["fake_from"], says_real=says_real)


def table(judgements: "Sequence[Judgement]", key: str) -> "list[Judgement]":
    """Lists verdicts, the newest first; returns those that are ticked."""
    newest = list(reversed(judgements))
    rows = [
        {
            "Judged": decided.short(one.at), "Verdict": widgets.VERDICTS[one.finding],
            "Score": one.score if one.is_used else None, "Detector": one.title or one.detector,
            "Thresholds": thresholds(one) or None, "Remark": one.error or one.reason, "By": one.by,
            "From": VIAS.get(one.via, one.via), "Version": one.tool,
        }
        for one in newest
    ]  # fmt: skip
    column = st.column_config
    chosen = widgets.table(
        rows, f"{len(rows)} verdicts with time, score, detector and thresholds, the newest first", key=key,
        on_select="rerun", selection_mode="multi-row", column_config={
            "Judged": column.TextColumn(help="Date and time in UTC.", width=130),
            "Score": column.NumberColumn(format="%.3f", width=70, help="None if it was not used."),
            "Version": column.TextColumn(help="Version of the workbench.", width=70),
        },
    )  # fmt: skip
    return [newest[number] for number in chosen["selection"]["rows"] if number < len(newest)]


def show_beside(first: "Judgement", second: "Judgement", titles: tuple[str, str]) -> None:
    """Two verdicts in two columns, and in which lines they differ."""
    of_each = [_facts(first), _facts(second)]
    rows = [
        {"": name, titles[0]: of_each[0][name], titles[1]: of_each[1][name],
         "Same": "same" if of_each[0][name] == of_each[1][name] else "differs"}
        for name in of_each[0]
    ]  # fmt: skip
    widgets.table(rows, f"Two verdicts side by side: {titles[0]} and {titles[1]}")


def _facts(one: "Judgement") -> dict[str, Any]:
    score = "none" if one.score is None else f"{one.score:.4f}" if one.is_used else "not used"
    return {
        "Verdict": widgets.VERDICTS[one.finding], "Score": score, "Thresholds": thresholds(one) or widgets.MISSING,
        "Remark": one.error or one.reason or widgets.MISSING, "Detector": one.title or one.detector,
        "Card": one.card_sha256[:16], "Network": one.model_sha256[:16], "Engine": one.engine or widgets.MISSING,
        "Unlike pictures too": "yes" if one.ignore_ood else "no", "Version": one.tool or widgets.MISSING,
        "Judged": decided.when(one.at).replace("\\", ""), "By": one.by, "From": VIAS.get(one.via, one.via),
    }  # fmt: skip
