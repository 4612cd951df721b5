"""Deleting: what entries say is removed, that they were there stays, and a tombstone tells who did it, when and why."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, select

from dfcore.cases.entry import MOST_NOTE, Draft, words
from dfcore.cases.log import append, empty
from dfcore.cases.tables import CASES, FILINGS, LOG, PICTURES
from dfcore.cases.views import refresh


def forget(connection: Connection, sha256: str, by: str, why: str) -> None:
    """Deletes all that is known of a picture."""
    _delete(connection, LOG.c.picture == sha256, Draft("deleted", {"what": "picture"}, picture=sha256), by, why)


def delete_case(connection: Connection, case: int, by: str, why: str) -> None:
    """Deletes a case and all that was said in it; its pictures stay, with their verdicts."""
    _delete(connection, LOG.c.case_id == case, Draft("deleted", {"what": "case"}, case=case), by, why)


def drop_image(connection: Connection, sha256: str, by: str, why: str) -> None:
    """Deletes the picture itself; all that is known of it stays."""
    only = and_(LOG.c.picture == sha256, LOG.c.kind == "image")
    _delete(connection, only, Draft("deleted", {"what": "image"}, picture=sha256), by, why)


def _delete(connection: Connection, which: ColumnElement[bool], tombstone: Draft, by: str, why: str) -> None:
    reason = words(why, "a reason", MOST_NOTE)
    chosen = select(LOG.c.sequence, LOG.c.picture, LOG.c.case_id)
    rows = connection.execute(chosen.where(which, LOG.c.kind != "deleted").order_by(LOG.c.sequence)).all()
    empty(connection, [row.sequence for row in rows])
    body = tombstone.body | {"why": reason, "entries": _ranges([row.sequence for row in rows])}
    append(connection, [Draft("deleted", body, tombstone.picture, tombstone.case)], by)
    refresh(
        connection,
        {row.picture for row in rows if row.picture is not None},
        {row.case_id for row in rows if row.case_id is not None},
    )


def _ranges(numbers: Sequence[int]) -> list[list[int]]:
    """Numbers in order as pairs of the first and last of each unbroken row."""
    result: list[list[int]] = []
    for number in numbers:
        if result and number == result[-1][1] + 1:
            result[-1][1] = number
        else:
            result.append([number, number])
    return result


def old_cases(connection: Connection, before: str) -> list[int]:
    """Closed cases of which nothing was said since."""
    found = select(CASES.c.id).where(CASES.c.closed.is_not(None), CASES.c.active < before).order_by(CASES.c.id)
    return list(connection.execute(found).scalars())


def old_pictures(connection: Connection, before: str) -> tuple[list[str], list[str]]:
    """Pictures of which nothing was said since: those in no open case, and those in one."""
    old = list(connection.execute(select(PICTURES.c.sha256).where(PICTURES.c.active < before)).scalars())
    open_cases = select(CASES.c.id).where(CASES.c.closed.is_(None))
    filed = select(FILINGS.c.picture).where(FILINGS.c.case_id.in_(open_cases))
    spared = set(connection.execute(filed).scalars())
    return [one for one in old if one not in spared], [one for one in old if one in spared]
