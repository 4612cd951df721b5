"""Judges frames as a camera or a screen gives them: each once the one before is judged, at the pace of the machine."""

import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from dfcore.films.judging import Framewise, Prepared
from dfcore.films.rows import JudgedSample
from dfcore.films.sampling import Position, Sample

# Judged frames that are kept, an hour's at one a second, and what is said of them, of frames and faces; older ones are
# forgotten, and counted. Frames over which the pace is measured.
MOST, MOST_ROWS, _PACED = 3_600, 20_000, 10


@dataclass
class Live(Framewise):
    """Judges frames as they come; give one after the other to `prepare` and `judge`.

    Attributes:
        samples: What was said of the last frames, at most `MOST` with `MOST_ROWS` rows, by time.
        number: Number of frames that were judged.
    """

    samples: deque[JudgedSample] = field(default_factory=deque, init=False)
    number: int = field(default=0, init=False)
    _rows: int = field(default=0, init=False)
    _done: deque[float] = field(default_factory=lambda: deque(maxlen=_PACED + 1), init=False)

    def prepare(self, rgb: np.ndarray, seconds: float) -> Prepared:
        """Finds the faces of the next frame, and lets go of its pixels.

        Args:
            rgb: uint8 (H, W, 3), upright.
            seconds: Its time since the beginning.
        """
        return self.prepared(Sample(Position(self.number, self.number, seconds), rgb))

    def judge(self, frame: Prepared) -> JudgedSample:
        """Judges the next frame; the first one chooses the detector for whole frames."""
        if not self.number:
            self.choose([] if frame.whole is None else [frame.whole])
        ((sample, _),) = self.judged([frame])
        self.samples.append(sample)
        self._rows += len(sample.rows)
        while len(self.samples) > 1 and (len(self.samples) > MOST or self._rows > MOST_ROWS):
            self._rows -= len(self.samples.popleft().rows)
        self.number += 1
        self._done.append(time.monotonic())
        return sample

    @property
    def forgotten(self) -> int:
        """Number of judged frames that are not kept any more."""
        return self.number - len(self.samples)

    @property
    def per_second(self) -> float | None:
        """Judged frames a second over the last ten, waits for frames and others included; None before the second."""
        if len(self._done) < 2 or self._done[-1] <= self._done[0]:
            return None
        return (len(self._done) - 1) / (self._done[-1] - self._done[0])
