"""Whether a detector is for portraits, how its faces were cropped, and whether an image is a portrait.

A detector of portraits judges whatever it is given, and its features do not tell a face from a dog in every case. Where
its training images are portraits, a picture without a face that fills it is out of distribution. Another detector may
take real portraits for fakes: where that was measured, they are out of distribution for it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dfcore import faces
from dfcore.confidence import OODResult
from dfcore.detectors.card import Card
from dfcore.detectors.face_records import FramingRecord, Subject
from dfcore.faces.portrait import MIN_SIDE
from dfcore.imaging.preprocess import first_view
from dfcore.utils import extras

if TYPE_CHECKING:
    from dfcore.datasets.cache import Pixels

_LOOKED_AT, _LEAST_SHARE = 200, 0.9
# Portraits whose sides differ more than this from what their faces ask for, as a share, were not framed by their faces.
_MOST_SPREAD = 0.25
_FACELESS = "no face fills it, and this detector was trained on portraits"
_PORTRAIT = "one face fills it, and of {images} real portraits this detector called {share:.0%} likely fake"


def told(card: Card, pixels: "Pixels", positions: np.ndarray) -> Card:
    """The card with what the training images show: portraits or not, and how their faces were cropped.

    Neither is told if nothing in common is known, or OpenVINO, which finds faces, is missing.

    Args:
        card: The detector's card.
        pixels: Preprocessed pixels of a data set.
        positions: Row numbers of its training images, int (N,).
    """
    subject = framing = None
    if len(positions) and extras.installed("openvino"):
        some = np.sort(np.random.default_rng(0).permutation(positions)[:_LOOKED_AT])
        subject, framing = of_images(first_view(pixels.gather(some)))
    return card.model_copy(update={"subject": subject, "framing": framing})


def of_images(images: np.ndarray) -> tuple[Subject | None, FramingRecord | None]:
    """What images show, uint8 (N, S, S, 3), N >= 1: a face, and its framing, if nine in ten are portraits."""
    if (side := images.shape[1]) < MIN_SIDE:
        return None, None
    found = [face for image in images if (face := faces.portrayed(image)) is not None]
    share = len(found) / len(images)
    if share < _LEAST_SHARE:
        return None, None
    return Subject(kind="face", images=len(images), share=share), framing_of([(face, side) for face in found])


def framing_of(found: Sequence[tuple[faces.Face, int]]) -> FramingRecord | None:
    """The framing of portraits for a card; None where they have none in common.

    Args:
        found: The face in each portrait, and the portrait's side in pixels.
    """
    result = faces.measured(found)
    if result is None or result.spread > _MOST_SPREAD:
        return None
    framing = result.framing
    return FramingRecord(
        alignment=framing.alignment, margin=framing.margin, offset=framing.offset, faces=result.faces,
        spread=round(result.spread, 4), apart=round(result.apart, 4),
    )  # fmt: skip


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
        found: Results by properties and features. Where these refuse an image already, it is looked at for a detector
            of portraits alone, so that no picture without a face counts as the kind that it knows.
        images: What the detector sees of each, uint8 (N, S, S, 3).
    """
    if subject is None or not extras.installed("openvino"):
        return list(found)
    return [
        result if result.is_ood and subject.kind != "face" else _checked(subject, result, image)
        for result, image in zip(found, images, strict=True)
    ]


def _checked(subject: Subject, result: OODResult, image: np.ndarray) -> OODResult:
    portrait = faces.is_portrait(image)
    if portrait == (subject.kind == "face"):
        return result
    if portrait:
        return result.refused("portrait", _PORTRAIT.format(images=subject.images, share=subject.share))
    return result.refused("faceless", _FACELESS)
