"""EXIF: all tags as text by group, where a picture was taken, and its embedded thumbnail."""

import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from dfcore.provenance.containers import Blocks
from dfcore.provenance.evidence import Location, Thumbnail

MAIN, CAMERA, GPS, THUMBNAIL = "EXIF", "EXIF of the camera", "EXIF GPS", "EXIF of the thumbnail"
_PARTS = {CAMERA: ExifTags.IFD.Exif, GPS: ExifTags.IFD.GPSInfo, THUMBNAIL: ExifTags.IFD.IFD1}
_POINTERS = {0x8769, 0x8825, 0xA005}
_USER_COMMENT, _OFFSET, _LENGTH, _ORIENTATION = 0x9286, 0x0201, 0x0202, 0x0112
# Tags of Windows, whose texts are UTF-16: title, comment, author, keywords, subject.
_WINDOWS = range(0x9C9B, 0x9CA0)
_THUMBNAIL_BYTES, _THUMBNAIL_SIDE = 2**20, 640
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


@dataclass
class ExifData:
    """What the EXIF data hold.

    Attributes:
        groups: Tags by group, in the file's order; values as text.
        location: Where it was taken.
        thumbnail: The embedded thumbnail.
        told: What could not be read, a sentence each.
    """

    groups: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    location: Location | None = None
    thumbnail: Thumbnail | None = None
    told: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        """A tag's text from any group but the thumbnail's; "" if absent."""
        for group, tags in self.groups.items():
            for title, value in tags:
                if title == name and group != THUMBNAIL:
                    return value
        return ""


def read_exif(blocks: Blocks) -> ExifData:
    """Reads the EXIF data of a file; never raises for what is in them."""
    result = ExifData()
    if not blocks.exif:
        return result
    exif = Image.Exif()
    try:
        exif.load(b"Exif\0\0" + blocks.exif)
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises arbitrary exceptions on malformed EXIF.
        result.told.append(f"The EXIF data are damaged ({type(error).__name__}) and were not read.")
        return result
    for title, part in {MAIN: None, **_PARTS}.items():
        try:
            tags = dict(exif.items()) if part is None else dict(exif.get_ifd(part))
        except MemoryError:
            raise
        except Exception as error:  # As above.
            result.told.append(f"{title} is damaged ({type(error).__name__}) and was not read.")
            continue
        entries = list(_entries(tags, ExifTags.GPSTAGS if title == GPS else ExifTags.TAGS))
        if entries:
            result.groups[title] = entries
        if title == GPS:
            result.location = _location(tags)
        elif title == THUMBNAIL:
            turn = exif.get(_ORIENTATION)
            result.thumbnail = _thumbnail(blocks.exif, tags, turn if isinstance(turn, int) else 1)
    return result


def _entries(tags: dict[int, Any], names: dict[int, str]) -> Iterator[tuple[str, str]]:
    for tag, value in tags.items():
        if tag not in _POINTERS and not isinstance(value, dict):
            try:
                text = _text(tag, value)
            except ValueError:  # Numbers where a text belongs.
                text = "unreadable"
            yield names.get(tag, f"Tag 0x{tag:04x}"), text


def _text(tag: int, value: Any) -> str:
    if tag == _USER_COMMENT:
        return user_comment(value if isinstance(value, bytes) else str(value).encode("latin-1", "replace"))
    if tag in _WINDOWS and isinstance(value, (bytes, tuple)):
        return bytes(value).decode("utf-16-le", "replace").strip("\0")
    if isinstance(value, bytes):
        text = value.strip(b"\0 ")
        return text.decode("ascii") if re.fullmatch(rb"[\x20-\x7e]{1,64}", text) else f"{len(value):,} bytes"
    if isinstance(value, tuple):
        return ", ".join(_number(part) for part in value[:64]) + (" …" if len(value) > 64 else "")
    return _number(value)


def _number(value: Any) -> str:
    if isinstance(value, str):
        return value.strip("\0 ")
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return str(value)
    if not math.isfinite(number):
        return "undefined"
    return f"{number:.6g}" if not isinstance(value, int) else str(value)


def user_comment(raw: bytes) -> str:
    """The text of EXIF's UserComment, whose first eight bytes name its character set."""
    code, body = raw[:8], raw[8:]
    if code.startswith(b"UNICODE"):
        return _utf16(body)
    if code.startswith(b"JIS"):
        return body.decode("iso2022_jp", "replace").strip("\0 ")
    text = body if code.startswith(b"ASCII") or not code.strip(b"\0") else raw
    return text.decode("utf-8", "replace").strip("\0 ")


def _utf16(body: bytes) -> str:
    """UTF-16 of either byte order: writers do not agree on one, so the order that gives more common letters counts."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace").strip("\0 ")
    high, low = body[0:4000:2].count(0), body[1:4000:2].count(0)
    return body.decode("utf-16-be" if high >= low else "utf-16-le", "replace").strip("\0 ")


def _location(tags: dict[int, Any]) -> Location | None:
    latitude, longitude = _degrees(tags.get(2), tags.get(1), "S"), _degrees(tags.get(4), tags.get(3), "W")
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    return Location(round(latitude, 6), round(longitude, 6))


def _degrees(parts: Any, reference: Any, negative: str) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    value = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(value):
        return None
    return -value if str(reference).upper().strip("\0 ") == negative else value


def _thumbnail(block: bytes, tags: dict[int, Any], turn: int) -> Thumbnail | None:
    offset, length = tags.get(_OFFSET), tags.get(_LENGTH)
    if not isinstance(offset, int) or not isinstance(length, int) or not 0 < length <= _THUMBNAIL_BYTES:
        return None
    data = block[offset : offset + length] if offset > 0 else b""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            if not 0 < max(image.size) <= _THUMBNAIL_SIDE:
                return None
            picture: Image.Image = image.convert("RGB")
    except MemoryError:
        raise
    except Exception:  # Pillow raises arbitrary exceptions on malformed images.
        return None
    if turn in _TURNS:
        picture = picture.transpose(_TURNS[turn])
    return Thumbnail(picture.width, picture.height, np.asarray(picture).tobytes())
