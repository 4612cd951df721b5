"""JPEG: whether the picture is whole. libjpeg fills what is missing with grey, which must not be judged unnoticed."""

import io
import re
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dfcore.errors import ImageError

NO_END = "The JPEG has no end marker; its picture is whole, and was read as viewers read it."
COARSE = "The progressive JPEG lacks scans that hold fine detail; it was read as it is."
# A marker within entropy-coded data: neither a stuffed byte nor a restart marker nor a fill byte.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_END = b"\xff\xd9"
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_PROGRESSIVE = {0xC2, 0xCA}
_READ = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_MOST_SCANS = 10_000
# Bytes to go on with where a file breaks off: what they decode to differs from the grey that libjpeg fills in.
_FILLER = np.random.default_rng(0).integers(1, 255, 4096).astype(np.uint8).tobytes()


@dataclass
class Structure:
    """What the markers of a JPEG say.

    Attributes:
        frame: Marker of the frame, 0xC0 for baseline; 0 if there is none.
        depth: Bits per sample.
        height, components: Of the frame.
        scans: Number of scans that begin.
        unfinished: For a progressive JPEG, whether coefficients lack their last bits.
        end: Where the end marker is, or should be.
        ended: Whether there is an end marker.
    """

    frame: int = 0
    depth: int = 8
    height: int = 0
    components: int = 0
    scans: int = 0
    unfinished: bool = False
    end: int = 0
    ended: bool = False


def structure(data: bytes) -> Structure:
    """Reads the markers of the first picture in a file."""
    result, at = Structure(), 2
    known: dict[int, list[int | None]] = {}
    while True:
        found = _MARKER.search(data, at)
        if found is None or result.scans > _MOST_SCANS:
            # Zeros at the end were left there by a download that broke off.
            result.end = len(data.rstrip(b"\0").rstrip(b"\xff"))
            break
        at, marker = found.end(), data[found.end() - 1]
        if marker == 0xD9:
            result.end, result.ended = found.start(), True
            break
        length = int.from_bytes(data[at : at + 2], "big")
        body = data[at + 2 : at + min(length, 300)]
        if marker in _FRAMES and not result.frame and len(body) >= 6:
            result.frame, result.depth, result.components = marker, body[0], body[5]
            result.height = int.from_bytes(body[1:3], "big")
            known = {body[6 + 3 * n]: [None] * 64 for n in range(min(body[5], (len(body) - 6) // 3))}
        elif marker == 0xDA and body:
            result.scans += 1
            _scan(body, known)
        at += length if marker not in (0x01, 0xD8) else 0
    result.unfinished = result.frame in _PROGRESSIVE and any(
        level != 0 for component in known.values() for level in component[:64]
    )
    return result


def _scan(body: bytes, known: dict[int, list[int | None]]) -> None:
    """Notes to which bit a scan brings its coefficients."""
    count = body[0]
    if len(body) < 4 + 2 * count:
        return
    first, last, level = body[1 + 2 * count], body[2 + 2 * count], body[3 + 2 * count] & 15
    for number in range(count):
        levels = known.get(body[1 + 2 * number])
        if levels is not None:
            for index in range(first, min(last, 63) + 1):
                levels[index] = level


def check_header(data: bytes) -> Structure:
    """Refuses what cannot be read or is not whole by its markers alone.

    Raises:
        ImageError: With the true cause.
    """
    found = structure(data)
    if found.frame and found.frame not in _READ:
        raise ImageError("A lossless or hierarchical JPEG, as scanners and medical devices write it: save it as PNG.")
    if found.frame and found.depth != 8:
        raise ImageError(f"A JPEG of {found.depth} bits per colour, which is not read here: save it with 8 bits.")
    if not found.ended and not found.scans:
        raise _incomplete("it breaks off before its first pixel")
    if found.unfinished and not found.ended:
        raise _incomplete("it is progressive, and its last scans, which hold the fine detail, are missing")
    return found


def notes(found: Structure) -> list[str]:
    """What is to be told of a JPEG that is read."""
    result = [] if found.ended else [NO_END]
    return [*result, COARSE] if found.unfinished else result


def mended(data: bytes, found: Structure) -> bytes:
    """The file with an end marker."""
    return data if found.ended else data[: found.end] + _END


def looks_cut(rgb: np.ndarray) -> bool:
    """Whether the last pixels are of the grey that libjpeg fills in where data end."""
    corner = rgb[-4:, -4:].reshape(-1, 3)
    return bool((corner == corner[0]).all() and np.abs(corner[0].astype(int) - 128).max() <= 1)


def check_whole(data: bytes, found: Structure) -> None:
    """Checks that the entropy-coded data reach to the last pixel.

    The picture is decoded twice, with the data ended and with the data continued: where the results differ, there were
    no data.

    Raises:
        ImageError: If a part of the picture is missing; says how much.
    """
    ended = _grey(data[: found.end] + _END)
    continued = _grey(data[: found.end] + _FILLER + _END)
    differing = np.flatnonzero((ended != continued).any(axis=1))
    if len(differing):
        share = 1 - differing[0] / len(ended)
        part = f"the lower {100 * share:.0f}%" if share >= 0.01 else "the last of the lower edge"
        if found.frame in _PROGRESSIVE:
            part = "a part of the fine detail"
        raise _incomplete(f"it breaks off, and {part} of the picture is missing")


def _grey(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data), formats=["JPEG"])
    image.draft("L", image.size)
    image.load()
    return np.asarray(image.getchannel(0))


def _incomplete(why: str) -> ImageError:
    return ImageError(f"The JPEG is damaged or incomplete: {why}. Download or copy it again.")
