"""The log that every entry is chained in: whether it holds, and its newest hash to keep elsewhere."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import decided, decisions_export, retention, widgets
from dashboard.markup import plain

if TYPE_CHECKING:
    from dfcore.cases import Head, Store, Verification

_RESULT, _MOST = "log_verification", 50


def show(store: "Store") -> None:
    """Shows the newest hash, and checks the log on request."""
    st.markdown("Each verdict, decision, note and deletion is an entry of a log, which holds a hash of itself and of "
                "the entry before it. A later change shows when the log is checked.")  # fmt: skip
    head = store.head()
    _show_head(head)
    earlier = st.text_input(
        "A hash that was kept earlier", key="log_earlier", placeholder="Optional",
        help="NUMBER:HASH, as in the file from “Keep the newest hash”. With it, removed last entries show too.",
    )  # fmt: skip
    if st.button("Check the log", icon=":material/verified_user:", key="log_check",
                 help="Reads all entries; takes a second for some ten thousand."):  # fmt: skip
        st.session_state.pop(_RESULT, None)
        with widgets.errors(), st.spinner("Checking …"):
            result = store.verify(earlier.strip() or None)
            st.session_state[_RESULT] = result, earlier, datetime.now(UTC).isoformat(timespec="seconds")
            head = result.head
    if _RESULT in st.session_state:
        result, against, at = st.session_state[_RESULT]
        if (result.head, against) == (head, earlier):  # Of a log that has gone on, or of another hash, it says nothing.
            _show_result(result, bool(against.strip()))
            st.caption(f"As it was {decided.when(at)}.")
    st.divider()
    decisions_export.offer(store)
    retention.offer(store)


def _show_head(head: "Head") -> None:
    if not head.number:
        st.markdown("The log is empty.")
        return
    st.markdown(f"Newest entry: number **{head.number:,}**, {decided.when(head.at)}. With its hash:")
    told = f"{head.number}:{head.hash}"
    st.code(told, language=None, wrap_lines=True)
    st.download_button(
        "Keep the newest hash", f"{told}\n", f"cases-head-{head.number}.txt", "text/plain", on_click="ignore",
        icon=":material/download:", key="log_head",
        help="Keep it away from this machine: whoever has it can show later that no entry up to it was removed.",
    )  # fmt: skip


def _show_result(result: "Verification", with_earlier: bool) -> None:
    if result.holds and with_earlier:
        st.success(
            f"The log holds: none of {result.rows:,} entries was altered, removed or inserted, and the hash that was "
            "kept earlier is among them.", icon=":material/verified_user:",
        )  # fmt: skip
        return
    if result.holds:
        among = f"none of the {result.rows:,} entries that are there was altered, and none between them is missing"
        st.info(
            f"As far as it goes, {among if result.rows else 'the log is empty'}. **Whether entries at its end were "
            "removed is not known**: that shows only against a hash that was kept elsewhere.", icon=":material/rule:",
        )  # fmt: skip
        return
    st.error(f"The log does not hold. Of {result.rows:,} entries, {len(result.problems)} "
             f"{'is' if len(result.problems) == 1 else 'are'} not as written:", icon=":material/gpp_bad:")  # fmt: skip
    for problem in result.problems[:_MOST]:
        st.markdown(f"- {plain(problem.text)}")
    if len(result.problems) > _MOST:
        st.caption(f"{len(result.problems) - _MOST:,} more; `dfcore cases verify` lists all.")
