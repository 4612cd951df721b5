"""Entries of the log: what is written, how it is hashed, how texts and times are made fit for it."""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dfcore.errors import InputError
from dfcore.utils.files import sha256_bytes
from dfcore.utils.texts import storable

# Kinds of entries. A "deleted" one is the tombstone of those that it lists.
KINDS = ("picture", "judgement", "case", "changed", "filed", "taken_out", "note", "decision", "tagged", "untagged",
         "image", "deleted")  # fmt: skip
MOST_NOTE, MOST_TITLE, MOST_TAG = 20_000, 300, 100
_DAY = 10


@dataclass(frozen=True)
class Draft:
    """A fact before it is written.

    Attributes:
        kind: One of `KINDS`.
        body: JSON-serialisable.
        picture: SHA-256 of the picture that it concerns.
        case: Number of the case that it concerns.
        more: Its bulky part, JSON-serialisable; None if there is none.
        by: Who says so, where it is not who writes it.
    """

    kind: str
    body: dict[str, Any]
    picture: str | None = None
    case: int | None = None
    more: dict[str, Any] | None = None
    by: str | None = None


@dataclass(frozen=True)
class Entry:
    """A fact as it was read from the log, without its bulky part."""

    sequence: int
    at: str
    by: str
    kind: str
    picture: str | None
    case: int | None
    body: dict[str, Any]


def canonical(value: Any) -> str:
    """JSON in the one form that is hashed: ASCII, sorted, without spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def row_of(draft: Draft, sequence: int, previous: str, at: str, by: str) -> dict[str, Any]:
    """The row of the log for a fact.

    The body holds what the row says of picture and case, and a random salt: once it is deleted, nobody can find out by
    trying whether the hash is that of a guess.

    Raises:
        ValueError: If it holds a number that is not finite.
    """
    body = canonical(draft.body | {"picture": draft.picture, "case": draft.case, "salt": secrets.token_hex(8)})
    more = None if draft.more is None else canonical(draft.more)
    digest = digest_of(body, more)
    row = {"sequence": sequence, "at": at, "by": by, "kind": draft.kind, "digest": digest, "previous": previous}
    return row | {
        "picture": draft.picture, "case_id": draft.case, "body": body, "more": more, "hash": hash_of(row)
    }  # fmt: skip


def digest_of(body: str, more: str | None) -> str:
    """Hash of what a fact says."""
    return sha256_bytes(canonical([body, more]).encode())


def hash_of(row: Any) -> str:
    """Hash of an entry, over its number, time, author, kind, the hash of what it says, and the entry before it."""
    return sha256_bytes(
        canonical([row[name] for name in ("sequence", "at", "by", "kind", "digest", "previous")]).encode()
    )


def now() -> str:
    """The time, in UTC."""
    return _text(datetime.now(UTC))


def moment(text: str, *, end: bool = False) -> str:
    """A time in the form that is stored, which sorts as text.

    Args:
        text: ISO 8601; without a time zone UTC is meant. A day alone is its beginning.
        end: For a day alone, its end instead.

    Raises:
        InputError: If it is no time.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"Expected a time such as 2026-11-26 or 2026-11-26T21:30:00+00:00. Received: {text!r}."
        ) from None
    if end and len(text) == _DAY:
        found += timedelta(days=1) - timedelta(milliseconds=1)
    return _text(found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC))


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def kept(text: object) -> str:
    """Text from strangers as every database can store it: valid Unicode without zero bytes, which become escapes."""
    return storable(text).replace("\0", "\\x00")


def words(text: str, what: str, most: int) -> str:
    """A text that a person wrote, without blanks around it.

    Raises:
        InputError: If nothing is left, or it is too long.
    """
    result = kept(text).strip()
    if not result or len(result) > most:
        received = "nothing" if not result else f"{len(result):,} characters"
        raise InputError(f"Expected {what} of 1 to {most:,} characters. Received: {received}.")
    return result
