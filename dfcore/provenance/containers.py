"""Finds the blocks of metadata in an image file without decoding pixels. Nothing in a file is taken for granted."""

import binascii
import re
import zlib
from dataclasses import dataclass, field

from dfcore.errors import ImageError
from dfcore.imaging import decoder
from dfcore.imaging.formats import recognised
from dfcore.provenance.texts import bounded, decoded

MOST_BLOCKS = 20_000
# Bytes of one text once it is unpacked, and of all of them.
_TEXT_BYTES, _ALL_TEXT_BYTES = 2 * 2**20, 8 * 2**20
_MOST_TEXTS = 500
_BLOCK_BYTES = 16 * 2**20
_XMP_JPEG, _XMP_PNG = b"http://ns.adobe.com/xap/1.0/\0", "XML:com.adobe.xmp"
_XMP_MORE = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_ICC = b"ICC_PROFILE\0"
# A marker may follow any number of fill bytes.
_FILL = re.compile(rb"\xff*")
# ImageMagick writes foreign blocks into PNG texts, as hexadecimal digits.
_RAW = re.compile(r"Raw profile type (exif|APP1|iptc|8bim|xmp)", re.IGNORECASE)


@dataclass
class Blocks:
    """Blocks of metadata as they stand in a file.

    Attributes:
        kind: Format as `dfcore.imaging.formats.recognised` names it.
        exif: The EXIF block, beginning with the TIFF header; of a TIFF, the file.
        xmp: XMP packets and where each was found.
        photoshop: Photoshop resources, which hold IPTC.
        iptc: IPTC datasets where they stand by themselves.
        texts: (keyword, text, where) of PNG texts.
        comments: (text, where) of comments.
        icc: The ICC profile.
        tables: Quantisation tables of a JPEG in natural order, by number.
        sampling: Sampling factors of a JPEG's components.
        modified: Time in PNG's tIME chunk.
        told: What was left out, a sentence each.
    """

    kind: str
    exif: bytes = b""
    xmp: list[tuple[bytes, str]] = field(default_factory=list)
    photoshop: bytes = b""
    iptc: bytes = b""
    texts: list[tuple[str, str, str]] = field(default_factory=list)
    comments: list[tuple[str, str]] = field(default_factory=list)
    icc: bytes = b""
    tables: dict[int, list[int]] = field(default_factory=dict)
    sampling: list[tuple[int, int]] = field(default_factory=list)
    modified: str = ""
    told: list[str] = field(default_factory=list)


def blocks(data: bytes) -> Blocks:
    """The blocks of a file.

    Raises:
        ImageError: If it is no image in an allowed format.
    """
    result = Blocks(recognised(data))
    match result.kind:
        case "JPEG":
            _jpeg(data, result)
        case "PNG":
            _png(data, result)
        case "WEBP":
            _webp(data, result)
        case "GIF":
            _gif(data, result)
        case "TIFF" | "AVIF" | "HEIF":
            _by_pillow(data, result)
    return result


