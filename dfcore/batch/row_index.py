"""An index of a batch's rows, to filter, sort and page through a hundred thousand of them in a moment.

It holds where each row begins in the journal, and what rows are found by. It can be made again from the journal, so its
writes need not survive a crash of the machine.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from dfcore.batch.query import Order, Query
from dfcore.errors import BatchError
from dfcore.utils.files import write_atomic
from dfcore.utils.texts import storable

_SCHEMA = """
CREATE TABLE rows (number INTEGER PRIMARY KEY, begins INTEGER, path TEXT, score REAL, finding TEXT, detector TEXT);
CREATE INDEX by_score ON rows (score);
CREATE INDEX by_finding ON rows (finding);
"""
_INSERT = "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)"
_PATIENCE_SECONDS = 10.0
_ORDERS: dict[Order, str] = {
    "number": "number", "path": "path", "score": "score", "finding": "finding", "detector": "detector",
}  # fmt: skip
_MANY = 1000
# Where bandit is silenced, only words of this module stand in the text; values are passed beside it.


class RowIndex:
    """The index in a file.

    Attributes:
        path: The file; there may be none yet, which is an index without rows.
    """

    def __init__(self, path: Path):
        self.path = Path(path)

    # === Writing ===

    def make(self, rows: Iterable[tuple[int, int, dict[str, Any]]]) -> None:
        """Makes the index anew of (number, place in the journal, row) and puts it in the place of the old one.

        Raises:
            StorageError: If it cannot be written.
        """

        def write(temporary: Path) -> None:
            temporary.unlink(missing_ok=True)
            with closing(sqlite3.connect(temporary)) as database:
                database.executescript("PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF;" + _SCHEMA)
                database.executemany(_INSERT, (_entry(*row) for row in rows))
                database.commit()

        write_atomic(self.path, write)

    def add(self, rows: Iterable[tuple[int, int, dict[str, Any]]]) -> None:
        """Adds rows, all at once.

        Raises:
            OSError: If they cannot be written.
        """
        try:
            with closing(sqlite3.connect(self.path, _PATIENCE_SECONDS)) as database, database:
                database.execute("PRAGMA synchronous=OFF")
                database.executemany(_INSERT, (_entry(*row) for row in rows))
        except sqlite3.Error as error:
            raise OSError(None, f"the index of the rows could not be written: {error}") from error

    # === Reading ===

    def find(
        self, query: Query, order: Order = "number", *, descending: bool = False, limit: int = -1, offset: int = 0
    ) -> list[tuple[int, int]]:
        """Numbers and places in the journal of the rows that are wanted; rows without a used score come last."""
        if order not in _ORDERS:
            raise BatchError(f"Expected an order of {', '.join(_ORDERS)}. Received: {order}.")
        where, values = _condition(query)
        by = f"{'score IS NULL, ' if order == 'score' else ''}{_ORDERS[order]}{' DESC' if descending else ''}, number"
        text = f"SELECT number, begins FROM rows {where} ORDER BY {by} LIMIT ? OFFSET ?"  # nosec B608
        return self._rows(text, [*values, limit, offset])

    def count(self, query: Query) -> int:
        """Number of rows that are wanted."""
        where, values = _condition(query)
        found = self._rows(f"SELECT COUNT(*) FROM rows {where}", values)  # nosec B608
        return found[0][0] if found else 0

    def groups(self, column: str) -> dict[str, int]:
        """Number of rows by "finding" or "detector"."""
        if column not in ("finding", "detector"):
            raise BatchError(f"Expected finding or detector. Received: {column}.")
        return dict(self._rows(f"SELECT {column}, COUNT(*) FROM rows GROUP BY {column}", []))  # nosec B608

    def histogram(self, query: Query, bins: int) -> list[int]:
        """Number of used scores in each of as many equal parts of [0, 1]."""
        where, values = _condition(query)
        text = f"SELECT MIN(CAST(score * ? AS INTEGER), ?), COUNT(*) FROM rows {where} GROUP BY 1"  # nosec B608
        found = dict(self._rows(text, [bins, bins - 1, *values]))
        return [found.get(number, 0) for number in range(bins)]

    def all(self) -> Iterator[tuple[int, int]]:
        """Numbers and places of all rows, in the order of their numbers, without holding them."""
        last = -1
        while some := self._rows("SELECT number, begins FROM rows WHERE number > ? ORDER BY number LIMIT ?",
                                 [last, _MANY]):  # fmt: skip
            yield from some
            last = some[-1][0]

    def place(self, number: int) -> int | None:
        """Where a row begins in the journal; None if there is none of this number."""
        found = self._rows("SELECT begins FROM rows WHERE number = ?", [number])
        return found[0][0] if found else None

    def _rows(self, text: str, values: list[Any]) -> list[Any]:
        if not self.path.is_file():
            return []
        with _told(self.path), closing(sqlite3.connect(self.path, _PATIENCE_SECONDS)) as database:
            return database.execute(text, values).fetchall()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise BatchError(f"Batch {path.parent.name}: the index of its rows is damaged ({error}).") from error


def _entry(number: int, begins: int, row: dict[str, Any]) -> tuple[Any, ...]:
    used = row["score"] if row.get("is_used") else None
    return number, begins, storable(row["path"]).casefold(), used, row["finding"] or "", row["detector"] or ""


def _condition(query: Query) -> tuple[str, list[Any]]:
    """What follows SELECT, and its values."""
    parts: list[tuple[str, list[Any]]] = []
    if query.text:
        parts.append(("INSTR(path, ?) > 0", [query.text.casefold()]))
    if query.findings is not None:
        parts.append((f"finding IN ({', '.join('?' * len(query.findings))})", list(query.findings)))
    if query.detector is not None:
        parts.append(("detector = ?", [query.detector]))
    if query.lowest is not None:
        parts.append(("score >= ?", [query.lowest]))
    if query.highest is not None:
        parts.append(("score <= ?", [query.highest]))
    text = " AND ".join(condition for condition, _ in parts)
    return f"WHERE {text}" if text else "", [value for _, values in parts for value in values]
