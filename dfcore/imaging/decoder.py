"""Decodes untrusted bytes or files to RGB uint8 of shape (H, W, 3): the only decoder of the workbench.

Training and inference share it, so the same file always gives the same pixels. Steps, in order: format allow-list and
size limits from the header; first frame; EXIF orientation; 16 to 8 bits by the high byte; transparency over white;
conversion to RGB (from palette, greyscale, CMYK, ...; embedded colour profiles are ignored).
"""

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image, JpegImagePlugin, features

from dfcore.errors import ImageError
from dfcore.utils.files import sha256_bytes
from dfcore.utils.texts import printable

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"}
)
# Raised when the pixels decoded from any file change; part of the keys of everything remembered about files.
VERSION = 2
MAX_BYTES = 64 * 2**20
# 150 MB when decoded. Pillow's own limit is far higher.
MAX_PIXELS = 50_000_000
_BAND_PIXELS = 1_000_000
_NO_MEMORY = "There was not enough memory to decode the image."
# Transforms to upright pixels, by EXIF orientation.
_TURNS: dict[Any, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda rgb: rgb[:, ::-1],
    3: lambda rgb: rgb[::-1, ::-1],
    4: lambda rgb: rgb[::-1],
    5: lambda rgb: rgb.swapaxes(0, 1),
    6: lambda rgb: rgb[::-1].swapaxes(0, 1),
    7: lambda rgb: rgb[::-1, ::-1].swapaxes(0, 1),
    8: lambda rgb: rgb[:, ::-1].swapaxes(0, 1),
}
_SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_EXIF_VALUE_LENGTH = 200
# Sum of the luminance table in Annex K of the JPEG standard, which libjpeg uses at quality 50.
_LUMINANCE_SUM = 3688

Source = str | Path | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray

# Pillow only warns about large images; here it is an error, reported as an ImageError.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


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
        pixels_sha256: SHA-256 of the decoded pixels, see `pixels_digest`; empty where only the header was read.
        subsampling: Chroma subsampling of a JPEG, e.g. "4:2:0"; otherwise empty.
        notes: What a person should know of how the pixels were read.
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


def decode(source: Source) -> np.ndarray:
    """Decodes one image.

    Args:
        source: Path, file content as bytes, binary stream, Pillow image, or uint8 array of shape (H, W), (H, W, 1),
            (H, W, 3) or (H, W, 4).

    Returns:
        RGB pixels, uint8, shape (H, W, 3), C-contiguous.

    Raises:
        ImageError: If it is not an image in an allowed format, too large, or damaged.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _load(source)
    with opened(source) as image:
        return image.pixels()


def pixels_digest(rgb: np.ndarray) -> str:
    """SHA-256 of decoded pixels with their shape: the identity of a picture, however its file is packed.

    Args:
        rgb: uint8, shape (H, W, 3), C-contiguous.
    """
    digest = hashlib.sha256(np.array(rgb.shape, "<u4").tobytes())
    digest.update(rgb.data)
    return digest.hexdigest()


def describe(source: str | Path | bytes | BinaryIO) -> ImageFacts:
    """Reads the header and metadata of a file.

    Raises:
        ImageError: See `decode`.
    """
    with opened(source) as image:
        return image.facts()


class Opened:
    """An image file whose header has been read and accepted.

    Attributes:
        area: Width times height, in pixels.
    """

    def __init__(self, image: Image.Image, data: bytes):
        self._image, self._data = image, data
        self.area = image.width * image.height

    def facts(self) -> ImageFacts:
        """Properties of the file.

        Raises:
            ImageError: If the file is damaged.
        """
        image = self._image
        with _damage_told():
            if image.format == "PNG":
                # Reading EXIF decodes the pixels (the chunk may follow them) and would hide that they are damaged.
                image.load()
            width, height = image.size
            exif = _exif(image)
            # For TIFF, Pillow already returns the displayed size.
            if image.format != "TIFF" and exif.get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8):
                width, height = height, width
            return ImageFacts(
                format=image.format or "unknown",
                width=width,
                height=height,
                mode=image.mode,
                bytes=len(self._data),
                sha256=sha256_bytes(self._data),
                animated=bool(getattr(image, "is_animated", False)),
                jpeg_quality=_jpeg_quality(image),
                exif=_readable_exif(exif),
                subsampling=_subsampling(image),
            )

    def pixels(self) -> np.ndarray:
        """RGB pixels, as from `decode`; closes the image, so call it last.

        Raises:
            ImageError: If the file is damaged.
        """
        return _load(self._image, spent=True)


@contextmanager
def opened(source: str | Path | bytes | bytearray | memoryview | BinaryIO) -> Iterator[Opened]:
    """Opens a file and reads its header, without decoding pixels.

    Raises:
        ImageError: See `decode`.
    """
    data = read_bytes(source)
    with _open(data) as image:
        yield Opened(image, data)


def read_bytes(source: str | Path | bytes | bytearray | memoryview | BinaryIO) -> bytes:
    """Reads the content of a file.

    Raises:
        ImageError: If it is missing, unreadable, empty or larger than `MAX_BYTES`.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
    elif isinstance(source, (str, Path)):
        data = _read_path(Path(source))
    elif hasattr(source, "read"):
        data = source.read(MAX_BYTES + 1)
    else:
        raise ImageError(
            "Expected a path, bytes, a binary stream, a Pillow image or a uint8 array. "
            f"Received: {type(source).__name__}."
        )
    if not data:
        raise ImageError("The file is empty (0 bytes).")
    if len(data) > MAX_BYTES:
        raise ImageError(f"The file is larger than the limit of {MAX_BYTES // 2**20} MB.")
    return data


