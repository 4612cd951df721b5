"""Judges frames; and those of a film while it is read: decoding (a process), finding faces (a thread) and judging (the
caller) overlap. Queues between them are bounded, so memory does not grow with the film.
"""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from dfcore.detectors.of_faces import least_side, why_small
from dfcore.faces import Face
from dfcore.films.judges import CHOOSE_BY, Judge, Judges, choose, crop, find
from dfcore.films.reader import Film
from dfcore.films.rows import DAMAGED, TOO_SMALL, JudgedSample, Row
from dfcore.films.sampling import Position, Sample, Sampling
from dfcore.films.tracks import Box, Tracker
from dfcore.imaging.prepared import PreparedImage
from dfcore.imaging.resizing import resized

THUMBNAIL_SIDE = 320
# Samples that wait for their verdict, and those that are judged at once.
_WAITING, _AT_ONCE = 4, 4
_NONE = "No detector for whole frames was asked for."


@dataclass(frozen=True)
class Prepared:
    """A sample ready to be judged, without its pixels: as each detector sees the frame and its faces, see `Framewise`.

    Attributes:
        sample: Where it lies.
        width, height: Size of the frame in pixels.
        damaged: Whether parts of the frame are missing; it is then not judged.
        whole: The frame as detectors see it; None if it is not judged.
        faces: Each face's box in pixels, and what was cut out for the detector of faces; None if it is too small to be
            judged.
        thumbnail: uint8 (h, w, 3), at most `THUMBNAIL_SIDE` a side.
    """

    sample: Position
    width: int
    height: int
    damaged: bool
    whole: PreparedImage | None
    faces: list[tuple[Box, PreparedImage | None]]
    thumbnail: np.ndarray


@dataclass
class Framewise:
    """Judges frames in the order of time, whole and face by face, and knows each face again.

    Attributes:
        judges: Who judges.
        tracker: Knows the faces of the frames before.
        chosen: The detector for whole frames, once it is chosen; None if there is none.
        why: Why it was chosen, as a sentence; "" if there was no choice.
    """

    judges: Judges = field(kw_only=True)
    tracker: Tracker = field(default_factory=Tracker, kw_only=True)
    chosen: Judge | None = field(default=None, kw_only=True)
    why: str = field(default="", kw_only=True)

    def prepared(self, sample: Sample) -> Prepared:
        """Finds the faces of a sample, and lets go of its pixels."""
        rgb, face = sample.rgb, self.judges.face
        height, width = rgb.shape[:2]
        candidates = [self.chosen] if self.chosen else list(self.judges.whole.values())
        whole, found = None, []
        if not sample.damaged:
            if candidates:
                whole = PreparedImage.from_pixels(rgb, list({one.detector.spec for one in candidates}))
            if face is not None:
                found = [(one.box, _cut_out(rgb, one, face)) for one in find(rgb)]
        return Prepared(sample.position, width, height, sample.damaged, whole, found, _thumbnail(rgb))

    def choose(self, images: list[PreparedImage]) -> None:
        """Chooses who judges whole frames by the first of them, prepared for all that may."""
        whole = self.judges.whole
        if whole and (images or len(whole) == 1):
            name, self.why = choose(images, whole)
            self.chosen = whole[name]
        elif whole:  # The first samples are all damaged: the first detector, by the library's order.
            self.chosen = next(iter(whole.values()))

    def judged(self, batch: list[Prepared]) -> Iterator[tuple[JudgedSample, np.ndarray]]:
        """Each of some successive samples with its rows and a thumbnail, RGB uint8."""
        images = [(one.sample, one.whole) for one in batch if one.whole is not None]
        of_frames: dict[int, Row] = {}
        if self.chosen is not None and images:
            rows = self.chosen.rows([image for _, image in images], [(place, None, None) for place, _ in images])
            of_frames = {row.sample: row for row in rows}
        of_faces = self._judged_faces(batch)
        for one in batch:
            frame = of_frames.get(one.sample.index) or _unjudged(one)
            told = (frame, *of_faces[one.sample.index])
            yield JudgedSample(one.sample, one.width, one.height, one.damaged, told), one.thumbnail

    def _judged_faces(self, batch: list[Prepared]) -> dict[int, list[Row]]:
        """Rows of the faces of each sample, in the order in which they were found."""
        places: list[tuple[Position, int, Box, PreparedImage | None]] = []
        for one in batch:
            tracks = self.tracker.assign([box for box, _ in one.faces])
            places += [(one.sample, track, box, image) for track, (box, image) in zip(tracks, one.faces, strict=True)]
        large = [place for place in places if place[3] is not None]
        judge, rows = self.judges.face, list[Row]()
        if judge is not None and large:
            rows = judge.rows([image for *_, image in large if image is not None], [place[:3] for place in large])
        judged = iter(rows)
        result: dict[int, list[Row]] = {one.sample.index: [] for one in batch}
        for place, track, box, image in places:
            result[place.index].append(next(judged) if image is not None else self._too_small(place, track, box))
        return result

    def _too_small(self, place: Position, track: int, box: Box) -> Row:
        assert self.judges.face is not None  # Without one no faces are looked for.
        reason = f"{TOO_SMALL}{why_small(self.judges.face.detector.card)}."
        return _nothing(place, reason, track, box)


