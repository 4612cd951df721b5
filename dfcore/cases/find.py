"""Reading the store: histories, lists, searches, and pictures that were seen before."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from dfcore.cases.entry import Entry, kept, moment
from dfcore.cases.tables import CASE_TAGS, CASES, FILINGS, JUDGEMENTS, LOG, PICTURE_TAGS, PICTURES
from dfcore.cases.values import (
    Case,
    Decision,
    Found,
    History,
    Judgement,
    Note,
    Picture,
    Query,
    Row,
)
from dfcore.cases.views import CHUNK, ENTRY, entry_of, grouped
from dfcore.errors import InputError

ORDERS = ("newest", "oldest", "highest", "lowest", "name")
_JUDGED = tuple(name for name in Judgement.__dataclass_fields__ if name not in ("id", "picture", "record"))
_PICTURE = tuple(PICTURES.c[name] for name in Picture.__dataclass_fields__)


def history(connection: Connection, sha256: str) -> History:
    """All that is known of a picture.

    Raises:
        InputError: If it is not known.
    """
    chosen = select(*_PICTURE, PICTURES.c.image).where(PICTURES.c.sha256 == kept(sha256))
    row = connection.execute(chosen).first()
    if row is None:
        raise unknown_picture(sha256)
    of_picture = LOG.c.picture == sha256
    found = connection.execute(
        select(*ENTRY, LOG.c.more).where(of_picture, LOG.c.body.is_not(None)).order_by(LOG.c.sequence)
    ).all()
    entries = [entry_of(each) for each in found]
    records = {each.sequence: json.loads(each.more) for each in found if each.more is not None}
    return History(
        picture=_picture(row),
        judgements=tuple(judgement(e, records.get(e.sequence)) for e in entries if e.kind == "judgement"),
        notes=tuple(note(e) for e in entries if e.kind == "note"),
        decisions=tuple(decision(e) for e in entries if e.kind == "decision"),
        tags=tuple(_names(connection, PICTURE_TAGS.c.tag, PICTURE_TAGS.c.picture, [sha256]).get(sha256, [])),
        cases=_cases_of(connection, [sha256]).get(sha256, ()),
        image=row.image,
    )


def judgement(entry: Entry, record: dict[str, Any] | None = None) -> Judgement:
    """A judgement from its entry."""
    body = entry.body
    values = {name: body[name] for name in _JUDGED if name in body}
    return Judgement(id=entry.sequence, picture=str(entry.picture), record=record, **values)


def note(entry: Entry) -> Note:
    """A note from its entry."""
    return Note(entry.sequence, entry.case, entry.picture, entry.body["text"], entry.by, entry.at)


def decision(entry: Entry) -> Decision:
    """A decision from its entry."""
    body = entry.body
    return Decision(entry.sequence, str(entry.picture), entry.case, body["decided"], body["why"], entry.by, entry.at)


def unknown_picture(sha256: str) -> InputError:
    """The error for a picture that is not in the store."""
    return InputError(f"Expected the SHA-256 of a picture in the store of cases. Received: {str(sha256)[:80]!r}.")


def case(connection: Connection, number: int) -> Case:
    """A case.

    Raises:
        InputError: If there is none.
    """
    found = _cases(connection, select(CASES).where(CASES.c.id == number))
    if not found:
        raise InputError(f"Expected the number of a case. Received: {number}, which does not exist.")
    return found[0]


def case_notes(connection: Connection, number: int) -> tuple[Note, ...]:
    """Notes on a case and on its pictures within it, oldest first."""
    found = grouped(connection, LOG.c.case_id, [number]).get(number, [])
    return tuple(note(entry) for entry in found if entry.kind == "note")


def cases(
    connection: Connection, text: str, tag: str | None, is_open: bool | None, limit: int | None, offset: int
) -> Found[Case]:
    """Cases, the most recently changed first; see `Store.cases`."""
    _require_page(limit, offset)
    text, tag = kept(text), tag and kept(tag)
    where: list[ColumnElement[bool]] = [
        CASES.c.text.contains(word, autoescape=True) for word in text.casefold().split()
    ]
    if text.strip().isdecimal():
        where = [where[0] | (CASES.c.id == int(text))]
    if tag is not None:
        where.append(CASES.c.id.in_(select(CASE_TAGS.c.case_id).where(CASE_TAGS.c.tag == tag)))
    if is_open is not None:
        where.append(CASES.c.closed.is_(None) if is_open else CASES.c.closed.is_not(None))
    total = connection.execute(select(func.count()).select_from(CASES).where(*where)).scalar_one()
    chosen = select(CASES).where(*where).order_by(CASES.c.last.desc()).limit(limit).offset(offset)
    return Found(tuple(_cases(connection, chosen)), total)


def _cases(connection: Connection, chosen: Select[Any]) -> list[Case]:
    rows = connection.execute(chosen).all()
    ids = [row.id for row in rows]
    tags = _names(connection, CASE_TAGS.c.tag, CASE_TAGS.c.case_id, ids)
    counts: dict[int, int] = {}
    for some in _chunks(ids):
        counted = select(FILINGS.c.case_id, func.count()).where(FILINGS.c.case_id.in_(some)).group_by(FILINGS.c.case_id)
        counts.update((row[0], row[1]) for row in connection.execute(counted))
    return [
        Case(row.id, row.title, row.created, row.by, row.closed, tuple(tags.get(row.id, ())), counts.get(row.id, 0))
        for row in rows
    ]


def search(
    connection: Connection, query: Query, order: str = "newest", limit: int | None = 100, offset: int = 0
) -> Found[Row]:
    """Pictures, one row each; see `Store.search`."""
    _require_page(limit, offset)
    where, by = _where(query), _order(order)
    if not query.text.strip():
        # Both are read from indexes.
        total = connection.execute(select(func.count()).select_from(PICTURES).where(*where)).scalar_one()
        names = select(PICTURES.c.sha256).where(*where).order_by(*by).limit(limit).offset(offset)
        return Found(tuple(rows_of(connection, connection.execute(names).scalars().all())), total)
    # Texts are read from the first to the last, so all that fit are taken at once.
    found = connection.execute(select(PICTURES.c.sha256).where(*where).order_by(*by)).scalars().all()
    page = found[offset:] if limit is None else found[offset : offset + limit]
    return Found(tuple(rows_of(connection, page)), len(found))


def _require_page(limit: int | None, offset: int) -> None:
    if offset < 0 or (limit is not None and limit < 0):
        raise InputError(f"Expected a limit and an offset of at least 0. Received: {limit} and {offset}.")


def _where(query: Query) -> list[ColumnElement[bool]]:
    p = PICTURES.c
    texts: Any = {name: kept(value) for name, value in vars(query).items() if isinstance(value, str)}
    query = replace(query, **texts)
    where: list[ColumnElement[bool]] = [
        p.text.contains(word, autoescape=True) for word in query.text.casefold().split()
    ]
    for column, value in ((p.finding, query.finding), (p.decided, query.decided)):
        if value is not None:
            where.append(column.is_(None) if value == "none" else column == value)
    where += [
        column == value for column, value in ((p.detector, query.detector), (p.via, query.via)) if value is not None
    ]
    if query.tag is not None:
        where.append(p.sha256.in_(select(PICTURE_TAGS.c.picture).where(PICTURE_TAGS.c.tag == query.tag)))
    if query.case is not None:
        where.append(p.sha256.in_(select(FILINGS.c.picture).where(FILINGS.c.case_id == query.case)))
    if query.since is not None:
        where.append(p.judged_at >= moment(query.since))
    if query.until is not None:
        where.append(p.judged_at <= moment(query.until, end=True))
    if query.lowest is not None:
        where.append(p.score >= query.lowest)
    if query.highest is not None:
        where.append(p.score <= query.highest)
    return where


def _order(order: str) -> Sequence[Any]:
    p = PICTURES.c
    known: dict[str, Sequence[Any]] = {
        "newest": (p.last.desc(),),
        "oldest": (p.last,),
        "highest": (p.score.desc().nulls_last(), p.last.desc()),
        "lowest": (p.score.nulls_last(), p.last.desc()),
        "name": (p.name, p.sha256),
    }
    if order not in known:
        raise InputError(f"Expected an order of {', '.join(ORDERS)}. Received: {order!r}.")
    return known[order]


def _rows(connection: Connection, found: Sequence[Any]) -> list[Row]:
    names = [row.sha256 for row in found]
    numbers = [number for row in found for number in (row.judgement, row.decision) if number is not None]
    said = {entry.sequence: entry for entry in entries_at(connection, numbers)}
    tags = _names(connection, PICTURE_TAGS.c.tag, PICTURE_TAGS.c.picture, names)
    filed = _cases_of(connection, names)
    return [
        Row(
            picture=_picture(row),
            judgement=judgement(said[row.judgement]) if row.judgement in said else None,
            decision=decision(said[row.decision]) if row.decision in said else None,
            tags=tuple(tags.get(row.sha256, ())),
            cases=filed.get(row.sha256, ()),
            image=row.image,
        )
        for row in found
    ]


def rows_of(connection: Connection, sha256s: Sequence[str]) -> list[Row]:
    """The rows of some pictures, in the order given; those that are not known are left out."""
    found: dict[str, Any] = {}
    for some in _chunks(sha256s):
        chosen = select(*_PICTURE, PICTURES.c.image, PICTURES.c.judgement, PICTURES.c.decision)
        found |= {row.sha256: row for row in connection.execute(chosen.where(PICTURES.c.sha256.in_(some)))}
    return _rows(connection, [found[name] for name in sha256s if name in found])


def entries_at(connection: Connection, numbers: Sequence[int]) -> list[Entry]:
    """Entries by their numbers, in order; those that were emptied are left out."""
    result: list[Entry] = []
    for some in _chunks(sorted(numbers)):
        where = and_(LOG.c.sequence.in_(some), LOG.c.body.is_not(None))
        result += map(entry_of, connection.execute(select(*ENTRY).where(where).order_by(LOG.c.sequence)))
    return result


def judgements_of(connection: Connection, sha256s: Sequence[str]) -> dict[str, list[Judgement]]:
    """All judgements of pictures without their records, oldest first, by picture."""
    result: dict[str, list[Judgement]] = {name: [] for name in sha256s}
    for some in _chunks(sha256s):
        numbers = (
            connection.execute(select(JUDGEMENTS.c.sequence).where(JUDGEMENTS.c.picture.in_(some))).scalars().all()
        )
        for entry in entries_at(connection, numbers):
            result[str(entry.picture)].append(judgement(entry))
    return result


def _cases_of(connection: Connection, sha256s: Sequence[str]) -> dict[str, tuple[Case, ...]]:
    filed = _names(connection, FILINGS.c.case_id, FILINGS.c.picture, sha256s)
    ids = sorted({number for numbers in filed.values() for number in numbers})
    known: dict[int, Case] = {}
    for some in _chunks(ids):
        known |= {one.id: one for one in _cases(connection, select(CASES).where(CASES.c.id.in_(some)))}
    return {name: tuple(known[number] for number in numbers if number in known) for name, numbers in filed.items()}


def _names(connection: Connection, column: Any, key: Any, keys: Sequence[Any]) -> dict[Any, list[Any]]:
    """Values of a column by those of another, sorted."""
    result: dict[Any, list[Any]] = {}
    for some in _chunks(keys):
        for name, value in connection.execute(select(key, column).where(key.in_(some)).order_by(column)):
            result.setdefault(name, []).append(value)
    return result


def counted(connection: Connection, column: Any) -> list[tuple[str, int]]:
    """Values of a column with their numbers, the most frequent first."""
    found = select(column, func.count()).where(column.is_not(None)).group_by(column)
    return [(row[0], row[1]) for row in connection.execute(found.order_by(func.count().desc(), column))]


def _picture(row: Any) -> Picture:
    return Picture(**{name: getattr(row, name) for name in Picture.__dataclass_fields__})


def _chunks(values: Iterable[Any]) -> Iterable[Sequence[Any]]:
    listed = list(values)
    return (listed[start : start + CHUNK] for start in range(0, len(listed), CHUNK))
