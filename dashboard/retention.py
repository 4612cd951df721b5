"""Deletes what nothing was said of for long, after telling what that would be."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import case_actions, dialogs, roles
from dashboard.roles import Role

if TYPE_CHECKING:
    from dfcore.cases import Store
    from dfcore.cases.values import Pruned

_DAYS = 365


def offer(store: "Store") -> None:
    """Offers trainers to delete what is older than a day."""
    if not roles.may(Role.TRAINER):
        return
    st.markdown("**Delete what is old**", help="Closed cases, and pictures in no open case, of which nothing was said "
                "since. A tombstone of each stays in the log; backups are not changed.")  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = datetime.now(UTC).date() - timedelta(days=_DAYS)
        before = st.date_input("Nothing was said since", first, max_value="today", key="prune_before", width=200,
                               help="Day in UTC; what was said on it or later keeps a picture or a case.")  # fmt: skip
        if isinstance(before, date):
            old = store.old(before.isoformat())
            nothing = not old.pictures and not old.cases
            if st.button("Delete …", key="prune", icon=":material/auto_delete:", disabled=nothing):
                _confirm(before.isoformat(), old)
            st.caption(_told(old), width="content")


@st.dialog("Delete what is old?")
def _confirm(before: str, old: "Pruned") -> None:
    st.markdown(f"Nothing was said since {before} of {_told(old)}. All that is remembered of them will be deleted, "
                "kept pictures too. A tombstone of each stays in the log.")  # fmt: skip
    dialogs.decide("Delete for good", lambda: _prune(before), done="What was old is deleted.")


def _prune(before: str) -> None:
    case_actions.prune(before)


def _told(old: "Pruned") -> str:
    pictures = "1 picture" if old.pictures == 1 else f"{old.pictures:,} pictures"
    cases = "1 closed case" if old.cases == 1 else f"{old.cases:,} closed cases"
    return f"{pictures} and {cases}"
