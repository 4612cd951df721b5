"""A corpus of hostile images, made in code and always the same: what strangers may upload or leave on a disk.

`corpus()` yields one file after another, so that no more than one of them is in memory. `expect` says what
`dfcore.imaging.decoder.decode` should do: "refused" with an ImageError, "accepted", or "either" where both are sensible
and only time, memory and the kind of error count. Nothing here may crash, hang or fill the memory.
"""

import gzip
import io
import lzma
import os
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from tests.icc import profile

Expect = Literal["refused", "accepted", "either"]

MB = 2**20
MAX_BYTES = 64 * MB
# 7000 x 7000 are 49 megapixels, below the limit of 50; 7072 x 7072 are 50.01.
BELOW, ABOVE = 7_000, 7_072

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_ORIENTATION, _MAKER, _EXIF_IFD, _GPS_IFD = 0x0112, 0x010F, 0x8769, 0x8825


@dataclass(frozen=True)
class Hostile:
    """One file.

    Attributes:
        name: for the disk or an upload; may be nasty, holds neither "/" nor NUL, has at most 255 bytes.
        data: the content.
        kind: the family.
        expect: what decoding should come to.
    """

    name: str
    data: bytes
    kind: str
    expect: Expect


def corpus() -> Iterator[Hostile]:
    """All files, one after another; their names all differ."""
    for family in (
        sound,
        truncated,
        mutated,
        png_sizes,
        png_chunks,
        png_pixels,
        animated_png,
        jpeg_headers,
        jpeg_segments,
        jpeg_scans,
        mpo_indices,
        exif_blocks,
        tiff_sizes,
        tiff_directories,
        tiff_tags,
        tiff_pixels,
        gif_blocks,
        bmp_headers,
        bmp_runs,
        webp_chunks,
        avif_boxes,
        heif_boxes,
        colour_profiles,
        tiff_pages,
        cut_jpegs,
        raw_photographs,
        foreign,
        polyglots,
        edges,
        names,
    ):
        yield from family()


# === Building bricks ===


def _noise(width: int = 32, height: int = 24, seed: int = 0, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _frames(kind: str, count: int = 3, side: int = 32, **options: object) -> bytes:
    """An animation; its pictures are made anew, for saving leaves traces of one format in them."""
    first, *others = (_noise(side, side, seed) for seed in range(count))
    data = bytearray(_encoded(first, kind, save_all=True, append_images=others, **options))
    for name in (b"mvhd", b"tkhd", b"mdhd") if kind == "AVIF" else ():
        # Behind version and flags, the time of making and of the last change: the same file every time.
        at = data.index(name) + 8
        data[at : at + 16] = bytes(16)
    return bytes(data)


def _bits(fields: Iterable[tuple[int, int]], lowest_first: bool = False) -> bytes:
    """Packs (value, number of bits) into bytes, filled up with zeros."""
    text = "".join(f"{value:0{count}b}"[:: -1 if lowest_first else 1] for value, count in fields if count)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[at : at + 8][:: -1 if lowest_first else 1], 2) for at in range(0, len(text), 8))


