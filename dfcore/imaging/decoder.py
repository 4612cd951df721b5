"""Decodes untrusted bytes or files to RGB uint8 of shape (H, W, 3): the only decoder of the workbench.

Training and inference share it, so the same file always gives the same pixels. Steps, in order: format by content and
size limits from the header; the primary, first or full-resolution picture; orientation, once; 16 to 8 bits by the high
byte; conversion to RGB (from palette, greyscale, CMYK, ...) in sRGB's colours, where a profile or a PNG's gamma states
others; transparency over white. What is not read right is refused with its cause; what a person should know of how a
file was read is told in `ImageFacts.notes`.
"""

import hashlib
import io
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image

from dfcore.errors import ImageError
from dfcore.imaging import facts, heif, jpeg, png, tiff
from dfcore.imaging.facts import ImageFacts
from dfcore.imaging.formats import FORMATS, SUFFIXES, recognised
from dfcore.imaging.pixels import LowerBytes, Tones, from_array, to_rgb
from dfcore.utils.files import sha256_bytes
from dfcore.utils.texts import printable

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "SUFFIXES",
    "VERSION",
    "ImageFacts",
    "Opened",
    "Source",
    "decode",
    "describe",
    "opened",
    "pixels_digest",
    "read_bytes",
]

# Raised when the pixels decoded from any file change; part of the keys of everything remembered about files.
VERSION = 3
MAX_BYTES = 64 * 2**20
# 150 MB when decoded. Pillow's own limit is far higher.
MAX_PIXELS = 50_000_000
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

_PLANAR = 284
# Raw modes of 16-bit colours, and those that return the other byte of each sample.
_OTHER_BYTE = {"RGB;16B": "RGB;16L", "RGB;16L": "RGB;16B"}
_OTHER_BYTE["RGB;16N"] = "RGB;16B" if sys.byteorder == "little" else "RGB;16L"

Source = str | Path | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray

# Pillow only warns about large images; here it is an error, reported as an ImageError.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


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
        return from_array(source)
    if isinstance(source, Image.Image):
        return _load(source)
    with opened(source) as image:
        return image.pixels()[0]


def pixels_digest(rgb: np.ndarray) -> str:
    """SHA-256 of decoded pixels with their shape: the identity of a picture, however its file is packed.

    Args:
        rgb: uint8, shape (H, W, 3), C-contiguous.
    """
    digest = hashlib.sha256(np.array(rgb.shape, "<u4").tobytes())
    digest.update(rgb.data)
    return digest.hexdigest()


def describe(source: str | Path | bytes | BinaryIO) -> ImageFacts:
    """Properties of a file; decodes it completely, since some of them show in the pixels only.

    Raises:
        ImageError: See `decode`.
    """
    with opened(source) as image:
        return image.read()[0]


@dataclass
class Opened:
    """An image file whose header has been read and accepted.

    Attributes:
        image: As Pillow opened it.
        data: The file as it came.
        notes: What is to be told so far.
        reopen: Opens the image again.
        check_whole: Raises where pixels are missing that the decoder fills in; gets them.
        animated: Whether there are several frames or pages; None if Pillow knows.
        turn: Orientation that Pillow does not know of.
        tones: How samples become 8 bits.
    """

    image: Image.Image
    data: bytes
    notes: list[str]
    reopen: Callable[[], Image.Image]
    check_whole: Callable[[np.ndarray], None] = lambda rgb: None
    animated: bool | None = None
    turn: int = 0
    tones: Tones = field(default_factory=Tones)

    def __post_init__(self) -> None:
        # Loading empties the list of tiles that shows it.
        self.lower = _lower_bytes(self.image, self.reopen)

    @property
    def area(self) -> int:
        """Width times height, in pixels."""
        return self.image.width * self.image.height

    def read(self) -> tuple[ImageFacts, np.ndarray]:
        """Properties and pixels of the file, as from `decode`; closes the image, so call it once.

        Raises:
            ImageError: If the file is damaged.
        """
        image = self.image
        with _damage_told():
            described: dict[str, Any] = {
                "format": image.format or "unknown",
                "mode": image.mode,
                "bytes": len(self.data),
                "sha256": sha256_bytes(self.data),
                "animated": bool(getattr(image, "is_animated", False)) if self.animated is None else self.animated,
                "jpeg_quality": facts.jpeg_quality(image),
                "subsampling": facts.subsampling(image),
            }
            # Reading the EXIF of a PNG decodes its pixels (the chunk may follow them) and would hide damage.
            if image.format == "PNG":
                image.load()
            described["exif"], told = facts.described_exif(image)
        rgb, notes = self.pixels()
        height, width = rgb.shape[:2]
        more = {"width": width, "height": height, "pixels_sha256": pixels_digest(rgb), "notes": (*notes, *told)}
        return ImageFacts(**described, **more), rgb

    def pixels(self) -> tuple[np.ndarray, list[str]]:
        """RGB pixels, and all that is to be told; closes the image.

        Raises:
            ImageError: If the file is damaged.
        """
        tones = self.tones
        rgb = _load(
            self.image, spent=True, tones=tones, lower=self.lower, turn=self.turn, check_whole=self.check_whole
        )  # fmt: skip
        return rgb, self.notes + tones.notes


