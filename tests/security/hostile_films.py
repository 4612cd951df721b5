"""Films that are damaged or made to do harm, each with a word of the reason that is told."""

from collections.abc import Iterator

from tests.made_films import box, boxes, film, patched

_KEYS = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "ab" * 16, "encryption_kid": "cd" * 16}
_BIG = (2**32 - 1).to_bytes(4, "big")


def truncated(data: bytes) -> Iterator[tuple[str, bytes]]:
    """A film cut off at the beginning, in the header, in the middle and at the end of every box."""
    seen = set()
    for name, start, end in boxes(data):
        for cut in (start, start + 6, start + 8, (start + end) // 2, end - 1):
            if cut not in seen:
                seen.add(cut)
                yield f"cut at {cut} in {name}", data[:cut]


def moov_first(data: bytes) -> bytes:
    """The same film with the list of frames before the frames, as films for the network have it."""
    spans = {name: data[start:end] for name, start, end in boxes(data) if name.count("/") == 1}
    moov, shift = spans["/moov"], len(spans["/moov"])
    place = box(moov, "stco")[0]
    old = int.from_bytes(moov[place + 16 : place + 20], "big")
    moov = moov[: place + 16] + (old + shift).to_bytes(4, "big") + moov[place + 20 :]
    return spans["/ftyp"] + moov + spans["/free"] + spans["/mdat"]


def replaced(data: bytes, start: int, end: int, new: bytes) -> bytes:
    """A film with a part replaced, and the sizes of the boxes around it corrected."""
    result = bytearray(data)
    for _, first, stop in boxes(data):
        if first < start and stop >= end:
            size = int.from_bytes(data[first : first + 4], "big") + len(new) - (end - start)
            result[first : first + 4] = size.to_bytes(4, "big")
    return bytes(result[:start]) + new + bytes(result[end:])


def tracks(data: bytes, number: int) -> bytes:
    """A film with so many tracks."""
    start, end = box(data, "trak")
    return replaced(data, start, end, data[start:end] * number)


def without_frames(data: bytes) -> bytes:
    """A film whose lists of frames are empty."""
    for name in ("stts", "stsc", "stco"):
        start, end = box(data, name)
        data = replaced(data, start, end, (16).to_bytes(4, "big") + name.encode() + bytes(8))
    start, end = box(data, "stsz")
    return replaced(data, start, end, (20).to_bytes(4, "big") + b"stsz" + bytes(12))


def elsewhere(data: bytes, address: str) -> bytes:
    """A film whose frames lie in another file, by its data reference."""
    start, end = box(data, "dref")
    entries = (b"alis" + bytes(4) + _alias(address), b"url " + bytes(4) + address.encode() + b"\0")
    made = b"".join((len(one) + 4).to_bytes(4, "big") + one for one in entries)
    new = b"dref" + bytes(4) + (2).to_bytes(4, "big") + made
    return replaced(data, start, end, (len(new) + 4).to_bytes(4, "big") + new)


def _alias(address: str) -> bytes:
    name = address.encode()
    head = bytes(4) + (150 + 4 + len(name) + 4).to_bytes(2, "big") + (2).to_bytes(2, "big") + bytes(2)
    head += bytes([4]) + b"disk".ljust(27, b"\0") + bytes(12) + bytes([min(len(name), 63)])
    head += name[:63].ljust(63, b"\0") + bytes(16) + (0).to_bytes(2, "big") + (1).to_bytes(2, "big") + bytes(16)
    path = name + b"\0" * (len(name) % 2)
    return head + (2).to_bytes(2, "big") + len(name).to_bytes(2, "big") + path + (0xFFFF).to_bytes(2, "big") + bytes(2)


def deep(levels: int) -> bytes:
    """Boxes inside of boxes."""
    inner = b""
    for _ in range(levels):
        inner = (len(inner) + 8).to_bytes(4, "big") + b"moov" + inner
    return b"\0\0\0\x10ftypisom\0\0\0\0" + inner


def refused(address: str = "http://127.0.0.1:9/") -> Iterator[tuple[str, bytes, str]]:
    """Films of which nothing can be read.

    Args:
        address: Where some of them want to be read from.

    Returns:
        Name, content, and words of the reason.
    """
    mp4, avi, mkv = film(), film(container="avi", codec="mpeg4"), film(container="matroska")
    yield "HLS playlist", f"#EXTM3U\n#EXTINF:9,\n{address}\n".encode(), "playlist"
    yield "concat", f"ffconcat version 1.0\nfile '{address}'\n".encode(), "playlist"
    yield "concat of a file", b"ffconcat version 1.0\nfile /etc/passwd\n", "playlist"
    yield "DASH", f'<?xml version="1.0"?><MPD><BaseURL>{address}</BaseURL></MPD>'.encode(), "playlist"
    yield "SMIL", f'<smil><video src="{address}"/></smil>'.encode(), "playlist"
    yield "ASX", f'<ASX version="3"><ref href="{address}"/></ASX>'.encode(), "playlist"
    yield "reference film", elsewhere(mp4, address), "another file"
    yield "reference to a file", elsewhere(mp4, "/etc/passwd"), "another file"
    yield "five thousand tracks", tracks(mp4, 5000), "at most 256 streams"
    yield "nested boxes", deep(20_000), "damaged or incomplete|no moving pictures"
    yield "no frames", without_frames(mp4), "holds no frame"
    yield "encrypted", film(5, container_options=_KEYS), "encrypted"
    yield "only zeros", mp4[:32] + bytes(100_000), "damaged|lacks the list|no moving pictures"
    yield "no list of frames", mp4[:-1000], "lacks the list of its frames"
    yield "pictures of absurd size", _avi_sized(film(3, container="avi", codec="rawvideo")), "megapixels"
    yield "Matroska cut in its header", mkv[:200], "damaged or incomplete"
    yield "AVI of thousands of streams", _avi_streams(avi), "at most 256 streams"
    yield "picture as a film", b"\x89PNG\r\n\x1a\n" + bytes(200), "a picture"


def odd() -> Iterator[tuple[str, bytes]]:
    """Films with absurd statements, which may still be read, in part or whole."""
    mp4, avi, mkv = film(), film(container="avi", codec="mpeg4"), film(container="matroska")
    yield "time scale of zero", patched(mp4, "mdhd", 20, bytes(4))
    yield "time scale without end", patched(mp4, "mdhd", 20, _BIG)
    yield "length without end", patched(mp4, "mdhd", 24, _BIG)
    yield "times without end", patched(mp4, "stts", 16, _BIG + _BIG)
    yield "number of times without end", patched(mp4, "stts", 12, _BIG)
    yield "number of sizes without end", patched(mp4, "stsz", 16, _BIG)
    yield "size of frames without end", patched(mp4, "stsz", 12, _BIG)
    yield "chunks without end", patched(mp4, "stsc", 16, _BIG + _BIG)
    yield "frames beyond the end", patched(mp4, "stco", 16, _BIG)
    yield "edit without end", patched(mp4, "elst", 16, _BIG + _BIG)
    yield "tiny box", patched(mp4, "mdia", 0, (3).to_bytes(4, "big"))
    yield "box of 64 bits", patched(mp4, "trak", 0, (1).to_bytes(4, "big"))
    yield "unknown codec", mp4.replace(b"avc1", b"zzzz")
    yield "codec out of use", mp4.replace(b"avc1", b"cvid")
    yield "absurd size in the header", patched(mp4, "stsd", 16 + 8 + 24, b"\xff\xff\xff\xff")
    yield "AVI of absurd size", _avi_sized(avi)
    yield "Matroska with an endless element", mkv[:40] + b"\x01\xff\xff\xff\xff\xff\xff\xfe" + mkv[48:]
    yield "no settings of the codec", mp4.replace(b"avcC", b"zzzC")
    yield "absurd rate of an AVI", avi[:32] + bytes([1, 0, 0, 0]) + avi[36:]
    middle = box(mp4, "mdat")
    yield "noise among the frames", mp4[: middle[0] + 900] + bytes(range(256)) * 4 + mp4[middle[0] + 1924 :]


def _avi_sized(avi: bytes) -> bytes:
    """An AVI whose headers state 60,000 x 60,000 pixels."""
    size = (60_000).to_bytes(4, "little")
    first = avi.index(b"avih") + 8 + 32
    avi = avi[:first] + size * 2 + avi[first + 8 :]
    second = avi.index(b"strf") + 8 + 4
    return avi[:second] + size * 2 + avi[second + 8 :]


def _avi_streams(avi: bytes) -> bytes:
    """An AVI whose list of streams goes on and on."""
    start = avi.index(b"LIST", 12 + 8)
    end = start + 8 + int.from_bytes(avi[start + 4 : start + 8], "little")
    start, end = (start, end) if avi[start + 8 : start + 12] == b"strl" else (avi.index(b"strl") - 8, 0)
    end = end or start + 8 + int.from_bytes(avi[start + 4 : start + 8], "little")
    more = avi[start:end] * 3000
    header = avi.index(b"hdrl") - 4
    size = int.from_bytes(avi[header : header + 4], "little") + len(more)
    return avi[:header] + size.to_bytes(4, "little") + avi[header + 4 : end] + more + avi[end:]
