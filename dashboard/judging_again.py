"""Judges pictures again whose detector changed: which verdicts would change, and the new ones beside the old."""

from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import audit_work, background, case_actions, doing, roles, widgets
from dashboard.roles import Role

if TYPE_CHECKING:
    from dfcore.inspection.again import Again

_FROM = {"picture": "judged again", "logit": "from the network's output then", None: None}


def offer(case: int | None, total: int) -> None:
    """Offers to judge the pictures again, shows that under way, and what came of it.

    Args:
        case: Number of the case whose pictures they are; None for all.
        total: How many there are.
    """
    key, result = background.again_key(case, roles.who()), f"again_{case}"
    task = background.find(key)
    if task is not None and task.result is not None:
        st.session_state[result] = task.result
        background.drop(key)
    stop = partial(case_actions.stop_judging_again, case)
    if audit_work.watch(key, kept="No verdict was written.", stop=stop):
        return
    if roles.may(Role.ANALYST):
        st.button(
            f"Judge {'it' if total == 1 else f'all {total:,}'} again", key=f"again_start_{case}",
            icon=":material/update:", on_click=_start, args=(case, result),
            help="By the same detectors as they are now. Pictures that were kept are judged; of others the network's "
            "output then is used where only settings changed. Nothing is written before you say so.",
        )  # fmt: skip
        with widgets.errors():
            if (error := st.session_state.pop(f"{result}_error", None)) is not None:
                raise error
    judged = st.session_state.get(result)
    if judged is not None:
        _show(judged, result, case)


def _start(case: int | None, result: str) -> None:
    from dfcore.errors import DfcoreError, detached

    st.session_state.pop(result, None)
    try:
        case_actions.start_judging_again(case)
    except DfcoreError as error:
        st.session_state[f"{result}_error"] = detached(error)


def _show(judged: "list[Again]", key: str, case: int | None) -> None:
    changes = [one for one in judged if one.changes]
    unknown = [one for one in judged if one.changes is None]
    same = len(judged) - len(changes) - len(unknown)
    st.markdown(f"Of {len(judged):,} verdicts **{len(changes):,} would change**, {same:,} stay, and of "
                f"{len(unknown):,} it cannot be told.")  # fmt: skip
    everything = st.toggle("Show those that stay, too", key=f"{key}_all", help="By default those that would change and "
                           "those of which it cannot be told.") if same else False  # fmt: skip
    shown = judged if everything else [*changes, *unknown]
    if shown:
        digits = st.column_config.NumberColumn(format="%.3f", width=80)
        widgets.table([_row(one) for one in shown], f"{len(shown)} verdicts, old beside new",
                      column_config={"Score then": digits, "Score now": digits})  # fmt: skip
    if any(one.judgement is not None for one in judged) and roles.may(Role.ANALYST):
        doing.button("Keep the new verdicts", lambda: _keep(key), key=f"{key}_keep", icon=":material/save:",
                     help="Writes them beside the old ones, which stay.")  # fmt: skip


def _keep(key: str) -> str:
    count = case_actions.keep_judged_again(st.session_state[key])
    del st.session_state[key]
    return f"{count:,} new verdicts stand beside the old ones."


def _row(one: "Again") -> dict[str, Any]:
    old, new = one.row.judgement, one.judgement
    return {
        "File": one.row.picture.name or one.row.picture.sha256[:16],
        "Verdict then": widgets.VERDICTS[old.finding] if old else None, "Score then": old.score if old else None,
        "Verdict now": widgets.VERDICTS[new.finding] if new else "Cannot be told",
        "Score now": new.score if new else None, "How": _FROM[one.source] or one.why,
        "Detector": one.detector, "Cases": ", ".join(str(case.id) for case in one.row.cases) or None,
    }  # fmt: skip
