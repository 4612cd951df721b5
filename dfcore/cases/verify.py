"""Checks the log from its first entry to its newest, and that all that lists show follows from it."""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Table, func, select

from dfcore.cases.entry import digest_of, hash_of
from dfcore.cases.log import START
from dfcore.cases.tables import LOG
from dfcore.cases.values import Head, Problem, Verification
from dfcore.cases.views import CHUNK, VIEWS, grouped
from dfcore.errors import InputError

_AT_ONCE = 2000


def verify(connection: Connection, expected: Head | None = None) -> Verification:
    """Checks everything in the database; see `Store.verify`.

    Args:
        connection: A transaction that reads.
        expected: A head that was exported earlier; its number may be 0 if only its hash is known.
    """
    check = _Chain()
    whole = select(LOG).order_by(LOG.c.sequence)
    for row in connection.execute(whole, execution_options={"yield_per": _AT_ONCE}).mappings():
        check.take(row)
        if expected is not None and row["hash"] == expected.hash and expected.number in (0, row["sequence"]):
            expected = None
    problems = [*check.problems, *check.unexplained(), *_views(connection)]
    if expected is not None:
        problems.append(Problem(expected.number or None, "head", _head_is_gone(expected, check.head)))
    return Verification(check.rows, check.head, tuple(problems))


def _head_is_gone(expected: Head, found: Head) -> str:
    which = f"Entry {expected.number}" if expected.number else "The entry"
    return (
        f"{which} with the hash {expected.hash}, which was the newest once, is not in the log: entries at its end were "
        f"removed, or altered together with all that follow. The newest is now {found.number}."
    )


def head_of(text: str) -> Head:
    """An exported head: its hash, or its number, a colon and its hash.

    Raises:
        InputError: If it is neither.
    """
    number, _, digits = text.strip().rpartition(":")
    if len(digits) != 64 or set(digits) - set("0123456789abcdef") or not (number == "" or number.isdecimal()):
        raise InputError(f"Expected a head as 'dfcore cases head' prints it, NUMBER:HASH. Received: {text[:100]!r}.")
    return Head(int(number or 0), digits)


class _Chain:
    """Takes entries in order and collects what does not hold."""

    def __init__(self) -> None:
        self.rows, self.head, self.problems = 0, Head(0, START), list[Problem]()
        self._emptied: set[int] = set()
        self._tombstones: set[int] = set()

    def take(self, row: Any) -> None:
        """Checks an entry against itself and the one before it."""
        number, before = row["sequence"], self.head
        self.rows += 1
        if number > before.number + 1:
            gap = str(before.number + 1) if number == before.number + 2 else f"{before.number + 1} to {number - 1}"
            self._add(before.number + 1, "removed", f"Entry {gap} was removed: the next one there is {number}.")
        which = f"Entry {number} ({row['kind']})"
        if row["hash"] != hash_of(row):
            self._add(number, "altered", f"{which} was altered or inserted: its hash does not fit.")
        elif number == before.number + 1 and row["previous"] != before.hash:
            text = f"{which} does not follow the one before it: entries were inserted, removed or altered here."
            self._add(number, "inserted", text)
        self._check_body(row)
        self.head = Head(number, row["hash"], row["at"])

    def _check_body(self, row: Any) -> None:
        number = row["sequence"]
        if row["body"] is None:
            self._emptied.add(number)
            return
        try:
            body = json.loads(row["body"])
            said = body["picture"], body["case"]
        except (ValueError, TypeError, KeyError):
            body, said = {}, None
        if row["digest"] != digest_of(row["body"], row["more"]) or said != (row["picture"], row["case_id"]):
            self._add(number, "altered", f"Entry {number} ({row['kind']}) was altered: what it says has another hash.")
        elif row["kind"] == "deleted":
            self._tombstones |= {one for first, last in body["entries"] for one in range(first, last + 1)}

    def unexplained(self) -> Iterator[Problem]:
        """Entries that were emptied although no tombstone lists them, and the reverse."""
        for number in sorted(self._emptied - self._tombstones):
            yield Problem(number, "emptied", f"Entry {number} was emptied, and no deletion is recorded for it.")
        for number in sorted(self._tombstones - self._emptied):
            yield Problem(number, "inserted", f"Entry {number} was deleted, and is there again.")

    def _add(self, number: int, kind: str, text: str) -> None:
        self.problems.append(Problem(number, kind, text))


def _views(connection: Connection) -> Iterator[Problem]:
    """Rows of other tables that do not follow from the log."""
    for column, tables, compute in VIEWS:
        names = connection.execute(select(column).where(column.is_not(None)).distinct()).scalars().all()
        counts = dict.fromkeys((table for table, _ in tables), 0)
        for start in range(0, len(names), CHUNK):
            some = names[start : start + CHUNK]
            try:
                said = grouped(connection, column, some)
                expected = {name: compute(name, said.get(name, [])) for name in some}
            except (ValueError, KeyError, TypeError, AttributeError):  # An altered entry, which is told already.
                continue
            for table, key in tables:
                stored = _by(connection, table, key, some)
                for name in some:
                    counts[table] += len(stored.get(name, ()))
                    yield from _differences(table, name, expected[name][table], stored.get(name, []))
        yield from _strays(connection, counts, tables, set(names))


def _by(connection: Connection, table: Table, key: Any, names: Sequence[Any]) -> dict[Any, list[dict[str, Any]]]:
    rows = connection.execute(select(table).where(key.in_(names)).order_by(key)).mappings()
    return {name: [dict(row) for row in some] for name, some in groupby(rows, lambda row: row[key.name])}


def _differences(
    table: Table, name: Any, expected: list[dict[str, Any]], stored: list[dict[str, Any]]
) -> Iterator[Problem]:
    missing = [row for row in expected if row not in stored]
    excess = [row for row in stored if row not in expected]
    if missing and excess:
        yield Problem(
            None, "altered", f"A row of {name} in the table {table.name} was altered: it does not follow from the log."
        )
    elif missing:
        yield Problem(None, "removed", f"A row of {name} in the table {table.name} was removed: the log has it.")
    elif excess:
        yield Problem(
            None, "inserted", f"A row of {name} in the table {table.name} was inserted: the log does not have it."
        )


def _strays(connection: Connection, counts: dict[Table, int], tables: Any, known: set[Any]) -> Iterator[Problem]:
    """Rows of pictures and cases that the log does not name at all."""
    for table, key in tables:
        if connection.execute(select(func.count()).select_from(table)).scalar_one() == counts[table]:
            continue
        for name in connection.execute(select(key).distinct()).scalars():
            if name not in known:
                text = f"A row of {name} in the table {table.name} was inserted: the log does not have it."
                yield Problem(None, "inserted", text)
