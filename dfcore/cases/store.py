"""The store of cases: what was judged, by which detector and with what result, and what people said of it.

Everything is a fact that is added to a hash-chained log (`dfcore.cases.log`) and never changed. A call returns once its
facts are on the disk; killed before, none of them is there.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from sqlalchemy import Connection, func, or_, select

from dfcore.cases import find, log
from dfcore.cases import remember as remembering
from dfcore.cases import seen as looking
from dfcore.cases import verify as checking
from dfcore.cases.database import Database
from dfcore.cases.entry import MOST_NOTE, MOST_TAG, MOST_TITLE, Draft, kept, now, words
from dfcore.cases.migrate import bring_up_to_date
from dfcore.cases.tables import CASE_TAGS, FILINGS, JUDGEMENTS, LOG, PICTURE_TAGS, PICTURES
from dfcore.cases.values import (
    DECIDED,
    Case,
    Found,
    Head,
    History,
    Judgement,
    Note,
    Picture,
    Query,
    Row,
    Seen,
    Verification,
)
from dfcore.cases.views import CHUNK
from dfcore.errors import InputError


class Store:
    """A store of cases; may be used by any number of threads and processes at once.

    Attributes:
        database: Where the facts are.
        folder: Where pictures are that were asked to be kept.
    """

    def __init__(self, address: str, folder: Path):
        """Opens a store; makes its tables, or brings those of an older version up to date.

        Raises:
            InputError: If the address is none of a database that can be used.
            StorageError: If the database is damaged, of a newer version or of something else, or cannot be reached.
        """
        self.database = Database(address)
        self.folder = Path(folder)
        self._looks = looking.Looks()
        try:
            bring_up_to_date(self.database)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes idle connections; the store can still be used."""
        self.database.close()

    # Verdicts

    def remember(self, picture: Picture, judgement: Judgement) -> int:
        """Writes a verdict, unless the same one is there: same picture, detector, thresholds, version and score.

        Returns:
            Number of the judgement, the older one's if it was there.

        Raises:
            InputError: If a hash, a number or `via` is invalid.
            StorageError: If it cannot be written.
        """
        return self.remember_many([(picture, judgement)])[0]

    def remember_many(self, pairs: Iterable[tuple[Picture, Judgement]]) -> list[int]:
        """Writes many verdicts, some hundreds at once; see `remember`.

        Returns:
            Number of each judgement.
        """
        listed, numbers = list(pairs), list[int]()
        for start in range(0, len(listed), CHUNK):
            with self.database.writing() as connection:
                numbers += remembering.remember(connection, listed[start : start + CHUNK])
        return numbers

    def seen(self, picture: Picture) -> list[Seen]:
        """Pictures that were judged before and are the same file, have the same pixels or look alike, in this order."""
        with self.database.reading() as connection:
            return looking.seen(connection, self._looks, picture)

    # Cases

    def create_case(self, title: str, *, by: str, tags: Sequence[str] = ()) -> Case:
        """Opens a case under the next free number.

        Raises:
            InputError: If the title or a tag is empty or too long.
        """
        said = {"title": _title(title)}
        named = [_tag(tag) for tag in tags]
        with self.database.writing() as connection:
            number = _next_number(connection)
            drafts = [Draft("case", said, case=number)]
            drafts += [Draft("tagged", {"tag": tag}, case=number) for tag in dict.fromkeys(named)]
            log.append(connection, drafts, by)
            return find.case(connection, number)

    def change_case(self, case: int, *, by: str, title: str | None = None, closed: bool | None = None) -> Case:
        """Renames a case, closes it or opens it again.

        Raises:
            InputError: If there is no such case, or the title is empty or too long.
        """
        with self.database.writing() as connection:
            before = find.case(connection, case)
            changes: dict[str, str | None] = {}
            if title is not None and _title(title) != before.title:
                changes["title"] = _title(title)
            if closed is not None and closed != (before.closed is not None):
                changes["closed"] = now() if closed else None
            if changes:
                log.append(connection, [Draft("changed", changes, case=case)], by)
            return find.case(connection, case)

    def file(self, case: int, sha256s: Iterable[str], *, by: str) -> int:
        """Files pictures in a case; those that are filed in it stay.

        Returns:
            Number of pictures that were not in it before.

        Raises:
            InputError: If there is no such case or picture; then none is filed.
        """
        return self._move(case, sha256s, by, "filed")

    def take_out(self, case: int, sha256s: Iterable[str], *, by: str) -> int:
        """Takes pictures out of a case; they and what was said of them stay in the store.

        Returns:
            Number of pictures that were in it.

        Raises:
            InputError: If there is no such case or picture.
        """
        return self._move(case, sha256s, by, "taken_out")

    def _move(self, case: int, sha256s: Iterable[str], by: str, kind: str) -> int:
        names = list(dict.fromkeys(map(kept, sha256s)))
        with self.database.writing() as connection:
            find.case(connection, case)
            _require_pictures(connection, names)
            inside = set(connection.execute(select(FILINGS.c.picture).where(FILINGS.c.case_id == case)).scalars())
            moved = [name for name in names if (name in inside) != (kind == "filed")]
            log.append(connection, [Draft(kind, {}, name, case) for name in moved], by)
        return len(moved)

    def note(self, text: str, *, by: str, case: int | None = None, picture: str | None = None) -> int:
        """Writes a note on a case, on a picture, or on a picture within a case.

        Returns:
            Its number.

        Raises:
            InputError: If it is empty or too long, or there is no such case or picture, or neither is named.
        """
        said = {"text": words(text, "a note", MOST_NOTE)}
        return self._say("note", said, by, case, picture)

    def decide(self, picture: str, decided: str, *, by: str, case: int | None = None, why: str = "") -> int:
        """Writes what a person decided of a picture; the newest decision counts, older ones stay.

        Args:
            picture: Its SHA-256.
            decided: "real", "fake" or "undecided".
            by: Who decided.
            case: Case in which it was decided.
            why: Reason, may be empty.

        Returns:
            Number of the decision.

        Raises:
            InputError: If there is no such decision, picture or case.
        """
        if decided not in DECIDED:
            raise InputError(f"Expected a decision: {', '.join(DECIDED)}. Received: {decided!r}.")
        reason = words(why, "a reason", MOST_NOTE) if why.strip() else ""
        return self._say("decision", {"decided": decided, "why": reason}, by, case, picture)

    def tag(self, tag: str, *, by: str, case: int | None = None, picture: str | None = None) -> bool:
        """Gives a case or a picture a tag; whether it did not have it yet.

        Raises:
            InputError: If the tag is empty or too long, or not exactly one of case and picture is named and known.
        """
        return self._set_tag("tagged", tag, by, case, picture)

    def untag(self, tag: str, *, by: str, case: int | None = None, picture: str | None = None) -> bool:
        """Takes a tag from a case or a picture; whether it had it. See `tag`."""
        return self._set_tag("untagged", tag, by, case, picture)

    def _set_tag(self, kind: str, tag: str, by: str, case: int | None, picture: str | None) -> bool:
        if (case is None) == (picture is None):
            raise InputError("Expected a case or a picture for a tag. Received: both or neither.")
        name = _tag(tag)
        with self.database.writing() as connection:
            _require(connection, case, picture)
            column, where = (
                (CASE_TAGS.c.tag, CASE_TAGS.c.case_id == case)
                if picture is None
                else (PICTURE_TAGS.c.tag, PICTURE_TAGS.c.picture == picture)
            )
            there = connection.execute(select(column).where(where, column == name)).first() is not None
            if there == (kind == "tagged"):
                return False
            log.append(connection, [Draft(kind, {"tag": name}, picture, case)], by)
        return True

    def _say(self, kind: str, said: dict[str, str], by: str, case: int | None, picture: str | None) -> int:
        with self.database.writing() as connection:
            _require(connection, case, picture)
            return log.append(connection, [Draft(kind, said, picture, case)], by)[0]

    # Reading

    def case(self, case: int) -> Case:
        """A case by its number.

        Raises:
            InputError: If there is none.
        """
        with self.database.reading() as connection:
            return find.case(connection, case)

    def case_notes(self, case: int) -> tuple[Note, ...]:
        """Notes on a case and on its pictures within it, oldest first."""
        with self.database.reading() as connection:
            return find.case_notes(connection, case)

    def cases(
        self, text: str = "", *, tag: str | None = None, is_open: bool | None = None,
        limit: int | None = None, offset: int = 0,
    ) -> Found[Case]:  # fmt: skip
        """Cases, the most recently changed first.

        Args:
            text: Words in titles, notes and tags, or a case's number; all must occur, case is ignored.
            tag: A tag of the case.
            is_open: Whether only open or only closed ones.
            limit: Number of cases; None for all.
            offset: Number of cases to pass over.
        """
        with self.database.reading() as connection:
            return find.cases(connection, text, tag, is_open, limit, offset)

    def history(self, sha256: str) -> History:
        """All that is known of a picture.

        Raises:
            InputError: If it is not known.
        """
        with self.database.reading() as connection:
            return find.history(connection, sha256)

    def search(
        self, query: Query = Query(), *, order: str = "newest", limit: int | None = 100, offset: int = 0
    ) -> Found[Row]:
        """Pictures, one row each.

        Args:
            query: What to search by.
            order: "newest" or "oldest" (by what was last said of it), "highest" or "lowest" (score), or "name".
            limit: Number of rows; None for all.
            offset: Number of rows to pass over.

        Raises:
            InputError: If the order or a time is invalid.
        """
        with self.database.reading() as connection:
            return find.search(connection, query, order, limit, offset)

    def rows(self, sha256s: Sequence[str]) -> tuple[Row, ...]:
        """The rows of some pictures, in the order given; those that are not known are left out."""
        with self.database.reading() as connection:
            return tuple(find.rows_of(connection, list(dict.fromkeys(map(kept, sha256s)))))

    def tags(self) -> list[tuple[str, int]]:
        """Tags of pictures with the numbers of pictures, the most frequent first."""
        with self.database.reading() as connection:
            return find.counted(connection, PICTURE_TAGS.c.tag)

    def case_tags(self) -> list[tuple[str, int]]:
        """Tags of cases with the numbers of cases, the most frequent first."""
        with self.database.reading() as connection:
            return find.counted(connection, CASE_TAGS.c.tag)

    def detectors(self) -> list[tuple[str, int]]:
        """Keys of detectors with the numbers of pictures of which they made the newest judgement."""
        with self.database.reading() as connection:
            return find.counted(connection, PICTURES.c.detector)

    def cited(self, *, detector: str | None = None, card: str | None = None, model: str | None = None) -> int:
        """Number of judgements by a detector: by its key, the hash of its card or that of its network; any counts."""
        j = JUDGEMENTS.c
        named = ((j.detector, detector), (j.card_sha256, card), (j.model_sha256, model))
        wanted = [column == kept(value) for column, value in named if value]
        if not wanted:
            return 0
        with self.database.reading() as connection:
            return connection.execute(select(func.count()).select_from(JUDGEMENTS).where(or_(*wanted))).scalar_one()

    # The log

    def head(self) -> Head:
        """The newest entry of the log; whoever keeps it elsewhere can show later that nothing before it was removed."""
        with self.database.reading() as connection:
            return log.head(connection)

    def verify(self, head: Head | str | None = None) -> Verification:
        """Checks that no entry was altered, removed or inserted, and that all that is shown follows from them.

        Args:
            head: A head that was exported earlier, which must still be in the log.

        Raises:
            InputError: If the head is none.
        """
        expected = checking.head_of(head) if isinstance(head, str) else head
        with self.database.reading() as connection:
            return checking.verify(connection, expected if expected is None or expected.hash else None)


def _title(text: str) -> str:
    return words(" ".join(text.split()), "a title", MOST_TITLE)


def _tag(text: str) -> str:
    return words(" ".join(text.split()), "a tag", MOST_TAG)


def _next_number(connection: Connection) -> int:
    """The next number of a case; that of a deleted case is not given again."""
    return (connection.execute(select(func.max(LOG.c.case_id))).scalar() or 0) + 1


def _require(connection: Connection, case: int | None, picture: str | None) -> None:
    if case is None and picture is None:
        raise InputError("Expected a case or a picture. Received: neither.")
    if case is not None:
        find.case(connection, case)
    if picture is not None:
        _require_pictures(connection, [kept(picture)])


def _require_pictures(connection: Connection, names: Sequence[str]) -> None:
    for start in range(0, len(names), CHUNK):
        some = names[start : start + CHUNK]
        known = set(connection.execute(select(PICTURES.c.sha256).where(PICTURES.c.sha256.in_(some))).scalars())
        for name in some:
            if name not in known:
                raise find.unknown_picture(name)
