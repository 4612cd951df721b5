"""What a file's container says beside its pixels: its segments or chunks, and how it was coded. Nothing is decoded.

Each property is one word, e.g. "JPEG: Exif" or "PNG: interlaced". A tool that wrote the files of only one class leaves
words that only this class has. Damaged and unknown files just have fewer words.
"""

import struct
from collections.abc import Iterator

_MOST = 4096  # Segments or chunks read of one file; an IDAT each 8 kB would be 32 MB.
_APP = {
    b"JFIF\0": "JFIF",
    b"Exif\0": "Exif",
    b"http://ns.adobe.com/xap/": "XMP",
    b"ICC_PROFILE\0": "ICC profile",
    b"Photoshop 3.0\0": "Photoshop block",
    b"Adobe": "Adobe marker",
    b"MPF\0": "several pictures",
    b"JP\0": "C2PA",
}
_STANDARD_HUFFMAN = 4 * 17 + 2 * 12 + 2 * 162  # Bytes of libjpeg's four default tables.
_TIFF_TAGS = {34675: "ICC profile", 34665: "Exif", 700: "XMP", 305: "software"}
_PIECES = (8192, 16384, 32768, 65536, 524288)
_PNG_CHUNKS = {"eXIf": "Exif", "iCCP": "ICC profile", "tEXt": "text", "zTXt": "text", "iTXt": "text", "caBX": "C2PA"}


def words(data: bytes) -> frozenset[str]:
    """The properties of a file's container.

    Args:
        data: Content of the file.
    """
    for start, name, read in (
        (b"\xff\xd8", "JPEG", _jpeg),
        (b"\x89PNG\r\n\x1a\n", "PNG", _png),
        (b"RIFF", "WebP", _webp),
        (b"II*\0", "TIFF", _tiff),
        (b"MM\0*", "TIFF", _tiff),
    ):
        if data.startswith(start):
            try:
                return frozenset(f"{name}: {word}" for word in read(data))
            except (struct.error, IndexError, ValueError):
                return frozenset()
    return frozenset()


def _jpeg(data: bytes) -> Iterator[str]:
    at, huffman, tables = 2, 0, 0
    for _ in range(_MOST):
        while data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])[0]
        if data[at] != 0xFF or length < 2:
            return
        body = data[at + 4 : at + 2 + length]
        if 0xE0 <= marker <= 0xEF:
            yield next((name for start, name in _APP.items() if body.startswith(start)), f"APP{marker - 0xE0}")
        elif marker == 0xFE:
            yield "comment"
        elif marker == 0xC4:
            huffman += len(body)
        elif marker == 0xDB:
            tables += len(body) // 64
        elif marker == 0xDD:
            yield "restart markers"
        elif marker in (0xC0, 0xC1, 0xC2):
            yield {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}[marker]
            yield f"{body[5]} components"
        elif marker == 0xDA:
            yield f"{tables} quantisation tables"
            yield "default Huffman tables" if huffman == _STANDARD_HUFFMAN else "own Huffman tables"
            return
        at += 2 + length


def _png(data: bytes) -> Iterator[str]:
    depth, colour, _, _, interlaced = data[24:29]
    yield f"{depth} bits, colour type {colour}"
    if interlaced:
        yield "interlaced"
    at = 8
    for _ in range(_MOST):
        if at + 8 > len(data):
            return
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        name = kind.decode("latin-1")
        if name == "IDAT":
            yield f"data in pieces of {length}" if length in _PIECES else "data in one piece"
            return
        if name not in ("IHDR", "PLTE"):
            yield _PNG_CHUNKS.get(name, f"{name} chunk")
        at += 12 + length


def _webp(data: bytes) -> Iterator[str]:
    at = 12
    for _ in range(_MOST):
        if at + 8 > len(data):
            return
        kind, length = struct.unpack("<4sI", data[at : at + 8])
        name = kind.decode("latin-1").strip()
        yield {"VP8L": "lossless", "VP8": "lossy", "EXIF": "Exif", "ICCP": "ICC profile"}.get(name, f"{name} chunk")
        at += 8 + length + length % 2


def _tiff(data: bytes) -> Iterator[str]:
    order = "<" if data.startswith(b"II") else ">"
    (at,) = struct.unpack(f"{order}I", data[4:8])
    (entries,) = struct.unpack(f"{order}H", data[at : at + 2])
    for number in range(min(entries, _MOST)):
        entry = data[at + 2 + 12 * number :][:12]
        tag, _, _, value = struct.unpack(f"{order}HHIH", entry[:10])
        if tag in _TIFF_TAGS:
            yield _TIFF_TAGS[tag]
        elif tag == 259:
            yield f"compression {value}"
