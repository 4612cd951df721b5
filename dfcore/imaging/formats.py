"""Recognises files by their first bytes, never by their name: formats that are read, and reasons for all others."""

import codecs
import re

from dfcore.errors import ImageError
from dfcore.utils.texts import printable

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF")
SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"),
        *(".avif", ".heic", ".heif", ".hif"),
    }
)
_START = 4096
# Brands of HEIF files (ISO/IEC 23008-12). "mif1" and "msf1" name no codec: the items do.
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"mif1", b"msf1", b"mif2"}

_EXPORT, _CONVERT = "export it as JPEG or TIFF", "save it as PNG or JPEG"
_UNPACK, _FRAMES = "unpack it and add the pictures in it", "extract frames from it and add those"
_AGAIN = "download or copy the picture again"
_RAW = "a camera RAW ({}), which holds sensor data and no finished picture"
# What begins so; and what to do. In this order.
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"FUJIFILMCCD-RAW", _RAW.format("Fujifilm RAF"), _EXPORT),
    (b"IIRO", _RAW.format("Olympus ORF"), _EXPORT),
    (b"IIRS", _RAW.format("Olympus ORF"), _EXPORT),
    (b"MMOR", _RAW.format("Olympus ORF"), _EXPORT),
    (b"IIU\0", _RAW.format("Panasonic RW2"), _EXPORT),
    (b"II\x1a\0\0\0HEAPCCDR", _RAW.format("Canon CRW"), _EXPORT),
    (b"FOVb", _RAW.format("Sigma X3F"), _EXPORT),
    (b"\0MRM", _RAW.format("Minolta MRW"), _EXPORT),
    (b"\xff\x0a", "a JPEG XL picture, for which no reader is kept well enough", _CONVERT),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture, for which no reader is kept well enough", _CONVERT),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture", _CONVERT),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture", _CONVERT),
    (b"II\xbc", "a JPEG XR picture", _CONVERT),
    (b"8BPS", "a Photoshop document (PSD)", _EXPORT),
    (b"gimp xcf", "a GIMP document (XCF)", _EXPORT),
    (b"\0\0\1\0", "an icon (ICO)", _CONVERT),
    (b"icns", "an icon (ICNS)", _CONVERT),
    (b"v/1\1", "an OpenEXR picture of high dynamic range", _CONVERT),
    (b"#?RADIANCE", "a Radiance picture of high dynamic range", _CONVERT),
    (b"DDS ", "a DirectDraw texture (DDS)", _CONVERT),
    (b"qoif", "a QOI picture", _CONVERT),
    (b"BPG\xfb", "a BPG picture", _CONVERT),
    (b"SIMPLE  =", "an astronomical FITS file", _CONVERT),
    (b"\xd7\xcd\xc6\x9a", "a Windows metafile, a drawing", _CONVERT),
    (b"%!PS", "a PostScript document", "export its pictures as PNG or JPEG"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript document", "export its pictures as PNG or JPEG"),
    (b"Rar!", "an archive (RAR)", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "an archive (7z)", _UNPACK),
    (b"\x1f\x8b", "compressed with gzip", _UNPACK),
    (b"BZh", "compressed with bzip2", _UNPACK),
    (b"\xfd7zXZ\0", "compressed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", _UNPACK),
    (b"FLV\1", "a video (Flash), not a picture", _FRAMES),
    (b"\0\0\1\xba", "a video (MPEG), not a picture", _FRAMES),
    (b"\0\0\1\xb3", "a video (MPEG), not a picture", _FRAMES),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a video (Windows Media), not a picture", _FRAMES),
    (b"OggS", "a video or sound (Ogg), not a picture", _FRAMES),
    (b"ID3", "a sound (MP3)", "choose a picture"),
    (b"fLaC", "a sound (FLAC)", "choose a picture"),
    (b"\0\5\x16\7", "a side file of macOS (AppleDouble)", "choose the picture beside it, named without '._'"),
    (b"L\0\0\0\1\x14\2\0", "a shortcut of Windows", "choose the picture that it points to"),
    (b"\x7fELF", "a program", "choose a picture"),
    (b"MZ", "a program", "choose a picture"),
    (b"SQLite format 3", "a database (SQLite)", "choose a picture"),
    (b"PAR1", "a table (Parquet)", "choose a picture"),
    (b"\x93NUMPY", "a NumPy array", _CONVERT),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "choose a picture"),
)
_RIFF = {b"AVI ": "a video (AVI), not a picture", b"WAVE": "a sound (WAV)"}
_OFFICE = {b"word/": "a Word document", b"ppt/": "a PowerPoint presentation", b"xl/": "an Excel workbook"}


