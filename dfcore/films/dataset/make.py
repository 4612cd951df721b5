"""Makes a data set of pictures out of a folder of films.

It is made in a hidden folder beside its place and moved there when complete. A film whose record is written is not read
again; one that a stop or a kill interrupted begins anew, so no picture is lost or doubled.
"""

import re
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import Timeout

from dfcore.datasets.aside import PLAN, Aside, require_new
from dfcore.datasets.films import FilmRow, FilmSet
from dfcore.datasets.scan_listing import FILMS_LEFT_OUT, OF_FILMS
from dfcore.errors import DatasetError, InputError
from dfcore.films.dataset.frames_of import FrameSettings, Taken, take_pictures
from dfcore.films.dataset.record import RECORDS, FilmRecord, LeftOutFilm, folder_of, known, stamp, stamp_of
from dfcore.labels import NAMES
from dfcore.utils import extras
from dfcore.utils.files import lock, make_folder, read_json, release, sha256_bytes, sweep, write_atomic, write_json
from dfcore.utils.processes import cores
from dfcore.utils.texts import counted
from dfcore.utils.work import Stopped

MANIFEST = "manifest.csv"
_DOING = "taking-frames"
_SUBJECT = "pictures of films"
_MOST_NOTES = 20


@dataclass(frozen=True)
class Made:
    """A data set of pictures of films.

    Attributes:
        folder: Where it lies.
        films: Number of films that gave pictures.
        pictures: Number of pictures.
        left_out: Films that gave none, or not all.
        notes: What a person should know of how it was made.
        was_there: Whether it was complete before, and nothing was done.
    """

    folder: Path
    films: int
    pictures: int
    left_out: tuple[LeftOutFilm, ...]
    notes: tuple[str, ...] = ()
    was_there: bool = False


