"""The hash-chained log: adding entries, emptying them, reading its newest one."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, insert, select, update

from dfcore.cases.entry import Draft, kept, now, row_of
from dfcore.cases.tables import LOG
from dfcore.cases.values import Head
from dfcore.cases.views import CHUNK, refresh
from dfcore.errors import InputError

# What the first entry has for the hash of the one before it.
START = "0" * 64


def head(connection: Connection) -> Head:
    """The newest entry."""
    row = connection.execute(
        select(LOG.c.sequence, LOG.c.hash, LOG.c.at).order_by(LOG.c.sequence.desc()).limit(1)
    ).first()
    return Head() if row is None else Head(row.sequence, row.hash, row.at)


def append(connection: Connection, drafts: Sequence[Draft], by: str) -> list[int]:
    """Adds entries and brings what is computed from them up to date; within a transaction that writes.

    Args:
        connection: The transaction, see `Database.writing`.
        drafts: What to add, in order.
        by: Who says so.

    Returns:
        Their numbers.

    Raises:
        InputError: If a fact holds something that JSON cannot, such as NaN.
    """
    last, at, rows = head(connection), now(), []
    number, previous = last.number, last.hash or START
    for draft in drafts:
        number += 1
        try:
            row = row_of(draft, number, previous, at, kept(by if draft.by is None else draft.by))
        except (TypeError, ValueError) as error:
            raise InputError(f"Expected values that JSON can hold in a {draft.kind}. Received: {error}.") from None
        previous = row["hash"]
        rows.append(row)
    if rows:
        connection.execute(insert(LOG), rows)
    refresh(
        connection,
        (draft.picture for draft in drafts if draft.picture is not None),
        (draft.case for draft in drafts if draft.case is not None),
    )
    return [row["sequence"] for row in rows]


def empty(connection: Connection, numbers: Iterable[int]) -> None:
    """Removes what entries say; that they were there stays. The caller adds the tombstone."""
    some = sorted(set(numbers))
    for start in range(0, len(some), CHUNK):
        chosen = LOG.c.sequence.in_(some[start : start + CHUNK])
        connection.execute(update(LOG).where(chosen).values(picture=None, case_id=None, body=None, more=None))
