"""Properties of an image file: size, format, EXIF, and how a JPEG was coded."""

from dataclasses import dataclass, field
from typing import Any

from PIL import ExifTags, Image, JpegImagePlugin

from dfcore.utils.texts import printable

_SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_MOST_EXIF = 2**20
_EXIF_VALUE_LENGTH = 200
# Sum of the luminance table in Annex K of the JPEG standard, which libjpeg uses at quality 50.
_LUMINANCE_SUM = 3688


@dataclass(frozen=True)
class ImageFacts:
    """Properties of an image file, read from its header and metadata.

    Attributes:
        format: Pillow's name of the format, e.g. "JPEG".
        width, height: Size in pixels, as displayed (after EXIF orientation).
        mode: Pillow's pixel mode of the file, e.g. "CMYK".
        bytes: File size in bytes.
        sha256: SHA-256 of the file's content, hexadecimal.
        animated: Whether there are several frames; only the first is decoded.
        jpeg_quality: For a JPEG, the quality estimated from its luminance table on libjpeg's scale, from about 11
            (where the tables saturate) to 100; otherwise None.
        pixels_sha256: SHA-256 of the decoded pixels, see `dfcore.imaging.decoder.pixels_digest`.
        subsampling: Chroma subsampling of a JPEG, e.g. "4:2:0"; otherwise empty.
        notes: What a person should know of how the pixels were read, a sentence each; may be empty.
        exif: Readable EXIF tags and their values as text; may be empty.
    """

    format: str
    width: int
    height: int
    mode: str
    bytes: int
    sha256: str
    animated: bool = False
    jpeg_quality: int | None = None
    exif: dict[str, str] = field(default_factory=dict)
    pixels_sha256: str = ""
    subsampling: str = ""
    notes: tuple[str, ...] = ()


def read_exif(image: Image.Image) -> Image.Exif:
    """The EXIF data; empty if unreadable, since the pixels may still be valid."""
    try:
        return image.getexif()
    except MemoryError:
        raise
    except Exception:  # Pillow raises arbitrary exceptions on malformed EXIF.
        return Image.Exif()


def described_exif(image: Image.Image) -> tuple[dict[str, str], list[str]]:
    """The readable tags of an image, see `readable_exif`, and what is to be told of them.

    Tags of a million numbers take seconds to read and half a gigabyte; what a camera writes takes kilobytes.
    """
    size = len(image.info.get("exif") or b"")  # HEIF says None.
    if size > _MOST_EXIF:
        most = _MOST_EXIF // 2**20
        return {}, [f"Its EXIF data are not listed: they take {size / 2**20:.0f} MB, and at most {most} MB is read."]
    return readable_exif(read_exif(image)), []


def readable_exif(exif: Image.Exif) -> dict[str, str]:
    """Tags with names, their values as text of limited length."""
    result: dict[str, str] = {}
    for part, names in (
        (None, ExifTags.TAGS),
        (ExifTags.IFD.Exif, ExifTags.TAGS),
        (ExifTags.IFD.GPSInfo, ExifTags.GPSTAGS),
    ):
        for tag, value in _exif_part(exif, part).items():
            name = names.get(tag)
            if name and not isinstance(value, (bytes, dict)) and name not in {"ExifOffset", "GPSInfo"}:
                result[name] = printable(str(value).strip())[:_EXIF_VALUE_LENGTH]
    return result


def _exif_part(exif: Image.Exif, part: int | None) -> dict[int, Any]:
    try:
        return dict(exif.items()) if part is None else exif.get_ifd(part)
    except MemoryError:
        raise
    except Exception:  # See `read_exif`.
        return {}


def jpeg_quality(image: Image.Image) -> int | None:
    """The quality at which libjpeg's scaled luminance table has the same sum as the file's; None if not a JPEG."""
    table = getattr(image, "quantization", {}).get(0)
    if not table:
        return None
    scale = 100 * sum(table) / _LUMINANCE_SUM
    quality = (200 - scale) / 2 if scale <= 100 else 5000 / scale
    return round(min(max(quality, 1), 100))


def subsampling(image: Image.Image) -> str:
    """Chroma subsampling of a JPEG in the usual notation; "" for other formats."""
    if image.format not in ("JPEG", "MPO"):
        return ""
    return _SUBSAMPLINGS.get(JpegImagePlugin.get_sampling(image), "other")