def _deflated_zeros(count: int) -> bytes:
    """A zlib stream of `count` zeros, made in no time: one deflated block, again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(MB)) + packer.flush(zlib.Z_FULL_FLUSH)
    whole, rest = divmod(count, MB)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    last = packer.compress(bytes(rest)) + packer.flush()
    return b"\x78\xda" + block * whole + last + struct.pack(">HH", count % 65521, 1)


def _chunk(name: bytes, data: bytes = b"", length: int | None = None, crc: int | None = None) -> bytes:
    """A chunk of a PNG, whose length and checksum may lie."""
    length = len(data) if length is None else length
    crc = zlib.crc32(name + data) if crc is None else crc
    return struct.pack(">I", length) + name + data + struct.pack(">I", crc)


def _png(
    width: int,
    height: int,
    depth: int = 8,
    colour: int = 0,
    packed: bytes | None = None,
    before: Iterable[bytes] = (),
    after: Iterable[bytes] = (),
    interlace: int = 0,
) -> bytes:
    """A PNG of zeros, or of any packed rows, with more chunks before and after the pixels."""
    if packed is None:
        samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
        packed = _deflated_zeros(height * (1 + (width * samples * depth + 7) // 8))
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))
    return b"".join([_PNG_MAGIC, header, *before, _chunk(b"IDAT", packed), *after, _chunk(b"IEND")])


def _segment(marker: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """A segment of a JPEG, whose length may lie."""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2 if length is None else length) + payload


def _frame(
    width: int, height: int, components: int = 1, marker: int = 0xC0, precision: int = 8, sampling: int = 0x11
) -> bytes:
    """The frame header of a JPEG."""
    parts = b"".join(bytes([number + 1, sampling, 0]) for number in range(components))
    return _segment(marker, struct.pack(">BHHB", precision, height, width, components) + parts)


def _scan(components: int = 1, start: int = 0, end: int = 63, approximation: int = 0, first: int = 1) -> bytes:
    parts = b"".join(bytes([first + number, 0]) for number in range(components))
    return _segment(0xDA, bytes([components]) + parts + bytes([start, end, approximation]))


def _huffman(table: int, symbol: int) -> bytes:
    """A Huffman table with one symbol, whose code is one zero bit."""
    return _segment(0xC4, bytes([table, 1]) + bytes(15) + bytes([symbol]))


# Quantisation by ones; no difference in DC, end of block in AC: two zero bits make a grey block.
_TABLES = _segment(0xDB, b"\0" + b"\1" * 64) + _huffman(0x00, 0) + _huffman(0x10, 0)
_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"


def _blocks(width: int, height: int) -> int:
    return -(-width // 8) * -(-height // 8)


def _grey_jpeg(width: int, height: int, components: int = 1, before: bytes = b"", between: bytes = b"") -> bytes:
    """A sound JPEG of one grey, with anything behind its start and before its scan."""
    zeros = bytes(_blocks(width, height) * components // 4 + 1)
    head = _SOI + before + _TABLES + _frame(width, height, components) + between
    return head + _scan(components) + zeros + _EOI


def _after_start(jpeg: bytes, segments: bytes) -> bytes:
    return jpeg[:2] + segments + jpeg[2:]


# In place of a value in a TIFF's tags: the place of the pixels.
_PIXELS = -1
# A tag's type and values, or type, number and place as they are to stand in the file.
_Tag = tuple[int, bytes | Sequence[float]] | tuple[int, int, int]
_TIFF_TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "I", 6: "b", 7: "B", 9: "i", 10: "i", 11: "f", 12: "d"}


def _tiff(tags: Mapping[int, _Tag], pixels: bytes = b"", following: int = 0, endian: str = "<") -> bytes:
    """A TIFF (and so an EXIF block) of one directory: header, directory, long values, pixels."""

    def packed(kind: int, values: bytes | Sequence[float], place: int) -> bytes:
        if isinstance(values, bytes):
            return values
        return b"".join(struct.pack(endian + _TIFF_TYPES[kind], place if v == _PIXELS else v) for v in values)

    behind = 8 + 2 + 12 * len(tags) + 4
    long = sum(len(data) for tag in tags.values() if len(tag) == 2 and len(data := packed(*tag, 0)) > 4)
    entries, values = [], []
    for number, tag in tags.items():
        if len(tag) == 3:
            entries.append(struct.pack(endian + "HHII", number, *tag))
            continue
        data = packed(*tag, behind + long)
        unit = struct.calcsize(_TIFF_TYPES[tag[0]]) * (2 if tag[0] in (5, 10) else 1)
        entry = struct.pack(endian + "HHI", number, tag[0], len(data) // unit)
        if len(data) > 4:
            entries.append(entry + struct.pack(endian + "I", behind + sum(map(len, values))))
            values.append(data)
        else:
            entries.append(entry + data.ljust(4, b"\0"))
    head = (b"II*\0" if endian == "<" else b"MM\0*") + struct.pack(endian + "IH", 8, len(tags))
    return b"".join([head, *entries, struct.pack(endian + "I", following), *values, pixels])


def _grey_tiff(
    width: int,
    height: int,
    pixels: bytes | None = None,
    changes: Mapping[int, _Tag | None] | None = None,
    following: int = 0,
) -> bytes:
    """A TIFF of 8-bit grey in one strip; `changes` replaces tags, or drops them where it says None."""
    pixels = bytes(width * height) if pixels is None else pixels
    tags: dict[int, _Tag | None] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [8]),
        259: (3, [1]),
        262: (3, [1]),
        273: (4, [_PIXELS]),
        277: (3, [1]),
        278: (4, [height]),
        279: (4, [len(pixels)]),
    }
    tags.update(changes or {})
    return _tiff({number: tag for number, tag in sorted(tags.items()) if tag}, pixels, following)


def _exif(*tags: tuple[int, _Tag], following: int = 0, tail: bytes = b"") -> bytes:
    return b"Exif\0\0" + _tiff(dict(tags), tail, following)


_DOT = b"\x02\x02\x44\x01\x00"  # One pixel of colour 0 in GIF's LZW, with its code size.


def _gif(width: int, height: int, *blocks: bytes, palette: bytes | None = bytes(6), bits: int = 0) -> bytes:
    """A GIF of the given blocks; `bits` is the size of the palette as the header tells it."""
    flags = 0x80 | bits if palette is not None else 0
    return b"".join([b"GIF89a", struct.pack("<HHBBB", width, height, flags, 0, 0), palette or b"", *blocks, b";"])


def _gif_frame(x: int = 0, y: int = 0, width: int = 1, height: int = 1, pixels: bytes = _DOT, flags: int = 0) -> bytes:
    return b"," + struct.pack("<HHHHB", x, y, width, height, flags) + pixels


def _bmp(
    width: int,
    height: int,
    bits: int,
    pixels: bytes = b"",
    compression: int = 0,
    palette: bytes = b"",
    header: int = 40,
    colours: int | None = None,
    offset: int | None = None,
) -> bytes:
    """A BMP of any header, whose numbers may lie."""
    colours = len(palette) // 4 if colours is None else colours
    fields = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(pixels), 0, 0, colours, 0)
    fields = fields.ljust(max(header if header < 1000 else 40, 40), b"\0")
    offset = 14 + len(fields) + len(palette) if offset is None else offset
    size = 14 + len(fields) + len(palette) + len(pixels)
    return b"BM" + struct.pack("<III", size, 0, offset) + fields + palette + pixels


def _riff(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def _riff_chunk(name: bytes, data: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(data) if size is None else size) + data + b"\0" * (len(data) % 2)


def _vp8l(width: int, height: int, alpha: int = 1) -> bytes:
    """A lossless WebP picture of one colour: five prefix codes of one symbol, no bits for pixels at all."""
    code = [(1, 1), (0, 1), (1, 1), (128, 8)]
    fields = [(0x2F, 8), (width - 1, 14), (height - 1, 14), (alpha, 1), (0, 3), (0, 1), (0, 1), (0, 1), *code * 4]
    return _riff_chunk(b"VP8L", _bits([*fields, (1, 1), (0, 1), (0, 1), (0, 1)], lowest_first=True) + bytes(8))


def _three(number: int) -> bytes:
    return struct.pack("<I", number)[:3]


def _vp8x(width: int, height: int, flags: int) -> bytes:
    return _riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + _three(width - 1) + _three(height - 1))


def _anmf(picture: bytes, width: int, height: int, x: int = 0, y: int = 0) -> bytes:
    head = _three(x // 2) + _three(y // 2) + _three(width - 1) + _three(height - 1) + _three(10) + b"\0"
    return _riff_chunk(b"ANMF", head + picture)


def _box(name: bytes, *payload: bytes, size: int | None = None) -> bytes:
    body = b"".join(payload)
    return struct.pack(">I", len(body) + 8 if size is None else size) + name + body


def _full_box(name: bytes, *payload: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags), *payload)


def _av1_still(width: int, height: int, deep: bool = False) -> bytes:
    """An AV1 still picture of any size, whose tiles hold nothing but zeros: grey of 8 bits, or colour of 10."""
    across, down = (width - 1).bit_length() or 1, (height - 1).bit_length() or 1
    header = [(int(deep), 3), (1, 1), (1, 1), (31, 5), (across - 1, 4), (down - 1, 4)]
    # No tools at all; then depth, planes, full range; no film grain; the closing bit.
    header += [(width - 1, across), (height - 1, down), *[(0, 1)] * 6]
    header += [(0b1010, 4) if deep else (0b0101, 4), (0, 1), (1, 1)]
    columns, rows = -(-width // 64), -(-height // 64)

    def steps(block: int, target: int) -> int:
        return next(k for k in range(32) if block << k >= target)

    least_columns, most_columns = steps(64, columns), steps(1, min(columns, 64))
    least = max(least_columns, steps(4096 * 2304 >> 12, columns * rows))
    least_rows, most_rows = max(least - least_columns, 0), steps(1, min(rows, 64))
    frame = [(0, 1), (0, 1), (0, 1), (1, 1)]  # CDF update, screen tools, render size; even tiles.
    frame += [(0, 1)] * (least_columns < most_columns) + [(0, 1)] * (least_rows < most_rows)
    if least_columns + least_rows:
        frame += [(0, least_columns + least_rows), (3, 2)]
    # Quantiser 255, no deltas, no matrix, no segments, no delta q; loop filter off; transform and set.
    frame += [
        (255, 8),
        (0, 1),
        *[(0, 2)] * deep,
        (0, 1),
        (0, 1),
        (0, 1),
        (0, 6),
        (0, 6),
        (0, 3),
        (0, 1),
        (0, 1),
        (0, 1),
    ]

    def tiles(blocks: int, power: int) -> int:
        each = -(-blocks // (1 << power))
        return -(-blocks // each)

    count = tiles(columns, least_columns) * tiles(rows, least_rows)
    # Fewer bytes than one a block, and the reader finds that it has read beyond the end.
    tile = bytes((1 + 2 * deep) * -(-columns * rows // count) + 16)
    sized = struct.pack("<I", len(tile) - 1) + tile
    return _obu(1, _bits(header)) + _obu(6, _bits(frame) + b"\0" * (count > 1) + sized * (count - 1) + tile)


def _obu(kind: int, payload: bytes) -> bytes:
    size, length = b"", len(payload)
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return bytes([kind << 3 | 2]) + size + bytes([length]) + payload


_MONOCHROME, _DEEP = bytes([0x81, 0x1F, 0x1C, 0]), bytes([0x81, 0x3F, 0x40, 0])


def _avif(
    width: int,
    height: int,
    payload: bytes,
    setup: bytes = _MONOCHROME,
    grid: tuple[int, int, int, int] | None = None,
    properties: Sequence[bytes] = (),
) -> bytes:
    """An AVIF that says to be of a size, whatever its payload says.

    Args:
        width: in the picture's header.
        height: in the picture's header.
        payload: of the picture, or of every tile of the grid.
        setup: content of av1C.
        grid: columns, rows, and the size that each tile says to have.
        properties: further boxes that the picture refers to.
    """
    columns, rows, tile_width, tile_height = grid or (0, 0, 0, 0)
    count = columns * rows
    shape = b"\0\1" + bytes([(rows - 1) % 256, (columns - 1) % 256]) + struct.pack(">II", width, height)
    sizes = [(width, height), (tile_width, tile_height)] if grid else [(width, height)]
    depths = {_MONOCHROME: b"\1\x08", _DEEP: b"\3\x0a\x0a\x0a"}.get(setup, b"\3\x08\x08\x08")
    shared = [_box(b"av1C", setup), _full_box(b"pixi", depths)]
    boxes = [*shared, *(_full_box(b"ispe", struct.pack(">II", *size)) for size in sizes), *properties]
    own = [3, 2] if grid else [3, 2, 0x81]
    own += range(len(boxes) - len(properties) + 1, len(boxes) + 1)
    links = [struct.pack(">HB", 1, len(own)) + bytes(own)]
    links += [struct.pack(">HBBBB", 2 + number, 3, 4, 2, 0x81) for number in range(count)]
    kinds = [b"grid" if grid else b"av01"] + [b"av01"] * count
    names = [
        _full_box(b"infe", struct.pack(">HH", 1 + number, 0) + kind + b"\0", version=2, flags=int(number > 0))
        for number, kind in enumerate(kinds)
    ]
    references = _box(b"dimg", struct.pack(f">HH{count}H", 1, count, *range(2, 2 + count)))
    head = _box(b"ftyp", b"avif\0\0\0\0avifmif1miaf")

    def meta(at: int) -> bytes:
        first = (at, len(shape)) if grid else (at, len(payload))
        places = [struct.pack(">HHHII", 1, 0, 1, *first)]
        places += [struct.pack(">HHHII", 2 + n, 0, 1, at + len(shape), len(payload)) for n in range(count)]
        return _full_box(
            b"meta",
            _full_box(b"hdlr", b"\0\0\0\0pict" + bytes(13)),
            _full_box(b"pitm", b"\0\1"),
            _full_box(b"iloc", struct.pack(">HH", 0x4400, len(places)), *places),
            _full_box(b"iinf", struct.pack(">H", len(names)), *names),
            _full_box(b"iref", references) if grid else b"",
            _box(b"iprp", _box(b"ipco", *boxes), _full_box(b"ipma", struct.pack(">I", len(links)), *links)),
        )

    at = len(head) + len(meta(0)) + 8
    return head + meta(at) + _box(b"mdat", shape if grid else b"", payload)


def _av1_of(avif: bytes) -> tuple[bytes, bytes]:
    """The content of av1C and the pixels of an AVIF as Pillow writes it."""
    at = avif.index(b"av1C") + 4
    return avif[at : at + 4], avif[avif.index(b"mdat") + 4 :]


def _refused(kind: str, name: str, data: bytes) -> Hostile:
    return Hostile(name, data, kind, "refused")


def _accepted(kind: str, name: str, data: bytes) -> Hostile:
    return Hostile(name, data, kind, "accepted")


def _either(kind: str, name: str, data: bytes) -> Hostile:
    return Hostile(name, data, kind, "either")


# === Sound files ===


def sound() -> Iterator[Hostile]:
    """Every format and mode as honest programs write them; a refusal of one of these is a defect."""
    cases: list[tuple[str, str, str, dict[str, object]]] = [
        ("baseline.jpg", "RGB", "JPEG", {"quality": 90}),
        ("progressive.jpg", "RGB", "JPEG", {"progressive": True, "subsampling": 0}),
        ("restarts.jpg", "RGB", "JPEG", {"restart_marker_rows": 1}),
        ("grey.jpg", "L", "JPEG", {}),
        ("cmyk-adobe-inverted.jpg", "CMYK", "JPEG", {}),
        ("bilevel.png", "1", "PNG", {}),
        ("grey.png", "L", "PNG", {}),
        ("grey-alpha.png", "LA", "PNG", {}),
        ("palette.png", "P", "PNG", {}),
        ("palette-4-bit.png", "P", "PNG", {"bits": 4}),
        ("rgba.png", "RGBA", "PNG", {}),
        ("16-bit.png", "I;16", "PNG", {}),
        ("lossy.webp", "RGB", "WEBP", {}),
        ("lossless.webp", "RGB", "WEBP", {"lossless": True}),
        ("alpha.webp", "RGBA", "WEBP", {}),
        ("rgb.bmp", "RGB", "BMP", {}),
        ("palette.bmp", "P", "BMP", {}),
        ("bilevel.bmp", "1", "BMP", {}),
        ("rgba.bmp", "RGBA", "BMP", {}),
        ("plain.tif", "RGB", "TIFF", {}),
        ("lzw.tif", "RGB", "TIFF", {"compression": "tiff_lzw"}),
        ("deflate.tif", "RGB", "TIFF", {"compression": "tiff_adobe_deflate"}),
        ("packbits.tif", "L", "TIFF", {"compression": "packbits"}),
        ("jpeg.tif", "RGB", "TIFF", {"compression": "jpeg"}),
        ("fax.tif", "1", "TIFF", {"compression": "group4"}),
        ("cmyk.tif", "CMYK", "TIFF", {}),
        ("16-bit.tif", "I;16", "TIFF", {}),
        ("big.tif", "RGB", "TIFF", {"big_tiff": True}),
        ("palette.gif", "P", "GIF", {}),
        ("interlaced.gif", "P", "GIF", {"interlace": True}),
        ("colour.avif", "RGB", "AVIF", {"speed": 10}),
        ("alpha.avif", "RGBA", "AVIF", {"speed": 10}),
    ]
    for name, mode, kind, options in cases:
        image = Image.fromarray(np.arange(768, dtype=np.uint16).reshape(24, 32) * 85) if mode == "I;16" else None
        yield _accepted("sound", f"sound-{name}", _encoded(image or _noise(mode=mode), kind, **options))
    for kind in ("GIF", "TIFF", "PNG", "WEBP", "MPO", "AVIF"):
        yield _accepted("sound", f"sound-frames.{kind.lower()}", _frames(kind))
    for turn in range(1, 9):
        turned = Image.Exif()
        turned[_ORIENTATION] = turn
        yield _accepted("sound", f"sound-turned-{turn}.jpg", _encoded(_noise(), "JPEG", exif=turned))
    for width, height in ((1, 1), (20_000, 1), (1, 20_000)):
        for kind in ("PNG", "JPEG"):
            data = _encoded(Image.new("RGB", (width, height), "teal"), kind)
            yield _accepted("sound", f"sound-{width}x{height}.{kind.lower()}", data)
    yield _accepted("sound", "sound-noise-of-49-megapixels.jpg", _large_noise())
    icc = _encoded(_noise(), "PNG", icc_profile=bytes(range(256)) * 4)
    yield _accepted("sound", "sound-with-an-odd-profile.png", icc)


def _large_noise() -> bytes:
    """A JPEG near the limit that costs what a photograph costs: eight rows of blocks of noise, again and again."""
    rows = BELOW // 64
    pixels = np.random.default_rng(0).integers(0, 256, (64, BELOW)).astype(np.uint8)
    strip = _encoded(Image.fromarray(pixels), "JPEG", restart_marker_rows=1)
    size, scan = strip.index(b"\xff\xc0") + 5, strip.index(b"\xff\xda") + 10
    head = strip[:size] + struct.pack(">H", 64 * rows) + strip[size + 2 : scan]
    return head + b"\xff\xd7".join([strip[scan:-2]] * rows) + _EOI


# === Cut and bent files ===


def truncated() -> Iterator[Hostile]:
    """Every format cut at each of its structures and inside its pixels."""
    files = {
        "jpg": _encoded(_noise(), "JPEG"),
        "progressive.jpg": _encoded(_noise(), "JPEG", progressive=True),
        "png": _encoded(_noise(), "PNG", exif=_exif((_MAKER, (2, b"maker of cameras\0"))), icc_profile=bytes(200)),
        "webp": _encoded(_noise(), "WEBP", exif=_exif((_MAKER, (2, b"maker of cameras\0")))),
        "frames.webp": _frames("WEBP", 2),
        "gif": _encoded(_noise(mode="P"), "GIF", comment=b"a comment", transparency=0),
        "tif": _grey_tiff(32, 24),
        "lzw.tif": _encoded(_noise(), "TIFF", compression="tiff_lzw"),
        "bmp": _encoded(_noise(), "BMP"),
        "palette.bmp": _encoded(_noise(mode="P"), "BMP"),
        "avif": _encoded(_noise(), "AVIF", speed=10),
    }
    for suffix, data in files.items():
        for at in sorted(_structures(suffix.split(".")[-1], data)):
            if 0 < at < len(data):
                # Without their last bytes the pixels of some formats are still whole.
                make = _refused if at < 0.9 * len(data) else _either
                yield make("truncated", f"truncated-at-{at}.{suffix}", data[:at])


def _structures(suffix: str, data: bytes) -> set[int]:
    """Where the parts of a file begin, and some places within them."""
    size = len(data)
    inside = {size // 3, size // 2, 3 * size // 4, size - 2, size - 1}
    if suffix == "jpg":
        markers = [at for at in range(size - 1) if data[at] == 0xFF and data[at + 1] not in (0, 0xFF)]
        return {at + more for at in markers[:14] + markers[-1:] for more in (0, 2)} | inside
    if suffix == "png":
        starts = [8]
        while starts[-1] + 8 < size:
            starts.append(starts[-1] + 12 + struct.unpack_from(">I", data, starts[-1])[0])
        return {at + more for at in starts for more in (0, 6, 10)} | inside
    if suffix == "webp":
        starts = [12]
        while starts[-1] + 8 < size:
            length = struct.unpack_from("<I", data, starts[-1] + 4)[0]
            starts.append(starts[-1] + 8 + length + length % 2)
        return {at + more for at in starts for more in (0, 6, 12)} | inside | {4, 8}
    if suffix == "gif":
        palette = 13 + 768
        return {6, 10, 13, 400, palette, palette + 2, data.index(b",", palette), data.rindex(b",")} | inside
    if suffix == "tif":
        directory = struct.unpack_from("<I", data, 4)[0]
        return {2, 4, 8, *(directory + more for more in (1, 2, 8, 14, 50, 100))} | inside
    if suffix == "bmp":
        return {2, 10, 14, 18, 30, 54, 56, 400} | inside
    # AVIF: every box at the top, and every one within meta, by the letters of its name.
    known = (b"ftyp", b"meta", b"hdlr", b"pitm", b"iloc", b"iinf", b"infe", b"iprp", b"ipco", b"ispe", b"ipma", b"mdat")
    starts = [data.index(name) for name in known]
    return {at + more for at in starts for more in (-4, 4)} | inside


def mutated() -> Iterator[Hostile]:
    """Sound files with some bytes changed, most of them in the header."""
    files = {
        "jpg": _encoded(_noise(), "JPEG", exif=_exif((_ORIENTATION, (3, [6])))),
        "mpo": _frames("MPO"),
        "png": _frames("PNG"),
        "webp": _frames("WEBP"),
        "bmp": _encoded(_noise(mode="P"), "BMP"),
        "tif": _frames("TIFF"),
        "lzw.tif": _encoded(_noise(), "TIFF", compression="tiff_lzw"),
        "gif": _frames("GIF"),
        "avif": _frames("AVIF", speed=10),
    }
    for number, (suffix, data) in enumerate(files.items()):
        for seed in range(6):
            random = np.random.default_rng([number, seed])
            bad = bytearray(data)
            for place in random.integers(0, min(len(bad), 600), 4):
                bad[place] = random.integers(256)
            yield _either("mutated", f"mutated-{seed}.{suffix}", bytes(bad))


# === PNG ===


def png_sizes() -> Iterator[Hostile]:
    """Small files that are vast when decoded, and headers that lie about their pixels."""
    kind = "png-sizes"
    yield _accepted(kind, "grey-just-below.png", _png(BELOW, BELOW))
    yield _refused(kind, "grey-just-above.png", _png(ABOVE, ABOVE))
    yield _accepted(kind, "rgb-just-below.png", _png(BELOW, BELOW, 8, 2))
    yield _accepted(kind, "rgba-just-below.png", _png(BELOW, BELOW, 8, 6))
    yield _accepted(kind, "rgba-16-bit-just-below.png", _png(BELOW, BELOW, 16, 6))
    yield _accepted(kind, "bilevel-just-below.png", _png(BELOW, BELOW, 1, 0))
    yield _accepted(kind, "interlaced-just-below.png", _png(BELOW, BELOW, 8, 0, _deflated_zeros(62 * MB), interlace=1))
    palette = (_chunk(b"PLTE", bytes(6)), _chunk(b"tRNS", bytes([7, 9])))
    yield _accepted(kind, "palette-alpha-just-below.png", _png(BELOW, BELOW, 1, 3, before=palette))
    yield _accepted(kind, "one-row-just-below.png", _png(49_000_000, 1, 1, 0))
    yield _either(kind, "one-column-just-below.png", _png(1, 49_000_000, 1, 0))
    yield _refused(kind, "bilevel-231-megapixels-in-28-kb.png", _png(15_200, 15_200, 1, 0))
    yield _refused(kind, "bilevel-60000.png", _png(60_000, 60_000, 1, 0))
    yield _refused(kind, "rgb-60000-of-11-gb.png", _png(60_000, 60_000, 8, 2))
    for width, height in ((0, 0), (0, 9), (9, 0), (2**31 - 1, 2**31 - 1), (2**32 - 1, 1), (2**31, 2), (65_536, 65_536)):
        yield _refused(kind, f"says-{width}x{height}.png", _png(width, height, 8, 2, zlib.compress(bytes(99))))
    yield _refused(kind, "pixels-missing-below-the-limit.png", _png(BELOW, BELOW, 8, 2, zlib.compress(bytes(99))))
    yield _either(kind, "more-pixels-than-said.png", _png(8, 8, 8, 0, _deflated_zeros(1024 * MB)))
    yield _either(
        kind, "second-bomb-behind-the-pixels.png", _png(8, 8, after=[_chunk(b"IDAT", _deflated_zeros(512 * MB))])
    )
    second = _chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    yield _refused(kind, "second-header-is-vast.png", _png(8, 8, before=[second]))
    yield _either(kind, "second-header-behind-the-pixels.png", _png(8, 8, after=[second]))


def png_chunks() -> Iterator[Hostile]:
    """Chunks that unpack to much, that are many, that lie about themselves, that mean something to the reader."""
    kind = "png-chunks"
    bomb = _deflated_zeros(256 * MB)
    yield _refused(kind, "iccp-bomb.png", _png(8, 8, before=[_chunk(b"iCCP", b"icc\0\0" + bomb)]))
    yield _refused(kind, "ztxt-bomb.png", _png(8, 8, before=[_chunk(b"zTXt", b"text\0\0" + bomb)]))
    yield _refused(kind, "itxt-bomb.png", _png(8, 8, before=[_chunk(b"iTXt", b"text\0\1\0\0\0" + bomb)]))
    yield _refused(kind, "ztxt-bomb-behind.png", _png(8, 8, after=[_chunk(b"zTXt", b"text\0\0" + bomb)]))
    almost = zlib.compress(b"a" * (MB - 9), 9)
    many = [_chunk(b"zTXt", b"%d\0\0" % number + almost) for number in range(63)]
    yield _either(kind, "ztxt-63-of-a-megabyte.png", _png(8, 8, before=many))
    wide = zlib.compress(b"a" * (MB - 9) + "🦊".encode(), 9)
    many = [_chunk(b"iTXt", b"%d\0\1\0\0\0" % number + wide) for number in range(63)]
    yield _either(kind, "itxt-63-that-grow-fourfold.png", _png(8, 8, before=many))
    many = [_chunk(b"tEXt", b"key %d\0value" % number) for number in range(50_000)]
    yield _either(kind, "text-50000.png", _png(8, 8, before=many))
    yield _either(kind, "text-50000-behind.png", _png(8, 8, after=many))
    yield _either(kind, "private-3-million.png", _png(8, 8, before=[_chunk(b"prIv") * 3_000_000]))
    yield _either(kind, "private-3-million-behind.png", _png(8, 8, after=[_chunk(b"prIv") * 3_000_000]))
    rows = zlib.compress(bytes(72))
    yield _either(
        kind,
        "idat-2-million-empty.png",
        _png(8, 8, packed=b"", after=[_chunk(b"IDAT") * 2_000_000, _chunk(b"IDAT", rows)]),
    )
    split = [_chunk(b"IDAT", rows[at : at + 1]) for at in range(len(rows))]
    yield _accepted(kind, "idat-of-one-byte-each.png", _png(8, 8, packed=b"", after=split))
    yield _refused(kind, "raw-profile-of-exif-bomb.png", _png(8, 8, before=[
        _chunk(b"zTXt", b"Raw profile type exif\0\0" + bomb)]))  # fmt: skip
    profile = b"\nexif\n 12\n" + (b"45786966000049492a00" * 100).ljust(2000, b"0") + b"zz"
    yield _accepted(kind, "raw-profile-of-garbage.png", _png(8, 8, before=[
        _chunk(b"tEXt", b"Raw profile type exif\0" + profile)]))  # fmt: skip
    for key in ("exif", "transparency", "interlace", "bbox", "icc_profile", "gamma", "xmp", "XML:com.adobe.xmp",
                "disposal", "default_image", "duration", "loop", "dpi", "aspect", "srgb", "chromaticity"):  # fmt: skip
        text = _chunk(b"tEXt", key.encode() + b'\0tiff:Orientation="6" is no value of this sort')
        # Pillow takes these two for its own notes; nobody outside of it can help that.
        make = _either if key in ("interlace", "bbox") else _accepted
        yield make(kind, f"text-key-{key.replace(':', '-')}.png", _png(8, 8, before=[text]))
    lies: dict[str, bytes] = {
        "length-4-gb": _chunk(b"tEXt", b"a\0b", length=2**32 - 1),
        "length-2-gb": _chunk(b"prIv", b"ab", length=2**31),
        "checksum-wrong": _chunk(b"gAMA", b"\0\0\xb1\x8f", crc=1),
        "name-of-no-letters": _chunk(b"\0\1\2\3", b""),
        "name-of-a-method": _chunk(b"____", b""),
        "critical-unknown": _chunk(b"ABCD", b"data"),
        "phys-short": _chunk(b"pHYs", b"\0"),
        "gama-short": _chunk(b"gAMA", b"\0"),
        "chrm-short": _chunk(b"cHRM", b"\0\0\0"),
        "srgb-empty": _chunk(b"sRGB", b""),
        "iccp-empty": _chunk(b"iCCP", b""),
        "iccp-of-no-known-method": _chunk(b"iCCP", b"icc\0\x09abc"),
        "iccp-of-garbage": _chunk(b"iCCP", b"icc\0\0" + b"garbage" * 9),
        "ztxt-of-no-known-method": _chunk(b"zTXt", b"a\0\x09abc"),
        "ztxt-empty": _chunk(b"zTXt", b""),
        "itxt-of-no-utf-8": _chunk(b"iTXt", b"a\0\0\0\0\0\xff\xfe\xff"),
        "text-with-control-characters": _chunk(b"tEXt", b"a\0\x1b[2J\x07\r\n<script>alert(1)</script>"),
        "trns-empty": _chunk(b"tRNS", b""),
        "exif-empty": _chunk(b"eXIf", b""),
        "exif-garbage": _chunk(b"eXIf", b"garbage" * 99),
        "plte-in-grey": _chunk(b"PLTE", bytes(768)),
        "early-iend": _chunk(b"IEND"),
    }
    for name, chunk in lies.items():
        yield _either(kind, f"chunk-{name}.png", _png(8, 8, before=[chunk]))
        yield _either(kind, f"chunk-{name}-behind.png", _png(8, 8, after=[chunk]))


def png_pixels() -> Iterator[Hostile]:
    """Absurd depths, palettes that miss, are too large or too small for their pixels, broken streams."""
    kind = "png-pixels"
    for depth, colour in ((3, 0), (32, 2), (0, 0), (255, 6), (8, 1), (8, 5), (8, 7), (4, 2), (16, 3), (1, 6)):
        yield _refused(kind, f"depth-{depth}-of-colour-{colour}.png", _png(8, 8, depth, colour))
    rows = zlib.compress(b"".join(b"\0" + bytes([0, 200, 255, 3, 4, 5, 6, 7]) for _ in range(8)))
    yield _either(kind, "palette-missing.png", _png(8, 8, 8, 3, rows))
    yield _either(kind, "palette-empty.png", _png(8, 8, 8, 3, rows, [_chunk(b"PLTE")]))
    yield _either(kind, "palette-shorter-than-pixels.png", _png(8, 8, 8, 3, rows, [_chunk(b"PLTE", bytes(6))]))
    yield _either(kind, "palette-of-odd-length.png", _png(8, 8, 8, 3, rows, [_chunk(b"PLTE", bytes(7))]))
    yield _either(kind, "palette-of-100000.png", _png(8, 8, 8, 3, rows, [_chunk(b"PLTE", bytes(300_000))]))
    alpha = [_chunk(b"PLTE", bytes(768)), _chunk(b"tRNS", bytes(range(256)) * 40)]
    yield _either(kind, "transparency-of-10240.png", _png(8, 8, 8, 3, rows, alpha))
    alpha = [_chunk(b"PLTE", bytes(768)), _chunk(b"tRNS", b"\xff" * 9_000 + b"\0")]
    yield _either(kind, "transparency-at-9000.png", _png(8, 8, 8, 3, rows, alpha))
    key = [_chunk(b"tRNS", struct.pack(">3H", 65_535, 0, 65_535))]
    yield _either(kind, "transparency-beyond-8-bit.png", _png(8, 8, 8, 2, before=key))
    yield _accepted(kind, "transparency-in-16-bit-grey.png", _png(8, 8, 16, 0, before=[_chunk(b"tRNS", b"\xff\xfe")]))
    yield _refused(kind, "filter-of-no-known-kind.png", _png(8, 8, packed=zlib.compress(bytes([9] * 72))))
    yield _refused(kind, "stream-is-garbage.png", _png(8, 8, packed=b"garbage" * 20))
    yield _refused(kind, "stream-is-empty.png", _png(8, 8, packed=b""))
    preset = zlib.compressobj(9, zlib.DEFLATED, 15, 9, 0, b"dictionary")
    yield _refused(
        kind, "stream-wants-a-dictionary.png", _png(8, 8, packed=preset.compress(bytes(72)) + preset.flush())
    )
    yield _either(kind, "stream-of-wrong-checksum.png", _png(8, 8, packed=zlib.compress(bytes(72))[:-4] + b"abcd"))
    yield _either(kind, "interlace-of-no-known-kind.png", _png(8, 8, interlace=200, packed=_deflated_zeros(99)))
    yield _refused(kind, "no-pixels.png", _PNG_MAGIC + _chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)))
    yield _refused(kind, "header-of-4-bytes.png", _PNG_MAGIC + _chunk(b"IHDR", b"\0\0\0\1") + _chunk(b"IEND"))
    yield _refused(kind, "pixels-before-the-header.png", _PNG_MAGIC + _chunk(b"IDAT", zlib.compress(bytes(72))))


def animated_png() -> Iterator[Hostile]:
    """Animations of many frames, of none, and of frames in the wrong place or order."""
    kind = "animated-png"
    rows = zlib.compress(bytes(72))

    def control(frames: int) -> bytes:
        return _chunk(b"acTL", struct.pack(">II", frames, 0))

    def frame(
        order: int, width: int = 8, height: int = 8, x: int = 0, y: int = 0, end: int = 0, blend: int = 0
    ) -> bytes:
        fields = struct.pack(">IIIIIHHBB", order, width, height, x, y, 1, 10, end, blend)
        return _chunk(b"fcTL", fields)

    def frames(count: int) -> list[bytes]:
        return [
            frame(2 * number - 1) + _chunk(b"fdAT", struct.pack(">I", 2 * number) + rows) for number in range(1, count)
        ]

    yield _accepted(kind, "frames-10000.apng.png", _png(8, 8, before=[control(10_000), frame(0)], after=frames(10_000)))
    yield _either(kind, "frames-2-billion-said.png", _png(8, 8, before=[control(2**31), frame(0)], after=frames(2)))
    yield _either(kind, "frames-0-said.png", _png(8, 8, before=[control(0), frame(0)]))
    yield _either(kind, "frames-said-twice.png", _png(8, 8, before=[control(3), control(2), frame(0)], after=frames(2)))
    yield _either(kind, "control-short.png", _png(8, 8, before=[_chunk(b"acTL", b"\0")]))
    yield _either(kind, "frame-outside.png", _png(8, 8, before=[control(2), frame(0, x=2**31, y=2**31)]))
    yield _either(kind, "frame-smaller.png", _png(8, 8, before=[control(2), frame(0, 2, 2, 3, 3)], after=frames(2)))
    yield _either(kind, "frame-of-nothing.png", _png(8, 8, before=[control(2), frame(0, 0, 0)], after=frames(2)))
    yield _either(kind, "frame-of-no-known-end.png", _png(8, 8, before=[control(2), frame(0, end=9, blend=9)]))
    yield _either(kind, "frames-out-of-order.png", _png(8, 8, before=[control(3), frame(5)], after=frames(3)))
    vast = _png(BELOW, BELOW, 8, 6, before=[control(3), frame(0, BELOW, BELOW, end=2)], after=frames(3))
    yield _accepted(kind, "frames-just-below-the-limit.png", vast)


# === JPEG ===


def jpeg_headers() -> Iterator[Hostile]:
    """Frame headers of absurd sizes, kinds and components, and files with two of them."""
    kind = "jpeg-headers"
    yield _refused(kind, "65535x65535.jpg", _SOI + _TABLES + _frame(65_535, 65_535, 3) + _scan(3) + b"\0\0" + _EOI)
    yield _refused(kind, "just-above.jpg", _grey_jpeg(ABOVE, ABOVE))
    yield _accepted(kind, "just-below.jpg", _grey_jpeg(BELOW, BELOW))
    yield _accepted(kind, "just-below-in-colour.jpg", _grey_jpeg(BELOW, BELOW, 3))
    yield _accepted(kind, "just-below-in-cmyk.jpg", _grey_jpeg(BELOW, BELOW, 4))
    little = _SOI + _TABLES + _frame(BELOW, BELOW, 3) + _scan(3) + b"\0\0" + _EOI
    yield _either(kind, "just-below-with-two-bytes-of-pixels.jpg", little)
    for width, height in ((0, 0), (0, 8), (8, 0), (65_535, 0)):
        yield _refused(kind, f"says-{width}x{height}.jpg", _grey_jpeg(width, height))
    lines = _segment(0xDC, struct.pack(">H", 65_535))
    head = _SOI + _TABLES + _frame(8, 0) + _scan()
    yield _refused(kind, "dnl-after-the-scan.jpg", head + bytes(9) + lines + _EOI)
    yield _refused(kind, "dnl-before-the-scan.jpg", _SOI + _TABLES + _frame(8, 0) + lines + _scan() + bytes(9) + _EOI)
    yield _either(kind, "dnl-that-says-more.jpg", _grey_jpeg(8, 8)[:-2] + lines + _EOI)
    for marker in (0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xDE):
        data = _SOI + _TABLES + _frame(8, 8, marker=marker) + _scan() + bytes(9) + _EOI
        yield _either(kind, f"frame-of-kind-{marker:x}.jpg", data)
    for precision in (0, 1, 7, 12, 16, 255):
        data = _SOI + _TABLES + _frame(8, 8, precision=precision) + _scan() + bytes(9) + _EOI
        yield _refused(kind, f"precision-{precision}.jpg", data)
    for components in (0, 2, 5, 255):
        data = _SOI + _TABLES + _frame(8, 8, components) + _scan(min(components, 4)) + bytes(9) + _EOI
        yield _refused(kind, f"components-{components}.jpg", data)
    for sampling in (0x00, 0x10, 0x01, 0x44, 0x88, 0xFF, 0x31):
        data = _SOI + _TABLES + _frame(64, 64, 3, sampling=sampling) + _scan(3) + bytes(99) + _EOI
        yield _either(kind, f"sampling-{sampling:02x}.jpg", data)
    small, vast = _frame(8, 8, 3), _frame(6_000, 6_000, 3)
    for name, between in (("small-then-vast", small + vast), ("vast-then-small", vast + small)):
        yield _refused(kind, f"two-frames-{name}.jpg", _SOI + _TABLES + between + _scan(3) + bytes(99) + _EOI)
    grey_then_colour = _SOI + _TABLES + _frame(8, 8) + small + _scan(3) + bytes(99) + _EOI
    yield _refused(kind, "two-frames-grey-then-colour.jpg", grey_then_colour)
    # Unknown markers have no length for one reader and one for the other: each sees another frame header.
    for marker in (0xC8, 0xF0, 0x01, 0xD0, 0xDF):
        hidden = bytes([0xFF, marker]) + struct.pack(">H", 2 + len(small)) + small
        data = _SOI + _TABLES + hidden + vast + _scan(3) + bytes(99) + _EOI
        yield _either(kind, f"frame-hidden-behind-{marker:02x}.jpg", data)
    yield _refused(kind, "second-start-of-image.jpg", _SOI + _grey_jpeg(8, 8))
    yield _either(kind, "scan-without-tables.jpg", _SOI + _frame(8, 8) + _scan() + bytes(9) + _EOI)
    yield _refused(kind, "scan-without-a-frame.jpg", _SOI + _TABLES + _scan() + bytes(9) + _EOI)
    yield _refused(kind, "scan-of-components-unknown.jpg", _SOI + _TABLES + _frame(8, 8) + _scan(first=9) + bytes(9))


def jpeg_segments() -> Iterator[Hostile]:
    """Segments that are huge, many or empty, whose length lies, and what Adobe's or a profile's may say."""
    kind = "jpeg-segments"
    sample = _encoded(_noise(), "JPEG")
    full = {"app1-exif": (0xE1, b"Exif\0\0"), "app2-icc": (0xE2, b"ICC_PROFILE\0\1\1"), "comment": (0xFE, b"text")}
    for name, (marker, start) in full.items():
        one = _segment(marker, start.ljust(65_533, b"\0"))
        yield _either(kind, f"{name}-full.jpg", _after_start(sample, one))
        yield _either(kind, f"{name}-full-400-times.jpg", _after_start(sample, one * 400))
    yield _either(kind, "app-4-million-empty.jpg", _after_start(sample, _segment(0xE4) * 4_000_000))
    yield _either(kind, "comment-2-million-empty.jpg", _after_start(sample, _segment(0xFE) * 2_000_000))
    yield _either(kind, "fill-bytes-32-mb.jpg", _after_start(sample, b"\xff" * (32 * MB)))
    # Behind the first segment, for a file must begin with a marker.
    yield _either(kind, "junk-48-mb.jpg", sample[:20] + bytes(48 * MB) + sample[20:])
    yield _either(kind, "restarts-16-million.jpg", _after_start(sample, b"\xff\xd0" * (16 * MB)))
    pieces = _segment(0xE1, b"Exif\0\0".ljust(65_533, b"\0")) * 40 + _segment(0xE1, b"Exif\0\0a") * 150_000
    yield _either(kind, "exif-in-150000-pieces.jpg", _after_start(sample, pieces))
    blocks = _segment(0xED, b"Photoshop 3.0\0" + (b"8BIM\x04\x04\0\0" + bytes(4)) * 5_000)
    yield _either(kind, "photoshop-5000-blocks.jpg", _after_start(sample, blocks))
    vast = _segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x03\xed\0\0\xff\xff\xff\xff")
    yield _either(kind, "photoshop-block-of-4-gb.jpg", _after_start(sample, vast))
    tables = (_segment(0xDB, b"".join(bytes([t]) + b"\1" * 64 for t in range(4))) + _huffman(0, 0)) * 3_000
    yield _either(kind, "tables-3000-times.jpg", _after_start(sample, tables))
    for marker in (0xC0, 0xC4, 0xDA, 0xDB, 0xDD, 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE):
        for length in (0, 1, 2, 3, 65_535):
            lie = _segment(marker, b"\0" * 9, length=length)
            yield _either(kind, f"segment-{marker:x}-of-length-{length}.jpg", _after_start(sample, lie))
    for transform in (0, 1, 2, 3, 255):
        adobe = _segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))
        for components in (1, 3, 4):
            data = _grey_jpeg(16, 16, components, before=adobe)
            yield _accepted(kind, f"adobe-{transform}-of-{components}-components.jpg", data)
    for count in (0, 2, 255):
        profile = _segment(0xE2, b"ICC_PROFILE\0" + bytes([1, count]) + b"profile") * 2
        yield _accepted(kind, f"profile-in-2-of-{count}-pieces.jpg", _after_start(sample, profile))
    yield _either(kind, "profile-cut-short.jpg", _after_start(sample, _segment(0xE2, b"ICC_PROFILE\0")))
    yield _either(kind, "quantised-by-zeros.jpg", _grey_jpeg(8, 8, between=_segment(0xDB, bytes(65))))
    yield _either(kind, "quantised-by-16-bits.jpg", _grey_jpeg(8, 8, between=_segment(0xDB, b"\x10" + b"\xff" * 128)))
    yield _either(kind, "quantised-by-table-15.jpg", _grey_jpeg(8, 8, between=_segment(0xDB, b"\x0f" + b"\1" * 64)))
    yield _either(kind, "huffman-table-9.jpg", _grey_jpeg(8, 8, between=_huffman(0x09, 0)))
    crowded = _segment(0xC4, b"\0" + b"\xff" * 16 + bytes(4_080))
    yield _either(kind, "huffman-codes-too-many.jpg", _grey_jpeg(8, 8, between=crowded))
    yield _either(kind, "restart-interval-1.jpg", _grey_jpeg(64, 64, between=_segment(0xDD, b"\0\1")))


def jpeg_scans() -> Iterator[Hostile]:
    """Progressive files with thousands of scans: each costs a walk over all coefficients and next to no bytes."""
    kind = "jpeg-scans"
    for size, scans in ((64, 9_000), (1_024, 9_000), (BELOW, 40), (BELOW, 3_000)):
        make = _refused if size == BELOW and scans > 1_000 else _either
        yield make(kind, f"progressive-{size}-of-{scans}-scans.jpg", _progressive(size, scans))
    yield _accepted(kind, "progressive-cmyk-just-below.jpg", _progressive(BELOW, 1, components=4))
    pixels = bytes(_blocks(1_024, 1_024) // 4 + 1)
    many = b"".join(_scan(first=first) + pixels for first in (1, 2, 3)) + (_scan() + pixels) * 1_000
    yield _either(kind, "baseline-of-1003-scans.jpg", _SOI + _TABLES + _frame(1_024, 1_024, 3) + many + _EOI)
    empty = _scan(start=1, approximation=0x10) * 20_000
    head = _SOI + _TABLES + _frame(BELOW, BELOW, marker=0xC2) + _scan(end=0)
    yield _refused(kind, "progressive-of-20000-empty-scans.jpg", head + empty + _EOI)
    # Arithmetic coding needs no bytes at all: behind the end there are zeros without end.
    head = _SOI + _TABLES + _frame(BELOW, BELOW, 4, marker=0xC9)
    yield _either(kind, "arithmetic-in-cmyk-without-bytes.jpg", head + _scan(4) + b"\x5a\xa5" * 9 + _EOI)
    head = _SOI + _TABLES + _frame(BELOW, BELOW, marker=0xCA) + _scan(end=0) + b"\x5a\xa5"
    scans = (_scan(start=1, approximation=0x01) + b"\x5a\xa5") + (_scan(start=1, approximation=0x10) + b"\x5a") * 3_000
    yield _refused(kind, "arithmetic-progressive-of-3000-scans.jpg", head + scans + _EOI)


def _progressive(size: int, scans: int, components: int = 1) -> bytes:
    """A grey square: one scan for DC, one for AC, then refinements of nothing by long runs of empty blocks."""
    blocks = _blocks(size, size)
    runs = _bits([(0, 1), (2**14 - 1, 14)] * (blocks // 32_767 + 1)).replace(b"\xff", b"\xff\0")
    head = _SOI + _TABLES + _huffman(0x10, 0xE0) + _frame(size, size, components, marker=0xC2)
    first = _scan(components, end=0) + bytes(blocks * components // 8 + 1) + _scan(start=1, approximation=1) + runs
    return head + first + (_scan(start=1, approximation=0x10) + runs) * scans + _EOI


def mpo_indices() -> Iterator[Hostile]:
    """The index of a phone's several pictures, with absurd numbers and places."""
    kind = "mpo-indices"
    sample = _encoded(_noise(), "JPEG")

    def index(quantity: _Tag, entries: _Tag) -> bytes:
        return _after_start(
            sample, _segment(0xE2, b"MPF\0" + _tiff({0xB000: (7, b"0100"), 0xB001: quantity, 0xB002: entries}))
        )

    def entry(place: int, attribute: int = 0) -> bytes:
        return struct.pack("<LLLHH", attribute, 10, place, 0, 0)

    cases: dict[str, tuple[_Tag, _Tag]] = {
        "4-billion-pictures": ((4, [2**32 - 1]), (7, entry(0) * 2)),
        "3000-pictures": ((4, [3_000]), (7, entry(0) * 3_000)),
        "pictures-nowhere": ((4, [2]), (7, entry(0) + entry(2**32 - 1))),
        "number-of-pictures-is-a-list": ((4, [2, 3]), (7, entry(0) * 2)),
        "number-of-pictures-is-text": ((2, b"two\0"), (7, entry(0) * 2)),
        "number-of-pictures-is-a-fraction": ((5, [1, 0]), (7, entry(0) * 2)),
        "entries-are-numbers": ((4, [2]), (4, [1, 2, 3, 4])),
        "pictures-of-no-known-format": ((4, [2]), (7, entry(0, 0x07000000) * 2)),
        "entries-nowhere": ((4, [2]), (7, 32, 2**32 - 1)),
    }
    for name, case in cases.items():
        yield _accepted(kind, f"mpo-{name}.jpg", index(*case))
    yield _accepted(kind, "mpo-garbage.jpg", _after_start(sample, _segment(0xE2, b"MPF\0garbage garbage")))


