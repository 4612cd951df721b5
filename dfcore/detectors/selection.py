"""Which detector fits an image: one that was trained on such images, and of several the most reliable."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dfcore.confidence import OODResult


@dataclass(frozen=True)
class Selection:
    """A detector that was chosen for an image.

    Attributes:
        name: of the detector.
        fits: whether the image is like its training images; where none fits, the least unfit is chosen.
        why: in words.
    """

    name: str
    fits: bool
    why: str


def select_detector(known: Mapping[str, OODResult], records: Mapping[str, float | None]) -> Selection:
    """Chooses between detectors by how each finds the image, see `Detector.ood_results`.

    Of several that fit, the one with the best record is taken: a detector of faces and one of photographs may both
    know a portrait. A detector without a record of its training images is taken only where no other fits.

    Args:
        known: how each detector finds the image.
        records: ROC AUC of each on its own kind of images, None where it is not known.
    """
    if not known:
        raise ValueError("Expected at least one detector. Received: none.")
    name = min(known, key=lambda one: _rank(known[one], records.get(one)))
    result, record = known[name], records.get(name)
    if result.distance is None:
        return Selection(name, False, "none of the detectors fits, and this one has no record of its training images")
    if result.is_ood:
        return Selection(name, False, "none of the detectors was trained on such images; this one is the least far off")
    others = sum(not other.is_ood and other.distance is not None for other in known.values()) - 1
    text = "it is the only one that was trained on such images"
    if others:
        figure = "" if record is None else f" (ROC AUC {record:.3f} on its own kind)"
        text = f"of those that were trained on such images it has the best record{figure}"
    return Selection(name, True, text)


def _rank(result: OODResult, record: float | None) -> tuple[bool, int, float, float]:
    unknown = result.distance is None
    distance = math.inf if result.distance is None else result.distance
    fits = not unknown and not result.is_ood
    return not fits, len(result.reasons), -(record or 0.0) if fits else 0.0, distance
