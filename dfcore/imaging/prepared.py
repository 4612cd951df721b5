"""An image decoded and preprocessed for the models that judge it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dfcore.imaging.decoder import ImageFacts
from dfcore.imaging.preprocess import PreprocessSpec


@dataclass(frozen=True)
class PreparedImage:
    """An image decoded once, for display and for all models that judge it.

    Attributes:
        width, height: Size of the image in pixels, as displayed.
        inputs: Model inputs by preprocessing, uint8 of its `input_shape`.
        facts: Properties of the file; None if the pixels did not come from a file.
        preview: RGB uint8 (H, W, 3) for display; None if not requested.
        hashes: Perceptual hashes of the image and of its mirror image, see `dfcore.imaging.signature.Signature`, of 16
            hexadecimal digits; None if not requested.
    """

    width: int
    height: int
    inputs: dict[PreprocessSpec, np.ndarray] = field(default_factory=dict)
    facts: ImageFacts | None = None
    preview: np.ndarray | None = None
    hashes: tuple[str, str] | None = None

    @classmethod
    def from_pixels(cls, rgb: np.ndarray, specs: Sequence[PreprocessSpec]) -> "PreparedImage":
        """Preprocesses RGB uint8 (H, W, 3) once per spec."""
        height, width = rgb.shape[:2]
        return cls(width, height, {spec: spec.apply(rgb) for spec in specs})

    @property
    def shorter_side(self) -> int:
        """The shorter side in pixels."""
        return min(self.width, self.height)

    @property
    def jpeg_quality(self) -> int | None:
        """Estimated JPEG quality; None if it did not come from a JPEG."""
        return self.facts.jpeg_quality if self.facts else None
