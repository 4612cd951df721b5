"""What was judged last, offered by Inspect while it has no picture: loading the page anew forgets nothing."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import decided, kept_pictures, seen_before, widgets
from dashboard.navigation import go
from dfcore import workspace

if TYPE_CHECKING:
    from dfcore.cases import Row, Store

_MOST, _COLUMNS = 8, 4


def show() -> None:
    """Shows the pictures judged last, with what was said of them; one that was kept opens in Inspect again."""
    if not workspace.keeps_cases():
        st.caption(f":material/history_toggle_off: {seen_before.OFF}")
        return
    with widgets.errors():
        from dfcore.cases import open_store

        store = open_store()
        found = store.search(limit=_MOST)
        if not found.rows:
            return
        st.markdown("**Recently judged**", help="By everybody who works here. What is remembered are hashes and what "
                    "was said; the picture itself only where somebody asked to keep it.")  # fmt: skip
        for start in range(0, len(found.rows), _COLUMNS):
            for place, row in zip(st.columns(_COLUMNS), found.rows[start : start + _COLUMNS], strict=False):
                with place, st.container(border=True, gap="small"):
                    _show(store, row)
        if found.total > len(found.rows):
            widgets.link("cases", f"All {found.total:,} judged pictures", "Search, cases, histories.", "folder_open",
                         view="pictures")  # fmt: skip


def _show(store: "Store", row: "Row") -> None:
    if (source := kept_pictures.thumbnail(store, row.picture.sha256, kept=row.image, side=320)) is not None:
        st.image(source, width="stretch", alt=row.picture.name)
    st.markdown(widgets.plain(row.picture.name))
    if row.judgement is not None:
        st.markdown(widgets.verdict_words(row.judgement.finding))
        st.caption(decided.when(row.judgement.at))
    if row.decision is not None:
        st.markdown(decided.in_words(row.decision))
    with st.container(horizontal=True):
        if row.image and st.button("Inspect", key=f"recent_{row.picture.sha256}", icon=":material/frame_inspect:",
                                   type="tertiary", help="It was kept: opens it again."):  # fmt: skip
            with widgets.errors():
                kept_pictures.inspect(store, row.picture)
        if st.button("History", key=f"recent_history_{row.picture.sha256}", icon=":material/history:", type="tertiary",
                     help="All that is remembered of it."):  # fmt: skip
            go("cases", picture=row.picture.sha256)
