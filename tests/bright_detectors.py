"""Detectors without a network, which take light pictures for fakes: verdicts on films that a test knows beforehand."""

import numpy as np

from dfcore.detectors.detector import Detector
from dfcore.detectors.face_records import Subject
from dfcore.engines.base import Outputs
from tests.conftest import make_card


class BrightEngine:
    """Its logit rises with the brightness, from 0 at 128."""

    name, heads, width = "keras", 1, 1

    def outputs(self, pixels: np.ndarray) -> Outputs:
        logits = (pixels.reshape(len(pixels), -1).mean(1).astype(np.float32) - 128) / 10
        return Outputs(logits, logits[:, None])


def bright(*, of_faces: bool = False, **card) -> Detector:
    """A detector that takes light pictures, or faces, for fakes."""
    subject = Subject(kind="face", images=9, share=1.0) if of_faces else None
    return Detector(
        make_card(subject=subject, title="Bright", created="2026-01-01T00:00:00+00:00", **card), BrightEngine()
    )


def grey(value: int, height: int = 96, width: int = 128) -> np.ndarray:
    """A plain picture."""
    return np.full((height, width, 3), value, np.uint8)