# === EXIF ===


def exif_blocks() -> Iterator[Hostile]:
    """Metadata that lead in circles, count to billions, or are of the wrong type; the pixels are sound."""
    kind = "exif"
    here = 8  # Where the first directory of the block stands.
    turned = (_ORIENTATION, (3, [6]))
    cases: dict[str, bytes] = {
        "empty": b"Exif\0\0",
        "garbage": b"Exif\0\0" + b"garbage" * 20,
        "header-only": b"Exif\0\0II*\0\x08\0\0\0",
        "next-is-itself": _exif(turned, following=here),
        "next-nowhere": _exif(turned, following=2**32 - 1),
        "points-to-itself": _exif((_EXIF_IFD, (4, [here])), (_GPS_IFD, (4, [here]))),
        "points-nowhere": _exif((_EXIF_IFD, (4, [2**32 - 1])), (_GPS_IFD, (4, [2**32 - 1]))),
        "points-by-text": _exif((_EXIF_IFD, (2, b"abc\0")), (_GPS_IFD, (2, b"abcdefgh\0"))),
        "points-by-fraction": _exif((_EXIF_IFD, (5, [1, 0])), (_GPS_IFD, (5, [1, 0]))),
        "points-by-negative": _exif((_EXIF_IFD, (9, [-5])), (_GPS_IFD, (9, [-5]))),
        "points-by-float": _exif((_EXIF_IFD, (12, [float("nan")])), (_GPS_IFD, (12, [float("inf")]))),
        "points-by-list": _exif((_EXIF_IFD, (4, [8, 8])), (_GPS_IFD, (4, [8, 8]))),
        "counts-to-4-billion": _exif((_MAKER, (2, 2**32 - 1, here)), (0x011A, (5, 2**32 - 1, here))),
        "values-nowhere": _exif((_MAKER, (2, 100, 2**32 - 9)), turned),
        "65535-entries-said": b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(60),
        "types-unknown": _exif(*((0x100 + n, (n, 1, 5)) for n in range(0, 60) if n not in range(1, 13))),
        "orientation-text": _exif((_ORIENTATION, (2, b"six\0"))),
        "orientation-fraction": _exif((_ORIENTATION, (5, [6, 0]))),
        "orientation-float-nan": _exif((_ORIENTATION, (12, [float("nan")]))),
        "orientation-list": _exif((_ORIENTATION, (3, [6, 7, 8]))),
        "orientation-0": _exif((_ORIENTATION, (3, [0]))),
        "orientation-9": _exif((_ORIENTATION, (3, [9]))),
        "orientation-65535": _exif((_ORIENTATION, (3, [65_535]))),
        "orientation-bytes": _exif((_ORIENTATION, (7, b"\6\0\0\0\0\0"))),
        "text-with-control-characters": _exif((_MAKER, (2, b"\x1b[2J\x07\r\n<script>alert(1)</script>=cmd|x\0"))),
        "text-right-to-left": _exif((_MAKER, (2, "\u202egpj.exe".encode() + b"\0"))),
        "fractions-by-zero": _exif((0x011A, (5, [1, 0])), (0x011B, (5, [0, 0])), (0x0128, (3, [2]))),
        "resolution-text": _exif((0x011A, (2, b"text\0")), (0x0128, (2, b"text\0"))),
        "turned-and-text-for-numbers": _exif(turned, (0x0100, (2, b"text\0")), (0x0128, (2, b"abc\0"))),
        "turned-and-numbers-for-text": _exif(turned, (_MAKER, (12, [1.5])), (0x0110, (9, [-1]))),
        "turned-and-points-in-circles": _exif(turned, (_EXIF_IFD, (4, [here])), (_GPS_IFD, (4, [here]))),
        "turned-and-points-nowhere": _exif(turned, (_EXIF_IFD, (4, [10**6])), (_GPS_IFD, (2, b"abc\0"))),
        "turned-and-negative-fractions": _exif(turned, (0x011A, (10, [-1, -2])), (0x9204, (10, [-1, 0]))),
        "turned-and-floats": _exif(turned, (0x011A, (11, [float("inf")])), (0x011B, (12, [1e300]))),
        "turned-and-bytes-for-shorts": _exif(turned, (0x0102, (1, b"\1\2\3\4\5\6")), (0x0111, (4, [1, 2, 3]))),
    }  # fmt: skip
    jpeg, webp = _encoded(_noise(), "JPEG"), _vp8l(32, 24)
    for name, block in cases.items():
        yield _accepted(kind, f"exif-{name}.jpg", _after_start(jpeg, _segment(0xE1, block)))
        yield _accepted(kind, f"exif-{name}.png", _png(32, 24, before=[_chunk(b"eXIf", block[6:])]))
        yield _accepted(kind, f"exif-{name}.webp", _riff(_vp8x(32, 24, 0x18), webp, _riff_chunk(b"EXIF", block)))
    million = 1_500_000
    for name, tag in {
        "fractions": (5, bytes([1, 0, 0, 0, 3, 0, 0, 0]) * million),
        "shorts": (3, bytes([1, 2]) * (4 * million)),
        "doubles": (12, bytes(8) * million),
    }.items():
        for turn in (1, 6):
            block = _tiff({_ORIENTATION: (3, [turn]), _MAKER: tag})
            data = _png(32, 24, before=[_chunk(b"eXIf", block)])
            yield _either(kind, f"exif-of-12-mb-of-{name}-turned-{turn}.png", data)
    block = _tiff({_ORIENTATION: (5, bytes([6, 0, 0, 0, 1, 0, 0, 0]) * million)})
    yield _either(kind, "exif-of-a-million-orientations.webp", _riff(
        _vp8x(32, 24, 0x18), webp, _riff_chunk(b"EXIF", block)))  # fmt: skip
    shared = _tiff(dict.fromkeys(range(1, 60_000), (7, 4_000, 8)), bytes(4_000))
    yield _either(kind, "exif-of-60000-entries-on-one-place.png", _png(32, 24, before=[_chunk(b"eXIf", shared)]))
    number = b'<x tiff:Orientation="6" ' + b'tiff:Orientation="' * 50_000
    yield _either(kind, "xmp-of-50000-orientations.png", _png(32, 24, before=[
        _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + number)]))  # fmt: skip
    lol = b'<!DOCTYPE l [<!ENTITY a "ha">' + b'<!ENTITY b "&a;&a;&a;&a;">' * 9 + b"]><l>&b;</l>"
    yield _accepted(kind, "xmp-of-a-billion-laughs.webp", _riff(
        _vp8x(32, 24, 0x14), webp, _riff_chunk(b"XMP ", lol)))  # fmt: skip


