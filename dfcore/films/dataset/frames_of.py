"""Takes the pictures of one film: whole frames as they are, or crops of faces, each a PNG of its own."""

import io
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dfcore import faces
from dfcore.errors import FilmError, InputError
from dfcore.films.dataset.people import Seen, chosen_tracks
from dfcore.films.dataset.spread import Choice
from dfcore.films.reader import Film, open_film
from dfcore.films.sampling import Sample, Sampling
from dfcore.films.tracks import MIN_FACE, Tracker
from dfcore.utils.files import write_bytes
from dfcore.utils.space import require_room
from dfcore.utils.texts import counted, duration
from dfcore.utils.work import Stopped

MOST = 32
# Of zlib: fast, and a tenth larger than at best.
_COMPRESSION = 2


@dataclass(frozen=True)
class FrameSettings:
    """Which pictures are taken of a film.

    Attributes:
        sampling: Which frames are looked at.
        most: The most of them, spread over the film; None for all.
        faces: Whether the faces in them are taken, in place of whole frames.

    Raises:
        InputError: If `most` is below 1.
    """

    sampling: Sampling = field(default_factory=Sampling)
    most: int | None = MOST
    faces: bool = False

    def __post_init__(self) -> None:
        if self.most is not None and self.most < 1:
            raise InputError(f"Expected at least 1 frame of a film, or all. Received: {self.most}.")

    def in_words(self) -> str:
        """E.g. "one frame every 1 s, at most 32 a film, whole"."""
        most = "" if self.most is None else f", at most {self.most:,} a film"
        return f"{self.sampling.in_words()}{most}, {'faces alone' if self.faces else 'whole'}"

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Picture:
    """A picture of a film.

    Attributes:
        name: Of its file, in the film's folder.
        frame: Number of the frame in the film, from 0.
        seconds: Its time.
        track: Number of the face's track, from 1; None for a whole frame.
    """

    name: str
    frame: int
    seconds: float
    track: int | None = None


@dataclass(frozen=True)
class Taken:
    """The pictures of a film.

    Attributes:
        pictures: In the order of time.
        trouble: Why there are none, or not all, as sentences; "" if all is well.
        may_pass: Whether the trouble may be another time's: what a film holds, or lacks, stays.
        notes: What a person should know.
    """

    pictures: tuple[Picture, ...]
    trouble: str = ""
    may_pass: bool = False
    notes: tuple[str, ...] = ()


def take_pictures(
    path: Path,
    folder: Path,
    settings: FrameSettings,
    label: int,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    looked_at: Callable[[], None] = lambda: None,
) -> Taken:
    """Takes the pictures of a film.

    Args:
        path: Its file.
        folder: A new folder for them.
        settings: Which.
        label: Of the film, see `chosen_tracks`.
        should_stop: Asked between two samples.
        looked_at: Called for each sample.

    Raises:
        Stopped: If it was stopped; `folder` then holds a part.
        StorageError: If there is no room.
    """
    reading = _Reading(folder, settings, label, should_stop, looked_at)
    try:
        with open_film(path) as film:
            reading.read(film)
    except FilmError as error:
        # What came before stays true.
        reached = f"Read up to {duration(reading.seconds)}: " if reading.seen else ""
        return reading.taken(f"{reached}{error}", may_pass=True)
    return reading.taken()


class _Reading:
    """Reads one film."""

    def __init__(
        self,
        folder: Path,
        settings: FrameSettings,
        label: int,
        should_stop: Callable[[], bool],
        looked_at: Callable[[], None],
    ):
        self._folder, self._settings, self._label = folder, settings, label
        self._should_stop, self._looked_at = should_stop, looked_at
        self._pictures: dict[str, Picture] = {}
        self._faces: list[tuple[Seen, str]] = []
        self._damaged = self._looked = 0
        self._notes: list[str] = []
        self.seconds, self.seen = 0.0, 0

    def read(self, film: Film) -> None:
        """Reads it, again if it does not have the length that it states."""
        facts, most = film.facts, self._settings.most
        require_room(_existing(self._folder), facts.width * facts.height * 3, f"{film.path.name}", "")
        choice = Choice(most, self._settings.sampling.expected(facts))
        self._once(film, choice)
        if not choice.is_right:
            self._discard()
            self._once(film, Choice(most, choice.seen))
        assert film.ending is not None
        self._notes = [*facts.notes, *film.ending.notes]
        self._damaged += film.ending.damaged

    def _once(self, film: Film, choice: Choice) -> None:
        tracker = Tracker()
        for sample in film.frames(self._settings.sampling):
            if self._should_stop():
                raise Stopped
            self.seconds, self.seen = sample.position.seconds, self.seen + 1
            self._looked_at()
            if not choice.takes():
                continue
            if sample.damaged:
                self._damaged += 1
                continue
            self._looked += 1
            if self._settings.faces:
                self._add_faces(sample, tracker)
            else:
                self._add(f"{sample.position.frame:06d}.png", sample, sample.rgb, None)

    def _add_faces(self, sample: Sample, tracker: Tracker) -> None:
        framing = faces.Framing()
        found = faces.find_faces(sample.rgb, min_side=MIN_FACE)
        for face, track in zip(found, tracker.assign([face.box for face in found]), strict=True):
            crop = framing.crop(sample.rgb, face)
            name = f"{sample.position.frame:06d}-{track}.png"
            self._faces.append((Seen(sample.position.index, track, float(len(crop))), name))
            self._add(name, sample, crop, track)

    def _add(self, name: str, sample: Sample, rgb: np.ndarray, track: int | None) -> None:
        coded = io.BytesIO()
        Image.fromarray(rgb).save(coded, "PNG", compress_level=_COMPRESSION)
        require_room(_existing(self._folder), coded.tell(), "A picture", "")
        write_bytes(self._folder / name, coded.getvalue())
        self._pictures[name] = Picture(name, sample.position.frame, sample.position.seconds, track)

    def _discard(self) -> None:
        for name in self._pictures:
            (self._folder / name).unlink()
        self._pictures, self._faces, self._damaged, self._looked, self.seen = {}, [], 0, 0, 0

    def taken(self, trouble: str = "", *, may_pass: bool = False) -> Taken:
        """What is kept: of faces, those of the people that are chosen."""
        if self._faces:
            tracks, told = chosen_tracks([seen for seen, _ in self._faces], self._looked, self._label)
            for name in [name for seen, name in self._faces if seen.track not in tracks]:
                (self._folder / name).unlink()
                del self._pictures[name]
            self._notes += [told] if told else []
        troubles = [trouble] if trouble else []
        if self._damaged:
            parts = counted(self._damaged, "part or sample of it was", "parts or samples of it were")
            troubles.append(f"{parts} damaged and passed over.")
        if not self._pictures and not trouble:
            what = f"No face of at least {MIN_FACE} pixels was found in"
            looked = counted(self._looked, "sample", "samples")
            troubles.append(f"{what} {looked}." if self._settings.faces and self._looked else "It gave no sound frame.")
        return Taken(tuple(self._pictures.values()), " ".join(troubles), may_pass, tuple(self._notes))


def _existing(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.exists())