def frames_of_films(
    films: FilmSet,
    out: str | Path,
    settings: FrameSettings,
    *,
    anew: bool = False,
    progress: Callable[[int, int, int], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Made | None:
    """Makes the data set, or goes on with it. The films are not touched.

    Args:
        films: From `dfcore.datasets.films.read_films`.
        out: A folder that does not exist yet or is empty; or where this was done before.
        settings: Which pictures.
        anew: Whether what was begun there with other settings is deleted.
        progress: Called with films done, films in all, and samples that were looked at.
        should_stop: Asked between two samples.

    Returns:
        What was made; None if it was stopped. Called again with the same settings it goes on.

    Raises:
        InputError: If `out` holds something else, or what was begun or made there had other settings.
        DatasetError: If no film gave a picture.
        MissingExtraError: If PyAV is not installed.
        StorageError: If the disk is full.
    """
    extras.require("av", "films", "Reading films")
    out = Path(out).expanduser().absolute()
    if (out / OF_FILMS).is_file():
        return _there(films, out, settings)
    require_new(out, _SUBJECT)
    hidden = Aside.hidden(out, _DOING)
    plan = _plan(films, settings)
    make_folder(out.parent)
    held = lock(out.parent / f"{hidden.name}.lock", timeout=0)
    try:
        held.acquire()
    except Timeout:
        raise InputError(f"{out} is being made by another process; wait for it or stop it.") from None
    try:
        _require_same(hidden, plan, anew=anew)
        aside = Aside.begin(films.root, out, plan, made=_SUBJECT, of="films", doing=_DOING)
        making = _Making(films, aside.folder, settings, should_stop, progress)
        if not making.run():
            return None
        return _finished(films, settings, making, aside)
    finally:
        release(held, remove=True)


def _plan(films: FilmSet, settings: FrameSettings) -> dict[str, Any]:
    return {"root": str(films.root), "settings": settings.to_dict()}


def _require_same(hidden: Path, plan: dict[str, Any], *, anew: bool) -> None:
    """Requires that what was begun before is the same; `anew` has it deleted."""
    try:
        before = read_json(hidden / PLAN)
    except (OSError, ValueError):
        return
    if before != plan and not anew:
        raise InputError(
            f"Something else was begun there: {_said(before)}. Asked for now: {_said(plan)}. The same settings go on "
            f"with it; --anew deletes what was begun ({hidden})."
        )


def _said(plan: dict[str, Any]) -> str:
    settings = plan.get("settings", {})
    sampling = settings.get("sampling", {})
    every = f"{sampling.get('kind')} {sampling.get('every')}"
    what = "faces" if settings.get("faces") else "whole frames"
    return f"{what} by {every}, at most {settings.get('most') or 'all'}, of {plan.get('root')}"


class _Making:
    """Takes the pictures of all films, several at a time."""

    def __init__(
        self,
        films: FilmSet,
        folder: Path,
        settings: FrameSettings,
        should_stop: Callable[[], bool],
        progress: Callable[[int, int, int], None] | None,
    ):
        self._root, self._folder, self._settings = films.root, folder, settings
        self._usable = films.usable
        self._asked, self._progress = should_stop, progress
        self._ended = threading.Event()
        self._lock, self._looked = threading.Lock(), 0
        self.records: list[tuple[FilmRow, FilmRecord]] = []
        self.changed = 0

    def run(self) -> bool:
        """Whether all films are done; False if it was stopped."""
        total = len(self._usable)
        with ThreadPoolExecutor(cores()) as pool:
            try:
                for number, done in enumerate(pool.map(self._film, self._usable), 1):
                    if done is None:
                        return False
                    self.records.append(done)
                    self._tell(number, total)
            finally:  # What others read ends at their next sample.
                self._ended.set()
                pool.shutdown(cancel_futures=True)
        return True

    def _film(self, film: FilmRow) -> tuple[FilmRow, FilmRecord] | None:
        if self._stops():
            return None
        try:
            now = stamp(self._root / film.path)
        except OSError as error:
            return film, FilmRecord(
                film.path, (0, 0), film.label or 0, Taken((), f"It cannot be read: {error.strerror}.")
            )
        before = known(self._folder, film.path)
        if before and before.stamp == now and before.label == film.label and not before.taken.may_pass:
            return film, before
        if before and before.stamp != now:
            self.changed += 1
        for name in NAMES:
            shutil.rmtree(self._folder / name / folder_of(film).partition("/")[2], ignore_errors=True)
        try:
            taken = take_pictures(
                self._root / film.path, self._folder / folder_of(film), self._settings, film.label or 0,
                should_stop=self._stops, looked_at=self._look,
            )  # fmt: skip
        except Stopped:
            return None
        record = FilmRecord(film.path, now, film.label or 0, taken)
        sweep(self._folder / folder_of(film))
        record.write(self._folder)
        return film, record

    def _stops(self) -> bool:
        return self._ended.is_set() or self._asked()

    def _look(self) -> None:
        with self._lock:
            self._looked += 1
        self._tell(len(self.records), len(self._usable))

    def _tell(self, done: int, total: int) -> None:
        if self._progress:
            with self._lock:
                self._progress(done, total, self._looked)


def _finished(films: FilmSet, settings: FrameSettings, making: _Making, aside: Aside) -> Made:
    rows = list(_rows(making.records))
    left_out = _left_out(films, making.records)
    if not rows:
        why = left_out[0].reason if left_out else "there is none with a class."
        raise DatasetError(f"No film in {films.root} gave a picture, e.g. {why}")
    table = pd.DataFrame(rows)
    if not (table.split != "").any():
        table = table.drop(columns="split")
    notes = [*films.notes, *_told(making.records)]
    if making.changed:
        changed = counted(making.changed, "film has", "films have")
        notes.append(f"{changed} changed since this was begun: the pictures were taken anew.")
    of_films = {
        **_plan(films, settings), "read": _read_as(films), "said": settings.in_words(), "notes": notes,
        "doubts": [] if films.reading.confirmed else list(films.doubts),
        "left_out": [asdict(one) for one in left_out],
        "films": {film.path: [*record.stamp, len(record.taken.pictures)] for film, record in making.records},
    }  # fmt: skip
    write_atomic(aside.folder / MANIFEST, lambda temporary: table.to_csv(temporary, index=False))
    listed = pd.DataFrame([asdict(one) for one in left_out], columns=["film", "reason", "pictures"])
    if left_out:
        write_atomic(aside.folder / FILMS_LEFT_OUT, lambda temporary: listed.to_csv(temporary, index=False))
    write_json(aside.folder / OF_FILMS, of_films)
    folder = aside.finish()
    shutil.rmtree(folder / RECORDS, ignore_errors=True)
    return Made(folder, int(table.film.nunique()), len(table), tuple(left_out), tuple(notes))


def _told(records: Sequence[tuple[FilmRow, FilmRecord]]) -> Iterator[str]:
    """What is to be said of single films, once for all of which the same is said but for its numbers."""
    found: dict[str, list[str]] = defaultdict(list)
    for _, record in records:
        for note in record.taken.notes:
            found[re.sub(r"\d+(\.\d+)?", "0", note)].append(note)
    for some in sorted(found.values(), key=len, reverse=True)[:_MOST_NOTES]:
        yield f"{counted(len(some), 'film', 'films')}{': ' if len({*some}) == 1 else ', such as: '}{some[0]}"


def _rows(records: Sequence[tuple[FilmRow, FilmRecord]]) -> Iterator[dict[str, Any]]:
    for film, record in records:
        for picture in record.taken.pictures:
            yield {
                "path": f"{folder_of(film)}/{picture.name}",
                "label": NAMES[film.label or 0],
                "split": film.split or "",
                "group": film.group or "",
                "source_id": film.source,
                "film": film.path,
                "frame": picture.frame,
                "seconds": round(picture.seconds, 3),
                "track": picture.track or "",
            }


def _left_out(films: FilmSet, records: Sequence[tuple[FilmRow, FilmRecord]]) -> list[LeftOutFilm]:
    unusable = [LeftOutFilm(film.path, film.reason) for film in films.films if film.reason]
    taken = [
        LeftOutFilm(film.path, record.taken.trouble, len(record.taken.pictures))
        for film, record in records
        if record.taken.trouble
    ]
    return [*unusable, *taken, *(LeftOutFilm(one.path, one.reason) for one in films.left_out if one.missed)]


def _there(films: FilmSet, out: Path, settings: FrameSettings) -> Made:
    """What is there already, if it is what is asked for.

    Raises:
        InputError: If it is not; says what differs.
    """
    try:
        before = read_json(out / OF_FILMS)
        taken = {str(path): tuple(map(int, values)) for path, values in before["films"].items()}
        left_out = tuple(LeftOutFilm(**one) for one in before["left_out"])
        notes = tuple(map(str, before["notes"]))
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{out / OF_FILMS} is damaged ({error!r:.100}): name another folder.") from None
    plan, old = _plan(films, settings), {key: before.get(key) for key in ("root", "settings")}
    if plan != old:
        raise InputError(f"{out} holds something else: {_said(old)}. Asked for: {_said(plan)}. Name another folder.")
    now = {film.path: film for film in films.usable}
    changed = [path for path in now if path in taken and stamp_of(films.root / path) != taken[path][:2]]
    added, gone = sorted(now.keys() - taken.keys()), sorted(taken.keys() - now.keys())
    differ = [f"{what}: {len(some)}, such as {some[0]}" for what, some in
              (("changed since", changed), ("new", added), ("gone", gone)) if some]  # fmt: skip
    if differ:
        raise InputError(
            f"{out} holds pictures of these films as they were ({'; '.join(differ)}). Name another folder."
        )
    if before.get("read") != _read_as(films):
        raise InputError(
            f"{out} holds pictures of these films with other classes, splits or groups than they are read with now. "
            "Name another folder."
        )
    shutil.rmtree(out / RECORDS, ignore_errors=True)
    (out / PLAN).unlink(missing_ok=True)
    pictures = [values[2] for values in taken.values()]
    return Made(out, sum(map(bool, pictures)), sum(pictures), left_out, notes, was_there=True)


def _read_as(films: FilmSet) -> str:
    """A hash of what is said of each film: class, split, group, and what it belongs to."""
    said = sorted((film.path, film.label, film.split, film.group, film.source) for film in films.usable)
    return sha256_bytes(repr(said).encode())
