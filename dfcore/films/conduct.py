"""Judges a film that is a job, each sample once, however often it is interrupted."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from dfcore.batch.names import choices
from dfcore.batch.ready import Ready, make_ready
from dfcore.batch.sources import require_space
from dfcore.batch.thumbnails import Thumbnails
from dfcore.confidence import ErrorBudget
from dfcore.detectors import library
from dfcore.detectors.bundle import read_card
from dfcore.detectors.card import Card
from dfcore.detectors.of_faces import is_for_faces
from dfcore.engines.base import EngineName
from dfcore.errors import DfcoreError, FilmError, InputError, MissingExtraError
from dfcore.films.facts import FilmFacts
from dfcore.films.job import FilmJob
from dfcore.films.judges import Judge, Judges, judges_of
from dfcore.films.judging import Framewise, Judging
from dfcore.films.reader import Film, open_film
from dfcore.films.rows import JudgedSample
from dfcore.films.sample_log import SampleLog
from dfcore.films.sampling import Sampling
from dfcore.films.verdict import rates_of
from dfcore.utils import extras
from dfcore.utils.files import sha256_file, write_json

_TELL_SECONDS = 0.5
# Seconds over which the speed is measured.
_WINDOW_SECONDS = 30.0
_SPACE_EVERY = 500


def ready_judges(
    names: tuple[str, ...],
    budget: Callable[[Card], ErrorBudget | None],
    *,
    faces: bool = True,
    ignore_ood: bool = False,
    engine: EngineName = "auto",
) -> Judges:
    """Loads the detectors for films.

    Args:
        names: Names in the library or "run:ID", or `AUTO` alone.
        budget: The error budget for a card; None for the card's own.
        faces: Whether faces are judged: by the best detector for faces that is named, or else of the library.
        ignore_ood: Whether pictures that are out of distribution are decided too.
        engine: See `dfcore.detectors.detector.Detector.load`.

    Raises:
        InputError: If a detector is missing or damaged.
    """
    given, no_faces = choices(names), ""
    if faces:
        faces, no_faces = _with_faces(given)
    ready: Ready = make_ready(given, budget, ignore_ood=ignore_ood, engine=engine)
    return judges_of(ready.detectors, ready.policies, with_faces=faces, no_faces=no_faces)


def _with_faces(given: list[str]) -> tuple[bool, str]:
    """Whether faces can be judged, with the detector for them among those given; or why not."""
    try:
        extras.require("openvino", "openvino", "Looking for faces")
    except MissingExtraError as error:
        return False, str(error)
    if any(map(_is_for_faces, given)):
        return True, ""
    name, why = library.for_faces()
    given += [name] if name else []
    return name is not None, why


def _is_for_faces(name: str) -> bool:
    try:
        return is_for_faces(read_card(library.find_bundle(name.removeprefix("run:"))))
    except DfcoreError:  # One that is asked for is refused when it is loaded.
        return False


@dataclass(frozen=True)
class Step:
    """A sample that was judged.

    Attributes:
        sample: The sample, as it is in the log.
        judging: What is judged, with the detector that was chosen.
        number: Number of samples so far.
    """

    sample: JudgedSample
    judging: Judging
    number: int


def judge_logged(
    film: Film,
    sampling: Sampling,
    judges: Judges,
    log: SampleLog,
    thumbnails: Thumbnails | None = None,
    begin: Callable[[Judging], None] = lambda judging: None,
) -> Iterator[Step]:
    """Judges what is left of a film and writes each sample to the log before it is told.

    Args:
        film: Open.
        sampling: Which frames are looked at.
        judges: Who judges; those that judged the samples in the log.
        log: Open.
        thumbnails: Where thumbnails go; None for none.
        begin: Called before the first sample of an empty log is written, once the detectors are chosen.

    Raises:
        FilmError: If the film cannot be read any further.
        StorageError: If a sample cannot be written.
    """
    after = log.last.position if log.last else None
    judging = Judging(film, sampling, after, judges=judges, tracker=log.tracker)
    for found, thumbnail in judging:
        if log.last is None:
            begin(judging)
        sample = found
        if thumbnails is not None:
            sample = found.with_thumbnail(thumbnails.add(thumbnail))
            thumbnails.flush()
        log.add([sample])
        yield Step(sample, judging, log.number)


def conduct(job: FilmJob, check: Callable[[], None]) -> None:
    """Judges what is left; when it returns, every sample is there.

    Args:
        job: A running job that this process owns.
        check: Called between samples; what it raises ends the work, which can go on later.

    Raises:
        DfcoreError: If detectors cannot be loaded, the film cannot be read or has changed, or nothing can be written.
    """
    request = job.request
    job.update(phase="loading detectors")
    judges = ready_judges(
        request.detectors, lambda _: request.budget, faces=request.faces, ignore_ood=request.options.ignore_ood,
        engine=request.options.engine,
    )  # fmt: skip
    job.update(phase="checking the film")
    _require_same_film(job)
    check()
    with open_film(job.film) as film, SampleLog(job.rows_path) as log, Thumbnails(job.thumbnails) as thumbnails:
        write_json(job.folder / "facts.json", film.facts.to_dict())
        judges = _as_before(job, judges, log)
        progress = _Progress(job, film.facts, request.sampling, log)
        begin = partial(_write_judges, job)
        for step in judge_logged(film, request.sampling, judges, log, thumbnails, begin):
            progress.tell(step.sample)
            check()
        assert film.ending is not None
        write_json(job.folder / "ending.json", asdict(film.ending))
        progress.tell(log.last, last=True)


def _require_same_film(job: FilmJob) -> None:
    try:
        same = sha256_file(job.film) == job.request.sha256
    except OSError as error:
        raise FilmError(f"{job.film} could not be read: {error.strerror or error}.") from error
    if not same:
        raise FilmError(f"{job.film} is not the film any more that was to be judged: its content has changed.")


def _as_before(job: FilmJob, judges: Judges, log: SampleLog) -> Judges:
    """The judges of the samples that are there; all where there are none yet.

    Raises:
        InputError: If they have changed since.
    """
    if log.last is None:
        return judges
    known = job.judges()
    chosen = str(known.get("chosen"))
    found = judges.alone(chosen) if chosen in judges.whole else replace(judges, whole={})
    now = {name: one.version for name, one in _named(found).items()}
    before = {name: one["version"] for name, one in known.get("judges", {}).items()}
    if now != before:
        raise InputError(
            f"This film was begun with other detectors ({', '.join(before) or 'none'}), which are gone or have changed "
            "since. Start a new one."
        )
    return found


def _named(judges: Judges) -> dict[str, Judge]:
    every = [*judges.whole.values(), *([judges.face] if judges.face else [])]
    return {one.name: one for one in every}


def _write_judges(job: FilmJob, judging: Judging) -> None:
    write_json(job.folder / "detectors.json", described(judging))


def described(judging: Framewise) -> dict[str, Any]:
    """Who judges, see `dfcore.films.job.FilmJob.judges`."""
    chosen, face = judging.chosen, judging.judges.face
    judges = Judges({chosen.name: chosen} if chosen else {}, face)
    rates = rates_of(judges)
    return {
        "chosen": chosen.name if chosen else None,
        "why": judging.why,
        "face": face.name if face else None,
        "no_faces": judging.judges.no_faces,
        "judges": {name: _described(one, rates) for name, one in _named(judges).items()},
    }


def _described(judge: Judge, rates: Mapping[str, Any]) -> dict[str, Any]:
    detector, measured = judge.detector, rates[judge.name]
    thresholds = judge.policy.thresholds or detector.card.thresholds
    return {
        "title": detector.card.title, "version": judge.version, "model_sha256": detector.card.model_sha256,
        "engine": detector.engine.name, "thresholds": thresholds.told(),
        "rates": asdict(measured) if measured else None,
    }  # fmt: skip


class _Progress:
    """Tells how far a film is, and how long the rest will take."""

    def __init__(self, job: FilmJob, facts: FilmFacts, sampling: Sampling, log: SampleLog):
        self._job, self._log = job, log
        self._length, self._total = facts.seconds or 0.0, sampling.expected(facts) or 0
        self._told = 0.0
        self._next_look = log.number + _SPACE_EVERY
        reached = log.last.position.seconds if log.last else 0.0
        self._times = deque([(time.monotonic(), log.number, reached)])
        job.update(phase="judging", done=log.number, total=self._total, reached=reached, length=self._length)

    def tell(self, sample: JudgedSample | None, *, last: bool = False) -> None:
        """Writes the status, at most twice a second."""
        now = time.monotonic()
        if now - self._told < _TELL_SECONDS and not last:
            return
        self._told = now
        reached, number = sample.position.seconds if sample else 0.0, self._log.number
        self._times.append((now, number, reached))
        while len(self._times) > 2 and now - self._times[0][0] > _WINDOW_SECONDS:
            self._times.popleft()
        began, before, reached_then = self._times[0]
        passed = max(now - began, 1e-6)
        speed = (number - before) / passed if number > before else None
        left = None
        if self._length and reached > reached_then and not last:
            left = max(self._length - reached, 0.0) * passed / (reached - reached_then)
        elif speed and self._total and not last:
            left = max(self._total - number, 0) / speed
        total = number if last else self._total
        self._job.update(done=number, total=total, reached=reached, images_per_second=speed, seconds_left=left)
        if number >= self._next_look:
            self._next_look += _SPACE_EVERY
            require_space(self._job.folder, 0)
