"""TIFF: finds the page to judge, refuses camera RAW and every layout of pixels that was not tested to be read right.

Pillow decodes; but it takes the first page whatever it is, and returns some layouts scrambled or negative. So the
directories are read here first, and only combinations that tests compare with the truth are passed on.
"""

import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from PIL import Image, ImageFile

from dfcore.errors import ImageError
from dfcore.imaging.formats import raw_refusal

_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = (
    *(254, 255, 256, 257, 258, 259, 262, 266),
)
_MAKE, _ORIENTATION, _SAMPLES, _MAX_VALUE, _PLANAR, _SUB_IFDS, _INK_SET = 271, 274, 277, 281, 284, 330, 332
_EXTRA, _FORMAT, _SMAX_VALUE, _SUBSAMPLING, _DNG = 338, 339, 341, 530, 50706
_WANTED = frozenset(
    {
        *(_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _MAKE),
        *(_ORIENTATION, _SAMPLES, _MAX_VALUE, _PLANAR, _SUB_IFDS, _INK_SET, _EXTRA, _FORMAT, _SMAX_VALUE),
        *(_SUBSAMPLING, _DNG),
    }
)
_TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I", 16: "Q", 18: "Q"}
_MOST_PAGES, _MOST_ENTRIES, _MOST_VALUES = 10_000, 200_000, 64

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_COLOURS = {
    **{_WHITE_IS_ZERO: "grey (white is zero)", _BLACK_IS_ZERO: "grey", _RGB: "RGB", _PALETTE: "palette"},
    **{4: "transparency mask", _CMYK: "CMYK", _YCBCR: "YCbCr", 8: "Lab", 9: "Lab", 10: "Lab"},
    **{32844: "LogLuv", 32845: "LogLuv"},
}
_RAW_COLOURS, _RAW_COMPRESSIONS = {32803, 34892}, {32767, 34713, 65000, 65535}
_NONE, _JPEG, _FAX = 1, 7, {2, 3, 4}
_LOSSLESS = {_NONE, 5, 8, 32773, 32946, 34925, 50000}
_COMPRESSIONS = {
    **{6: "old-style JPEG", 9: "JBIG", 10: "JBIG", 34712: "JPEG 2000", 33003: "JPEG 2000", 33005: "JPEG 2000"},
    **{34887: "LERC", 34933: "PNG", 34934: "JPEG XR", 22610: "JPEG XR", 50001: "WebP", 50002: "JPEG XL"},
    **{52546: "JPEG XL", 34892: "lossy JPEG of DNG", 34661: "JBIG", 33007: "ALZ"},
}
_RAW_MAKES = {"NIKON": "Nikon NEF", "SONY": "Sony ARW", "PENTAX": "Pentax PEF", "CANON": "Canon CR2"} | {
    "SAMSUNG": "Samsung SRW", "HASSELBLAD": "Hasselblad 3FR", "PHASE": "Phase One IIQ", "KODAK": "Kodak DCR",
    "OLYMPUS": "Olympus ORF", "PANASONIC": "Panasonic RW2", "EPSON": "Epson ERF",
}  # fmt: skip
_SAVE_SO = "save it as an ordinary TIFF or PNG of 8 or 16 bits"


