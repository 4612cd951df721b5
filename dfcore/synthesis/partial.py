"""Partly generated pictures, as inpainting and generative fill leave them: a region comes from a decoder."""

import numpy as np
from scipy.ndimage import gaussian_filter

from dfcore.errors import InputError
from dfcore.synthesis import taef2
from dfcore.synthesis.taef2 import Precision

SHAPES = ("blob", "ellipse", "rectangle")
SHARES = (0.03, 0.5)
# Width of the soft border: standard deviation in pixels.
_SOFT = (0.7, 4.0)
# Size of a blob's folds, as a share of the shorter side.
_FOLD = 0.12


def partly(
    rgb: np.ndarray, share: float, seed: int | np.random.Generator = 0, *, precision: Precision = "float32"
) -> tuple[np.ndarray, np.ndarray]:
    """Replaces a region of a real picture by its reconstruction by TAEF2.

    Args:
        rgb: uint8 (H, W, 3).
        share: Share of the area to replace, in (0, 1).
        seed: Decides on shape, place and border.
        precision: See `Taef2`.

    Returns:
        The picture, uint8 (H, W, 3), and its mask, uint8 (H, W): 255 where it is wholly generated, 0 where it is as it
        was, between at the border.

    Raises:
        InputError: If the share is out of range.
        MissingExtraError: If OpenVINO is not installed.
    """
    mask = draw_mask(rgb.shape[0], rgb.shape[1], share, np.random.default_rng(seed))
    made = taef2.reconstruct(rgb, precision=precision)
    weight = mask[..., None].astype(np.float32) / 255
    return np.round(weight * made + (1 - weight) * rgb).astype(np.uint8), mask


def draw_share(random: np.random.Generator) -> float:
    """A share of the area, small ones as often as large ones (uniform in its logarithm)."""
    return float(np.exp(random.uniform(*np.log(SHARES))))


def draw_mask(height: int, width: int, share: float, random: np.random.Generator) -> np.ndarray:
    """A region of random shape and place with a soft border: uint8 (H, W), of which about `share` is 255.

    Raises:
        InputError: If the share is out of range.
    """
    if not 0 < share < 1:
        raise InputError(f"Expected a share of the area between 0 and 1. Received: {share}.")
    shape = SHAPES[random.integers(len(SHAPES))]
    if shape == "blob":
        field = gaussian_filter(random.normal(size=(height, width)), _FOLD * min(height, width), mode="reflect")
    else:
        field = _distance(shape, height, width, share, random)
    # The region is where the field is highest, as large as asked for.
    inside = np.zeros(height * width, np.float32)
    count = min(max(round(share * height * width), 1), height * width - 1)
    inside[np.argpartition(field.ravel(), -count)[-count:]] = 255
    soft = gaussian_filter(inside.reshape(height, width), random.uniform(*_SOFT), mode="nearest")
    return np.round(soft).astype(np.uint8)


def _distance(shape: str, height: int, width: int, share: float, random: np.random.Generator) -> np.ndarray:
    """Nearness to a random centre, whose level lines are ellipses or rectangles that lie in the picture if they can."""
    ratio = np.exp(random.uniform(-0.5, 0.5))
    side = np.sqrt(share * height * width * (4 / np.pi if shape == "ellipse" else 1))
    tall, wide = min(side * ratio, height), min(side / ratio, width)
    top, left = random.uniform(tall / 2, height - tall / 2), random.uniform(wide / 2, width - wide / 2)
    down = (np.arange(height, dtype=np.float32)[:, None] + 0.5 - top) / tall
    right = (np.arange(width, dtype=np.float32)[None] + 0.5 - left) / wide
    return -np.maximum(abs(down), abs(right)) if shape == "rectangle" else -(down**2 + right**2)
