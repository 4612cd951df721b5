"""Whether a detector is for portraits, and whether an image is one.

A detector of portraits judges whatever it is given, and its features do not tell a face from a dog in every case. Where
its training images are portraits, a picture without a face that fills it is out of distribution. Another detector may
take real portraits for fakes: where that was measured, they are out of distribution for it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dfcore import faces
from dfcore.confidence import OODResult
from dfcore.detectors.card import Subject
from dfcore.faces.portrait import MIN_SIDE
from dfcore.imaging.preprocess import first_view
from dfcore.utils import extras

if TYPE_CHECKING:
    from dfcore.datasets.cache import Pixels

_LOOKED_AT, _LEAST_SHARE = 200, 0.9
_FACELESS = "no face fills it, and this detector was trained on portraits"
_PORTRAIT = "one face fills it, and of {images} real portraits this detector called {share:.0%} likely fake"


def of_pixels(pixels: "Pixels", positions: np.ndarray) -> Subject | None:
    """What the training images show; None if nothing in common is known, or OpenVINO, which finds faces, is missing.

    Args:
        pixels: Preprocessed pixels of a data set.
        positions: Row numbers of its training images, int (N,).
    """
    if not len(positions) or not extras.installed("openvino"):
        return None
    some = np.sort(np.random.default_rng(0).permutation(positions)[:_LOOKED_AT])
    return of_images(first_view(pixels.gather(some)))


def of_images(images: np.ndarray) -> Subject | None:
    """What images show, uint8 (N, S, S, 3), N >= 1: a face if nine in ten are portraits; else None."""
    if images.shape[1] < MIN_SIDE:
        return None
    share = float(np.mean([faces.is_portrait(image) for image in images]))
    return Subject(kind="face", images=len(images), share=share) if share >= _LEAST_SHARE else None


def of_portraits(said: Sequence[str | None], budget: float) -> Subject | None:
    """What a detector makes of real portraits: that it errs on them if more than its budget are called likely fake.

    Args:
        said: What it said of each, see `Verdict.finding`; None of one that it could not judge.
        budget: Its budget of false alarms, in [0, 1].
    """
    share = sum(finding == "fake" for finding in said) / max(len(said), 1)
    return Subject(kind="no_face", images=len(said), share=share) if share > budget else None


def checked(subject: Subject | None, found: Sequence[OODResult], images: np.ndarray) -> list[OODResult]:
    """Results of out-of-distribution detection, with images refused that do not show the detector's subject.

    Args:
        subject: What is known of it and portraits; None refuses nothing.
        found: Results by properties and features. Images that these refuse are not looked at.
        images: What the detector sees of each, uint8 (N, S, S, 3).
    """
    if subject is None or not extras.installed("openvino"):
        return list(found)
    return [
        result if result.is_ood else _checked(subject, result, image)
        for result, image in zip(found, images, strict=True)
    ]


def _checked(subject: Subject, result: OODResult, image: np.ndarray) -> OODResult:
    portrait = faces.is_portrait(image)
    if portrait == (subject.kind == "face"):
        return result
    if portrait:
        return result.refused("portrait", _PORTRAIT.format(images=subject.images, share=subject.share))
    return result.refused("faceless", _FACELESS)
