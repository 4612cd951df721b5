"""A film that a process of its own judges, and what is kept of it.

A film's folder contains `film.json` (what was asked for), `facts.json` (what its file says), `detectors.json` (who
judges), `status.json` and the other files of a job, `rows.jsonl` (a line for each sample), `ending.json` (how reading
went), and until it is closed `thumbnails.bin` and `film` (the copy of an upload).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcore.batch.job import Options
from dfcore.batch.names import AUTO
from dfcore.batch.thumbnails import read_thumbnail
from dfcore.confidence import ErrorBudget
from dfcore.errors import FilmError, FilmJobError
from dfcore.films.facts import FilmFacts
from dfcore.films.rows import JudgedSample, Row, all_rows
from dfcore.films.sample_log import read_samples
from dfcore.films.sampling import Sampling
from dfcore.runs.job import Job
from dfcore.runs.status import JobStatus, State
from dfcore.runs.stored import read_object, status_reader
from dfcore.utils.files import remembered

if TYPE_CHECKING:
    from dfcore.films.verdict import FilmVerdict


@dataclass(frozen=True)
class FilmRequest:
    """What was asked for.

    Attributes:
        title: Name for people.
        by: Who asked; "" if unknown.
        created: When, ISO 8601 in UTC.
        name: Name of the film's file as it was given.
        path: Where it lies; "" if it was handed over, and its copy is in the job's folder.
        sha256: Hash of its content.
        bytes: Its size.
        sampling: Which frames are looked at.
        detectors: Names of detectors, or `AUTO` alone.
        faces: Whether faces are judged too, by the library's detector for faces.
        budget: The error budget; None for the cards' own.
        options: How to judge; `remember` is not used.
    """

    title: str
    by: str
    created: str
    name: str
    path: str
    sha256: str
    bytes: int
    sampling: Sampling = field(default_factory=Sampling)
    detectors: tuple[str, ...] = (AUTO,)
    faces: bool = True
    budget: ErrorBudget | None = None
    options: Options = field(default_factory=Options)

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self) | {"budget": self.budget and self.budget.model_dump()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "FilmRequest":
        """From plain data; raises InputError, TypeError, KeyError or ValueError for something else."""
        parts = {
            "sampling": Sampling.from_dict(values["sampling"]),
            "detectors": tuple(map(str, values["detectors"])),
            "budget": None if values["budget"] is None else ErrorBudget(**values["budget"]),
            "options": Options(**values["options"]),
        }
        return cls(**(values | parts))


@dataclass(frozen=True)
class FilmStatus(JobStatus):
    """The status of a film; `images_per_second` are samples.

    Attributes:
        done: Number of samples that are judged.
        total: Number of samples that there will be, as far as the file tells; 0 if it does not.
        reached: Time in the film that is reached, in seconds.
        length: Its length, in seconds; 0 if the file does not tell.
        ended: When it came to rest, in seconds since the Unix epoch; None while it has not.
        closed: Why its copy and thumbnails were deleted: "by request" or "by age"; "" if they are there.
    """

    done: int = 0
    total: int = 0
    reached: float = 0.0
    length: float = 0.0
    ended: float | None = None
    closed: str = ""

    @property
    def fraction(self) -> float:
        """Share of the film that is judged, in [0, 1]; 0 if its length is unknown."""
        if self.state is State.COMPLETED:
            return 1.0
        if self.length:
            return min(self.reached / self.length, 1.0)
        return min(self.done / self.total, 1.0) if self.total else 0.0


_read_status, _remembered_status = status_reader(FilmStatus, "Film", FilmJobError, most=2000)


class FilmJob(Job[FilmStatus]):
    """The folder of a film; a job whose process judges."""

    noun, error, lost = "Film", FilmJobError, FilmJobError
    read_status, remembered_status = staticmethod(_read_status), staticmethod(_remembered_status)
    gone = "The process that judged is gone: it was killed or crashed, ran out of memory, or the machine restarted."
    finished = "start a new one instead"

    @property
    def rows_path(self) -> Path:
        """The file of all samples, which only grows."""
        return self.folder / "rows.jsonl"

    @property
    def copy(self) -> Path:
        """The copy of a film that was handed over."""
        return self.folder / "film"

    @property
    def thumbnails(self) -> Path:
        """File of all thumbnails."""
        return self.folder / "thumbnails.bin"

    @property
    def film(self) -> Path:
        """The film's file: its copy, or where it lies; it may be gone, or have changed since."""
        return Path(self.request.path) if self.request.path else self.copy

    # === What was asked for, and found ===

    @property
    def request(self) -> FilmRequest:
        """What was asked for.

        Raises:
            FilmJobError: If `film.json` is missing or damaged.
        """
        return _remembered_request(self.folder / "film.json")

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

    def facts(self) -> FilmFacts | None:
        """What its file says; None before it was opened.

        Raises:
            FilmJobError: If `facts.json` is damaged.
        """
        values = self._read("facts.json")
        try:
            return FilmFacts.from_dict(values) if values else None
        except (KeyError, TypeError, ValueError) as error:
            raise FilmJobError(f"Film {self.id}: facts.json is damaged ({error!r:.100}).") from error

    def judges(self) -> dict[str, Any]:
        """Who judges; {} before that is known.

        Returns:
            `chosen`, the detector for whole frames, and `face`, that for faces, by their names (None for none); `why`
            the former was chosen, a sentence or ""; and `judges`, by name: title, version, model_sha256, engine,
            thresholds, and rates (see `dfcore.evaluation.MeasuredRates`), or None for these if they are unknown.
        """
        return self._read("detectors.json")

    def notes(self) -> list[str]:
        """What a person should know of the film and of how it was read, in sentences."""
        facts = self.facts()
        return [*(facts.notes if facts else ()), *map(str, self._read("ending.json").get("notes", ()))]

    # === Results ===

    def samples(self) -> list[JudgedSample]:
        """The samples that are judged so far, in the order of time."""
        return _remembered_samples(self.rows_path) if self.rows_path.is_file() else []

    def rows(self) -> list[Row]:
        """Their rows, see `dfcore.films.timeline`."""
        return list(all_rows(self.samples()))

    def verdict(self, rows: Sequence[Row] | None = None) -> "FilmVerdict":
        """What is said of the film by the samples that are judged so far.

        Args:
            rows: Its rows, if they were read already.

        Raises:
            FilmJobError: If `detectors.json` is damaged.
        """
        from dfcore.films.verdict import film_verdict, rates_from

        known = self.judges().get("judges", {})
        try:
            rates = {name: rates_from(one["rates"]) for name, one in known.items()}
        except (AttributeError, KeyError, TypeError) as error:
            raise FilmJobError(f"Film {self.id}: detectors.json is damaged ({error!r:.100}).") from error
        return film_verdict(self.rows() if rows is None else rows, rates)

    def thumbnail(self, sample: JudgedSample) -> bytes | None:
        """A small picture of a sample as JPEG; None if there is none, or the film is closed."""
        return read_thumbnail(self.thumbnails, *sample.thumbnail) if sample.thumbnail else None

    def _read(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        return read_object(path, self.noun, self.error) if path.is_file() else {}


@remembered(most=8)
def _remembered_samples(path: Path) -> list[JudgedSample]:
    return list(read_samples(path))


@remembered(most=2000)
def _remembered_request(path: Path) -> FilmRequest:
    values = read_object(path, "Film", FilmJobError)
    try:
        return FilmRequest.from_dict(values)
    except (AttributeError, KeyError, TypeError, ValueError, FilmError) as error:
        raise FilmJobError(f"Film {path.parent.name}: film.json is damaged ({error!r:.100}).") from error
