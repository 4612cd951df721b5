"""What kind of file something is: by its suffix, and where that is not known, by its first bytes."""

from enum import StrEnum
from pathlib import Path

from dfcore.imaging import decoder

_FIRST_BYTES = 512
_LINK_BYTES = 4096


class Kind(StrEnum):
    """Kinds of files.

    A picture gets a row, whether it can be judged or not; in the others a picture may be missed, except for `OTHER`.
    """

    PICTURE = "picture"
    VIDEO = "video"
    ARCHIVE = "archive"
    LINK = "link"  # As Git writes one where links are not supported: a text that holds its target.
    UNKNOWN = "unknown"
    OTHER = "other"


def _suffixes(text: str) -> frozenset[str]:
    return frozenset(f".{name}" for name in text.split())


# Pictures that may not be read here: the decoder says why.
PICTURES = decoder.SUFFIXES | _suffixes(
    """heic heif heics hif jxl jp2 j2k jpf jpx jpm jxr wdp apng dib pjpeg pjp svg svgz ico icns psd psb xcf exr hdr tga
    pcx pnm pbm pgm ppm pam dcm dng cr2 cr3 crw nef nrw arw srf sr2 raf orf rw2 rwl pef srw x3f 3fr fff iiq mrw erf kdc
    dcr mos mef gpr raw"""
)
VIDEOS = _suffixes("mp4 m4v mov avi mkv webm wmv flv mpg mpeg m2v mts m2ts 3gp 3g2 ogv vob asf y4m")
_ARCHIVES = _suffixes("zip tar tgz gz bz2 tbz2 xz txz 7z rar zst lz4 cab iso dmg")
_OTHERS = _suffixes(
    """txt text md rst log json jsonl ndjson csv tsv xml yaml yml toml ini cfg conf html htm css js ts py pyc ipynb sh
    bat ps1 c h cc cpp hpp java rs go r m mat npy npz pkl pickle pt pth h5 hdf5 keras onnx tflite safetensors parquet
    feather arrow db sqlite sqlite3 lock pdf doc docx xls xlsx ppt pptx odt ods odp rtf tex bib srt vtt ass
    mp3 wav flac m4a aac ogg opus wma mid xmp aae sha1 sha256 md5 sig asc pem url lnk desktop exe dll so dylib
    tfrecord prj shp kml gpx geojson proto sql swp"""
)
_SUFFIX_KINDS = {
    **dict.fromkeys(_OTHERS, Kind.OTHER),
    **dict.fromkeys(_ARCHIVES, Kind.ARCHIVE),
    **dict.fromkeys(VIDEOS, Kind.VIDEO),
    **dict.fromkeys(PICTURES, Kind.PICTURE),
}

# {first bytes: kind}; those that need more than a prefix are in `of_bytes`.
_MAGIC = {
    Kind.PICTURE: (
        b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\xff\x0a",
        b"\0\0\0\x0cJXL ", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"II\xbc", b"8BPS", b"gimp xcf", b"v/1\x01",
        b"#?RADIANCE", b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb", b"\0MRM", b"P4\n", b"P5\n",
        b"P6\n",
    ),
    Kind.VIDEO: (b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"FLV\x01", b"OggS", b"0&\xb2u\x8ef\xcf\x11"),
    Kind.ARCHIVE: (
        b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a",
        b"(\xb5/\xfd", b"\x04\x22M\x18",
    ),
    Kind.OTHER: (
        b"%PDF", b"\x89HDF\r\n", b"SQLite format 3\0", b"PAR1", b"\x93NUMPY", b"\x7fELF", b"MZ", b"ID3", b"fLaC",
    ),
}  # fmt: skip
_PICTURE_BRANDS = {b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1",
                   b"miaf", b"crx "}  # fmt: skip
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}


def of_file(path: Path) -> Kind:
    """The kind of a regular file; it is opened only if its suffix tells nothing.

    Raises:
        OSError: If it must be opened and cannot be.
    """
    known = _SUFFIX_KINDS.get(path.suffix.lower())
    if known is not None:
        return known
    with open(path, "rb") as file:
        first = file.read(_FIRST_BYTES)
        kind = of_bytes(first)
        if kind is Kind.OTHER and not path.suffix and _names_a_neighbour(path, first + file.read(_LINK_BYTES)):
            return Kind.LINK
    return kind


def of_bytes(first: bytes) -> Kind:
    """The kind by the first 512 bytes of a file; `UNKNOWN` for none and for those that tell nothing."""
    found = next((kind for kind, starts in _MAGIC.items() if first.startswith(starts)), None)
    if found:
        return found
    if first[4:8] == b"ftyp":
        brands = {first[8:12], *(first[at : at + 4] for at in range(16, min(first[3], len(first)), 4))}
        return Kind.PICTURE if brands & _PICTURE_BRANDS else Kind.VIDEO
    if first[:4] == b"RIFF":
        return {b"WEBP": Kind.PICTURE, b"AVI ": Kind.VIDEO}.get(first[8:12], Kind.OTHER)
    if first[:2] == b"BM" and int.from_bytes(first[14:18], "little") in _BMP_HEADERS:
        return Kind.PICTURE
    if first[128:132] == b"DICM":
        return Kind.PICTURE
    if first[257:262] == b"ustar":
        return Kind.ARCHIVE
    if not _is_text(first):
        return Kind.UNKNOWN
    return Kind.PICTURE if b"<svg" in first else Kind.OTHER


def link_target(path: Path) -> str:
    """What a file of the kind `LINK` names."""
    return path.read_bytes()[:_LINK_BYTES].decode(errors="replace")


def _is_text(first: bytes) -> bool:
    """Whether there is something, and it is UTF-8 without control characters; the last character may be cut off."""
    try:
        text = first.decode()
    except UnicodeDecodeError as error:
        if len(first) < _FIRST_BYTES or error.start < len(first) - 3:
            return False
        text = first[: error.start].decode()
    return bool(text) and all(c.isprintable() or c in "\t\r\n\f\x1b\ufeff" for c in text)


def _names_a_neighbour(path: Path, content: bytes) -> bool:
    """Whether a file's whole text is a relative path to something that exists."""
    if len(content) >= _LINK_BYTES or b"\n" in content or b"/" not in content:
        return False
    text = content.decode(errors="replace")
    return not text.startswith("/") and (path.parent / text).exists()