# === TIFF ===


def tiff_sizes() -> Iterator[Hostile]:
    """Sizes, strips and tiles beyond reason; packed bombs."""
    kind = "tiff-sizes"
    deflate, lzw = (3, [8]), (3, [5])
    packed = _deflated_zeros(BELOW * BELOW)
    yield _accepted(kind, "deflate-just-below.tif", _grey_tiff(BELOW, BELOW, packed, {259: deflate}))
    yield _refused(kind, "deflate-just-above.tif", _grey_tiff(ABOVE, ABOVE, packed, {259: deflate}))
    yield _refused(kind, "deflate-60000.tif", _grey_tiff(60_000, 60_000, packed, {259: deflate}))
    rgba = {258: (3, [8] * 4), 259: deflate, 262: (3, [2]), 277: (3, [4]), 338: (3, [2])}
    yield _accepted(kind, "deflate-rgba-just-below.tif", _grey_tiff(BELOW, BELOW, _deflated_zeros(4 * BELOW**2), rgba))
    yield _accepted(
        kind, "lzw-just-below.tif", _encoded(Image.new("L", (BELOW, BELOW)), "TIFF", compression="tiff_lzw")
    )
    yield _refused(kind, "lzw-of-garbage.tif", _grey_tiff(BELOW, BELOW, b"garbage" * 99, {259: lzw}))
    yield _refused(kind, "plain-just-below-without-pixels.tif", _grey_tiff(BELOW, BELOW, bytes(99)))
    for width, height in ((0, 0), (0, 8), (8, 0), (2**32 - 1, 2**32 - 1), (2**31, 1), (65_536, 65_536)):
        yield _refused(kind, f"says-{width}x{height}.tif", _grey_tiff(width, height, bytes(99)))
        data = _grey_tiff(width, height, zlib.compress(bytes(99)), {259: deflate})
        yield _refused(kind, f"deflate-says-{width}x{height}.tif", data)
    for rows in (0, 1, 2**31, 2**32 - 1):
        yield _either(kind, f"strip-of-{rows}-rows.tif", _grey_tiff(64, 64, changes={278: (4, [rows])}))
        data = _grey_tiff(64, 64, _deflated_zeros(64 * 64), {259: deflate, 278: (4, [rows])})
        yield _either(kind, f"deflate-strip-of-{rows}-rows.tif", data)
    for side in (0, 1, 15, 16, 4_096, 20_000, 40_000, 2**16, 2**31, 2**32 - 16):
        tiles: dict[int, _Tag | None] = {
            273: None, 278: None, 279: None, 322: (4, [side]), 323: (4, [side]), 324: (4, [_PIXELS])}  # fmt: skip
        yield _either(kind, f"tile-of-{side}.tif", _grey_tiff(64, 64, changes=tiles | {325: (4, [4_096])}))
        size = min(side * side, 1_600_000_000)
        data = _deflated_zeros(size) if side >= 20_000 else zlib.compress(bytes(size if side < 5_000 else 0))
        tiles |= {259: deflate, 325: (4, [len(data)])}
        yield _either(kind, f"deflate-tile-of-{side}.tif", _grey_tiff(64, 64, data, tiles))
    for count in (100, 2_000_000):
        strips = {273: (3, struct.pack("<H", 8) * count), 278: (4, [1]), 279: None}
        yield _either(kind, f"strips-{count}-on-one-place.tif", _grey_tiff(64, 2, changes=strips))
    row = zlib.compress(bytes(BELOW))
    strips = {259: deflate, 273: (4, [_PIXELS] * BELOW), 278: (4, [1]), 279: (4, [len(row)] * BELOW)}
    yield _accepted(kind, "deflate-7000-strips-on-one-place.tif", _grey_tiff(BELOW, BELOW, row, strips))
    yield _refused(kind, "strip-nowhere.tif", _grey_tiff(64, 64, changes={273: (4, [2**32 - 2])}))
    yield _either(kind, "strip-of-4-gb.tif", _grey_tiff(64, 64, changes={279: (4, [2**32 - 1])}))
    yield _either(kind, "strip-of-0-bytes.tif", _grey_tiff(64, 64, changes={279: (4, [0])}))
    for compression in (0, 2, 3, 4, 6, 7, 34_712, 34_925, 50_000, 50_001, 32_773, 32_946, 65_535):
        data = _grey_tiff(64, 64, bytes(4_096), {259: (3, [compression])})
        yield _either(kind, f"packed-by-{compression}.tif", data)
    for name, inner in (("larger-than-said", _grey_jpeg(BELOW, BELOW)), ("of-3000-scans", _progressive(1_024, 3_000))):
        yield _either(kind, f"jpeg-{name}.tif", _grey_tiff(1_024, 1_024, inner, {259: (3, [7])}))
    yield _accepted(kind, "lzma.tif", _grey_tiff(64, 64, _xz(bytes(4_096)), {259: (3, [34_925])}))
    yield _either(kind, "lzma-dictionary-of-4-gb.tif", _grey_tiff(64, 64, _xz(bytes(4_096), 40), {259: (3, [34_925])}))


