"""From Pillow's loaded image to RGB uint8: 16 bits to 8, gamma, transparency over white, all in bands."""

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from dfcore.errors import ImageError
from dfcore.imaging import colour

_BAND_PIXELS = 1_000_000
_FEW_BITS = (
    "Its samples are stored in 16 bits and use fewer than 16 bits, which is not read right for such pixels; save "
)
_FEW_BITS += "it as an ordinary TIFF or PNG of 8 or 16 bits."
_ALL_CLEAR = "Every pixel is transparent; what was read is plain white."

LowerBytes = Callable[[], Image.Image | None]


class Tones:
    """How samples become 8 bits; which of this applies is found out from the pixels.

    Attributes:
        gamma: Of a PNG (its gAMA), if its samples are to be converted to sRGB; None otherwise.
        depth: Bits of each sample that a tag states; 0 if none does.
        depths: Bits that samples stored in 16 may have without a word.
        inverted: Whether 0 is white.
        notes: What is to be told, in sentences.
    """

    def __init__(
        self,
        gamma: float | None = None,
        depth: int = 0,
        depths: tuple[int, ...] = (12,),
        inverted: bool = False,
    ):
        self.gamma, self.depth, self.depths, self.inverted = gamma, depth, depths, inverted
        self.notes: list[str] = []
        if gamma is not None:
            self.notes.append(f"Its samples are coded with gamma {gamma:.3g} (gAMA); they were converted to sRGB.")

    def find_depth(self, most: int) -> int:
        """Bits of samples stored in 16 bits, from the greatest of them; tells if fewer than 16.

        Args:
            most: The greatest sample, 0 to 65535.
        """
        stated = 0 < self.depth < 16 and most < 2**self.depth
        # Fewer than a quarter of a depth's values speak for a dark picture, not for that depth.
        fitting = (bits for bits in self.depths if most < 2**bits and (len(self.depths) > 1 or 4 * most >= 2**bits))
        bits = self.depth if stated else next(fitting, 16) if most else 16
        if bits < 16:
            self.notes.append(f"No 16-bit sample is above {2**bits - 1}: they were read as samples of {bits} bits.")
        elif 0 < most < 2**14:
            self.notes.append(f"No 16-bit sample is above {most}: the picture is dark, or its samples have fewer bits.")
        return bits

    def table(self, bits: int) -> np.ndarray:
        """uint8 for every sample of so many bits."""
        samples = np.arange(2**bits)
        if self.gamma is None:
            return (samples >> (bits - 8)).astype(np.uint8)
        # As libpng does for a screen of gamma 2.2.
        coded = (samples / (2**bits - 1)) ** (1 / (2.2 * self.gamma))
        return np.rint(255 * coded).astype(np.uint8)


def to_rgb(image: Image.Image, tones: Tones, low: "LowerBytes | None" = None) -> np.ndarray:
    """Converts a loaded image.

    Args:
        image: Loaded.
        tones: How samples become 8 bits; notes are added.
        low: For an image whose file has 16 bits per sample, and `image` only the higher eight: loads the lower eight
            (of RGB in one plane; only there they are used).

    Returns:
        RGB uint8 (H, W, 3).

    Raises:
        ImageError: If the pixels have no defined range.
    """
    if not isinstance(image.info.get("transparency", 0), (bytes, int, tuple)):
        del image.info["transparency"]  # A text chunk of that name.
    if image.mode.startswith("I;16"):
        return _grey_16(np.asarray(image), tones)
    if image.mode in ("I", "F"):
        kind = "32-bit integer" if image.mode == "I" else "Floating-point"
        raise ImageError(f"{kind} pixels have no defined range; save the image with 8 or 16 bits.")
    if image.mode == "La":
        image = image.convert("LA")
    _mend_alpha(image, tones)
    if low is not None and image.mode != "RGB":
        colours = image.getextrema()[: 4 if image.mode == "CMYK" else 3]
        if 0 < max(int(most) for _, most in colours) < 16:  # type: ignore[misc]  # Pillow gives a pair a band.
            raise ImageError(_FEW_BITS)
    elif low is not None:
        rgb = np.require(_in_bands(image, np.asarray), requirements="W")
        bits = 16 if tones.gamma is not None else tones.find_depth(int(rgb.max()) << 8 | 255)
        if bits < 16 or tones.gamma is not None:
            image.close()
            lower = low()
            if lower is None:
                raise ImageError(_FEW_BITS)
            _add_low(rgb, lower, tones)
            return rgb
    change = _by_table(tones.table(8)) if tones.gamma is not None else None
    if change is None:
        change, told = colour.conversion(image)
        tones.notes += told
    return _in_bands(image, lambda part: _flat_rgb(part, change))