def recognised(data: bytes) -> str:
    """Pillow's name of the format that the content has ("JPEG" for MPO too).

    Args:
        data: Content of the file, not empty.

    Raises:
        ImageError: If it is not one of `FORMATS`; says what it is, and what to do.
    """
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:4] in (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+"):
        return "TIFF"
    if data[4:8] == b"ftyp":
        return _of_boxes(data)
    if data[:2] == b"BM":
        return "BMP"
    raise _refusal(*_foreign(data))


def _refusal(what: str, advice: str) -> ImageError:
    if what.startswith("a camera RAW"):
        return ImageError(f"{what[0].upper()}{what[1:]}: {advice}.")
    return ImageError(f"Not an image that is read here, but {what}: {advice}.")


def raw_refusal(kind: str) -> ImageError:
    """The reason for a camera's RAW file; `kind` as in "DNG"."""
    return _refusal(_RAW.format(kind), _EXPORT)


def _of_boxes(data: bytes) -> str:
    """The format of a file of ISO boxes, which may be a picture, a RAW or a video."""
    size = min(max(int.from_bytes(data[:4], "big"), 16), _START)
    major, brands = data[8:12], {data[8:12], *(data[at : at + 4] for at in range(16, size - 3, 4))}
    if major == b"crx ":
        raise raw_refusal("Canon CR3")
    if major in _AVIF_BRANDS:
        return "AVIF"
    if major in _HEIC_BRANDS:
        return "HEIF"
    if major in _HEIF_BRANDS:
        # The codec of its items tells; hidden behind nothing but the brands before them.
        return "AVIF" if brands & _AVIF_BRANDS or b"av01" in data[:_START] else "HEIF"
    if major[:3] == b"M4A":
        raise _refusal("a sound (M4A)", "choose a picture")
    if major in (b"jp2 ", b"jpx ", b"jxl "):
        raise _refusal("a picture in a format of JPEG that is not read", _CONVERT)
    if brands & _HEIC_BRANDS:
        return "HEIF"
    kind = "QuickTime" if major == b"qt  " else "MP4"
    raise _refusal(f"a video ({kind}), not a picture", _FRAMES)


def _foreign(data: bytes) -> tuple[str, str]:
    """What a file is that no picture reader knows, and what to do."""
    start = data[:_START]
    for magic, what, advice in _MAGIC:
        if start.startswith(magic):
            return what, advice
    if start[:4] == b"RIFF" and start[8:12] in _RIFF:
        return _RIFF[start[8:12]], _FRAMES
    if start[:4] == b"\x1a\x45\xdf\xa3":
        return f"a video ({'WebM' if b'webm' in start[:64] else 'Matroska'}), not a picture", _FRAMES
    if start[4:8] in (b"moov", b"mdat", b"wide"):
        return "a video (QuickTime), not a picture", _FRAMES
    if len(data) > 188 and start[:1] == b"G" and data[188:189] == b"G":
        return "a video (MPEG), not a picture", _FRAMES
    if b"%PDF-" in start[:1024]:
        return "a PDF", "export its pictures as PNG or JPEG"
    if start[:4] in (b"PK\3\4", b"PK\5\6"):
        return next((name for part, name in _OFFICE.items() if part in start), "an archive (zip)"), _UNPACK
    if start[257:262] == b"ustar":
        return "an archive (tar)", _UNPACK
    if start[128:132] == b"DICM":
        return "a medical image (DICOM)", _CONVERT
    if re.match(rb"P[1-7fF]\s", start):
        return "a Netpbm picture (PBM, PGM, PPM)", _CONVERT
    if start[40:44] == b" EMF":
        return "a Windows metafile, a drawing", _CONVERT
    if not data.strip(b"\0"):
        return f"{len(data):,} zero bytes: copying or downloading it broke off", _AGAIN
    return _text(start)


def _text(start: bytes) -> tuple[str, str]:
    """What a text is; what cannot be one is of a kind that is not known."""
    text = _decoded(start)
    if text is None:
        return f"data of an unknown kind (read are {', '.join(FORMATS)})", "choose a picture"
    low = text.lstrip().lower()
    if low.startswith("version https://git-lfs"):
        return "a Git LFS pointer, which stands for a file that was not fetched", "run 'git lfs pull'"
    if "<svg" in low[:2000]:
        return "an SVG drawing, which has no pixels", _CONVERT
    if re.match(r"<(!doctype html|html|head|body|script|title|meta|div)", low) or "<html" in low[:2000]:
        return "a web page saved under the name of a picture", "open the page and save the picture itself"
    if low.startswith("data:image/"):
        return "a data URL, a picture written as text", "decode it and save the picture"
    if low.startswith(("http://", "https://", "[internetshortcut]")):
        return "a web address", "open it and save the picture itself"
    if low.startswith("<?xml") or low.startswith("<"):
        return "an XML text, perhaps an error message of a server", _AGAIN
    if low.startswith(("{", "[")):
        return "a JSON text, perhaps an error message of a server", _AGAIN
    words = printable(" ".join(text.split()))[:40]
    return f'a text ("{words}"); read are {", ".join(FORMATS)}', "choose a picture"


def _decoded(start: bytes) -> str | None:
    """The beginning as text, or None."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return start.decode("utf-16", "replace")
    try:
        text = start.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:  # Not just a letter cut in two.
            return None
        text = start[: error.start].decode("utf-8")
    return text if all(letter.isprintable() or letter.isspace() for letter in text) else None