def _xz(data: bytes, dictionary: int | None = None) -> bytes:
    """An xz stream whose header may ask for a dictionary of any size, 40 being 4 GB."""
    stream = bytearray(lzma.compress(data))
    if dictionary is not None:
        # Behind the stream's header of 12 bytes: length, flags, filter 0x21, length 1, the size, 3 of padding, CRC.
        stream[16] = dictionary
        stream[20:24] = struct.pack("<I", zlib.crc32(stream[12:20]))
    return bytes(stream)


def tiff_directories() -> Iterator[Hostile]:
    """Directories in circles, by the thousand, and with more entries than there is file."""
    kind = "tiff-directories"
    yield _accepted(kind, "next-is-itself.tif", _grey_tiff(8, 8, following=8))
    one = _grey_tiff(8, 8)
    at = len(one)
    circle = _grey_tiff(8, 8, following=at) + struct.pack("<HHHIII", 1, 256, 4, 1, 8, 8)
    yield _accepted(kind, "two-in-a-circle.tif", circle)
    yield _either(kind, "next-nowhere.tif", _grey_tiff(8, 8, following=2**32 - 2))
    yield _either(kind, "next-in-the-pixels.tif", _grey_tiff(8, 8, following=len(one) - 30))
    empty = b"".join(struct.pack("<HI", 0, at + 6 * (n + 1)) for n in range(200_000))
    yield _accepted(kind, "next-200000-empty.tif", _grey_tiff(8, 8, following=at) + empty)
    entry = struct.pack("<HHII", 256, 4, 1, 8)
    many = b"".join(struct.pack("<H", 1) + entry + struct.pack("<I", at + 18 * (n + 1)) for n in range(20_000))
    yield _accepted(kind, "next-20000.tif", _grey_tiff(8, 8, following=at) + many)
    yield _refused(kind, "first-nowhere.tif", b"II*\0\xff\xff\xff\xff")
    yield _refused(kind, "first-in-the-header.tif", b"II*\0\0\0\0\0" + bytes(99))
    yield _refused(kind, "entries-65535-said.tif", b"II*\0\x08\0\0\0\xff\xff" + bytes(99))
    yield _either(kind, "entries-28000.tif", _grey_tiff(8, 8, changes={n: (3, [1]) for n in range(2_000, 30_000)}))
    shared: dict[int, _Tag | None] = dict.fromkeys(range(2_000, 40_000), (7, 100_000, 8))
    yield _either(kind, "entries-38000-on-one-place.tif", _grey_tiff(400, 400, changes=shared))
    header = b"II+\0\x08\0\0\0" + struct.pack("<Q", 16)
    yield _refused(kind, "big-of-2-to-the-63-entries.tif", header + struct.pack("<Q", 2**63) + bytes(99))
    yield _refused(kind, "big-first-nowhere.tif", b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**64 - 1) + bytes(99))
    value = struct.pack("<QHHQQQ", 1, 256, 4, 2**62, 2**62, 16)
    yield _refused(kind, "big-count-2-to-the-62.tif", header + value)


def tiff_tags() -> Iterator[Hostile]:
    """Tags of the wrong type or number, and long values where one is expected."""
    kind = "tiff-tags"
    yield _refused(kind, "width-is-text.tif", _grey_tiff(8, 8, changes={256: (2, b"8\0")}))
    yield _refused(kind, "width-is-negative.tif", _grey_tiff(8, 8, changes={256: (9, [-8])}))
    yield _refused(kind, "width-is-a-float.tif", _grey_tiff(8, 8, changes={256: (12, [8.0])}))
    yield _either(kind, "width-is-a-list.tif", _grey_tiff(8, 8, changes={256: (4, [8, 60_000])}))
    yield _refused(kind, "width-is-missing.tif", _grey_tiff(8, 8, changes={256: None}))
    yield _either(kind, "samples-are-2-billion.tif", _grey_tiff(8, 8, changes={277: (4, [2**31])}))
    yield _refused(kind, "samples-are-65535.tif", _grey_tiff(8, 8, changes={277: (3, [65_535])}))
    yield _either(kind, "samples-are-none.tif", _grey_tiff(8, 8, changes={277: (3, [0])}))
    for tag, name in ((258, "depths"), (338, "extra-samples"), (339, "formats")):
        changes: dict[int, _Tag | None] = {tag: (3, struct.pack("<H", 8) * 2_000_000)}
        yield _either(kind, f"{name}-2-million.tif", _grey_tiff(8, 8, changes=changes))
    fractions = bytes([72, 0, 0, 0, 1, 0, 0, 0]) * 1_500_000
    for tag, name in ((282, "resolution"), (_ORIENTATION, "orientation"), (_MAKER, "maker"), (33_550, "scale")):
        yield _either(kind, f"{name}-of-a-million-fractions.tif", _grey_tiff(8, 8, changes={tag: (5, fractions)}))
    yield _either(kind, "text-of-20-mb.tif", _grey_tiff(8, 8, changes={_MAKER: (2, b"\x07a" * 10_000_000)}))
    yield _accepted(kind, "xmp-is-text.tif", _grey_tiff(8, 8, changes={700: (2, b"tiff:Orientation=six\0")}))
    yield _accepted(kind, "xmp-is-numbers.tif", _grey_tiff(8, 8, changes={700: (3, [1, 2, 3])}))
    yield _accepted(kind, "xmp-is-a-number.tif", _grey_tiff(8, 8, changes={700: (4, [1])}))
    yield _accepted(kind, "profile-is-a-number.tif", _grey_tiff(8, 8, changes={34_675: (4, [1])}))
    yield _either(kind, "unit-is-text.tif", _grey_tiff(8, 8, changes={296: (2, b"abc\0"), 282: (2, b"abc\0")}))
    for turn in (0, 6, 9, 65_535):
        yield _accepted(kind, f"turned-{turn}.tif", _grey_tiff(8, 4, changes={_ORIENTATION: (3, [turn])}))
    for planes in (0, 2, 3):
        yield _either(kind, f"planes-{planes}.tif", _grey_tiff(8, 8, changes={284: (3, [planes])}))
    yield _either(kind, "exif-in-itself.tif", _grey_tiff(8, 8, changes={_EXIF_IFD: (4, [8]), _GPS_IFD: (4, [8])}))
    yield _either(kind, "exif-nowhere.tif", _grey_tiff(8, 8, changes={_EXIF_IFD: (4, [2**32 - 1])}))