def _add_low(rgb: np.ndarray, image: Image.Image, tones: Tones) -> None:
    """Replaces the higher eight bits of samples by what all sixteen come to."""
    boxes = list(_boxes(*image.size))
    most = 0
    for left, top, right, bottom in boxes:
        part = rgb[top:bottom, left:right].astype(np.uint16) << 8 | np.asarray(image.crop((left, top, right, bottom)))
        most = max(most, int(part.max()))
    tones.notes = [note for note in tones.notes if "16-bit sample" not in note]
    bits = tones.find_depth(most)
    table = tones.table(bits)
    for left, top, right, bottom in boxes:
        part = rgb[top:bottom, left:right].astype(np.uint16) << 8 | np.asarray(image.crop((left, top, right, bottom)))
        rgb[top:bottom, left:right] = table[part]


def _grey_16(values: np.ndarray, tones: Tones) -> np.ndarray:
    table = tones.table(tones.find_depth(int(values.max())))
    if tones.inverted:
        table = table[::-1]
    return _grey_to_rgb(table[values])


def _boxes(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    columns = min(width, _BAND_PIXELS)
    rows = _BAND_PIXELS // columns
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield left, top, min(left + columns, width), min(top + rows, height)


def _in_bands(image: Image.Image, convert: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
    if image.width * image.height <= _BAND_PIXELS:
        return convert(image)
    # Several full copies of a large image would exceed the decoder's memory limit.
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    for left, top, right, bottom in _boxes(*image.size):
        rgb[top:bottom, left:right] = convert(image.crop((left, top, right, bottom)))
    return rgb


def _mend_alpha(image: Image.Image, tones: Tones) -> None:
    """Takes a BMP whose alpha is zero everywhere for opaque, as viewers do; tells of other images that are so."""
    if image.mode not in ("RGBA", "LA") or image.getextrema()[-1] != (0, 0):
        return
    if image.format == "BMP":
        image.putalpha(255)
        tones.notes.append("The BMP's alpha channel is zero everywhere; it was taken for opaque.")
    else:
        tones.notes.append(_ALL_CLEAR)


def _by_table(table: np.ndarray) -> colour.Conversion:
    return lambda part: Image.fromarray(table[np.asarray(part.convert("RGB"))])


def _flat_rgb(image: Image.Image, change: colour.Conversion | None) -> np.ndarray:
    """RGB of a part of an image; colours are changed before transparency is laid over white."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if change is not None:
            changed = change(image.convert("RGB"))
            changed.putalpha(image.getchannel("A"))
            image = changed
        return over_white(image)
    return np.asarray(image.convert("RGB") if change is None else change(image))


def over_white(image: Image.Image) -> np.ndarray:
    """RGB uint8 (H, W, 3) of an RGBA image over white."""
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, image).convert("RGB"))


def _grey_to_rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=-1)


def from_array(pixels: np.ndarray) -> np.ndarray:
    """RGB uint8 (H, W, 3), C-contiguous, of an array as `dfcore.imaging.decoder.decode` takes it.

    Raises:
        ImageError: If it has another type or shape.
    """
    if pixels.dtype != np.uint8:
        raise ImageError(f"Expected an array of uint8 in 0 to 255. Received: dtype {pixels.dtype}.")
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if pixels.size and pixels.ndim == 2:
        return np.ascontiguousarray(_grey_to_rgb(pixels))
    if pixels.size and pixels.ndim == 3 and pixels.shape[-1] == 4:
        return np.ascontiguousarray(over_white(Image.fromarray(pixels)))
    if pixels.size and pixels.ndim == 3 and pixels.shape[-1] == 3:
        return np.ascontiguousarray(pixels)
    raise ImageError(f"Expected an array of shape (H, W), (H, W, 3) or (H, W, 4). Received: {pixels.shape}.")
