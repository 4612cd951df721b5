"""A real picture and a fake that is aligned with it: the same content, treated alike but for the decoder."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dfcore.errors import InputError
from dfcore.imaging import decoder
from dfcore.synthesis.decoders import TAEF2, kind_of
from dfcore.synthesis.partial import draw_share, partly
from dfcore.synthesis.taef2 import Precision
from dfcore.synthesis.treatment import Treatment, draw_treatment

# Where a picture is smaller than this, there is nothing to align.
SMALLEST = 16


@dataclass(frozen=True)
class Pair:
    """The files of a pair.

    Attributes:
        real, fake: Contents of two JPEG files of one size and one coding.
        treatment: What both went through.
        mask: For a partly generated fake, uint8 (H, W), 255 where it is generated; else None.
    """

    real: bytes
    fake: bytes
    treatment: Treatment
    mask: np.ndarray | None = None


def pair(
    rgb: np.ndarray, kind: str = TAEF2, seed: int = 0, *, precision: Precision = "float32"
) -> tuple[np.ndarray, np.ndarray]:
    """Makes an aligned pair of a real picture.

    Args:
        rgb: A real picture, uint8 (H, W, 3), at least 16 pixels wide and high.
        kind: One of `dfcore.synthesis.KINDS`.
        seed: The same seed gives the same pair.
        precision: Of TAEF2; "bfloat16" is faster where the processor has it.

    Returns:
        The real side and the fake, uint8 (h, w, 3) of equal size: both shrunk, cropped and handled alike.

    Raises:
        InputError: If the picture is too small or there is no such kind.
        MissingExtraError: If the kind takes OpenVINO and it is not installed.
    """
    made = make_pair(rgb, kind, seed, precision=precision)
    return decoder.decode(made.real), decoder.decode(made.fake)


def make_pair(rgb: np.ndarray, kind: str, seed: int, *, precision: Precision = "float32") -> Pair:
    """See `pair`; gives the files."""
    chosen = kind_of(kind)
    rgb = np.asarray(rgb)
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or min(rgb.shape[:2]) < SMALLEST:
        raise InputError(
            f"Expected a picture of at least {SMALLEST} x {SMALLEST} pixels, uint8 (H, W, 3). Received: {rgb.dtype} "
            f"{rgb.shape}."
        )
    drawing, making = np.random.default_rng(seed).spawn(2)
    treatment = draw_treatment(rgb.shape[0], rgb.shape[1], drawing)
    real = treatment.before(rgb)
    mask = None
    if chosen.decode is None:
        fake, mask = partly(real, draw_share(making), making, precision=precision)
    else:
        fake = chosen.decode(real, making, precision)
    coded = treatment.after(fake)
    if mask is not None:
        with Image.open(io.BytesIO(coded)) as image:
            mask = treatment.of_mask(mask, image.size)
    return Pair(treatment.after(real), coded, treatment, mask)
