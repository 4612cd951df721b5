"""What the tables beside the log hold of one picture or one case, computed from its entries.

One definition for writing, restoring, migrating and verifying: whatever is shown in a list can be traced to entries.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select

from dfcore.cases.entry import Entry
from dfcore.cases.tables import (
    CASE_TAGS,
    CASES,
    FILINGS,
    JUDGEMENTS,
    LOG,
    OF_CASE,
    OF_PICTURE,
    PICTURE_TAGS,
    PICTURES,
)
from dfcore.cases.values import Picture

Rows = dict[Table, list[dict[str, Any]]]
# Bound parameters of a statement, well below the limits of both databases.
CHUNK = 500
_FIELDS = tuple(Picture.__dataclass_fields__)


def picture_rows(sha256: str, entries: Sequence[Entry]) -> Rows:
    """The rows of a picture, by table; none if the log does not describe it.

    Args:
        sha256: The picture.
        entries: All entries that concern it and were not emptied, in order.
    """
    known = picture_of(entries)
    if known is None:
        return {table: [] for table, _ in OF_PICTURE}
    judged = [entry for entry in entries if entry.kind == "judgement"]
    decided = [entry for entry in entries if entry.kind == "decision"]
    tags, notes = tags_of(entries), [entry.body["text"] for entry in entries if entry.kind == "note"]
    newest = judged[-1].body if judged else {}
    row = known.__dict__ | {
        "first": entries[0].sequence, "last": entries[-1].sequence, "active": max(entry.at for entry in entries),
        "judgement": judged[-1].sequence if judged else None, "judged_at": newest.get("at"),
        "detector": newest.get("detector"), "card_sha256": newest.get("card_sha256"),
        "finding": newest.get("finding"), "score": newest.get("score"), "via": newest.get("via"),
        "decision": decided[-1].sequence if decided else None,
        "decided": decided[-1].body["decided"] if decided else None,
        "image": any(entry.kind == "image" for entry in entries),
        "text": _searched([sha256, known.name, *(one.body["name"] for one in judged), *notes, *tags]),
    }  # fmt: skip
    return {
        PICTURES: [row],
        JUDGEMENTS: [
            {"sequence": entry.sequence, "picture": sha256}
            | {name: entry.body[name] for name in ("same", "detector", "card_sha256", "model_sha256")}
            for entry in judged
        ],
        PICTURE_TAGS: [{"picture": sha256, "tag": tag} for tag in tags],
        FILINGS: [{"picture": sha256, "case_id": case} for case in _filed(entries)],
    }


def picture_of(entries: Iterable[Entry]) -> Picture | None:
    """A picture as its entries describe it: the first that knows something counts; None if none describes it."""
    known: dict[str, Any] = {}
    for entry in entries:
        if entry.kind == "picture":
            known = {name: known.get(name) or value for name, value in _described(entry).items()}
    return Picture(**known) if known else None


def _described(entry: Entry) -> dict[str, Any]:
    return {name: entry.picture if name == "sha256" else entry.body[name] for name in _FIELDS}


def case_rows(case: int, entries: Sequence[Entry]) -> Rows:
    """The rows of a case, by table; none if the log does not open it.

    Args:
        case: Its number.
        entries: All entries that concern it and were not emptied, in order.
    """
    opened = next((entry for entry in entries if entry.kind == "case"), None)
    if opened is None:
        return {table: [] for table, _ in OF_CASE}
    state: dict[str, Any] = {"title": opened.body["title"], "closed": None}
    for entry in entries:
        if entry.kind == "changed":
            state |= {name: entry.body[name] for name in state if name in entry.body}
    own = [entry for entry in entries if entry.picture is None]
    tags, notes = tags_of(own), [entry.body["text"] for entry in entries if entry.kind == "note"]
    row = state | {
        "id": case, "created": opened.at, "by": opened.by, "last": entries[-1].sequence,
        "active": max(entry.at for entry in entries), "text": _searched([state["title"], *notes, *tags]),
    }  # fmt: skip
    return {CASES: [row], CASE_TAGS: [{"case_id": case, "tag": tag} for tag in tags]}


def tags_of(entries: Iterable[Entry]) -> list[str]:
    """The tags that entries leave, sorted."""
    tags: set[str] = set()
    for entry in entries:
        if entry.kind == "tagged":
            tags.add(entry.body["tag"])
        elif entry.kind == "untagged":
            tags.discard(entry.body["tag"])
    return sorted(tags)


def _filed(entries: Iterable[Entry]) -> list[int]:
    cases: set[int] = set()
    for entry in entries:
        if entry.case is not None and entry.kind == "filed":
            cases.add(entry.case)
        elif entry.case is not None and entry.kind == "taken_out":
            cases.discard(entry.case)
    return sorted(cases)


def _searched(parts: Iterable[str]) -> str:
    """Texts in the form in which they are searched, each once."""
    return "\n".join(dict.fromkeys(part.casefold() for part in parts if part))


# What is computed by picture and by case: the column of the log that names them, the tables, and how.
VIEWS: tuple[tuple[Any, Any, Callable[[Any, Sequence[Entry]], Rows]], ...] = (
    (LOG.c.picture, OF_PICTURE, picture_rows),
    (LOG.c.case_id, OF_CASE, case_rows),
)


def refresh(connection: Connection, pictures: Iterable[str] = (), cases: Iterable[int] = ()) -> None:
    """Computes the rows of pictures and cases anew; within the transaction that wrote their entries."""
    for wanted, (column, tables, compute) in zip((pictures, cases), VIEWS, strict=True):
        names: list[Any] = sorted(set(wanted))
        for start in range(0, len(names), CHUNK):
            some = names[start : start + CHUNK]
            found = grouped(connection, column, some)
            computed = [compute(name, found.get(name, [])) for name in some]
            for table, key in tables:
                connection.execute(delete(table).where(key.in_(some)))
                if rows := [row for one in computed for row in one[table]]:
                    connection.execute(insert(table), rows)


def grouped(connection: Connection, column: Any, names: Sequence[Any]) -> dict[Any, list[Entry]]:
    """Entries that were not emptied, in order, by what a column of the log names."""
    result: dict[Any, list[Entry]] = {}
    found = connection.execute(
        select(*ENTRY).where(column.in_(names), LOG.c.body.is_not(None)).order_by(LOG.c.sequence)
    )
    for row in found:
        entry = entry_of(row)
        result.setdefault(entry.picture if column is LOG.c.picture else entry.case, []).append(entry)
    return result


ENTRY = (LOG.c.sequence, LOG.c.at, LOG.c.by, LOG.c.kind, LOG.c.picture, LOG.c.case_id, LOG.c.body)


def entry_of(row: Any) -> Entry:
    """An entry from the columns `ENTRY`."""
    return Entry(row.sequence, row.at, row.by, row.kind, row.picture, row.case_id, json.loads(row.body))
