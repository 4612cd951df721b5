"""What a film's file says of it: size, length, rates, and what a person should know of how it is read."""

import math
from dataclasses import dataclass, fields
from typing import Any

from dfcore.utils.texts import printable

# What a file states beyond these is no figure but damage, or meant to do harm.
MOST_SECONDS, MOST_FRAMES, MOST_RATE = 1e7, 10**10, 1000.0
_MOST_TEXT, _MOST_NOTES = 300, 20


@dataclass(frozen=True)
class FilmFacts:
    """Properties of a film, of its best stream of moving pictures.

    Attributes:
        container: Title of its container.
        codec: Name of the codec.
        width, height: Of its first frame in pixels, upright.
        rotation: Degrees by which its frames are turned clockwise to be upright: 0, 90, 180 or 270.
        seconds: Its length as the file states it; None if it does not.
        frames: Number of its frames as the file states it; None if it does not.
        rate: Frames a second on average; None if the file does not tell.
        variable_rate: Whether the time between frames varies, as far as the file tells.
        bit_depth: Bits of a sample.
        hdr: "PQ" or "HLG" if its tones are meant for a display of high dynamic range; None otherwise.
        audio, subtitles, pictures: Numbers of streams of sound, of subtitles, and of attached pictures such as a cover.
        bytes: Size of the file.
        notes: What a person should know of it, in sentences.
    """

    container: str
    codec: str
    width: int
    height: int
    rotation: int
    seconds: float | None
    frames: int | None
    rate: float | None
    variable_rate: bool
    bit_depth: int
    hdr: str | None
    audio: int
    subtitles: int
    pictures: int
    bytes: int
    notes: tuple[str, ...] = ()

    @classmethod
    def understood(cls, told: dict[str, Any], size: int) -> "FilmFacts":
        """Reads what the process said, which hostile bytes may have taken over.

        Args:
            told: Its words.
            size: Size of the file in bytes.

        Raises:
            KeyError, TypeError, ValueError: If no sound process says so.
        """
        notes = [printable(note)[:_MOST_TEXT] for note in list(told["notes"])[:_MOST_NOTES]]
        texts: dict[str, Any] = {name: printable(told[name])[:40] for name in ("container", "codec")}
        hdr = told["hdr"]
        if hdr not in (None, "PQ", "HLG") or told["rotation"] not in (0, 90, 180, 270):
            raise ValueError("hdr or rotation")
        whole: dict[str, Any] = {name: _whole(told[name], name) for name in ("width", "height", "bit_depth")}
        counts: dict[str, Any] = {
            name: _whole(told[name], name, least=0) for name in ("audio", "subtitles", "pictures")
        }
        frames = None if told["frames"] is None else _whole(told["frames"], "frames", most=MOST_FRAMES)
        return cls(
            **texts, **whole, **counts, rotation=int(told["rotation"]), hdr=hdr, frames=frames,
            seconds=_figure(told["seconds"], MOST_SECONDS), rate=_figure(told["rate"], MOST_RATE),
            variable_rate=bool(told["variable_rate"]), bytes=size, notes=tuple(notes),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"notes": list(self.notes)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "FilmFacts":
        """From plain data; raises KeyError, TypeError or ValueError for something else."""
        return cls.understood(values, _whole(values["bytes"], "bytes", most=2**63))


def _whole(value: Any, name: str, least: int = 1, most: int = 10**9) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} of {value!r:.40}")
    return value


def _figure(value: Any, most: float) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"a figure of {value!r:.40}")
    return float(value) if 0 < value <= most else None
