"""File properties of a detector's training images, and which images lie outside their range."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

# Factor by which a size may exceed the range of the training images.
SIZE_MARGIN = 1.5
QUALITY_MARGIN = 15
FLATNESS_MARGIN = 0.15

_Side = Annotated[int, Field(ge=0, le=10**6)]
_Quality = Annotated[int, Field(ge=0, le=100)]


class FileRange(BaseModel):
    """File properties of the training images.

    Attributes:
        sides: Range of the shorter side in pixels (1st and 99th percentile).
        qualities: Range of the estimated JPEG quality (same percentiles); None if most images were stored losslessly.
        colourfulness: Lowest mean saturation (1st percentile), in [0, 1].
        flatness: Highest share of pixels equal to their neighbour (99th percentile), in [0, 1]; 1 if unknown.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    sides: tuple[_Side, _Side]
    qualities: tuple[_Quality, _Quality] | None = None
    colourfulness: float = 0.0
    flatness: float = 1.0

    @classmethod
    def of(cls, sides: np.ndarray, qualities: np.ndarray, colours: np.ndarray, flat: np.ndarray) -> "FileRange":
        """Computes the ranges from one array of shape (N,) per property.

        Args:
            sides: Shorter sides in pixels.
            qualities: JPEG qualities in [0, 100], NaN where unknown.
            colours: See `saturation`.
            flat: See `flatness`.
        """
        known = qualities[np.isfinite(qualities)]
        enough = len(known) > len(qualities) / 2
        low, high = np.percentile(sides, [1, 99]).astype(int).tolist()
        worst, best = np.percentile(known, [1, 99]).astype(int).tolist() if enough else (0, 0)
        return cls(
            sides=(low, high),
            qualities=(worst, best) if enough else None,
            colourfulness=round(float(np.percentile(colours, 1)), 4),
            flatness=round(float(np.percentile(flat, 99)), 4),
        )

    def misfits(self, side: int | None, quality: float | None, colour: float, flat: float) -> Iterator[tuple[str, str]]:
        """Yields (rule, phrase) for each property outside the ranges; unknown properties are skipped."""
        low, high = self.sides
        if side is not None and not low / SIZE_MARGIN <= side <= high * SIZE_MARGIN:
            text = f"{low}" if low == high else f"{low} to {high}"
            phrase = f"its shorter side has {side} pixels; the training images had {text}"
            yield ("small" if side < low else "large"), phrase
        if self.qualities and quality is not None and quality < self.qualities[0] - QUALITY_MARGIN:
            yield (
                "compressed",
                f"it is more strongly compressed (JPEG quality about {quality:.0f}) than the training images "
                f"({self.qualities[0]} or more)",
            )
        if colour < self.colourfulness / 2:
            yield "colourless", "it has hardly any colour, unlike the training images"
        if flat > self.flatness + FLATNESS_MARGIN:
            yield (
                "flat",
                f"{flat:.0%} of it is perfectly flat, as in drawings and screenshots, unlike the training images",
            )


def saturation(pixels: np.ndarray) -> np.ndarray:
    """Mean saturation of images: the range of the colour channels, averaged over pixels.

    Args:
        pixels: uint8 (N, H, W, 3).

    Returns:
        float (N,) in [0, 1].
    """
    red, green, blue = (pixels[..., channel] for channel in range(3))
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return spread.mean((1, 2)) / 255


def flatness(pixels: np.ndarray) -> np.ndarray:
    """Share of pixels equal to their right neighbour in all channels.

    Args:
        pixels: uint8 (N, H, W, 3).

    Returns:
        float (N,) in [0, 1].
    """
    same = pixels[:, :, 1:] == pixels[:, :, :-1]
    return (same[..., 0] & same[..., 1] & same[..., 2]).mean((1, 2))
