"""Which frames of a film are looked at: every n-th, one every so many seconds, or those after a change of scene."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from dfcore.errors import InputError
from dfcore.films.facts import MOST_SECONDS, FilmFacts

Kind = Literal["seconds", "frames", "scenes"]
# Side of the grey thumbnails that are compared, and the mean difference of two that follow each other, of 255, from
# which a new scene is assumed.
THUMBNAIL, SCENE = 32, 25.0
# Rounding of timestamps, in seconds.
_ROUNDING = 1e-4
_DEFAULTS: dict[str, float] = {"seconds": 1.0, "frames": 10.0, "scenes": 10.0}
_MOST = 1e6


@dataclass(frozen=True)
class Sampling:
    """Which frames are looked at; the first one always is.

    Attributes:
        kind: "seconds": the first frame at or after each multiple of so many seconds. "frames": every n-th frame.
            "scenes": each frame that differs from the one before by more than `SCENE`, and one at the latest after so
            many seconds.
        every: The number of seconds, of frames, or the most seconds without a sample.
    """

    kind: Kind = "seconds"
    every: float = 1.0

    def __post_init__(self) -> None:
        least = {"seconds": 0.01, "frames": 1, "scenes": 0.1}.get(self.kind)
        if (
            least is None
            or isinstance(self.every, bool)
            or not isinstance(self.every, int | float)
            or not least <= self.every <= _MOST
            or (self.kind == "frames" and self.every != int(self.every))
        ):
            raise InputError(
                f"Expected a sampling by {', '.join(get_args(Kind))}, with seconds from 0.01, a whole number of frames "
                f"from 1, or seconds from 0.1 for scenes, each up to {_MOST:,.0f}. Received: {self.kind}, {self.every}."
            )

    @classmethod
    def parse(cls, text: str) -> "Sampling":
        """Reads "0.5s" (one every half second), "25" (every 25th frame), "scenes" or "scenes:5s".

        Raises:
            InputError: If it is none of these.
        """
        kind, _, rest = text.strip().lower().partition(":")
        try:
            if kind == "scenes":
                return cls("scenes", float(rest.removesuffix("s")) if rest else _DEFAULTS["scenes"])
            if not rest and kind.endswith("s"):
                return cls("seconds", float(kind.removesuffix("s")))
            if not rest:
                return cls("frames", int(kind))
        except ValueError:
            pass
        raise InputError(
            "Expected which frames to look at: 1s (one every second), 25 (every 25th frame) or scenes. "
            f"Received: {text}."
        )

    def in_words(self) -> str:
        """What is looked at, to follow "it looks at": "one frame every 0.5 s"."""
        if self.kind == "frames":
            return "every frame" if self.every == 1 else f"one frame in {self.every:.0f}"
        if self.kind == "seconds":
            return f"one frame every {self.every:g} s"
        return (
            f"frames at changes of scene (by thumbnails of {THUMBNAIL} pixels, from a mean difference of {SCENE:g} of "
            f"255), and one every {self.every:g} s"
        )

    def expected(self, facts: FilmFacts) -> int | None:
        """About how many samples a film gives by what its file states; None where that cannot be told."""
        if self.kind == "scenes":
            return None
        if self.kind == "frames":
            frames = facts.frames or (facts.seconds and facts.rate and facts.seconds * facts.rate)
            return max(1, math.ceil(frames / self.every)) if frames else None
        if not facts.seconds:
            return None
        most = facts.frames or math.inf
        return max(1, int(min(math.ceil(facts.seconds / self.every - _ROUNDING), most)))

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Sampling":
        """From plain data; raises InputError or TypeError for something else."""
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a sample lies in its film; with it, reading goes on after it, or the frame is found again.

    Attributes:
        index: Number among the samples, from 0.
        frame: Number among the film's frames in the order in which they are shown, from 0.
        seconds: Time since the film's beginning, from the timestamps; it rises from frame to frame.
        pts: The timestamp itself, in units of the stream; None if the frame has none.
        exact: Whether all was sound up to here, so that the timestamp alone leads back to it.
    """

    index: int
    frame: int
    seconds: float
    pts: int | None = None
    exact: bool = False

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Position":
        """From plain data; raises KeyError, TypeError or ValueError for something else."""
        index, frame, pts, seconds = values["index"], values["frame"], values["pts"], values["seconds"]
        whole = all(type(one) is int and 0 <= one < 2**62 for one in (index, frame))
        if not whole or not (pts is None or (type(pts) is int and abs(pts) < 2**63)):
            raise ValueError("a position without numbers")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 2 * MOST_SECONDS:
            raise ValueError("a position without a time")
        return cls(index, frame, float(seconds), pts, bool(values["exact"]))


@dataclass(frozen=True)
class Sample:
    """A frame of a film that is looked at.

    Attributes:
        position: Where it lies.
        rgb: Its pixels, upright, uint8 (H, W, 3).
        damaged: Whether parts of it were missing and filled in by the decoder.
    """

    position: Position
    rgb: np.ndarray
    damaged: bool = False


class Sampler:
    """Says of one frame after the other whether it is a sample.

    Args of the constructor: the sampling, and the last sample that was taken before, if reading goes on after it.
    """

    def __init__(self, sampling: Sampling, after: Position | None = None):
        self._sampling = sampling
        self._last = after.seconds if after else None
        self._before: np.ndarray | None = None

    def known(self, thumbnail: Callable[[], np.ndarray]) -> None:
        """Tells what the last sample before looks like.

        Args:
            thumbnail: Makes its thumbnail, uint8 (`THUMBNAIL`, `THUMBNAIL`).
        """
        if self._sampling.kind == "scenes":
            self._before = thumbnail()

    def takes(self, frame: int, seconds: float, thumbnail: Callable[[], np.ndarray]) -> bool:
        """Whether the next frame is a sample.

        Args:
            frame: Its number, from 0.
            seconds: Its time.
            thumbnail: Makes its thumbnail, as for `known`.
        """
        taken = self._takes(frame, seconds, thumbnail)
        if taken:
            self._last = seconds
        return taken

    def _takes(self, frame: int, seconds: float, thumbnail: Callable[[], np.ndarray]) -> bool:
        every, kind = self._sampling.every, self._sampling.kind
        if kind == "frames":
            return frame % int(every) == 0
        if kind == "seconds":
            return self._last is None or _multiple(seconds, every) > _multiple(self._last, every)
        before, self._before = self._before, thumbnail()
        if self._last is None or before is None:
            return True
        changed = float(np.abs(self._before.astype(np.int16) - before).mean()) > SCENE
        return changed or seconds - self._last >= every - _ROUNDING


def _multiple(seconds: float, every: float) -> int:
    """Number of the last multiple at or before a time."""
    return math.floor((seconds + _ROUNDING) / every)
