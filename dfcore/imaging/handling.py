"""What happens to pictures on their way: recompression, resizing, screenshots, sharing by phone, edits.

The only registry of it. Robustness tables, training augmentation, calibration, the gate and aligned pairs use the same
entries. Each is applied to decoded pixels, before a detector's own preprocessing, and is deterministic.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from dfcore.errors import InputError
from dfcore.imaging.decoder import MAX_PIXELS

Step = Callable[[Image.Image], Image.Image]
# Sides beyond which a format cannot hold an image; longer ones are scaled down, as any platform does.
_LONGEST = {"JPEG": 65_500, "WEBP": 16_383}


@dataclass(frozen=True)
class Handling:
    """One thing that happens to a picture.

    Attributes:
        name: Name in files; `get` finds the entry by it.
        title: Name shown to users.
        make: Function from an RGB Pillow image to the handled image.
        jpeg_quality: Quality of the JPEG file that results, in [1, 100]; None if the result is no JPEG.
    """

    name: str
    title: str
    make: Step
    jpeg_quality: int | None = None

    def apply(self, rgb: np.ndarray) -> np.ndarray:
        """Handles RGB uint8 (H, W, 3): uint8 (H', W', 3), the same every time; the input stays as it is."""
        return np.asarray(self.make(Image.fromarray(rgb)).convert("RGB"))

    def handle(self, rgb: np.ndarray) -> tuple[np.ndarray, int | None]:
        """The handled pixels, see `apply`, and the JPEG quality that their file would state."""
        return self.apply(rgb), self.jpeg_quality


def _coded(form: str, quality: int) -> Step:
    def make(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        _at_most(_LONGEST[form])(image).save(file, form, quality=quality)
        return Image.open(file)

    return make


def _resized(image: Image.Image, factor: float, kernel: Image.Resampling = Image.Resampling.BICUBIC) -> Image.Image:
    return image.resize((max(1, round(image.width * factor)), max(1, round(image.height * factor))), kernel)


def _scaled(factor: float, kernel: Image.Resampling = Image.Resampling.BICUBIC) -> Step:
    """To this share of the sides, as far as a decoder would read the result."""

    def make(image: Image.Image) -> Image.Image:
        return _resized(image, min(factor, max((MAX_PIXELS / (image.width * image.height)) ** 0.5, 1)), kernel)

    return make


def _at_most(longer: int) -> Step:
    """The longer side reduced to this; smaller images stay."""
    return lambda image: image if max(image.size) <= longer else _resized(image, longer / max(image.size))


def _at_least(shorter: int) -> Step:
    """The shorter side enlarged to this; larger images stay."""
    return lambda image: image if min(image.size) >= shorter else _scaled(shorter / min(image.size))(image)


def _and_back(factor: float) -> Step:
    return lambda image: _resized(image, factor).resize(image.size, Image.Resampling.BICUBIC)


def _noise(levels: float) -> Step:
    def make(image: Image.Image) -> Image.Image:
        pixels, random = np.array(image), np.random.default_rng(0)
        for start in range(0, len(pixels), 256):  # In bands: noise for a whole large image would take 1 GB.
            band = pixels[start : start + 256]
            band[:] = np.clip(np.rint(band + random.normal(0, levels, band.shape)), 0, 255)
        return Image.fromarray(pixels)

    return make


def _crop(image: Image.Image) -> Image.Image:
    dx, dy = round(0.05 * image.width), round(0.05 * image.height)
    return image.crop((dx, dy, image.width - dx, image.height - dy))


def _blur(pixels: float) -> Step:
    return lambda image: image.filter(ImageFilter.GaussianBlur(pixels))


def _chain(*steps: Step) -> Step:
    def make(image: Image.Image) -> Image.Image:
        for step in steps:
            image = step(image)
        return image

    return make


def _jpeg(quality: int) -> Handling:
    return Handling(f"jpeg_{quality}", f"JPEG quality {quality}", _coded("JPEG", quality), quality)


def _webp(quality: int) -> Handling:
    return Handling(f"webp_{quality}", f"WebP quality {quality}", _coded("WEBP", quality))


def _enlarged(side: int) -> Handling:
    return Handling(f"enlarged_{side}", f"Shorter side enlarged to {side} pixels", _at_least(side))


def _phone(side: int, quality: int, name: str) -> Handling:
    title = f"Shared by phone: at most {side} pixels, JPEG {quality}"
    return Handling(name, title, _chain(_at_most(side), _coded("JPEG", quality)), quality)


_SCREENSHOT = _chain(_scaled(0.8), _scaled(1.1, Image.Resampling.BILINEAR), _coded("JPEG", 85))

HANDLINGS = (
    *map(_jpeg, (90, 80, 70, 60, 50, 40, 30, 20)),
    *map(_webp, (90, 75, 50, 30)),
    Handling("resize_half", "Resized to half and back", _and_back(0.5)),
    Handling("half", "Half the size", _scaled(0.5)),
    Handling("third", "A third of the size", _scaled(1 / 3)),
    Handling("quarter", "A quarter of the size", _scaled(0.25)),
    Handling("double", "Twice the size", _scaled(2)),
    Handling("fourfold", "Four times the size", _scaled(4)),
    *map(_enlarged, (512, 1024, 2048)),
    Handling("blur", "Blurred (Gaussian, 1 pixel)", _blur(1)),
    Handling("blur_2", "Blurred (Gaussian, 2 pixels)", _blur(2)),
    Handling("blur_4", "Blurred (Gaussian, 4 pixels)", _blur(4)),
    Handling("noise", "Noise (5 grey levels)", _noise(5)),
    Handling("noise_15", "Noise (15 grey levels)", _noise(15)),
    Handling("noise_40", "Noise (40 grey levels)", _noise(40)),
    Handling("darker", "20% darker", lambda image: ImageEnhance.Brightness(image).enhance(0.8)),
    Handling("brighter", "20% brighter", lambda image: ImageEnhance.Brightness(image).enhance(1.2)),
    Handling("pale", "Half the colour", lambda image: ImageEnhance.Color(image).enhance(0.5)),
    Handling("grey", "Without colour", lambda image: ImageEnhance.Color(image).enhance(0)),
    Handling("crop", "Cropped to 90% of the sides", _crop),
    Handling("screenshot", "Screenshot: scaled twice, JPEG 85", _SCREENSHOT, 85),
    _phone(720, 60, "phone"),
    _phone(480, 40, "phone_480"),
)
_BY_NAME = {handling.name: handling for handling in HANDLINGS}

# The same treatment, from weak to strong: where along it the score breaks is measured when a detector is fitted.
GRADED = {
    "jpeg": ("jpeg_90", "jpeg_80", "jpeg_70", "jpeg_60", "jpeg_50", "jpeg_40", "jpeg_30", "jpeg_20"),
    "webp": ("webp_90", "webp_75", "webp_50", "webp_30"),
    "smaller": ("half", "third", "quarter"),
    "larger": ("double", "fourfold"),
    "enlarged": ("enlarged_512", "enlarged_1024", "enlarged_2048"),
    "sharing": ("phone", "phone_480"),
    "screenshot": ("screenshot",),
    "blur": ("blur", "blur_2", "blur_4"),
    "noise": ("noise", "noise_15", "noise_40"),
    "light": ("darker", "brighter"),
    "colour": ("pale", "grey"),
}


@cache
def get(name: str) -> Handling:
    """The handling of this name, one of `HANDLINGS` or "drawn_SEED".

    Raises:
        InputError: If there is none.
    """
    kind, _, seed = name.partition("_")
    if kind == "drawn" and seed.isdecimal():
        return drawn(int(seed))
    if name not in _BY_NAME:
        raise InputError(f"Expected a handling: one of {', '.join(_BY_NAME)}, or drawn_SEED. Received: {name!r}.")
    return _BY_NAME[name]


def drawn(seed: int) -> Handling:
    """One random handling, as pictures get it on the way from camera or generator to the viewer.

    Resizing (60%: to between 0.4 and 1.5 times, a third of these back again), blur or noise (10% each), then coding
    (JPEG at quality 40 to 95: 60%, of which a quarter twice; WebP at 40 to 95: 15%; lossless: 25%).

    Args:
        seed: From 0 on; the same seed gives the same handling, also on both sides of an aligned pair.
    """
    random = np.random.default_rng([seed, 20_260])
    steps: list[Step] = []
    told: list[str] = []
    if random.random() < 0.6:
        factor = round(float(np.exp(random.uniform(np.log(0.4), np.log(1.5)))), 3)
        kernels = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
        kernel = kernels[random.integers(len(kernels))]
        back = random.random() < 1 / 3
        steps.append(_and_back(factor) if back else _scaled(factor, kernel))
        told.append(f"resized to {factor:.2f}{' and back' if back else ''}")
    spoilt, amount = random.random(), random.random()
    if spoilt < 0.1:
        steps.append(_blur(round(0.3 + amount, 2)))
        told.append(f"blur {0.3 + amount:.1f}")
    elif spoilt < 0.2:
        steps.append(_noise(round(1 + 5 * amount, 1)))
        told.append(f"noise {1 + 5 * amount:.0f}")
    coding, twice = random.random(), random.random() < 0.25
    first, quality = random.integers(40, 96, 2).tolist()
    if coding < 0.6:
        steps += [_coded("JPEG", first)] * twice + [_coded("JPEG", quality)]
        told.append(f"JPEG {f'{first}, then ' * twice}{quality}")
    elif coding < 0.75:
        steps.append(_coded("WEBP", quality))
        told.append(f"WebP {quality}")
    title = "Drawn: " + (", ".join(told) or "unchanged")
    return Handling(f"drawn_{seed}", title, _chain(*steps), quality if coding < 0.6 else None)
