"""The judged films in a folder: starting, stopping, going on, closing and deleting them."""

import time
from collections.abc import Sequence
from pathlib import Path

from dfcore import workspace
from dfcore.batch.job import Options, now
from dfcore.batch.names import AUTO, choices
from dfcore.batch.sources import FromPath, Upload, require_space
from dfcore.confidence import ErrorBudget
from dfcore.errors import FilmError
from dfcore.films.facts import FilmFacts
from dfcore.films.job import FilmJob, FilmRequest, FilmStatus
from dfcore.films.reader import open_film
from dfcore.films.sampling import Sampling
from dfcore.runs.closing import ClosingStore
from dfcore.runs.status import State
from dfcore.utils.files import sha256_file, share, write_json
from dfcore.utils.texts import storable

_PIECE = 1 << 20


class FilmStore(ClosingStore[FilmJob]):
    """The films in a folder, by default that of the workspace."""

    kind, worker = FilmJob, "dfcore.films.worker"
    marks = ("status.json", "film.json")

    def __init__(self, folder: str | Path | None = None):
        super().__init__(folder or workspace.films_dir())

    def start(
        self,
        source: FromPath | Upload,
        sampling: Sampling = Sampling(),
        detectors: Sequence[str] = (AUTO,),
        *,
        faces: bool = True,
        budget: ErrorBudget | None = None,
        options: Options = Options(),
        by: str = "",
        title: str = "",
    ) -> FilmJob:
        """Opens a film, creates its job and starts the process, which waits for its turn: one film at a time.

        Args:
            source: The film, where it lies or as it is handed over; an upload is copied.
            sampling: Which frames are looked at.
            detectors: Names in the library or "run:ID"; `AUTO` alone lets the one that fits judge the whole frames.
            faces: Whether faces are judged too.
            budget: Acceptable errors; None for the cards' own.
            options: How to judge.
            by: Who asks.
            title: Name for people; by default the file's.

        Raises:
            FilmError: If it is no film that can be read.
            InputError: If it may not be read, or a detector is missing.
            MissingExtraError: If PyAV is not installed.
            StorageError: If there is no space.
            DfcoreError: If the process cannot be started.
        """
        choices(detectors)
        self._remove_half_made()
        with self._new() as folder:
            path, name = _taken(source, folder)
            facts = _facts(path)
            request = FilmRequest(
                title.strip() or name, by, now(), name, str(path) if isinstance(source, FromPath) else "",
                sha256_file(path), facts.bytes, sampling, tuple(detectors), faces, budget, options,
            )  # fmt: skip
            write_json(folder / "film.json", request.to_dict())
            write_json(folder / "facts.json", facts.to_dict())
            length, total = facts.seconds or 0.0, sampling.expected(facts) or 0
            status = FilmStatus(
                State.QUEUED, heartbeat=time.time(), phase="starting its process", length=length, total=total
            )
            write_json(folder / "status.json", status.__dict__)
            job = self._named(folder, "film")
        self.launch(job)
        return job

    def _delete_files(self, job: FilmJob) -> None:
        job.copy.unlink(missing_ok=True)
        job.thumbnails.unlink(missing_ok=True)


def _taken(source: FromPath | Upload, folder: Path) -> tuple[Path, str]:
    """Where a film lies, and its name; copies what is handed over."""
    if isinstance(source, FromPath):
        path = Path(source.path).expanduser().absolute()
        workspace.require_readable(path)
        return path, storable(path.name)
    name = storable(source.name).replace("\\", "/").rstrip("/").rpartition("/")[2] or "film"
    start = source.stream.tell()
    size = source.stream.seek(0, 2) - start
    source.stream.seek(start)
    require_space(folder, size)
    path = folder / "film"
    with open(path, "wb") as copy:
        while piece := source.stream.read(_PIECE):
            copy.write(piece)
    share(path)
    return path, name[-300:]


def _facts(path: Path) -> FilmFacts:
    try:
        with open_film(path) as film:
            return film.facts
    except OSError as error:
        raise FilmError(f"{path} could not be read: {error.strerror or error}.") from error
