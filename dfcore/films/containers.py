"""Which files are films, by their content alone, and which decoders may read them.

Only these containers are opened, each by the reader of its own kind: a playlist, or another file that names files or
addresses, is told and never followed.
"""

from dfcore.errors import FilmError

# Bytes from the beginning of a file that tell its kind.
HEAD = 4096
# Readers of containers, by the name that FFmpeg has for them: their title.
CONTAINERS = {
    "mov": "MP4 or QuickTime",
    "matroska": "Matroska or WebM",
    "avi": "AVI",
    "mpegts": "MPEG transport stream",
    "mpeg": "MPEG programme stream",
    "flv": "Flash video",
    "ogg": "Ogg",
    "asf": "Windows Media",
    "mxf": "MXF",
}
# Codecs of moving pictures that are in use and whose decoders are looked after, by FFmpeg's name.
CODECS = frozenset({
    "h264", "hevc", "vvc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "h263", "mjpeg", "prores", "dnxhd",
    "theora", "vc1", "wmv1", "wmv2", "wmv3", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "msmpeg4", "flv1", "flv", "dvvideo",
    "ffv1", "huffyuv", "ffvhuff", "rawvideo", "png", "qtrle", "utvideo", "cfhd",
})  # fmt: skip
_KINDS = "Expected a film as MP4, QuickTime, Matroska, WebM, AVI, MPEG, Flash, Ogg, Windows Media or MXF file"
_BOXES = {b"ftyp", b"styp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"pnot", b"sidx", b"uuid"}
_PICTURE_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis", b"crx "}
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_SOUNDS = (b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf1", b"#!AMR", b"FORM", b"MThd")
_TEXTS = (
    b"#EXTM3U",
    b"ffconcat",
    b"<MPD",
    b"<?xml",
    b"<smil",
    b"<asx",
    b"[playlist]",
    b"[Reference]",
    b"#EXTINF",
    b"RTSPtext",
)
_ASF, _MXF = bytes.fromhex("3026b2758e66cf11"), bytes.fromhex("060e2b34020501010d0102")


def recognised(head: bytes) -> str:
    """The reader for a film, a key of `CONTAINERS`.

    Args:
        head: The first `HEAD` bytes of its file, or all if it has fewer.

    Raises:
        FilmError: If it is none of these containers; says what it is instead, where that can be told.
    """
    kind = _container(head)
    if kind is None:
        raise FilmError(f"{_KINDS}. Received: {_instead(head)}.")
    return kind


def _container(head: bytes) -> str | None:
    if head[4:8] in _BOXES:
        return None if head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS else "mov"
    if head.startswith(b"RIFF"):
        return "avi" if head[8:11] == b"AVI" else None
    for start, kind in (
        (b"\x1aE\xdf\xa3", "matroska"), (b"FLV\x01", "flv"), (b"OggS", "ogg"), (_ASF, "asf"), (b"\0\0\1\xba", "mpeg"),
    ):  # fmt: skip
        if head.startswith(start):
            return kind
    if _MXF in head:
        return "mxf"
    # Packets of 188 bytes, of which some recorders put four before each, or sixteen after.
    if any(
        len(head) > first + 2 * step and all(head[first + n * step] == 0x47 for n in range(3))
        for first, step in ((0, 188), (4, 192), (0, 204))
    ):
        return "mpegts"
    return None


def _instead(head: bytes) -> str:
    """What a file is that is no film."""
    if not head:
        return "an empty file (0 bytes)"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if any(text[:200].lower().startswith(start.lower()) or b"<mpd" in text[:500].lower() for start in _TEXTS):
        return "a playlist or another text that names files or addresses, none of which is opened"
    if head.startswith(_PICTURES) or head[8:12] in _PICTURE_BRANDS or head[8:12] == b"WEBP":
        return "a picture"
    if head.startswith(_SOUNDS) or head[8:12] == b"WAVE":
        return "sound alone"
    return "a file of another kind, or one whose beginning is missing or damaged"
