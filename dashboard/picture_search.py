"""Judged pictures, searched by what was said of them, sorted and paged."""

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import case_list, cases_address, decided, judgement_rows, notes_panel, picture_table, roles, widgets
from dashboard.roles import Role

if TYPE_CHECKING:
    from dfcore.cases import Query, Store

_PAGE = 50
_ORDERS = {
    "newest": "Newest first", "oldest": "Oldest first", "highest": "Highest score first",
    "lowest": "Lowest score first", "name": "Name",
}  # fmt: skip

_FINDINGS = {**{key: text for key, text in widgets.VERDICTS.items() if key is not None}, "none": "No verdict"}
_DECIDED = {**{key: text for key, text in decided.WORDS.items() if key is not None}, "none": "No decision yet"}


def show(store: "Store", *, key: str, case: int | None = None) -> None:
    """Shows the search and what it finds; a click opens a picture, ticked ones can be compared and filed.

    Args:
        store: The store.
        key: Prefix of the widget keys.
        case: Case whose pictures are searched; None for all.
    """
    from dfcore.cases import Query

    within = Query(case=case)
    if not store.search(within, limit=1).total:
        st.markdown("No picture is filed in this case yet. Tick pictures under “All judged pictures”, or use Notes in "
                    "Inspect." if case is not None else "Nothing was judged yet. What Inspect and Batch judge is "
                    "remembered here.")  # fmt: skip
        return
    query, order = _ask(store, key, within)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        query = _more(store, key, query)
        total = store.search(query, limit=1).total
        offset = case_list.page(total, _PAGE, f"{key}_page_{query}_{order}")
        st.caption(f"{total:,} {'picture' if total == 1 else 'pictures'}", width="content")
    if not total:
        return
    found = store.search(query, order=order, limit=_PAGE, offset=offset)
    ticked = picture_table.show(store, found.rows, key=f"{key}_table", case=case)
    _act(store, ticked, key, case)


def _ask(store: "Store", key: str, within: "Query") -> "tuple[Query, str]":
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search", key=f"{key}_text", persist_state="session", placeholder="Name, note, tag, hash",
            help="All words must occur in names, notes or tags; or the beginning of the file's SHA-256.",
        )  # fmt: skip
        finding = _choose("Verdict", _FINDINGS, f"{key}_finding", "What the detector said last.")
        decision = _choose("Decision", _DECIDED, f"{key}_decided", "What a person decided last.")
        order = st.selectbox(
            "Sort", list(_ORDERS), format_func=_ORDERS.__getitem__, key=f"{key}_order", width=190,
            persist_state="session", help="By what was last said of a picture, by score, or by name.",
        )  # fmt: skip
    return replace(within, text=text, finding=finding, decided=decision), order


def _more(store: "Store", key: str, query: "Query") -> "Query":
    """Filters that are needed less often; the label tells how many are in use."""
    names = ("detector", "tag", "via", "since", "until", "scores")
    used = sum(st.session_state.get(f"{key}_{name}") not in (None, (0.0, 1.0)) for name in names)
    with st.popover(f"More filters{f' ({used})' if used else ''}", icon=":material/filter_list:"):
        detectors = {name: f"{name} ({count:,})" for name, count in store.detectors()}
        detector = _choose("Detector", detectors, f"{key}_detector", "Which one judged last.")
        tags = {name: f"{name} ({count:,})" for name, count in store.tags()}
        tag = _choose("Tag", tags, f"{key}_tag", "Pictures with this tag.")
        via = _choose("Judged by", judgement_rows.VIAS, f"{key}_via", "Where the last verdict came from.")
        left, right = st.columns(2)
        since, until = (
            place.date_input(label, None, key=f"{key}_{name}", persist_state="session", help=help)
            for place, label, name, help in (
                (left, "From", "since", "Day of the last verdict, in UTC."),
                (right, "To", "until", "This day included."),
            )
        )  # fmt: skip
        lowest, highest = st.slider("Score", 0.0, 1.0, (0.0, 1.0), 0.01, key=f"{key}_scores", persist_state="session",
                                    help="Scores of different detectors lie on different scales.")  # fmt: skip
    return replace(
        query, detector=detector, tag=tag, via=via, since=_day(since), until=_day(until),
        lowest=lowest if lowest > 0 else None, highest=highest if highest < 1 else None,
    )  # fmt: skip


def _choose(label: str, options: dict[str, str], key: str, help: str) -> str | None:
    if st.session_state.get(key) not in (None, *options):  # What is no longer there cannot be chosen.
        st.session_state[key] = None
    return st.selectbox(label, list(options), index=None, format_func=lambda one: options.get(one, one), key=key,
                        placeholder="Any", persist_state="session", width=190, help=help)  # fmt: skip


def _day(chosen: date | None) -> str | None:
    return chosen.isoformat() if isinstance(chosen, date) else None


def _act(store: "Store", ticked: list[str], key: str, case: int | None) -> None:
    """What can be done with the ticked pictures."""
    if not ticked:
        st.caption(
            "Click a name to open a picture. Tick pictures on the left to compare two, or to file them in a case."
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button("Side by side", icon=":material/compare:", disabled=len(ticked) != 2, key=f"{key}_beside",
                     help="For two ticked pictures."):  # fmt: skip
            cases_address.leave(picture=ticked[0], beside=ticked[1], case=case)
        st.caption(f"{len(ticked)} ticked")
    if roles.may(Role.ANALYST):
        notes_panel.choose_case(store, f"{key}_file_ticked", ticked, {case} if case is not None else None)