def _read_path(path: Path) -> bytes:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            # Reading a named pipe could block forever.
            raise ImageError(f"{path} is no regular file.")
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ImageError(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise ImageError(f"{path} is a folder, not an image.") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} could not be read: {getattr(error, 'strerror', None) or error}.") from error


def _open(data: bytes) -> Image.Image:
    # Pillow opens MPO through its JPEG plugin and does not accept the name here.
    formats = [name for name in FORMATS if name != "MPO" and (name != "AVIF" or features.check("avif"))]
    try:
        image = Image.open(io.BytesIO(data), formats=formats)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ImageError(_too_many_pixels()) from None
    except Image.UnidentifiedImageError:
        raise ImageError(f"Not an image in a format that is read here ({', '.join(formats)}).") from None
    except MemoryError:
        raise ImageError(_NO_MEMORY) from None
    except Exception as error:  # Pillow's plugins raise arbitrary exceptions on hostile headers.
        # WebP's decoder allocates its memory here and reports a failed allocation like damage.
        raise ImageError(f"The image's header is damaged, or it needs too much memory: {_words(error)}.") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(_too_many_pixels(width, height))
    return image


def _load(image: Image.Image, *, spent: bool = False) -> np.ndarray:
    """Decodes to RGB; with `spent`, the image is closed before the orientation is applied, to save memory."""
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(_too_many_pixels(*image.size))
    with _damage_told():
        image.load()
        turn = _TURNS.get(_exif(image).get(ExifTags.Base.Orientation))
        rgb = _to_rgb(image)
        if spent:
            image.close()
        return np.ascontiguousarray(turn(rgb) if turn else rgb)


@contextmanager
def _damage_told() -> Iterator[None]:
    """Converts any exception from a decoder to an ImageError."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(_NO_MEMORY) from None
    except Exception as error:  # Decoders raise arbitrary exceptions on damaged data.
        raise ImageError(f"The image is damaged or incomplete: {_words(error)}.") from error


def _words(error: Exception) -> str:
    return printable(error)[:200] or type(error).__name__


def _exif(image: Image.Image) -> Image.Exif:
    """The EXIF data; empty if unreadable, since the pixels may still be valid."""
    try:
        return image.getexif()
    except MemoryError:
        raise
    except Exception:  # Pillow raises arbitrary exceptions on malformed EXIF.
        return Image.Exif()


def _jpeg_quality(image: Image.Image) -> int | None:
    """The quality at which libjpeg's scaled luminance table has the same sum as the file's."""
    table = getattr(image, "quantization", {}).get(0)
    if not table:
        return None
    scale = 100 * sum(table) / _LUMINANCE_SUM
    quality = (200 - scale) / 2 if scale <= 100 else 5000 / scale
    return round(min(max(quality, 1), 100))


def _subsampling(image: Image.Image) -> str:
    if image.format not in ("JPEG", "MPO"):
        return ""
    return _SUBSAMPLINGS.get(JpegImagePlugin.get_sampling(image), "other")


def _to_rgb(image: Image.Image) -> np.ndarray:
    if not isinstance(image.info.get("transparency", 0), (bytes, int, tuple)):
        del image.info["transparency"]  # A text chunk of that name.
    if image.mode.startswith("I;16"):
        return _grey_to_rgb((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        kind = "32-bit integer" if image.mode == "I" else "Floating-point"
        raise ImageError(f"{kind} pixels have no defined range; save the image with 8 or 16 bits.")
    if image.width * image.height <= _BAND_PIXELS:
        return _flat_rgb(image)
    # In bands: several full copies of a large image would exceed the decoder's memory limit.
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    columns = min(image.width, _BAND_PIXELS)
    rows = _BAND_PIXELS // columns
    for top in range(0, image.height, rows):
        for left in range(0, image.width, columns):
            box = (left, top, min(left + columns, image.width), min(top + rows, image.height))
            rgb[top : box[3], left : box[2]] = _flat_rgb(image.crop(box))
    return rgb


def _flat_rgb(image: Image.Image) -> np.ndarray:
    if image.has_transparency_data:
        return _over_white(image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def _over_white(image: Image.Image) -> np.ndarray:
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, image).convert("RGB"))


def _grey_to_rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=-1)


def _from_array(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype != np.uint8:
        raise ImageError(f"Expected an array of uint8 in 0 to 255. Received: dtype {pixels.dtype}.")
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if pixels.size and pixels.ndim == 2:
        return np.ascontiguousarray(_grey_to_rgb(pixels))
    if pixels.size and pixels.ndim == 3 and pixels.shape[-1] == 4:
        return np.ascontiguousarray(_over_white(Image.fromarray(pixels)))
    if pixels.size and pixels.ndim == 3 and pixels.shape[-1] == 3:
        return np.ascontiguousarray(pixels)
    raise ImageError(f"Expected an array of shape (H, W), (H, W, 3) or (H, W, 4). Received: {pixels.shape}.")


def _too_many_pixels(width: int | None = None, height: int | None = None) -> str:
    size = f"{width} x {height} pixels are" if width else "The image is"
    return f"{size} above the limit of {MAX_PIXELS // 1_000_000} megapixels; nothing was decoded."


def _readable_exif(exif: Image.Exif) -> dict[str, str]:
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
    except Exception:  # See `_exif`.
        return {}
