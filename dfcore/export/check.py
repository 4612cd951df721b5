"""Compares an exported network with its detector on check images; converters write wrong files without a word."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dfcore.confidence import sigmoid
from dfcore.detectors.detector import Detector
from dfcore.errors import BundleError
from dfcore.exchange.optimize import LIMIT, patterns

# Of a tower, which takes seconds a verdict in Keras, every fourth pattern.
_TOWER_STEP = 4


@dataclass(frozen=True)
class Check:
    """How far an exported network is from its detector.

    Attributes:
        images: Number of images compared.
        of_them_pictures: How many of them are pictures of its validation split; the others are fixed patterns.
        difference: Largest difference of the calibrated scores.
        uncalibrated: Largest difference of the scores before calibration, which may be flat where these images lie.
        limit: The largest that is allowed; None in 8 bits, where the difference is part of the cost.
    """

    images: int
    of_them_pictures: int
    difference: float
    uncalibrated: float
    limit: float | None

    @property
    def in_words(self) -> str:
        """How far, and on what, as a clause."""
        images = f"{self.images - self.of_them_pictures} fixed patterns"
        if self.of_them_pictures:
            images += f" and {self.of_them_pictures} pictures of its validation split"
        return f"on {images} its scores differ by up to {self.difference:.2g} from the detector's"


def check_images(detector: Detector, pictures: np.ndarray | None) -> np.ndarray:
    """Fixed patterns from smooth to noisy, followed by preprocessed pictures, uint8 (N, *spec.input_shape)."""
    made = patterns(detector.spec.size, None, len(detector.spec.view_titles))
    if detector.card.tower is not None:
        made = made[::_TOWER_STEP]
    return made if pictures is None or not len(pictures) else np.concatenate([made, pictures])


def compared(
    detector: Detector, expected: np.ndarray, result: tuple[np.ndarray, np.ndarray], pictures: int, *, exact: bool
) -> Check:
    """Compares scores and logits with the logits of the detector.

    Args:
        detector: The detector.
        expected: Its logits, (N,).
        result: Scores and logits of the exported network, each (N,).
        pictures: How many of the images are pictures.
        exact: Whether a difference beyond `LIMIT` is refused.

    Raises:
        BundleError: If the scores differ, or are no numbers.
    """
    scores, logits = (np.asarray(part, np.float64) for part in result)
    if scores.shape != expected.shape or logits.shape != expected.shape:
        raise BundleError(
            f"The exported network has wrong outputs and was refused. Expected {len(expected)} scores and logits. "
            f"Received: shapes {scores.shape} and {logits.shape}."
        )
    found = Check(
        images=len(expected),
        of_them_pictures=pictures,
        difference=float(np.abs(scores - detector.card.calibration.apply(expected)).max()),
        uncalibrated=float(np.abs(sigmoid(logits) - sigmoid(expected)).max()),
        limit=LIMIT if exact else None,
    )
    worst: Any = np.max([found.difference, found.uncalibrated])
    if not np.isfinite(worst) or (exact and not worst < LIMIT):
        raise BundleError(
            f"The exported network was refused: on {found.images} check images its scores differ from the detector's "
            f"by up to {worst:.2g}. Expected less than {LIMIT:g}. The converter wrote another network than this one."
        )
    return found
