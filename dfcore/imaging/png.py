"""PNG: damaged side chunks, and samples that are not coded as sRGB."""

import struct
import zlib

from PIL import Image

from dfcore.utils.texts import printable

_MOST_CHUNKS = 20_000
_SRGB_PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
# Chunks that decide what the pixels are; where one of them is damaged, so is the picture.
_DECISIVE = {b"tRNS"}


def mended(data: bytes) -> tuple[bytes, list[str]]:
    """The file without side chunks (text, time, profiles) whose checksum is wrong, and what is to be told of that."""
    kept, told, at, start = [], [], 8, 0
    for _ in range(_MOST_CHUNKS):
        if at + 12 > len(data):
            break
        length = int.from_bytes(data[at : at + 4], "big")
        name, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data) or name == b"IEND":
            break
        ancillary = bool(name[0] & 0x20) and name not in _DECISIVE and name.isalpha()
        if ancillary and zlib.crc32(data[at + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            kept.append(data[start:at])
            start = end
            told.append(printable(name.decode("latin-1")))
        at = end
    if not told:
        return data, []
    names = ", ".join(dict.fromkeys(told))
    kept.append(data[start:])
    return b"".join(kept), [
        f"The checksum of side chunks ({names}) is wrong; they were left out, the pixels are whole."
    ]


def gamma(image: Image.Image) -> float | None:
    """The gamma of an opened PNG whose samples are to be converted to sRGB; None where they are sRGB already."""
    value = image.info.get("gamma")
    if not isinstance(value, float) or value <= 0 or _says_srgb(image):
        return None
    # Within what libpng takes for the same.
    return None if abs(2.2 * value - 1) <= 0.05 else value


def _says_srgb(image: Image.Image) -> bool:
    """Whether another chunk counts for more; texts of these names do not."""
    return isinstance(image.info.get("srgb"), int) or isinstance(image.info.get("icc_profile"), bytes)


def notes(image: Image.Image) -> list[str]:
    """What is to be told of an opened PNG's colours."""
    primaries = image.info.get("chromaticity")
    if not isinstance(primaries, tuple) or _says_srgb(image):
        return []
    if max(abs(a - b) for a, b in zip(primaries, _SRGB_PRIMARIES, strict=False)) <= 0.01:
        return []
    return ["The PNG states other primaries than sRGB's (cHRM); its colours were not converted."]
