"""Reading a store of cases; see `dfcore.cases.store` for writing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import func, or_, select

from dfcore.cases import changes, find, images, log
from dfcore.cases import seen as looking
from dfcore.cases import verify as checking
from dfcore.cases.backup import Copied, backup
from dfcore.cases.changes import Changed, Detector
from dfcore.cases.database import Database
from dfcore.cases.entry import kept
from dfcore.cases.migrate import bring_up_to_date
from dfcore.cases.tables import CASE_TAGS, JUDGEMENTS, PICTURE_TAGS, PICTURES
from dfcore.cases.values import Case, Found, Head, History, Note, Picture, Query, Row, Seen, Verification


class Reader:
    """What can be asked of a store.

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
            self._clean_up_after_the_killed()
        except BaseException:
            self.close()
            raise

    def _clean_up_after_the_killed(self) -> None:
        """Removes pictures that were written before their entry, or deleted after it, when a process was killed."""
        with self.database.reading() as connection:
            there = any(images.others(self.folder, connection))
        if there:
            with self.database.writing() as connection:
                images.remove_others(self.folder, connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes idle connections; the store can still be used."""
        self.database.close()

    def seen(self, picture: Picture) -> list[Seen]:
        """Pictures that were judged before and are the same file, have the same pixels or look alike, in this order."""
        with self.database.reading() as connection:
            return looking.seen(connection, self._looks, picture)

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

    def changed(
        self, detectors: Mapping[str, Detector], *, case: int | None = None, limit: int | None = None, offset: int = 0
    ) -> Found[Changed]:
        """Pictures whose newest verdict is by a detector that changed since, or is gone; the newest first.

        Args:
            detectors: The detectors that are there, by their keys.
            case: Only pictures that are filed in this case.
            limit: Number of pictures; None for all.
            offset: Number of pictures to pass over.
        """
        with self.database.reading() as connection:
            return changes.changed(connection, detectors, case, limit, offset)

    def image(self, sha256: str) -> bytes | None:
        """The bytes of a picture that was kept; None if it was not, or its file is gone (`verify` tells which).

        Raises:
            StorageError: If the file was altered, or cannot be read.
        """
        with self.database.reading() as connection:
            there = connection.execute(select(PICTURES.c.image).where(PICTURES.c.sha256 == kept(sha256))).scalar()
        return images.read(self.folder, sha256) if there else None

    def backup(self, path: str | Path) -> Copied:
        """Writes all entries and kept pictures to one new file, as they are at one moment, also while others write.

        Raises:
            InputError: If the file exists.
            StorageError: If it cannot be written.
        """
        with self.database.reading() as connection:
            return backup(connection, self.folder, Path(path))

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
            found = checking.verify(connection, expected if expected is None or expected.hash else None)
            unsound = images.unsound(self.folder, connection)
        with self.database.writing() as connection:
            of_images = tuple(images.problems(self.folder, connection, unsound))
        return replace(found, problems=found.problems + of_images)
