"""Cases: a store of what was judged and what people said of it, which shows later changes."""

from dfcore.cases.values import (
    DECIDED,
    VIAS,
    Case,
    Decision,
    Found,
    Head,
    History,
    Judgement,
    Note,
    Picture,
    Problem,
    Query,
    Row,
    Seen,
    Verification,
)

__all__ = [
    "DECIDED",
    "VIAS",
    "Case",
    "Decision",
    "Found",
    "Head",
    "History",
    "Judgement",
    "Note",
    "Picture",
    "Problem",
    "Query",
    "Row",
    "Seen",
    "Store",
    "Verification",
    "open_store",
]


def __getattr__(name: str) -> object:
    """Loads SQLAlchemy only when a store is used."""
    if name == "Store":
        from dfcore.cases.store import Store

        return Store
    if name == "open_store":
        from dfcore.cases.opening import open_store

        return open_store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
