"""What the page Cases shows, as its address says: a list, a case, or a picture, alone or beside another one."""

from dataclasses import dataclass
from typing import NoReturn

import streamlit as st

VIEWS = {
    "cases": "Cases", "pictures": "All judged pictures", "changed": "Detectors that changed", "log": "Log and export",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """What is shown.

    Attributes:
        picture: Hash of a picture; None for none.
        beside: Hash of the picture beside it; None for none.
        case: Number of a case, as the address has it; None for none.
    """

    picture: str | None = None
    beside: str | None = None
    case: str | None = None


def here() -> Place:
    """What the address asks for."""
    asked = st.query_params
    return Place(asked.get("picture"), asked.get("beside"), asked.get("case"))


def open_(**parameters: str | int | None) -> None:
    """Has the page show something else when it runs next: `picture`, `beside`, `case`, or the list `view`."""
    st.query_params.from_dict({name: str(value) for name, value in parameters.items() if value is not None})


def leave(**parameters: str | int | None) -> NoReturn:
    """Shows something else now, see `open_`."""
    open_(**parameters)
    st.rerun()