@dataclass
class Judging(Framewise):
    """Judges a film's samples; iterate over it once.

    Attributes:
        film: Open, and used for nothing else meanwhile.
        sampling: Which frames are looked at.
        judges: Who judges. With several for whole frames, the one that fits the first samples does.
        after: The last sample that was judged before, to go on after it.
    """

    film: Film
    sampling: Sampling
    after: Position | None = None

    def __iter__(self) -> Iterator[tuple[JudgedSample, np.ndarray]]:
        """Each sample with its rows and a thumbnail, RGB uint8, in the order of time.

        Raises:
            FilmError: If the film cannot be read any further, after all samples before that.
        """
        waiting: queue.Queue[Any] = queue.Queue(_WAITING)
        ended = threading.Event()
        threading.Thread(target=self._prepare, args=(waiting, ended), daemon=True).start()
        try:
            first = True
            while batch := _gathered(waiting, CHOOSE_BY if first and len(self.judges.whole) > 1 else 1):
                error = batch.pop() if isinstance(batch[-1], BaseException | None) else False
                if first and batch:
                    self.choose([one.whole for one in batch if one.whole is not None])
                    first = False
                for start in range(0, len(batch), _AT_ONCE):
                    yield from self.judged(batch[start : start + _AT_ONCE])
                if isinstance(error, BaseException):
                    raise error
                if error is None:
                    return
        finally:
            ended.set()

    def _prepare(self, waiting: "queue.Queue[Any]", ended: threading.Event) -> None:
        """Reads samples and finds their faces; last comes None, or the error that ended the film."""

        def put(item: Any) -> bool:
            while not ended.is_set():
                try:
                    waiting.put(item, timeout=0.2)
                    return True
                except queue.Full:
                    pass
            return False

        try:
            for sample in self.film.frames(self.sampling, self.after):
                if not put(self.prepared(sample)):
                    return
            put(None)
        except BaseException as error:  # Whoever judges gets it.
            put(error)


def _gathered(waiting: "queue.Queue[Any]", least: int) -> list[Any]:
    """What waits to be judged: at least so many samples, unless the film ends before."""
    batch: list[Any] = []
    while not (batch and isinstance(batch[-1], BaseException | None)):
        try:
            batch.append(waiting.get(block=len(batch) < least))
        except queue.Empty:
            break
        if len(batch) >= max(least, _AT_ONCE):
            break
    return batch


def _cut_out(rgb: np.ndarray, found: Face, judge: Judge) -> PreparedImage | None:
    """A face as its detector sees it; None if it is too small to be judged."""
    cut = crop(rgb, found, judge.detector.card)
    if len(cut) < least_side(judge.detector.card):
        return None
    return PreparedImage.from_pixels(cut, [judge.detector.spec])


def _unjudged(one: Prepared) -> Row:
    return _nothing(one.sample, DAMAGED if one.damaged else _NONE)


def _nothing(place: Position, reason: str, track: int | None = None, box: Box | None = None) -> Row:
    """The row of what no detector judged."""
    return Row(
        place.index, place.frame, place.seconds, track, box, None, "", None, None, False, False, None, reason
    )  # fmt: skip


def _thumbnail(rgb: np.ndarray) -> np.ndarray:
    height, width = rgb.shape[:2]
    factor = min(1.0, THUMBNAIL_SIDE / max(height, width))
    return resized(rgb, max(1, round(width * factor)), max(1, round(height * factor)), Image.Resampling.BOX)
