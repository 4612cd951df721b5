"""Cases: what was judged and decided, found again; histories, side by side, and what has changed since."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import (
    case_list,
    case_log,
    case_view,
    cases_address,
    changed_detectors,
    picture_search,
    picture_view,
    seen_before,
    side_by_side,
    widgets,
)
from dashboard.navigation import require_front_door
from dfcore import workspace
from dfcore.errors import InputError

if TYPE_CHECKING:
    from dfcore.cases import Store

require_front_door()


def show_list(store: "Store") -> None:
    view = widgets.addressed(
        "Show", cases_address.VIEWS, "view", buttons=True,
        help="Cases hold pictures that belong together. Every judged picture is remembered, filed in a case or not.",
    )  # fmt: skip
    if view == "cases":
        case_list.show(store)
    elif view == "pictures":
        picture_search.show(store, key="pictures")
    elif view == "changed":
        changed_detectors.show(store)
    else:
        case_log.show(store)


def show_asked(store: "Store", place: cases_address.Place) -> bool:
    """Shows what the address asks for; whether it is there."""
    try:
        case = store.case(int(place.case)) if place.case is not None else None
    except (InputError, ValueError):
        widgets.missing("Case", str(place.case))
        return False
    try:
        histories = [store.history(one) for one in (place.picture, place.beside) if one is not None]
    except InputError:
        widgets.missing("Picture", f"{place.picture} {place.beside or ''}".strip())
        return False
    if len(histories) == 2:
        side_by_side.show_pictures(store, histories[0], histories[1], case)
    elif histories:
        picture_view.show(store, histories[0], case)
    elif case is not None:
        case_view.show(store, case)
    return bool(histories) or case is not None


st.title("Cases")
if not workspace.keeps_cases():
    st.info(seen_before.OFF, icon=":material/history_toggle_off:")
else:
    with widgets.errors():
        from dfcore.cases import open_store

        cases = open_store()
        if not show_asked(cases, cases_address.here()):
            show_list(cases)