# Order of JPEG's coefficients in the file.
_ZIGZAG = sorted(range(64), key=lambda at: (sum(divmod(at, 8)), (at // 8 if sum(divmod(at, 8)) % 2 else at % 8)))


def _jpeg(data: bytes, result: Blocks) -> None:
    at, icc = 2, b""
    for _ in range(MOST_BLOCKS):
        at = max(_FILL.match(data, at).end() - 1, at)  # type: ignore[union-attr]  # it matches everything
        if data[at : at + 1] != b"\xff" or at + 4 > len(data):
            break
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in (0xD9, 0xDA) or length < 2:
            break
        body, at = data[at + 4 : at + 2 + length], at + 2 + length
        if marker == 0xE1 and body.startswith(b"Exif\0"):
            result.exif = result.exif or body[6:]
        elif marker == 0xE1 and body.startswith(_XMP_JPEG):
            result.xmp.append((body[len(_XMP_JPEG) :], "XMP"))
        elif marker == 0xE1 and body.startswith(_XMP_MORE):
            told = "The file has extended XMP, which is not read; the main XMP packet is."
            result.told += [told] if told not in result.told else []
        elif marker == 0xE2 and body.startswith(_ICC):
            icc += body[14:] if len(icc) < _BLOCK_BYTES else b""
        elif marker == 0xED and body.startswith(_PHOTOSHOP) and len(result.photoshop) < _BLOCK_BYTES:
            result.photoshop += body[len(_PHOTOSHOP) :]
        elif marker == 0xFE and len(result.comments) < _MOST_TEXTS:
            result.comments.append((decoded(body), "JPEG comment"))
        elif marker == 0xDB:
            _quantisation(body, result)
        elif marker in (0xC0, 0xC1, 0xC2) and len(body) >= 6:
            found = [body[6 + 3 * n : 9 + 3 * n] for n in range(min(body[5], 4))]
            result.sampling = [(part[1] >> 4, part[1] & 15) for part in found if len(part) == 3]
    result.icc = icc


def _quantisation(body: bytes, result: Blocks) -> None:
    at = 0
    while at < len(body):
        size, number = 1 + (body[at] >> 4), body[at] & 15
        raw = body[at + 1 : at + 1 + 64 * size]
        if len(raw) < 64 * size:
            return
        table = [0] * 64
        for place, position in enumerate(_ZIGZAG):
            table[position] = int.from_bytes(raw[place * size : (place + 1) * size], "big")
        result.tables.setdefault(number, table)
        at += 1 + 64 * size


def _png(data: bytes, result: Blocks) -> None:
    at, unpacked, left_out = 8, 0, 0
    for _ in range(MOST_BLOCKS):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if at + 12 + length > len(data) or name == b"IEND":
            break
        body, at = data[at + 8 : at + 8 + length], at + 12 + length
        if name == b"eXIf":
            result.exif = result.exif or body.removeprefix(b"Exif\0\0")
        elif name == b"tIME" and len(body) == 7:
            year = int.from_bytes(body[:2], "big")
            month, day, hour, minute, second = body[2:]
            result.modified = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        elif name == b"iCCP":
            packed = body.partition(b"\0")[2][1:]
            result.icc = _inflated(packed, _BLOCK_BYTES) or b""
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            if len(result.texts) >= _MOST_TEXTS or unpacked > _ALL_TEXT_BYTES:
                left_out += 1
                continue
            keyword, text = _png_text(name, body)
            if text is None:
                shown = bounded(keyword, 40)
                result.told.append(f"PNG text '{shown}' is damaged or larger than {_TEXT_BYTES // 2**20} MB: not read.")
                unpacked += _TEXT_BYTES
                continue
            unpacked += len(text)
            _add_text(keyword, text, result)
    if left_out:
        result.told.append(f"{left_out:,} more PNG texts were left out.")
    result.told = result.told[:20]


def _png_text(name: bytes, body: bytes) -> tuple[str, str | None]:
    keyword, _, rest = body.partition(b"\0")
    title = decoded(keyword[:79])
    if name == b"tEXt":
        raw: bytes | None = rest if len(rest) <= _TEXT_BYTES else None
    elif name == b"zTXt":
        raw = _inflated(rest[1:], _TEXT_BYTES)
    else:
        packed, content = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
        raw = content[2] if len(content) == 3 else None
        if raw is not None:
            raw = _inflated(raw, _TEXT_BYTES) if packed else raw if len(raw) <= _TEXT_BYTES else None
    return title, None if raw is None else decoded(raw)


def _inflated(packed: bytes, most: int) -> bytes | None:
    """A zlib stream unpacked; None if it is damaged or too large."""
    stream = zlib.decompressobj()
    try:
        result = stream.decompress(packed, most + 1)
    except zlib.error:
        return None
    return result if len(result) <= most else None


def _add_text(keyword: str, text: str, result: Blocks) -> None:
    found = _RAW.fullmatch(keyword)
    if keyword == _XMP_PNG:
        result.xmp.append((text.encode(), "XMP"))
    elif found is None:
        result.texts.append((keyword, text, f"PNG text '{bounded(keyword, 40)}'"))
    else:
        digits = "".join(text.split("\n")[3:]) if text.startswith("\n") else text
        try:
            raw = binascii.unhexlify(re.sub(r"\s", "", digits))
        except (binascii.Error, ValueError):
            result.told.append(f"PNG text '{keyword}' is damaged: not read.")
            return
        match found[1].lower():
            case "exif" | "app1" if raw.startswith(b"Exif\0\0"):
                result.exif = result.exif or raw[6:]
            case "iptc" | "8bim":
                result.photoshop = result.photoshop or raw.removeprefix(_PHOTOSHOP)
            case _:
                result.xmp.append((raw.removeprefix(_XMP_JPEG), "XMP"))


def _webp(data: bytes, result: Blocks) -> None:
    at = 12
    for _ in range(MOST_BLOCKS):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if len(name) < 4:
            break
        body, at = data[at + 8 : at + 8 + length], at + 8 + length + length % 2
        if name == b"EXIF":
            result.exif = result.exif or body.removeprefix(b"Exif\0\0")
        elif name == b"XMP " and not result.xmp:
            result.xmp.append((body, "XMP"))
        elif name == b"ICCP":
            result.icc = result.icc or body


def _gif(data: bytes, result: Blocks) -> None:
    start = data.find(b"!\xff\x0bXMP DataXMP")
    if start >= 0:
        packet, end, _ = data[start + 14 : start + 14 + _BLOCK_BYTES].partition(b"<?xpacket end")
        result.xmp += [(packet, "XMP")] if end else []
    with decoder.opened(data) as opened:
        comment = opened.image.info.get("comment")
    if isinstance(comment, bytes):
        result.comments.append((decoded(comment), "GIF comment"))


_XMP_TAG, _IPTC_TAG, _PHOTOSHOP_TAG = 700, 33723, 34377


def _by_pillow(data: bytes, result: Blocks) -> None:
    """Formats whose containers are not walked here."""
    try:
        with decoder.opened(data) as opened:
            info, tags = opened.image.info, getattr(opened.image, "tag_v2", {})
    except ImageError as error:
        result.told.append(f"The metadata cannot be read: {bounded(error, 200)}")
        return
    # A TIFF is built as an EXIF block is.
    result.exif = data if result.kind == "TIFF" else _as_bytes(info.get("exif")).removeprefix(b"Exif\0\0")
    packet = _as_bytes(tags.get(_XMP_TAG) or info.get("xmp"))
    result.xmp += [(packet, "XMP")] if packet else []
    result.iptc = _as_bytes(tags.get(_IPTC_TAG))
    result.photoshop = _as_bytes(tags.get(_PHOTOSHOP_TAG))
    result.icc = _as_bytes(info.get("icc_profile"))


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""
