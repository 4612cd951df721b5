"""One image decoded and ready for the models that look at it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dfcore.imaging.decoder import ImageFacts
from dfcore.imaging.preprocess import PreprocessSpec


@dataclass(frozen=True)
class PreparedImage:
    """An image decoded once, for all models that judge it and for showing.

    Attributes:
        width, height: of the image in pixels, as displayed.
        inputs: what each model sees, by its preprocessing: uint8 (size, size, 3).
        facts: what the file says of itself; None for pixels that came from no file.
        preview: for showing, RGB uint8 (H, W, 3); None where none was asked for.
    """

    width: int
    height: int
    inputs: dict[PreprocessSpec, np.ndarray] = field(default_factory=dict)
    facts: ImageFacts | None = None
    preview: np.ndarray | None = None

    @classmethod
    def from_pixels(cls, rgb: np.ndarray, specs: Sequence[PreprocessSpec]) -> "PreparedImage":
        """Prepares RGB uint8 (H, W, 3) for some models."""
        height, width = rgb.shape[:2]
        return cls(width, height, {spec: spec.apply(rgb) for spec in specs})

    @property
    def shorter_side(self) -> int:
        """In pixels."""
        return min(self.width, self.height)

    @property
    def jpeg_quality(self) -> int | None:
        """Estimated, where it came from a JPEG."""
        return self.facts.jpeg_quality if self.facts else None