@dataclass
class Page:
    """A directory of a TIFF.

    Attributes:
        offset: Where it is.
        main: Whether it is in the chain of pages, not below one.
        tags: Values of the tags that matter here.
    """

    offset: int
    main: bool = True
    tags: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def one(self, tag: int, default: int = 0) -> int:
        """The first value of a tag."""
        return self.tags.get(tag, (default,))[0]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as stored."""
        return self.one(_WIDTH), self.one(_HEIGHT)

    @property
    def area(self) -> int:
        """Number of pixels."""
        width, height = self.size
        return width * height

    @property
    def reduced(self) -> bool:
        """Whether it says to be a smaller copy or a mask."""
        return bool(self.one(_SUBFILE) & 5) or self.one(_OLD_SUBFILE) == 2

    @property
    def depth(self) -> int:
        """Bits that samples are stated to have, by their depth or their greatest value; 0 if not stated."""
        bits = self.one(_BITS)
        most = self.one(_MAX_VALUE) or self.one(_SMAX_VALUE)
        return most.bit_length() if bits == 16 and 255 <= most < 65535 else bits

    @property
    def inverted(self) -> bool:
        """Whether zero is white in samples of more than eight bits; Pillow turns the others around."""
        return self.one(_PHOTOMETRIC) == _WHITE_IS_ZERO and self.one(_BITS) > 8

    def is_copy_of(self, full: "Page") -> bool:
        """Whether it looks like a smaller copy of another page."""
        (width, height), (full_width, full_height) = self.size, full.size
        if self.area * 4 < full.area:
            return True
        return self.area < full.area and abs(width * full_height - height * full_width) <= 0.03 * width * full_height


class Chosen(NamedTuple):
    """What is to be decoded.

    Attributes:
        data: The file, its header pointing at the page to decode.
        page: That page.
        pages: Number of full pages.
        notes: What is to be told.
        orientation: Of the page, as EXIF states it; 0 if Pillow finds it by itself.
    """

    data: bytes
    page: Page
    pages: int
    notes: list[str]
    orientation: int = 0


def chosen(data: bytes) -> Chosen:
    """Chooses the full-resolution page of a TIFF.

    Raises:
        ImageError: If it is a camera RAW, damaged, or its pixels are of a layout that is not read.
    """
    found = pages(data)
    raw = next((kind for page in found if (kind := _raw_kind(page, data))), "")
    if raw:
        raise raw_refusal(raw)
    found = [page for page in found if page.area]
    if not found:
        raise ImageError("The TIFF is damaged or incomplete: it has no page with a picture.")
    full = [page for page in found if not page.reduced] or found
    largest = max(full, key=lambda page: page.area)
    page = next(page for page in full if not page.is_copy_of(largest))
    _check(page, *_layout(data))
    documents = [one for one in full if one.main and not one.is_copy_of(largest)]
    notes, number = [], next(n for n, one in enumerate(found) if one is page) + 1
    if len(documents) > 1:
        notes.append(f"The TIFF has {len(documents)} pages; only one of them, page {number}, was read.")
    elif page is not found[0]:
        notes.append("The first picture in the TIFF is a smaller copy; the full-resolution one was read.")
    turn = 0 if page.main or _ORIENTATION in page.tags else found[0].one(_ORIENTATION)
    return Chosen(_pointing_at(data, page) if page.offset != _first(data) else data, page, len(documents), notes, turn)


def pages(data: bytes) -> list[Page]:
    """All directories with their tags, those below others included; whatever is damaged ends the list."""
    result: list[Page] = []
    seen: set[int] = set()
    waiting = [(_first(data), True)]
    entries = 0
    while waiting and len(result) < _MOST_PAGES and entries < _MOST_ENTRIES:
        offset, main = waiting.pop(0)
        if not offset or offset in seen:
            continue
        seen.add(offset)
        try:
            page, following, count = _directory(data, offset, main)
        except (struct.error, IndexError):
            continue
        entries += count
        result.append(page)
        waiting += [(below, False) for below in page.tags.get(_SUB_IFDS, ())]
        if main and following:
            waiting.append((following, True))
    return result


def _layout(data: bytes) -> tuple[str, bool]:
    """Byte order, and whether offsets have 64 bits."""
    order = "<" if data[:1] == b"I" else ">"
    return order, data[2:4] in (b"+\0", b"\0+")


def _first(data: bytes) -> int:
    order, big = _layout(data)
    try:
        return struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    except struct.error:
        return 0


def _directory(data: bytes, offset: int, main: bool) -> tuple[Page, int, int]:
    order, big = _layout(data)
    word, short, step, inline = ("Q", "Q", 20, 8) if big else ("I", "H", 12, 4)
    (count,) = struct.unpack_from(order + short, data, offset)
    start, page = offset + struct.calcsize(order + short), Page(offset, main)
    if count > _MOST_ENTRIES:
        raise struct.error
    for at in range(start, start + step * count, step):
        tag, kind, number = struct.unpack_from(f"{order}HH{word}", data, at)
        if tag not in _WANTED or kind not in _TYPES or tag in page.tags:
            continue
        number, letter = min(number, _MOST_VALUES), _TYPES[kind]
        place = at + step - inline
        if number * struct.calcsize(letter) > inline:
            (place,) = struct.unpack_from(order + word, data, place)
        try:
            page.tags[tag] = struct.unpack_from(f"{order}{number}{letter}", data, place) or (0,)
        except (struct.error, OverflowError):
            continue
    try:
        (following,) = struct.unpack_from(order + word, data, start + step * count)
    except struct.error:
        following = 0
    return page, following, count


def _pointing_at(data: bytes, page: Page) -> bytes:
    order, big = _layout(data)
    at = 8 if big else 4
    offset = struct.pack(order + ("Q" if big else "I"), page.offset)
    return data[:at] + offset + data[at + len(offset) :]


def planes_apart(image: Image.Image, page: Page) -> Image.Image:
    """Has libtiff read colours that stand in separate, uncompressed planes: Pillow mixes up those of 16 bits."""
    if page.one(_PLANAR, 1) != 2 or page.one(_SAMPLES, 1) == 1 or page.one(_COMPRESSION, _NONE) != _NONE:
        return image
    opened: Any = image
    if opened.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    native = opened.mode + (";16N" if page.one(_BITS) == 16 else "")
    opened.use_load_libtiff = True
    opened.tile = [ImageFile._Tile("libtiff", (0, 0, *page.size), 0, (native, False, opened.tag_v2.offset))]
    return image


def _raw_kind(page: Page, data: bytes) -> str:
    """The kind of camera RAW that a page shows the file to be; "" if none."""
    if _DNG in page.tags:
        return "DNG"
    if data[8:11] == b"CR\2":
        return "Canon CR2"
    if not (page.one(_PHOTOMETRIC) in _RAW_COLOURS or page.one(_COMPRESSION) in _RAW_COMPRESSIONS):
        return ""
    make = next((bytes(tags) for tags in (one.tags.get(_MAKE) for one in pages(data)) if tags), b"")
    name = make.decode("latin-1").upper()
    return next((kind for known, kind in _RAW_MAKES.items() if name.startswith(known)), "from its tags")


def _check(page: Page, order: str, big: bool) -> None:
    """Refuses what was not tested to be read right, with the true cause."""
    colour, compression = page.one(_PHOTOMETRIC), page.one(_COMPRESSION, _NONE)
    samples = page.one(_SAMPLES, 1)
    bits = page.tags.get(_BITS, (1,))
    bits = bits * samples if len(bits) == 1 else bits[:samples]
    depth, kind, extra = max(bits), max(page.tags.get(_FORMAT, (1,))), page.tags.get(_EXTRA, ())
    planar = page.one(_PLANAR, 1) == 2 and samples > 1
    if kind == 3:
        raise ImageError("Floating-point pixels have no defined range; save the image with 8 or 16 bits.")
    if kind != 1 or depth > 16:
        sign = {1: "integer", 2: "signed integer"}.get(kind, "complex or undefined")
        raise ImageError(f"{depth}-bit {sign} pixels have no defined range; save the image with 8 or 16 bits.")
    what = f"{depth}-bit {_COLOURS.get(colour, f'colours of kind {colour}')}"
    if compression not in _LOSSLESS | _FAX | {_JPEG}:
        name = _COMPRESSIONS.get(compression, f"of kind {compression}")
        raise ImageError(f"A TIFF whose pixels are compressed as {name}, which is not read here: {_SAVE_SO}.")
    if big and order == ">":
        raise ImageError(f"A big-endian BigTIFF, which is not read here: {_SAVE_SO}.")
    if len(set(bits)) > 1:
        raise ImageError(f"A TIFF whose samples have different depths ({bits}): {_SAVE_SO}.")
    swapped = order == ">" and (depth == 12 or (colour == _WHITE_IS_ZERO and depth == 16))
    if swapped or not _tested(colour, depth, samples, extra, planar, compression, page):
        stored = f"{samples} samples per pixel{', in separate planes' if planar else ''}"
        raise ImageError(f"A TIFF of {what} with {stored}: this layout is not read right here; {_SAVE_SO}.")


def _tested(
    colour: int, depth: int, samples: int, extra: tuple[int, ...], planar: bool, compression: int, page: Page
) -> bool:
    """Whether tests compare this layout with the truth."""
    if page.one(_FILL_ORDER, 1) == 2 and depth > 1:
        return False
    if compression in _FAX:
        return colour in (_WHITE_IS_ZERO, _BLACK_IS_ZERO) and depth == samples == 1
    if compression == _JPEG:
        return depth == 8 and (colour, samples) in {(_BLACK_IS_ZERO, 1), (_RGB, 3), (_YCBCR, 3), (_CMYK, 4)}
    if colour in (_WHITE_IS_ZERO, _BLACK_IS_ZERO):
        if samples == 2:
            return colour == _BLACK_IS_ZERO and depth == 8 and len(extra) == 1 and not planar
        return samples == 1 and depth in (1, 2, 4, 8, 16, 12 if colour == _BLACK_IS_ZERO else 16)
    if colour == _PALETTE:
        return samples == 1 and depth in (1, 2, 4, 8)
    if colour == _YCBCR:
        return depth == 8 and samples == 3 and page.tags.get(_SUBSAMPLING) == (1, 1)
    if colour == _RGB:
        if samples > 4:
            return depth == 8 and not planar and samples <= 6 and len(extra) == samples - 3 and not any(extra[1:])
        # Pillow cannot set out uncompressed planes of other extra samples.
        return depth in (8, 16) and (not planar or compression != _NONE or extra in ((), (2,)))
    return colour == _CMYK and depth in (8, 16) and samples == 4 and page.one(_INK_SET, 1) == 1
