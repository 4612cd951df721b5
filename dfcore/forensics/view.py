"""What forensic views are made of: their parameters, the pixels that they look at, and what they hand back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from dfcore.errors import InputError
from dfcore.imaging.facts import ImageFacts

Region = tuple[int, int, int, int]

# Larger pictures are examined in part: shrinking would destroy the traces.
MOST_PIXELS = 12_000_000
# No side may be longer, since JPEG holds no more than 65,535 pixels a side.
MOST_SIDE = 65_000
# A crop's corner lies on a multiple of this, so that a JPEG's blocks of 8 or 16 pixels keep their place.
_STEP = 16


@dataclass(frozen=True)
class Parameter:
    """A setting of a view: a whole number in a range, or one of several choices.

    Attributes:
        key: Name in code.
        title: Name shown to users.
        help: What it changes, in one sentence.
        default: Value unless another is given.
        low, high, step: Range of a number; both ends are allowed.
        choices: {value: title}; empty for a number.
    """

    key: str
    title: str
    help: str
    default: Any
    low: int = 0
    high: int = 0
    step: int = 1
    choices: Mapping[str, str] = field(default_factory=dict)

    def check(self, value: Any) -> Any:
        """The value, if it is allowed.

        Raises:
            InputError: If it is not; says what is.
        """
        if self.choices:
            if isinstance(value, str) and value in self.choices:
                return value
            raise InputError(f"{self.key}: expected one of {', '.join(self.choices)}. Received: {value!r}.")
        if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and self.low <= value <= self.high:
            return int(value)
        raise InputError(f"{self.key}: expected a whole number from {self.low} to {self.high}. Received: {value!r}.")


@dataclass(frozen=True)
class Subject:
    """The pixels that a view looks at.

    Attributes:
        rgb: Native pixels, RGB uint8 (h, w, 3): the whole picture or a part of it.
        region: Where they lie in the picture: (x, y, width, height) in pixels.
        size: Width and height of the whole picture.
        note: Which part is examined and why; "" for the whole.
        facts: Properties of the file; None for pixels that came from none.
    """

    rgb: np.ndarray
    region: Region
    size: tuple[int, int]
    note: str = ""
    facts: ImageFacts | None = None

    @cached_property
    def luminance(self) -> np.ndarray:
        """Luminance as in JPEG (ITU-R BT.601), float32 (h, w), 0 to 255."""
        return self.rgb @ np.array([0.299, 0.587, 0.114], np.float32)

    @property
    def jpeg_quality(self) -> int | None:
        """Quality that a JPEG's tables state, 1 to 100; None for anything else."""
        return self.facts.jpeg_quality if self.facts else None


def subject(
    rgb: np.ndarray, facts: ImageFacts | None, region: Region | None = None, most_pixels: int = MOST_PIXELS
) -> Subject:
    """The part of a picture that is examined.

    Args:
        rgb: The whole picture, RGB uint8 (H, W, 3).
        facts: Properties of its file, if there is one.
        region: The part that is wanted, (x, y, width, height) in pixels; the whole picture if None.
        most_pixels: Above this number the middle of it is examined, at native pixels.

    Raises:
        InputError: If the region does not lie within the picture.
    """
    height, width = rgb.shape[:2]
    wanted = region or (0, 0, width, height)
    x, y, w, h = wanted
    if x < 0 or y < 0 or w < 1 or h < 1 or x + w > width or y + h > height:
        raise InputError(
            f"region: expected (x, y, width, height) within {width} x {height} pixels. Received: {wanted}."
        )
    note = "" if region is None else f"Examined: {w} x {h} pixels from ({x}, {y}) on."
    most = _shape(w, h, most_pixels)
    if most != (w, h):
        x, y = x + (w - most[0]) // 2 // _STEP * _STEP, y + (h - most[1]) // 2 // _STEP * _STEP
        w, h = most
        note = (
            f"Examined: the middle {w:,} x {h:,} pixels of {wanted[2]:,} x {wanted[3]:,}. "
            "The whole would take too long, and shrinking it would destroy the traces."
        )
    return Subject(np.ascontiguousarray(rgb[y : y + h, x : x + w]), (x, y, w, h), (width, height), note, facts)


def _shape(width: int, height: int, most: int) -> tuple[int, int]:
    """The largest shape of about the same proportions within the limits."""
    w, h = min(width, MOST_SIDE), min(height, MOST_SIDE)
    if w * h > most:
        factor = (most / (w * h)) ** 0.5
        w, h = max(1, int(w * factor)), max(1, int(h * factor))
    return w, h


@dataclass(frozen=True)
class Picture:
    """A picture to show.

    Attributes:
        title: What it shows, with its scale.
        rgb: RGB uint8 (h, w, 3).
        aligned: Whether it covers the view's region pixel by pixel; a spectrum does not.
    """

    title: str
    rgb: np.ndarray
    aligned: bool = True


@dataclass(frozen=True)
class Curve:
    """A curve: its name and its points, `y` against `x`; `None` in `y` is a gap."""

    name: str
    x: list[float]
    y: list[float | None]


@dataclass(frozen=True)
class Chart:
    """Curves over one pair of axes.

    Attributes:
        title: What is drawn.
        x, y: Titles of the axes, with units.
        curves: The curves.
        band: Name, x, lower and upper end of a band to compare with; None if there is none.
    """

    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]
    band: tuple[str, list[float], list[float], list[float]] | None = None


@dataclass(frozen=True)
class View:
    """What a forensic view found in one picture.

    Attributes:
        key: Which view, a key of `VIEWS`.
        pictures: To be shown; those that are aligned lie on `region`.
        charts: Curves; may be empty.
        figures: Numbers by name, as JSON holds them.
        words: The figures in words, a sentence each.
        region: Part of the picture that was examined, (x, y, width, height) in pixels.
        note: Which part that is and why; "" for the whole.
        parameters: The settings that were used.
    """

    key: str
    pictures: tuple[Picture, ...]
    figures: dict[str, Any]
    words: tuple[str, ...]
    charts: tuple[Chart, ...] = ()
    region: Region = (0, 0, 0, 0)
    note: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Figures, words and what was examined, as JSON holds them; without pictures and curves."""
        return {
            "figures": self.figures,
            "words": list(self.words),
            "region": list(self.region),
            "note": self.note,
            "parameters": self.parameters,
        }


@dataclass(frozen=True)
class ViewKind:
    """An entry of the registry `VIEWS`.

    Attributes:
        key: Name in code and in files.
        title: Name shown to users.
        reads: How to read it, in a sentence.
        misleads: When it misleads, in a sentence.
        make: Computes it: `make(subject, **parameters)`.
        parameters: Its settings.
        costly: Whether it takes too long for `figures` (about a second for 2 megapixels).
    """

    key: str
    title: str
    reads: str
    misleads: str
    make: Callable[..., View]
    parameters: tuple[Parameter, ...] = ()
    costly: bool = False


def grey(values: np.ndarray) -> np.ndarray:
    """Values of 0 to 255, (h, w), as RGB uint8 (h, w, 3); what lies beyond is clipped."""
    return np.repeat(np.clip(np.rint(values), 0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def spread(values: np.ndarray, share: float = 99.5) -> tuple[np.ndarray, float]:
    """Values from 0 on, stretched so that this percentile becomes 255; and the factor, at least 1."""
    top = float(np.percentile(values, share))
    factor = max(255 / top, 1.0) if top > 0 else 1.0
    return values * factor, factor