@contextmanager
def opened(source: str | Path | bytes | bytearray | memoryview | BinaryIO) -> Iterator[Opened]:
    """Opens a file and reads its header, without decoding pixels.

    Raises:
        ImageError: See `decode`.
    """
    data = read_bytes(source)
    with _damage_told():
        result = _opened(data)
    with result.image:
        yield result


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


def _opened(data: bytes) -> Opened:
    """Recognises and opens a file."""
    kind = recognised(data)
    if kind == "HEIF":
        image = _open(data, kind)
        return Opened(image, data, heif.notes(image), lambda: _open(data, kind))
    if kind == "TIFF":
        return _opened_tiff(data)
    content = data
    notes: list[str] = []
    if kind == "PNG":
        content, notes = png.mended(data)
    found = jpeg.check_header(data) if kind == "JPEG" else None
    if found is not None:
        content = jpeg.mended(data, found)
        notes = jpeg.notes(found)
    image = _open(content, kind)
    result = Opened(image, data, notes, lambda: _open(content, kind))
    if kind == "PNG":
        notes += png.notes(image)
        result.tones = Tones(png.gamma(image))
    if found is not None:
        structure = found

        def check_whole(rgb: np.ndarray) -> None:
            if not structure.ended or jpeg.looks_cut(rgb):
                jpeg.check_whole(data, structure)

        result.check_whole = check_whole
    return result


def _opened_tiff(data: bytes) -> Opened:
    found = tiff.chosen(data)

    def reopen() -> Image.Image:
        return tiff.planes_apart(_open(found.data, "TIFF"), found.page)

    tones = Tones(None, found.page.depth, (8, 10, 12), found.page.inverted)
    return Opened(reopen(), data, found.notes, reopen, animated=found.pages > 1, turn=found.orientation, tones=tones)


def _open(data: bytes, kind: str) -> Image.Image:
    """Opens a file of a format that its content shows it to have."""
    try:
        image = heif.open_heif(data) if kind == "HEIF" else Image.open(io.BytesIO(data), formats=[kind])
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ImageError(_too_many_pixels()) from None
    except ImageError:
        raise
    except Image.UnidentifiedImageError:
        raise ImageError(f"The {kind} is damaged or incomplete: its header cannot be read.") from None
    except MemoryError:
        raise ImageError(_NO_MEMORY) from None
    except Exception as error:  # Pillow's plugins raise arbitrary exceptions on hostile headers.
        if str(error).lower().startswith("unsupported"):
            raise ImageError(
                f"A {kind} of a kind that is not read here ({_words(error)}): save it as PNG or JPEG."
            ) from error
        # WebP's decoder allocates its memory here and reports a failed allocation like damage.
        raise ImageError(f"The image's header is damaged, or it needs too much memory: {_words(error)}.") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(_too_many_pixels(width, height))
    return image


def _lower_bytes(image: Image.Image, reopen: Callable[[], Image.Image]) -> LowerBytes | None:
    """For colours of 16 bits, of which Pillow returns the higher byte: how to load the lower one, if it can be."""
    tiles = getattr(image, "tile", [])
    modes = {_raw_mode(tile.args) for tile in tiles}
    if len(modes) != 1 or image.mode == "L" or not (mode := modes.pop()).endswith((";16B", ";16L", ";16N")):
        return None
    if mode not in _OTHER_BYTE:
        return None if image.mode.startswith("I") else lambda: None
    if getattr(image, "tag_v2", {}).get(_PLANAR, 1) == 2:
        return lambda: None

    def load() -> Image.Image:
        again: Any = reopen()
        again.tile = [tile._replace(args=_with_mode(tile.args, _OTHER_BYTE[mode])) for tile in again.tile]
        again.load()
        return again

    return load


def _raw_mode(args: Any) -> str:
    return args if isinstance(args, str) else str(args[0]) if args else ""


def _with_mode(args: Any, mode: str) -> Any:
    return mode if isinstance(args, str) else (mode, *args[1:])


def _load(
    image: Image.Image,
    *,
    spent: bool = False,
    tones: Tones | None = None,
    lower: LowerBytes | None = None,
    turn: int = 0,
    check_whole: Callable[[np.ndarray], None] = lambda rgb: None,
) -> np.ndarray:
    """Decodes to RGB; with `spent`, the image is closed before the orientation is applied, to save memory."""
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(_too_many_pixels(*image.size))
    with _damage_told():
        image.load()
        if image.width * image.height > MAX_PIXELS:  # HEIF may tell only now.
            raise ImageError(_too_many_pixels(*image.size))
        upright = _TURNS.get(turn or facts.read_exif(image).get(ExifTags.Base.Orientation))
        rgb = to_rgb(image, tones or Tones(png.gamma(image) if image.format == "PNG" else None), lower)
        if spent:
            image.close()
        check_whole(rgb)
        return np.ascontiguousarray(upright(rgb) if upright else rgb)


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


def _too_many_pixels(width: int | None = None, height: int | None = None) -> str:
    size = f"{width} x {height} pixels are" if width else "The image is"
    return f"{size} above the limit of {MAX_PIXELS // 1_000_000} megapixels; nothing was decoded."