def tiff_pixels() -> Iterator[Hostile]:
    """Depths and formats of pixels from honest to absurd."""
    kind = "tiff-pixels"
    ramp = np.arange(64, dtype=np.float32).reshape(8, 8)
    nasty = ramp.copy()
    nasty[0, :4] = np.nan, np.inf, -np.inf, 1e38
    for name, pixels in (("float", ramp), ("float-nan", nasty), ("int32", ramp.astype(np.int32))):
        yield _refused(kind, f"pixels-{name}.tif", _encoded(Image.fromarray(pixels), "TIFF"))
    for depth, sample in ((16, 3), (32, 1), (32, 3), (64, 3), (64, 1)):
        changes: dict[int, _Tag | None] = {258: (3, [depth]), 339: (3, [sample])}
        data = _grey_tiff(8, 8, bytes(8 * depth), changes)
        yield _refused(kind, f"pixels-{depth}-bits-of-format-{sample}.tif", data)
    yield _accepted(kind, "pixels-16-bit.tif", _grey_tiff(8, 8, bytes(128), {258: (3, [16])}))
    for depth in (0, 3, 5, 7, 24, 128, 65_535):
        yield _refused(kind, f"pixels-{depth}-bits.tif", _grey_tiff(8, 8, changes={258: (3, [depth])}))
    yield _either(kind, "signed-8-bit.tif", _grey_tiff(8, 8, changes={339: (3, [2])}))
    yield _refused(kind, "palette-missing.tif", _grey_tiff(8, 8, changes={262: (3, [3])}))
    for count in (3, 767, 30_000):
        changes = {262: (3, [3]), 320: (3, struct.pack("<H", 257) * count)}
        yield _either(kind, f"palette-of-{count}-numbers.tif", _grey_tiff(8, 8, bytes([255]) * 64, changes))
    yield _either(kind, "palette-is-text.tif", _grey_tiff(8, 8, changes={262: (3, [3]), 320: (2, b"palette\0")}))
    for photometric in (4, 5, 6, 8, 9, 10, 32_803, 65_535):
        three = {258: (3, [8] * 3), 262: (3, [photometric]), 277: (3, [3])}
        yield _either(kind, f"photometric-{photometric}.tif", _grey_tiff(8, 8, bytes(192), three))
    yield _either(kind, "white-is-zero.tif", _grey_tiff(8, 8, changes={262: (3, [0])}))
    odd = {258: (3, [8, 16, 4]), 262: (3, [2]), 277: (3, [3])}
    yield _refused(kind, "depths-all-differ.tif", _grey_tiff(8, 8, bytes(400), odd))
    subsampling = {258: (3, [8] * 3), 262: (3, [6]), 277: (3, [3]), 530: (3, [0, 0]), 259: (3, [8])}
    yield _either(kind, "subsampled-by-zero.tif", _grey_tiff(8, 8, zlib.compress(bytes(192)), subsampling))


# === GIF ===


def gif_blocks() -> Iterator[Hostile]:
    """Screens, frames, palettes, comments and codes of GIF beyond reason."""
    kind = "gif"
    yield _refused(kind, "screen-65535.gif", _gif(65_535, 65_535, _gif_frame()))
    yield _accepted(kind, "screen-just-below.gif", _gif(BELOW, BELOW, _gif_frame()))
    yield _refused(kind, "screen-just-above.gif", _gif(ABOVE, ABOVE, _gif_frame()))
    for width, height in ((0, 0), (0, 5), (5, 0)):
        yield _either(kind, f"screen-{width}x{height}.gif", _gif(width, height, _gif_frame()))
    yield _refused(kind, "frame-of-65535.gif", _gif(8, 8, _gif_frame(0, 0, 65_535, 65_535)))
    yield _refused(kind, "frame-far-outside.gif", _gif(8, 8, _gif_frame(65_535, 65_535, 65_535, 65_535)))
    yield _either(kind, "frame-outside-below-the-limit.gif", _gif(8, 8, _gif_frame(BELOW - 1, BELOW - 1)))
    yield _either(kind, "frame-of-nothing.gif", _gif(8, 8, _gif_frame(0, 0, 0, 0)))
    yield _either(kind, "second-frame-of-65535.gif", _gif(8, 8, _gif_frame(), _gif_frame(0, 0, 65_535, 65_535)))
    yield _accepted(kind, "frames-10000.gif", _gif(8, 8, _gif_frame() * 10_000))
    control = b"!\xf9\x04" + bytes([3 << 2 | 1]) + b"\x0a\0\0\0"
    yield _accepted(kind, "frames-5000-that-restore.gif", _gif(2_000, 2_000, (control + _gif_frame()) * 5_000))
    packed = _encoded(Image.new("P", (BELOW, BELOW)), "GIF")
    pixels = packed[packed.index(b"," + struct.pack("<4H", 0, 0, BELOW, BELOW)) + 10 : -1]
    background = b"!\xf9\x04" + bytes([2 << 2]) + b"\x0a\0\xff\0"
    cleared = background + _gif_frame(0, 0, BELOW, BELOW, pixels)
    yield _accepted(kind, "frame-cleared-just-below.gif", _gif(BELOW, BELOW, cleared, _gif_frame()))
    yield _accepted(kind, "packed-just-below.gif", packed)
    yield _either(
        kind, "comment-of-8-mb.gif", _gif(8, 8, b"!\xfe" + (b"\xff" + bytes(255)) * 32_000 + b"\0", _gif_frame())
    )
    blocks = b"\2ab" * 8_000_000 + b"\0"
    yield _either(kind, "comment-of-8-million-blocks.gif", _gif(8, 8, b"!\xfe" + blocks, _gif_frame()))
    yield _either(kind, "extension-of-8-million-blocks.gif", _gif(8, 8, b"!\x01" + blocks, _gif_frame()))
    yield _either(kind, "extensions-6-million-empty.gif", _gif(8, 8, b"!\x01\0\0" * 6_000_000, _gif_frame()))
    yield _either(kind, "behind-the-pixels-8-million-blocks.gif", _gif(8, 8, _gif_frame()[:-1] + blocks, _gif_frame()))
    yield _either(kind, "junk-of-24-mb.gif", _gif(8, 8, b"\0" * (24 * MB), _gif_frame()))
    yield _refused(kind, "no-frame.gif", _gif(8, 8))
    yield _either(kind, "no-end.gif", _gif(8, 8, _gif_frame())[:-1])
    cases = {
        "control-short": b"!\xf9\x01\x01\0",
        "control-empty": b"!\xf9\0",
        "loops-short": b"!\xff\x0bNETSCAPE2.0\x01\x01\0",
        "extension-cut": b"!",
        "unknown": b"?????",
        "comment-5000-times": b"!\xfe\x03abc\0" * 5_000,
    }
    for name, block in cases.items():
        yield _either(kind, f"block-{name}.gif", _gif(8, 8, block, _gif_frame()))
    for size in (0, 1, 9, 12, 13, 31, 255):
        pixels = bytes([size]) + _DOT[1:]
        yield _either(kind, f"code-size-{size}.gif", _gif(8, 8, _gif_frame(0, 0, 8, 8, pixels)))
    yield _either(kind, "codes-of-garbage.gif", _gif(8, 8, _gif_frame(0, 0, 8, 8, b"\x08\xff" + b"\xfe" * 255 + b"\0")))
    yield _either(kind, "codes-not-yet-known.gif", _gif(8, 8, _gif_frame(0, 0, 8, 8, b"\x02\x03\xfc\xff\xff\0")))
    yield _either(kind, "palette-missing.gif", _gif(8, 8, _gif_frame(), palette=None))
    yield _either(kind, "palette-said-larger.gif", _gif(8, 8, _gif_frame(), palette=bytes(6), bits=7))
    high = _encoded(_noise(8, 8, mode="L"), "GIF")
    index = high.index(b",")
    few = high[:10] + b"\x80\0\0" + bytes([9, 9, 9, 8, 8, 8]) + high[index:]
    yield _either(kind, "palette-smaller-than-pixels.gif", few)
    yield _either(kind, "transparent-beyond-the-palette.gif", _gif(
        8, 8, b"!\xf9\x04\x01\0\0\xff\0", _gif_frame(), palette=bytes(range(6))))  # fmt: skip
    yield _either(kind, "version-unknown.gif", b"GIF00a" + _gif(8, 8, _gif_frame())[6:])


# === BMP ===


def bmp_headers() -> Iterator[Hostile]:
    """Sizes, depths, palettes and places of BMP beyond reason."""
    kind = "bmp-headers"
    for width, height in ((0, 0), (0, 8), (8, 0), (-8, 8), (-(2**31), -(2**31)), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1),
                          (60_000, 60_000), (60_000, -60_000), (8, -(2**31))):  # fmt: skip
        yield _refused(kind, f"says-{width}x{height}.bmp", _bmp(width, height, 24, bytes(99)))
    yield _accepted(kind, "top-down.bmp", _bmp(8, -8, 24, bytes(192)))
    yield _refused(kind, "just-below-without-pixels.bmp", _bmp(BELOW, BELOW, 24, bytes(99)))
    yield _accepted(kind, "bilevel-just-below.bmp", _bmp(BELOW, BELOW, 1, bytes(876 * BELOW), palette=bytes(8)))
    for bits in (0, 2, 3, 5, 7, 12, 48, 64, 65_535):
        yield _refused(kind, f"depth-{bits}.bmp", _bmp(8, 8, bits, bytes(999)))
    for compression in (4, 5, 6, 11, 13, 255, 2**32 - 1):
        yield _refused(kind, f"compression-{compression}.bmp", _bmp(8, 8, 24, bytes(192), compression))
    for header in (0, 1, 11, 13, 16, 41, 2**31, 2**32 - 1):
        data = bytearray(_bmp(8, 8, 24, bytes(192)))
        data[14:18] = struct.pack("<I", header)
        yield _refused(kind, f"header-of-{header}.bmp", bytes(data))
    for header in (52, 56, 64, 108, 124):
        yield _either(kind, f"header-of-{header}.bmp", _bmp(8, 8, 24, bytes(192), header=header))
    short = b"BM" + struct.pack("<III", 0, 0, 26) + struct.pack("<IHHHH", 12, 65_535, 65_535, 1, 24) + bytes(99)
    yield _refused(kind, "core-header-65535.bmp", short)
    for colours in (1, 300, 65_536, 65_537, 2**31, 2**32 - 1):
        data = _bmp(8, 8, 8, bytes([200]) * 64, palette=bytes(range(1, 9)), colours=colours)
        yield _either(kind, f"palette-of-{colours}-said.bmp", data)
    yield _either(kind, "palette-missing.bmp", _bmp(8, 8, 8, bytes([200]) * 64, colours=256))
    for offset in (0, 1, 14, 2**31, 2**32 - 1):
        yield _either(kind, f"pixels-at-{offset}.bmp", _bmp(8, 8, 24, bytes(192), offset=offset))
    for masks in ((0, 0, 0), (2**32 - 1, 2**32 - 1, 2**32 - 1), (1, 2, 4), (0xFF0000, 0xFF00, 0xFF)):
        for bits in (8, 16, 24, 32):
            data = _bmp(8, 8, bits, struct.pack("<III", *masks) + bytes(256), 3)
            yield _either(kind, f"masks-{masks[0]:x}-of-{bits}-bits.bmp", data)


