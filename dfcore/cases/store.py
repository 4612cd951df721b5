"""The store of cases: what was judged, by which detector and with what result, and what people said of it.

Everything is a fact that is added to a hash-chained log (`dfcore.cases.log`) and never changed. A call returns once its
facts are on the disk; killed before, none of them is there.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import Connection, func, select

from dfcore.cases import backup as copying
from dfcore.cases import find, images, log, remove
from dfcore.cases import remember as remembering
from dfcore.cases.entry import MOST_NOTE, MOST_TAG, MOST_TITLE, Draft, kept, moment, now, words
from dfcore.cases.reader import Reader
from dfcore.cases.seen import Looks
from dfcore.cases.tables import CASE_TAGS, FILINGS, LOG, PICTURE_TAGS, PICTURES
from dfcore.cases.values import DECIDED, Case, Judgement, Picture, Pruned
from dfcore.cases.views import CHUNK
from dfcore.errors import InputError
from dfcore.utils.files import sha256_bytes


class Store(Reader):
    """A store of cases; may be used by any number of threads and processes at once."""

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

    def keep_image(self, sha256: str, data: bytes, *, by: str) -> bool:
        """Keeps a picture itself, as a file whose hash is checked whenever it is read; whether it was not kept yet.

        Raises:
            InputError: If the picture is not in the store, or the bytes are not those of its file.
            StorageError: If it cannot be written.
        """
        if sha256_bytes(data) != sha256:
            raise InputError(
                f"Expected the bytes of the picture {kept(sha256)[:64]}. Received bytes with another hash."
            )
        with self.database.writing() as connection:
            _require_pictures(connection, [sha256])
            images.write(self.folder, sha256, data)
            new = not self._keeps(connection, sha256)
            if new:
                log.append(connection, [Draft("image", {"bytes": len(data)}, sha256)], by)
        return new

    def drop_image(self, sha256: str, *, by: str, why: str) -> bool:
        """Deletes a kept picture; all that is known of it stays. Whether it was kept.

        Raises:
            InputError: If there is no reason.
        """
        with self.database.writing() as connection:
            there = self._keeps(connection, kept(sha256))
            if there:
                remove.drop_image(connection, sha256, by, why)
        self._clean()
        return there

    def _keeps(self, connection: Connection, sha256: str) -> bool:
        return bool(connection.execute(select(PICTURES.c.image).where(PICTURES.c.sha256 == sha256)).scalar())

    def forget(self, sha256: str, *, by: str, why: str) -> None:
        """Deletes all that is known of a picture, and the picture itself if it was kept.

        A tombstone stays, with the hash of its file, who deleted it, when and why, so that the log can be verified.

        Raises:
            InputError: If there is no such picture, or no reason.
        """
        with self.database.writing() as connection:
            _require_pictures(connection, [kept(sha256)])
            remove.forget(connection, sha256, by, why)
        self._clean()

    def delete_case(self, case: int, *, by: str, why: str) -> None:
        """Deletes a case and all that was said in it, decisions too; its pictures stay, with their verdicts.

        A tombstone stays, with its number, who deleted it, when and why.

        Raises:
            InputError: If there is no such case, or no reason.
        """
        with self.database.writing() as connection:
            find.case(connection, case)
            remove.delete_case(connection, case, by, why)
        self._clean()

    def prune(self, before: str, *, by: str) -> Pruned:
        """Deletes closed cases, and pictures in no open case, of which nothing was said since a time.

        Args:
            before: ISO 8601; a day alone is its beginning.
            by: Who deletes them.

        Raises:
            InputError: If it is no time.
        """
        limit, why = moment(before), f"retention: nothing was said since {before}"
        with self.database.writing() as connection:
            cases = remove.old_cases(connection, limit)
            for case in cases:
                remove.delete_case(connection, case, by, why)
        pictures = 0
        while True:
            with self.database.writing() as connection:  # Some at once, so that others get their turn.
                old, spared = remove.old_pictures(connection, limit)
                for sha256 in old[:CHUNK]:
                    remove.forget(connection, sha256, by, why)
            pictures += len(old[:CHUNK])
            if len(old) <= CHUNK:
                break
        self._clean()
        return Pruned(pictures, len(cases), len(spared))

    def _clean(self) -> None:
        """Removes from the disk what is deleted: pictures, and SQLite's journal."""
        with self.database.writing() as connection:
            images.remove_others(self.folder, connection)
        self.database.truncate_journal()

    def restore(self, path: str | Path) -> copying.Copied:
        """Reads a backup into this store, which must be empty; also one that was made of another kind of database.

        Raises:
            InputError: If the store is not empty, or the file is no backup or damaged; nothing is then restored.
            StorageError: If it cannot be written.
        """
        with self.database.writing() as connection:
            result = copying.restore(connection, self.folder, Path(path))
        self._looks = Looks()
        return result


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
