"""Chooses the detector for an image: among those trained on similar images, the most reliable."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dfcore.confidence import OODResult

# Rules that say that an image is of a kind that the detector was not made for.
_OF_ANOTHER_KIND = ("small", "large", "faceless", "portrait")


@dataclass(frozen=True)
class Selection:
    """The detector chosen for an image.

    Attributes:
        name: Its name.
        fits: Whether the image is in distribution for it; if it is for none, the closest detector is chosen.
        why: The reason for the choice, as a clause.
    """

    name: str
    fits: bool
    why: str


def select_detector(known: Mapping[str, OODResult], records: Mapping[str, float | None]) -> Selection:
    """Chooses a detector by out-of-distribution results.

    If an image is in distribution for several detectors, the one with the best record is chosen: a portrait may suit
    both a detector of faces and one of photographs. A detector without OOD data is chosen only if no other fits.

    Args:
        known: Out-of-distribution result of each detector.
        records: ROC AUC of each detector on its own kind of images, None if unknown.

    Raises:
        ValueError: If there is no detector.
    """
    if not known:
        raise ValueError("Expected at least one detector. Received: none.")
    name = min(known, key=lambda candidate: _rank(known[candidate], records.get(candidate)))
    result, record = known[name], records.get(name)
    if result.distance is None:
        return Selection(name, False, "no detector fits, and this one has no record of its training images")
    if result.is_ood:
        return Selection(name, False, "no detector was trained on such images; this one comes closest")
    others = sum(not other.is_ood and other.distance is not None for other in known.values()) - 1
    why = "it is the only one trained on such images"
    if others:
        figure = "" if record is None else f" (ROC AUC {record:.3f} on its own kind)"
        why = f"of the detectors trained on such images it has the best record{figure}"
    return Selection(name, True, why)


def _rank(result: OODResult, record: float | None) -> tuple[bool, int, int, float, float]:
    unknown = result.distance is None
    distance = math.inf if result.distance is None else result.distance
    fits = not unknown and not result.is_ood
    # A detector of another size or subject is further away than one that refuses how a picture was handled.
    other_kind = sum(rule in _OF_ANOTHER_KIND for rule in result.rules)
    return not fits, other_kind, len(result.reasons), -(record or 0.0) if fits else 0.0, distance
