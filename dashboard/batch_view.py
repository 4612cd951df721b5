"""What is shown of a batch's results: filter, order, layout and place, kept in the address."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from dfcore.confidence import FINDINGS

if TYPE_CHECKING:
    from dfcore.batch.query import Query

Layout = Literal["thumbnails", "list"]
NO_VERDICT = "none"
FOUND = (*FINDINGS, NO_VERDICT)
# {name in the address: text shown}.
ORDERS = {
    "number": "As they came",
    "-score": "Score, highest first",
    "score": "Score, lowest first",
    "finding": "Verdict",
    "path": "Name",
    "detector": "Detector",
}
SIZES: dict[str, int] = {"thumbnails": 48, "list": 50}


@dataclass(frozen=True)
class View:
    """What is shown of a batch.

    Attributes:
        found: Verdicts, keys of `FINDINGS` or `NO_VERDICT`; none for all.
        text: Part of a name.
        by: Key of the detector that judged; "" for all.
        lowest, highest: Range of scores; (0, 1) for all, pictures whose score was not used among them.
        order: Key of `ORDERS`.
        layout: How rows are drawn.
        at: Place of the row in sight among the rows that are shown, from 0.
    """

    found: tuple[str, ...] = ()
    text: str = ""
    by: str = ""
    lowest: float = 0.0
    highest: float = 1.0
    order: str = "number"
    layout: Layout = "thumbnails"
    at: int = 0

    @property
    def size(self) -> int:
        """Rows on a page."""
        return SIZES[self.layout]

    @property
    def page(self) -> int:
        """Number of the page that holds the row in sight, from 0."""
        return self.at // self.size

    @property
    def narrowed(self) -> bool:
        """Whether rows may be left out."""
        return replace(self, order="number", layout="thumbnails", at=0) != View()

    def query(self) -> "Query":
        """The rows that are shown."""
        from dfcore.batch.query import Query

        whole = self.lowest <= 0 and self.highest >= 1
        return Query(
            text=self.text,
            findings=tuple("" if one == NO_VERDICT else one for one in self.found) or None,
            detector=self.by or None,
            lowest=None if whole else self.lowest,
            highest=None if whole else self.highest,
        )

    def ordering(self) -> dict[str, Any]:
        """Their order, as arguments of `Batch.rows` and `Batch.numbers`."""
        return {"order": self.order.removeprefix("-"), "descending": self.order.startswith("-")}

    def parameters(self) -> dict[str, str]:
        """What differs from the beginning, for an address; `read` understands it."""
        start = View()
        result = {}
        for name in NAMES:
            value = getattr(self, name)
            if value != getattr(start, name):
                result[name] = _written(value)
        return result


NAMES = tuple(one.name for one in fields(View))


def read(parameters: Mapping[str, str]) -> View:
    """The view that an address asks for; what it cannot mean is left out."""
    result = View()
    for name, value in parameters.items():
        meant = _meant(name, value)
        if meant is not None:
            result = replace(result, **{name: meant})
    return result if result.lowest <= result.highest else replace(result, lowest=0.0, highest=1.0)


def asked() -> View:
    """The view that the present address asks for."""
    return read({name: st.query_params[name] for name in NAMES if name in st.query_params})


def write(view: View) -> None:
    """Puts a view into the present address."""
    wanted = view.parameters()
    for name in NAMES:
        if name in wanted:
            st.query_params[name] = wanted[name]
        elif name in st.query_params:
            del st.query_params[name]


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _meant(name: str, value: str) -> Any:
    if name == "found":
        return tuple(one for one in FOUND if one in value.split(","))
    if name in ("text", "by"):
        return value[:200]
    if name == "order":
        return value if value in ORDERS else None
    if name == "layout":
        return value if value in SIZES else None
    if name == "at":
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else None
    if name in ("lowest", "highest"):
        return _score(value)
    return None


def _score(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number <= 1 else None