def bmp_runs() -> Iterator[Hostile]:
    """Packed BMP: a few bytes that stand for millions, and millions that stand for none."""
    kind = "bmp-runs"
    palette = bytes([1, 2, 3, 0]) * 256
    end = b"\0\1"
    wide = 49_000_000
    yield _accepted(kind, "rle8.bmp", _bmp(8, 2, 8, b"\x08\x01\0\0\x08\x02\0\0" + end, 1, palette))
    yield _accepted(kind, "rle4.bmp", _bmp(8, 2, 4, b"\x08\x12\0\0\x08\x21\0\0" + end, 2, palette[:64]))
    for width, height in ((60_000, 60_000), (2**31 - 1, 2**31 - 1), (-8, 8), (0, 0)):
        yield _refused(kind, f"rle8-says-{width}x{height}.bmp", _bmp(width, height, 8, b"\x08\x01" + end, 1, palette))
    yield _either(kind, "rle8-jump-over-all.bmp", _bmp(wide, 1, 8, b"\0\2\xff\xff" + end, 1, palette))
    yield _either(kind, "rle8-jumps-2000.bmp", _bmp(8, 8, 8, b"\0\2\xff\xff" * 2_000 + end, 1, palette))
    yield _either(kind, "rle8-end-of-a-long-line.bmp", _bmp(wide, 1, 8, b"\1\1\0\0" + end, 1, palette))
    yield _either(kind, "rle8-ends-of-7000-lines.bmp", _bmp(BELOW, BELOW, 8, b"\1\1\0\0" * BELOW + end, 1, palette))
    runs = b"\xff\x12" * (wide // 255 + 1)
    yield _accepted(kind, "rle8-just-below.bmp", _bmp(wide, 1, 8, runs + end, 1, palette))
    yield _accepted(kind, "rle4-just-below.bmp", _bmp(wide, 1, 4, runs + end, 2, palette[:64]))
    yield _either(kind, "rle8-runs-12-million-beyond-the-line.bmp", _bmp(8, 8, 8, b"\xff\1" * 12_000_000, 1, palette))
    yield _either(kind, "rle8-jumps-8-million-of-nothing.bmp", _bmp(8, 8, 8, b"\0\2\0\0" * 8_000_000, 1, palette))
    yield _either(kind, "rle8-ends-12-million.bmp", _bmp(8, 8, 8, b"\0\0" * 12_000_000, 1, palette))
    yield _refused(kind, "rle8-without-runs.bmp", _bmp(8, 8, 8, b"", 1, palette))
    yield _refused(kind, "rle8-cut-in-a-literal.bmp", _bmp(8, 8, 8, b"\0\xffabc", 1, palette))
    yield _either(kind, "rle8-of-24-bits.bmp", _bmp(8, 8, 24, b"\x08\1" + end, 1))
    yield _either(kind, "rle4-of-8-bits.bmp", _bmp(8, 8, 8, b"\x08\1" * 8 + end, 2, palette))


# === WebP ===


def webp_chunks() -> Iterator[Hostile]:
    """Canvases, frames and chunks of WebP beyond reason."""
    kind = "webp"
    yield _accepted(kind, "one-colour.webp", _riff(_vp8l(32, 24)))
    yield _either(kind, "just-below.webp", _riff(_vp8l(BELOW, BELOW)))
    yield _either(kind, "just-below-without-alpha.webp", _riff(_vp8l(BELOW, BELOW, alpha=0)))
    for side in (ABOVE, 13_000, 16_383, 16_384):
        yield _refused(kind, f"lossless-{side}.webp", _riff(_vp8l(side, side)))
        lossy = b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", side & 0x3FFF, side & 0x3FFF) + bytes(99)
        yield _refused(kind, f"lossy-{side}.webp", _riff(_riff_chunk(b"VP8 ", lossy)))
        canvas = _riff(_vp8x(side, side, 2), _riff_chunk(b"ANIM", bytes(6)), _anmf(_vp8l(8, 8), 8, 8))
        yield _refused(kind, f"canvas-{side}.webp", canvas)
    yield _refused(kind, "canvas-2-to-the-24.webp", _riff(_vp8x(2**24, 2**24, 0x10), _vp8l(8, 8)))
    yield _refused(kind, "canvas-2-to-the-24-by-1.webp", _riff(_vp8x(2**24, 1, 0x10), _vp8l(8, 8)))
    yield _refused(kind, "picture-larger-than-its-canvas.webp", _riff(_vp8x(8, 8, 0x10), _vp8l(BELOW, BELOW)))
    head = [_vp8x(8, 8, 2), _riff_chunk(b"ANIM", bytes(6))]
    yield _accepted(kind, "frames-20000.webp", _riff(*head, _anmf(_vp8l(8, 8), 8, 8) * 20_000))
    yield _refused(kind, "frame-outside.webp", _riff(*head, _anmf(_vp8l(8, 8), 8, 8, 4_000, 4_000)))
    yield _refused(kind, "frame-larger-than-its-canvas.webp", _riff(*head, _anmf(_vp8l(4_000, 4_000), 4_000, 4_000)))
    yield _refused(kind, "frame-that-lies-about-its-size.webp", _riff(*head, _anmf(_vp8l(4_000, 4_000), 8, 8)))
    yield _refused(kind, "frame-without-picture.webp", _riff(*head, _anmf(b"", 8, 8)))
    yield _refused(kind, "animation-without-frames.webp", _riff(*head))
    wide = [_vp8x(BELOW, BELOW, 2), _riff_chunk(b"ANIM", bytes(6))]
    yield _either(kind, "frames-just-below.webp", _riff(*wide, _anmf(_vp8l(BELOW, BELOW), BELOW, BELOW) * 3))
    for name in (b"EXIF", b"XMP ", b"ICCP", b"JUNK"):
        flags = {b"EXIF": 0x18, b"XMP ": 0x14, b"ICCP": 0x30}.get(name, 0x10)
        large = _riff_chunk(name, bytes(8 * MB))
        chunks = (large, _vp8l(8, 8)) if name == b"ICCP" else (_vp8l(8, 8), large)
        yield _either(kind, f"chunk-{name.strip().decode().lower()}-of-8-mb.webp", _riff(_vp8x(8, 8, flags), *chunks))
    junk = _riff_chunk(b"JUNK", b"") * 2_000_000
    yield _either(kind, "chunks-2-million-empty.webp", _riff(_vp8x(8, 8, 0x10), _vp8l(8, 8), junk))
    sample = _encoded(_noise(), "WEBP")
    for size in (0, 1, 4, 2**31, 2**32 - 1, 2**32 - 10):
        yield _either(kind, f"riff-of-{size}.webp", sample[:4] + struct.pack("<I", size) + sample[8:])
        yield _either(kind, f"picture-of-{size}.webp", sample[:16] + struct.pack("<I", size) + sample[20:])
    yield _refused(kind, "riff-is-a-sound.webp", b"RIFF\x24\0\0\0WAVEfmt " + bytes(99))
    yield _refused(
        kind, "lossless-of-garbage.webp", _riff(_riff_chunk(b"VP8L", _vp8l(4_000, 4_000)[8:13] + b"\xa5" * 999))
    )
    alpha = _riff(_vp8x(32, 24, 0x10), _riff_chunk(b"ALPH", b"\xff" * 20), sample[12:])
    yield _either(kind, "alpha-of-garbage.webp", alpha)


# === AVIF ===


def avif_boxes() -> Iterator[Hostile]:
    """Boxes of AVIF: sizes that lie, grids, payloads far larger than the header says, deep and many boxes."""
    kind = "avif"
    setup, pixels = _av1_of(_encoded(_noise(64, 64), "AVIF", speed=10))
    yield _accepted(kind, "built-by-hand.avif", _avif(64, 64, pixels, setup))
    yield _accepted(kind, "zeros.avif", _avif(64, 64, _av1_still(64, 64)))
    for width, height in ((0, 0), (0, 64), (2**32 - 1, 2**32 - 1), (65_536, 65_536), (16_384, 16_384), (32_768, 1_600)):
        yield _refused(kind, f"says-{width}x{height}.avif", _avif(width, height, pixels, setup))
    for side in (1, 63, 65, BELOW):
        yield _either(kind, f"says-{side}-and-is-64.avif", _avif(side, side, pixels, setup))
    for side in (2_048, 8_192, 16_384, 16_385):
        yield _either(kind, f"says-64-and-is-{side}.avif", _avif(64, 64, _av1_still(side, side)))
        yield _either(kind, f"says-64-and-is-{side}-deep.avif", _avif(64, 64, _av1_still(side, side, True), _DEEP))
    yield _accepted(kind, "zeros-just-below.avif", _avif(BELOW, BELOW, _av1_still(BELOW, BELOW)))
    yield _accepted(kind, "zeros-just-below-deep.avif", _avif(BELOW, BELOW, _av1_still(BELOW, BELOW, True), _DEEP))
    yield _refused(kind, "zeros-just-above.avif", _avif(ABOVE, ABOVE, _av1_still(ABOVE, ABOVE)))
    yield _accepted(kind, "grid.avif", _avif(128, 128, pixels, setup, (2, 2, 64, 64)))
    yield _either(kind, "grid-just-below-of-one-tile.avif", _avif(
        6_976, 6_976, _avif_tile(), setup, (109, 109, 64, 64)))  # fmt: skip
    yield _refused(kind, "grid-just-above-of-one-tile.avif", _avif(8_192, 8_192, pixels, setup, (128, 128, 64, 64)))
    for count, side in ((10, 4_096), (16, 16_384)):
        data = _avif(64 * count, 64 * count, _av1_still(side, side), grid=(count, count, 64, 64))
        yield _either(kind, f"grid-of-{count * count}-tiles-that-are-{side}.avif", data)
    for columns, rows, width, height in ((2, 2, 60_000, 60_000), (2, 2, 1, 1), (2, 2, 129, 129), (2, 2, 0, 0)):
        yield _refused(
            kind, f"grid-says-{width}x{height}.avif", _avif(width, height, pixels, setup, (columns, rows, 64, 64))
        )
    cases = {
        "turned": _box(b"irot", b"\1"),
        "tta_flip": _box(b"imir", b"\1"),
        "cropped-to-nothing": _box(b"clap", struct.pack(">8I", 0, 1, 0, 1, 0, 1, 0, 1)),
        "cropped-by-zero": _box(b"clap", struct.pack(">8I", 1, 0, 1, 0, 1, 0, 1, 0)),
        "aspect-of-zero": _box(b"pasp", bytes(8)),
        "profile-of-garbage": _box(b"colr", b"prof" + b"garbage" * 99),
        "property-unknown": _box(b"abcd", bytes(99)),
        "property-empty": _box(b"irot"),
    }
    for name, extra in cases.items():
        yield _either(kind, f"{name}.avif", _avif(64, 64, pixels, setup, properties=[extra]))
    yield _either(kind, "properties-120.avif", _avif(64, 64, pixels, setup, properties=[_box(b"irot", b"\1")] * 120))
    sample = _avif(64, 64, pixels, setup)
    for name in (
        b"ftyp",
        b"meta",
        b"hdlr",
        b"iloc",
        b"iinf",
        b"infe",
        b"iprp",
        b"ipco",
        b"ipma",
        b"ispe",
        b"av1C",
        b"mdat",
    ):
        at = sample.index(name) - 4
        for size in (0, 1, 7, 9, 2**31, 2**32 - 1):
            data = sample[:at] + struct.pack(">I", size) + sample[at + 4 :]
            yield _either(kind, f"box-{name.decode()}-of-{size}.avif", data)
    nest = b""
    for _ in range(3_000):
        nest = _box(b"meta", b"\0\0\0\0", nest)
    yield _refused(kind, "boxes-3000-deep.avif", sample[:28] + nest)
    yield _either(kind, "boxes-2-million-free.avif", sample + _box(b"free") * 2_000_000)
    places = sample.index(b"iloc") + 8
    for name, place, value in (("items-65535", 2, 65_535), ("extents-65535", 8, 65_535)):
        data = bytearray(sample)
        data[places + place : places + place + 2] = struct.pack(">H", value)
        yield _refused(kind, f"iloc-of-{name}.avif", bytes(data))
    data = bytearray(sample)
    data[places + 10 : places + 18] = struct.pack(">II", 2**32 - 1, 2**32 - 1)
    yield _refused(kind, "iloc-nowhere.avif", bytes(data))
    yield _refused(kind, "payload-of-garbage.avif", _avif(64, 64, b"garbage" * 99, setup))
    yield _refused(kind, "brand-only.avif", sample[:28])
    yield _refused(kind, "brand-of-heic.avif", sample[:8] + b"heic" + sample[12:])
    yield _accepted(kind, "frames-40.avif", _frames("AVIF", 40, 16, speed=10))


def _avif_tile() -> bytes:
    return _av1_of(_encoded(Image.new("RGB", (64, 64), "teal"), "AVIF", speed=10))[1]


# === Formats and profiles that were added later ===


def _heif(width: int = 64, height: int = 48, **options: object) -> bytes:
    """A HEIC as pillow-heif writes it."""
    import pillow_heif

    buffer = io.BytesIO()
    pillow_heif.from_pillow(_noise(width, height)).save(buffer, quality=60, **options)
    return buffer.getvalue()


def heif_boxes() -> Iterator[Hostile]:
    """HEIC cut, bent, with sizes that lie, deep, many and looping boxes."""
    kind, sample = "heif", _heif()
    yield _accepted(kind, "plain.heic", sample)
    yield _accepted(kind, "tiles.heic", _heif(200, 150, tile_size=64))
    yield _accepted(kind, "under-another-name.jpg", sample)
    for share in (1, 3, 5, 8, 10, 14):
        yield _refused(kind, f"cut-at-{share}-of-16.heic", sample[: len(sample) * share // 16])
    for seed in range(24):
        random, bad = np.random.default_rng(seed), bytearray(sample)
        for place in random.integers(0, len(bad) if seed % 2 else 600, 4):
            bad[place % len(bad)] ^= 1 << int(random.integers(8))
        yield _either(kind, f"bent-{seed}.heic", bytes(bad))
    at = sample.index(b"ispe") + 8
    for width, height in ((0, 0), (1, 1), (7_000, 7_000), (7_100, 7_100), (65_536, 65_536), (2**32 - 1, 2**32 - 1)):
        data = sample[:at] + struct.pack(">II", width, height) + sample[at + 8 :]
        make = _refused if width > 7_000 else _either
        yield make(kind, f"says-{width}x{height}.heic", data)
    for name in (b"ftyp", b"meta", b"iloc", b"iinf", b"infe", b"iprp", b"ipco", b"ipma", b"hvcC", b"mdat"):
        start = sample.index(name) - 4
        for size in (0, 1, 7, 2**31, 2**32 - 1):
            data = sample[:start] + struct.pack(">I", size) + sample[start + 4 :]
            yield _either(kind, f"box-{name.decode()}-of-{size}.heic", data)
    head, nest = sample[: int.from_bytes(sample[:4], "big")], b""
    for _ in range(3_000):
        nest = _box(b"meta", b"\0\0\0\0", nest)
    yield _refused(kind, "boxes-3000-deep.heic", head + nest)
    yield _either(kind, "boxes-2-million-free.heic", sample + _box(b"free") * 2_000_000)
    yield _refused(kind, "brand-only.heic", head)
    yield _refused(kind, "sequence-of-nothing.heics", b"\0\0\0\x18ftyphevc\0\0\0\0hevcmsf1" + _box(b"moov", bytes(99)))
    yield _refused(kind, "payload-of-garbage.heic", sample[: sample.index(b"mdat") + 4] + b"garbage" * 999)


def later_seeds() -> Iterator[Hostile]:
    """Sound files of these, to be bent."""
    yield _accepted("seed", "small.heic", _heif(32, 24))
    yield _accepted("seed", "tiles.heic", _heif(80, 80, tile_size=64))
    yield _accepted("seed", "linear.png", _png(8, 6, 16, 2, before=[_chunk(b"gAMA", struct.pack(">I", 100_000))]))
    yield _accepted("seed", "no-end.jpg", _encoded(_noise(), "JPEG")[:-2])


def colour_profiles() -> Iterator[Hostile]:
    """Profiles that lie: the picture is sound, so it is read, with the profile ignored or used."""
    kind, sound_one = "icc", profile("Display P3")
    cases = {
        "sound": sound_one,
        "empty-tags": sound_one[:128] + bytes(4),
        "zeros": bytes(4096),
        "of-3-mb": bytes(3 * MB),
    }
    cases |= {f"cut-at-{at}": sound_one[:at] for at in (10, 127, 130, 150, 200, 300, 400)}
    for name, place, value in (
        ("tags-2-to-32", 128, 2**32 - 1),
        ("tags-100", 128, 100),
        ("size-2-to-32", 0, 2**32 - 1),
        ("offset-of-itself", 136, 0),
        ("offset-nowhere", 136, 2**32 - 1),
        ("length-2-to-32", 140, 2**32 - 1),
    ):
        cases[name] = sound_one[:place] + struct.pack(">I", value) + sound_one[place + 4 :]
    cases["curve-of-2-to-31"] = sound_one.replace(b"para" + bytes(4), b"curv" + bytes(4) + struct.pack(">I", 2**31))
    cases["other-space"] = sound_one.replace(b"RGB ", b"CMYK")
    cases["link"] = sound_one.replace(b"mntr", b"link")
    table = (
        b"mft2" + bytes(4) + bytes([3, 3, 255, 0]) + struct.pack(">9i", *[65536, 0, 0] * 3) + struct.pack(">HH", 2, 2)
    )
    whole = sound_one[:128] + struct.pack(">I4sII", 1, b"A2B0", 144, 2**31) + table
    cases["grid-of-255"] = whole + bytes(99)
    cases["grid-of-255-and-1-mb"] = whole + bytes(MB)
    for seed in range(16):
        random, bad = np.random.default_rng(seed), bytearray(sound_one)
        for place in random.integers(0, len(bad), 6):
            bad[place] = random.integers(256)
        cases[f"bent-{seed}"] = bytes(bad)
    for name, icc in cases.items():
        for suffix, made in (("JPEG", "jpg"), ("PNG", "png"), ("TIFF", "tif"), ("WEBP", "webp")):
            if suffix == "JPEG" or name in ("sound", "zeros", "grid-of-255", "tags-2-to-32"):
                yield _accepted(kind, f"profile-{name}.{made}", _encoded(_noise(), suffix, icc_profile=icc))


def tiff_pages() -> Iterator[Hostile]:
    """Directories that point at themselves and each other, thousands of pages, thumbnails and layouts that lie."""
    kind = "tiff-pages"
    small, large = _grey_tiff(8, 6), _grey_tiff(32, 24)
    yield _accepted(kind, "one-page.tif", large)
    for count in (1_000, 20_000):
        body, at = b"", 8
        entry = struct.pack("<HHHIIHHIII", 2, 256, 4, 1, 1, 257, 4, 1, 1, 0)
        for number in range(count):
            at += len(entry)
            body += entry[:-4] + struct.pack("<I", at if number < count - 1 else 0)
        yield _either(kind, f"pages-{count}.tif", b"II*\0" + struct.pack("<I", 8) + body)
    order = np.random.default_rng(0).permutation(500)
    for name, subs in (("itself", [8] * 60), ("each-other", [8 + 30 * int(n) for n in order[:60]])):
        tags = struct.pack("<HHHII", 3, 256, 4, 1, 9) + struct.pack("<HHII", 257, 4, 1, 9)
        tags += struct.pack("<HHII", 330, 4, len(subs), 8 + 42) + struct.pack("<I", 8)
        yield _refused(kind, f"subs-of-{name}.tif", b"II*\0" + struct.pack("<I", 8) + tags + struct.pack("<60I", *subs))
    yield _refused(kind, "directory-nowhere.tif", b"II*\0" + struct.pack("<I", 2**32 - 1) + small)
    yield _refused(kind, "big-and-nowhere.tif", b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**64 - 1) + small)


def cut_jpegs() -> Iterator[Hostile]:
    """JPEGs without an end marker, whole and not, and progressive ones without their last scans."""
    kind = "cut-jpeg"
    for name, options in (
        ("plain", {}),
        ("progressive", {"progressive": True}),
        ("restarts", {"restart_marker_rows": 1}),
    ):
        data = _encoded(_noise(64, 64), "JPEG", **options)
        yield _accepted(kind, f"{name}-without-end.jpg", data[:-2])
        yield _accepted(kind, f"{name}-without-end-and-zeros.jpg", data[:-2] + bytes(500))
        for share in (0.5, 0.7, 0.9):
            cut = data[: int(share * len(data))]
            yield _refused(kind, f"{name}-cut-at-{share}.jpg", cut)
            yield _refused(kind, f"{name}-cut-at-{share}-and-zeros.jpg", cut + bytes(len(data) - len(cut)))
        yield _refused(kind, f"{name}-cut-and-ended.jpg", _encoded(_noise(64, 64), "JPEG")[: len(data) // 3] + _EOI)


def raw_photographs() -> Iterator[Hostile]:
    """Camera RAW by magic and by tags, whatever the name says."""
    kind = "raw"
    for name, data in {
        "dng.jpg": _tiff({256: (3, [8]), 257: (3, [8]), 50706: (1, [1, 4, 0, 0])}, bytes(64)),
        "cfa.tif": _tiff({256: (3, [8]), 257: (3, [8]), 262: (3, [32803]), 258: (3, [8])}, bytes(64)),
        "raf.png": b"FUJIFILMCCD-RAW 0201" + bytes(99),
        "cr3.heic": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(99),
        "rw2.tif": b"IIU\0" + bytes(99),
        "orf.tif": b"IIRO" + bytes(99),
        "cr2.tif": b"II*\0\x10\0\0\0CR\2\0" + bytes(4) + _tiff({256: (3, [8]), 257: (3, [8])}, bytes(64))[8:],
    }.items():
        yield _refused(kind, f"really-{name}", data)


# === What is no image, or more than one thing ===


def foreign() -> Iterator[Hostile]:
    """Other files under the names of images, and images under the wrong name."""
    kind = "foreign"
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr(zipfile.ZipInfo("../../etc/passwd"), "root::0:0")
    with tarfile.open(fileobj=tarred, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../../etc/passwd"))
    script = "<script>alert(document.cookie)</script>"
    files = {
        "text.png": b"This is a text and no image.\n" * 20,
        "elf.png": b"\x7fELF\x02\x01\x01" + bytes(200),
        "exe.jpg": b"MZ\x90\0" + bytes(200),
        "pdf.jpg": b"%PDF-1.7\n1 0 obj\n<</Type /Catalog>>\nendobj\ntrailer\n<<>>\n%%EOF\n",
        "svg.png": f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{script}</svg>'.encode(),
        "entities.png": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>',
        "html.gif": f"<!doctype html><html><body>{script}</body></html>".encode(),
        "zip.png": zipped.getvalue(),
        "gzip.png": gzip.compress(b"text" * 99, mtime=0),
        "tar.png": tarred.getvalue(),
        "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (w) file\n%%EOF\n",
        "shell.png": b"#!/bin/sh\ntouch owned\n",
        "php.png": b"<?php system($_GET['c']); ?>",
        "pickle.png": b"\x80\x04cos\nsystem\n(S'id'\ntR.",
        "numpy.png": b"\x93NUMPY\x01\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "ppm.png": _encoded(_noise(), "PPM"),
        "ico.png": _encoded(_noise(), "ICO"),
        "icns.png": b"icns" + struct.pack(">I", 2**31) + b"ic07" + bytes(99),
        "tga.png": _encoded(_noise(), "TGA"),
        "dib.bmp": _encoded(_noise(), "DIB"),
        "jpeg-2000.jpg": _encoded(_noise(), "JPEG2000"),
        "photoshop.png": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 9, 9, 8, 3) + bytes(99),
        "metafile.png": b"\xd7\xcd\xc6\x9a" + bytes(99),
        "heic.avif": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99),
        "video.avif": b"\0\0\0\x18ftypisom\0\0\0\0isomavc1" + bytes(99),
        "jpeg-xl.jpg": b"\xff\x0a" + bytes(99),
        "fits.tif": b"SIMPLE  =                    T".ljust(2_880),
        "dicom.png": bytes(128) + b"DICM" + bytes(99),
        "xpm.png": b'/* XPM */\nstatic char *x[] = {"1 1 1 1", "a c red", "a"};\n',
        "url.png": b"http://169.254.169.254/latest/meta-data/\n",
        "random.png": np.random.default_rng(0).integers(0, 256, 5_000).astype(np.uint8).tobytes(),
    }
    for name, data in files.items():
        yield _refused(kind, f"really-{name}", data)
    for suffix, true in (
        ("jpg", "PNG"),
        ("png", "JPEG"),
        ("gif", "WEBP"),
        ("txt", "GIF"),
        ("exe", "BMP"),
        ("html", "TIFF"),
    ):
        yield _accepted(kind, f"really-{true.lower()}.{suffix}", _encoded(_noise(), true))
    yield _accepted(kind, "really-png-without-suffix", _encoded(_noise(), "PNG"))


def polyglots() -> Iterator[Hostile]:
    """Sound images that are something else too: only pixels may come out of them."""
    kind = "polyglots"
    jpeg, png, gif = _encoded(_noise(), "JPEG"), _encoded(_noise(), "PNG"), _encoded(_noise(mode="P"), "GIF")
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.html"), "<script>alert(1)</script>")
    php = b"<?php system($_GET['c']); ?>"
    pdf = b"%PDF-1.7\n1 0 obj\n<</Length 9>>\nstream\n"
    yield _accepted(kind, "jpeg-and-zip.jpg", jpeg + zipped.getvalue())
    yield _accepted(kind, "gif-and-jar.gif", gif + zipped.getvalue())
    script = b"!\xfe\x0d*/=1;alert(1)" + b"\0"
    yield _either(kind, "gif-and-script.gif", b"GIF89a/*" + gif[8:13] + gif[13:781] + script + gif[781:])
    yield _accepted(kind, "png-and-php.png", png + php)
    yield _accepted(kind, "png-with-php-in-a-text.png", _png(8, 8, before=[_chunk(b"tEXt", b"Comment\0" + php)]))
    yield _accepted(kind, "jpeg-with-php-in-a-comment.jpg", _after_start(jpeg, _segment(0xFE, php)))
    yield _accepted(
        kind, "jpeg-with-a-page-in-a-comment.jpg", _after_start(jpeg, _segment(0xFE, b"<script>alert(1)</script>"))
    )
    yield _refused(kind, "pdf-and-jpeg.jpg", pdf + jpeg)
    yield _accepted(kind, "jpeg-and-pdf.jpg", _after_start(jpeg, _segment(0xFE, pdf)) + b"endstream\n%%EOF\n")
    yield _refused(kind, "zip-and-png.png", zipped.getvalue() + png)
    yield _accepted(kind, "bmp-and-shell.bmp", _encoded(_noise(), "BMP") + b"\n#!/bin/sh\nid\n")
    yield _accepted(kind, "webp-and-page.webp", _encoded(_noise(), "WEBP") + b"<script>alert(1)</script>")
    yield _accepted(kind, "tiff-and-zip.tif", _encoded(_noise(), "TIFF") + zipped.getvalue())
    yield _accepted(kind, "png-and-png.png", png + _png(60_000, 60_000, 1))
    yield _accepted(kind, "jpeg-and-jpeg.jpg", jpeg + _encoded(_noise(seed=1), "JPEG"))
    thumbnail = _segment(0xE1, _exif((_MAKER, (2, b"maker\0"))) + jpeg)
    yield _accepted(kind, "jpeg-in-jpeg.jpg", _after_start(jpeg, thumbnail))


def edges() -> Iterator[Hostile]:
    """Nothing, next to nothing, only a beginning, and more than is read at all."""
    kind = "edges"
    yield _refused(kind, "0-bytes.png", b"")
    yield _refused(kind, "1-byte.png", b"\x89")
    yield _refused(kind, "1-zero.jpg", b"\0")
    yield _refused(kind, "newline.jpg", b"\n")
    starts = {
        "jpg": [b"\xff", _SOI, _SOI + b"\xff", _SOI + _EOI, _SOI + b"\xff\xe0", _SOI + b"\xff\xda"],
        "png": [_PNG_MAGIC[:4], _PNG_MAGIC, _PNG_MAGIC + b"\0\0\0\x0dIHDR"],
        "gif": [b"GIF", b"GIF87a", b"GIF89a", b"GIF89a" + bytes(6), b"GIF89a" + bytes(7)],
        "bmp": [b"B", b"BM", b"BM" + bytes(12), b"BM" + bytes(52)],
        "tif": [b"II", b"II*\0", b"MM\0*", b"II*\0\x08\0\0\0", b"MM\0+", b"II+\0\x08\0\0\0"],
        "webp": [b"RIFF", b"RIFF\0\0\0\0WEBP", b"RIFF\x04\0\0\0WEBPVP8 ", b"RIFF\x0c\0\0\0WEBPVP8X\0\0\0\0"],
        "avif": [b"\0\0\0\x18ftyp", b"\0\0\0\x18ftypavif", b"\0\0\0\x0cftypavis", b"\0\0\0\0ftypavif"],
    }
    for suffix, pieces in starts.items():
        for number, data in enumerate(pieces):
            yield _refused(kind, f"start-{number}.{suffix}", data)
            yield _refused(kind, f"start-{number}-and-zeros.{suffix}", data + bytes(5_000))
    for byte in (0x00, 0xFF, 0x20):
        yield _refused(kind, f"all-{byte:02x}.png", bytes([byte]) * 5_000)
    yield _refused(kind, "mark-of-byte-order.png", b"\xef\xbb\xbf" + _encoded(_noise(), "PNG"))
    yield _refused(kind, "line-ends-changed.png", _encoded(_noise(), "PNG").replace(b"\r\n", b"\n"))
    yield _refused(kind, "first-byte-lost.jpg", _encoded(_noise(), "JPEG")[1:])
    yield _refused(kind, "64-mb-and-1-of-zeros.png", bytes(MAX_BYTES + 1))
    sample = _encoded(_noise(), "PNG")
    yield _accepted(kind, "64-mb-of-which-most-is-tail.png", sample.ljust(MAX_BYTES, b"\0"))
    yield _refused(kind, "64-mb-and-1-of-which-most-is-tail.png", sample.ljust(MAX_BYTES + 1, b"\0"))


# === Names ===


def names() -> Iterator[Hostile]:
    """Sound images under nasty names: every one is a file of its own on a disk that tells apart what differs."""
    data = _encoded(_noise(), "PNG")
    twin = "Zoë-Å-각.png"
    nasty = [
        "\u202egnp.exe.png",
        "right\u2067to\u2069left.png",
        "zero\u200bwidth\ufeff.png",
        "e\u0301\u0323combining" + "\u0336" * 40 + ".png",
        "emoji-👩‍👩‍👧‍👦🏳️‍🌈.png",
        unicodedata.normalize("NFC", twin),
        unicodedata.normalize("NFD", twin),
        "раyраl.png",
        "ｆｕｌｌ．ｐｎｇ",
        "İstanbul-ıı.PNG",
        "straße.png",
        "line\nbreak.png",
        "carriage\rreturn.png",
        "tab\tulator.png",
        "escape\x1b[2J\x1b[31mred.png",
        "title\x1b]0;owned\x07.png",
        "bell\x07\x08\x08\x08backspace.png",
        "delete\x7f-next\x85-separator\u2028.png",
        "-rf.png",
        "--help.png",
        "-",
        "=cmd|'calc'!A0.png",
        "+1+1.png",
        "@SUM(1+1).png",
        "[click](javascript:alert(1)).png",
        "![x](http:example.org) **bold** `code` $\\alpha$ :red[x].png",
        "<script>alert(1)<script>.png",
        '"><img src=x onerror=alert(1)>.png',
        "&lt;b&gt;&amp;.png",
        "..%2f..%2fetc.png",
        "..\\..\\windows\\system32.png",
        "C:\\boot.png",
        "file:..png",
        "...png",
        ".png",
        ".hidden.png",
        "~.png",
        "~root.png",
        "$HOME-$(id)-`id`.png",
        "; touch owned; #.png",
        "a && b | c > d.png",
        "*?[a-z]{b}.png",
        "%s%n%x-{0}-{name}.png",
        "' OR 1=1; DROP TABLE images;--.png",
        'quote"comma,semicolon;tab\tend.png',
        " leading.png",
        "trailing.png   ",
        "trailing.png...",
        "two  spaces\u00a0and\u3000more.png",
        "CON.png",
        "nul.png",
        "COM1",
        "stream.png:hidden",
        "PNG.PnG",
        "many.dots.tar.gz.php.png",
        "php.png.php",
        "desktop.ini",
        "__MACOSX.png",
        "long-" + "x" * 241 + ".png",
        "lång-" + "ö" * 120 + ".png",
        "none",
        "null.png",
        "0",
        os.fsdecode(b"\xff\xfe.png"),
        os.fsdecode(b"latin-\xe9-1.png"),
        os.fsdecode(b"half-\xf0\x9f\x92.png"),
    ]
    for number, name in enumerate(nasty):
        # Each differs by some bytes behind its end, so that no two have one digest.
        yield _accepted("names", name, data + b"%d" % number)
