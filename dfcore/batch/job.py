"""A batch: pictures that a process of its own judges, their rows, and what was kept to look at them.

A batch's folder contains `batch.json` (what was asked for), `sources.json` (what is judged), `detectors.json` (who
judges), `status.json` and the other files of a job, the journal of rows with its index `rows.db`, `left_out.json`, and
until it is closed `thumbnails.bin` and `spool/` (copies of what was uploaded or fetched).
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from dfcore.batch import origins
from dfcore.batch.names import AUTO
from dfcore.batch.query import Order, Page, Query
from dfcore.batch.resume_log import journal_of, read_row
from dfcore.batch.row_index import RowIndex
from dfcore.batch.thumbnails import read_thumbnail
from dfcore.batch.writers import write_left_out, write_rows
from dfcore.confidence import ErrorBudget
from dfcore.datasets.dataset import LeftOut
from dfcore.engines.base import EngineName
from dfcore.errors import BatchError
from dfcore.runs.job import Job
from dfcore.runs.status import JobStatus, State
from dfcore.runs.stored import read_object, status_reader
from dfcore.utils.files import remembered


@dataclass(frozen=True)
class Options:
    """How a batch is judged, beside its detectors and its error budget.

    Attributes:
        ignore_ood: Whether images that are out of distribution are decided too.
        remember: Whether verdicts go into the store of cases, unless that is off.
        engine: See `Detector.load`.
    """

    ignore_ood: bool = False
    remember: bool = True
    engine: EngineName = "auto"


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        title: Name for people.
        by: Who asked; "" if unknown.
        created: When, ISO 8601 in UTC.
        detectors: Names of detectors, or `AUTO` alone.
        budget: The error budget; None for the cards' own.
        options: How to judge.
        sources: What to judge, in words.
    """

    title: str
    by: str
    created: str
    detectors: tuple[str, ...] = (AUTO,)
    budget: ErrorBudget | None = None
    options: Options = field(default_factory=Options)
    sources: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self) | {"budget": self.budget and self.budget.model_dump()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Request":
        """From plain data; raises TypeError, KeyError or ValueError for something else."""
        lists = {name: tuple(map(str, values[name])) for name in ("detectors", "sources")}
        budget = None if values["budget"] is None else ErrorBudget(**values["budget"])
        return cls(**(values | lists | {"budget": budget, "options": Options(**values["options"])}))


@dataclass(frozen=True)
class BatchStatus(JobStatus):
    """The status of a batch.

    Attributes:
        done, total: Number of rows, and of those that there will be; the latter is 0 until they are counted.
        failed: Number of rows without a verdict.
        ended: When it came to rest, in seconds since the Unix epoch; None while it has not.
        closed: Why its files were deleted: "by request" or "by age"; "" if they are there.
    """

    done: int = 0
    total: int = 0
    failed: int = 0
    ended: float | None = None
    closed: str = ""

    @property
    def fraction(self) -> float:
        """Share of the rows that are there, in [0, 1]."""
        if self.state is State.COMPLETED:
            return 1.0
        return min(self.done / self.total, 1.0) if self.total else 0.0


_read_status, _remembered_status = status_reader(BatchStatus, "Batch", BatchError, most=2000)


class Batch(Job[BatchStatus]):
    """The folder of a batch; a job whose process judges."""

    noun, error, lost = "Batch", BatchError, BatchError
    read_status, remembered_status = staticmethod(_read_status), staticmethod(_remembered_status)
    gone = "The process that judged is gone: it was killed or crashed, ran out of memory, or the machine restarted."
    finished = "start a new one instead"

    @property
    def journal(self) -> Path:
        """The file of all rows, which only grows."""
        return journal_of(self.out)

    @property
    def out(self) -> Path:
        """The name after which the journal is called; there is no such file."""
        return self.folder / "rows"

    @property
    def spool(self) -> Path:
        """Folder of the files that were uploaded or fetched."""
        return self.folder / "spool"

    @property
    def thumbnails(self) -> Path:
        """File of all thumbnails."""
        return self.folder / "thumbnails.bin"

    @cached_property
    def index(self) -> RowIndex:
        """Finds rows."""
        return RowIndex(self.folder / "rows.db")

    # === What was asked for ===

    @property
    def request(self) -> Request:
        """What was asked for.

        Raises:
            BatchError: If `batch.json` is missing or damaged.
        """
        return _remembered_request(self.folder / "batch.json")

    @property
    def title(self) -> str:
        """Name for people."""
        return self.request.title

    @property
    def by(self) -> str:
        """Who asked for it; "" if unknown."""
        return self.request.by

    @property
    def created(self) -> datetime:
        """When it was asked for, in UTC."""
        return datetime.fromisoformat(self.request.created)

    def sources(self) -> list[dict[str, Any]]:
        """What is judged, as `dfcore.batch.sources.take` returned it.

        Raises:
            BatchError: If `sources.json` is missing or damaged.
        """
        found = read_object(self.folder / "sources.json", self.noun, self.error).get("sources")
        if not isinstance(found, list):
            raise BatchError(f"Batch {self.id}: sources.json is damaged (it holds no list).")
        return found

    def judges(self) -> dict[str, dict[str, Any]]:
        """The detectors by name, as loaded: title, card_sha256, model_sha256, engine, thresholds; {} before that."""
        path = self.folder / "detectors.json"
        return read_object(path, self.noun, self.error) if path.is_file() else {}

    # === Rows ===

    def rows(
        self,
        query: Query = Query(),
        order: Order = "number",
        *,
        descending: bool = False,
        limit: int = 50,
        offset: int = 0,
    ) -> Page:
        """Some of the rows that are wanted.

        A row is one of `predict_files` with number (its key), name (without folders), is_used (whether its score may be
        shown), logit, width, height, format, bytes, pixels_sha256, phash, mirrored (perceptual hashes) and at (time).

        Args:
            query: Which rows.
            order: Their order; rows without a used score come last in that by score.
            descending: Whether to turn the order round.
            limit: Most rows.
            offset: Number of rows to leave out first.
        """
        found = self.index.find(query, order, descending=descending, limit=limit, offset=offset)
        return Page([self._row(*one) for one in found], self.index.count(query))

    def row(self, number: int) -> dict[str, Any]:
        """One row.

        Raises:
            BatchError: If there is none of this number.
        """
        begins = self.index.place(number)
        if begins is None:
            raise BatchError(f"Batch {self.id} has no row {number}.")
        return self._row(number, begins)

    def numbers(self, query: Query = Query(), order: Order = "number", *, descending: bool = False) -> list[int]:
        """The numbers of all rows that are wanted, in this order."""
        return [number for number, _ in self.index.find(query, order, descending=descending)]

    def all_rows(self) -> Iterator[dict[str, Any]]:
        """All rows, without holding them in memory."""
        return (self._row(*one) for one in self.index.all())

    def counts(self) -> dict[str, int]:
        """Number of rows by finding; "" for those without a verdict."""
        return self.index.groups("finding")

    def detectors(self) -> dict[str, int]:
        """Number of rows by the detector that judged; those that none judged are left out."""
        return {name: count for name, count in self.index.groups("detector").items() if name}

    def histogram(self, query: Query = Query(), bins: int = 40) -> list[tuple[float, float, int]]:
        """Number of used scores in equal parts of [0, 1], each as (from, to, number)."""
        counts = self.index.histogram(query, bins)
        return [(number / bins, (number + 1) / bins, count) for number, count in enumerate(counts)]

    def left_out(self) -> list[LeftOut]:
        """What has no row, with its reason."""
        path = self.folder / "left_out.json"
        if not path.is_file():
            return []
        try:
            return [LeftOut(**one) for one in read_object(path, self.noun, self.error)["left_out"]]
        except (KeyError, TypeError) as error:
            raise BatchError(f"Batch {self.id}: left_out.json is damaged ({error!r:.100}).") from error

    def write(self, path: Path) -> Path | None:
        """Writes all rows to a file whose suffix selects the format, and beside it what has no row in it.

        Returns:
            The file of what has no row; None if nothing is missing.

        Raises:
            InputError: If the format cannot hold the rows.
            StorageError: If it cannot be written.
        """
        write_rows(path, self.all_rows())
        return write_left_out(path, self.left_out(), self.all_rows())

    # === Pictures ===

    def thumbnail(self, row: dict[str, Any]) -> bytes | None:
        """A small picture of a row as JPEG; None if it was not decoded, or the batch is closed."""
        where = row.get("thumbnail")
        return read_thumbnail(self.thumbnails, *where) if where else None

    def bytes_of(self, row: dict[str, Any]) -> bytes:
        """The content of a row's file, as it was judged.

        Raises:
            ImageError: If it is not there any more, or has changed since.
        """
        return origins.content(self.folder, row, closed=bool(self.status().closed))

    def _row(self, number: int, begins: int) -> dict[str, Any]:
        try:
            return read_row(self.journal, begins) | {"number": number}
        except (OSError, ValueError) as error:
            raise BatchError(f"Batch {self.id}: row {number} is damaged ({error!r:.100}).") from error


@remembered(most=2000)
def _remembered_request(path: Path) -> Request:
    values = read_object(path, "Batch", BatchError)
    try:
        return Request.from_dict(values)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BatchError(f"Batch {path.parent.name}: batch.json is damaged ({error!r:.100}).") from error


def now() -> str:
    """The time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
