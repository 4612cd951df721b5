"""What people decided of a batch's pictures, as far as verdicts are remembered."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.batch_view import View
from dfcore import workspace
from dfcore.errors import DfcoreError

if TYPE_CHECKING:
    from dfcore.batch.job import Batch

_KEY = "batch_decided"
# Of more pictures only those count that were decided on in this session: all of them would have to be read.
_MOST = 10_000


def known(sha256s: Iterable[str | None]) -> dict[str, str]:
    """The newest decisions, {hash: decision}, of the pictures that have one."""
    wanted = [one for one in sha256s if one]
    if not wanted or not workspace.keeps_cases():
        return {}
    from dfcore.cases import open_store

    try:
        return {row.picture.sha256: row.decision.decided for row in open_store().rows(wanted) if row.decision}
    except DfcoreError:  # Told where something is written.
        return {}


def count(batch: "Batch", view: View, total: int) -> int:
    """Number of pictures among those of a view that were decided on."""
    key = batch.id, view.query(), total
    if st.session_state.get(_KEY, (None, None))[0] != key:
        rows = batch.rows(view.query(), limit=total).rows if total <= _MOST else []
        listed = {row["sha256"] for row in rows}
        st.session_state[_KEY] = key, (listed, set(known(listed)))
    return len(st.session_state[_KEY][1][1])


def add(sha256: str) -> None:
    """Counts a picture as decided on."""
    if (found := st.session_state.get(_KEY)) is not None:
        listed, decided = found[1]
        if not listed or sha256 in listed:
            decided.add(sha256)
