"""Which detector fits an image: the one whose training images are most like it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dfcore.confidence import Familiarity


@dataclass(frozen=True)
class Choice:
    """A detector that was chosen for an image.

    Attributes:
        name: of the detector.
        fits: whether the image is like its training images; where none fits, the least unfit is chosen.
        why: in words.
    """

    name: str
    fits: bool
    why: str


def choose(known: Mapping[str, Familiarity]) -> Choice:
    """Chooses between detectors by how each finds the image, see `Detector.familiarities`.

    A detector without a record of its training images is taken only where no other fits. Between those that
    fit, the least distance in units of each one's own limit decides.
    """
    if not known:
        raise ValueError("Expected at least one detector. Received: none.")
    name = min(known, key=lambda one: _rank(known[one]))
    found = known[name]
    if found.distance is None:
        return Choice(name, False, "none of the detectors fits, and this one has no record of its training images")
    if found.unlike:
        return Choice(name, False, "none of the detectors was trained on such images; this one is the least far off")
    others = sum(not other.unlike and other.distance is not None for other in known.values()) - 1
    told = "of those that fit, its training images are the most alike" if others else "it is the only one that fits"
    return Choice(name, True, f"{told} ({found.distance:.2f} of the distance at which it would count as unlike)")


def _rank(found: Familiarity) -> tuple[bool, int, float]:
    distance = math.inf if found.distance is None else found.distance
    return found.distance is None or found.unlike, len(found.reasons), distance
