"""Chooses the detector for an image: among those trained on similar images, the most reliable.

What is cheap to tell of an image (its size, its quality, whether a face fills it) rules many detectors out before their
networks run; `needed` says which of them must run for the choice to be the one that all of them would give.
"""

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
    both a detector of faces and one of photographs. A detector without OOD data is chosen only if no other fits. Where
    none fits, a detector of faces is never the closest for a picture without a face, as long as there is another one.

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


def needed(
    foreseen: Mapping[str, OODResult], known: Mapping[str, OODResult], records: Mapping[str, float | None]
) -> str | None:
    """The detector whose network has to run next, None once the choice is settled.

    It is then `select_detector(foreseen | known, records)`, in name, fit and words the choice that the results of all
    detectors give, and the chosen one is among `known`.

    Args:
        foreseen: Of each detector, at least one, what is known without its network, see `Detector.foreseen`.
        known: Results of those whose networks have run.
        records: As for `select_detector`.
    """
    best = min(foreseen, key=lambda name: _rank(known.get(name, foreseen[name]), records.get(name)))
    if best not in known:
        return best
    # Whether another one fits too is part of the words.
    rivals = [name for name in foreseen if name != best and _fits(known.get(name, foreseen[name]))]
    if not _fits(known[best]) or any(name in known for name in rivals):
        return None
    return next(iter(rivals), None)


def _fits(result: OODResult) -> bool:
    return result.distance is not None and not result.is_ood


def _rank(result: OODResult, record: float | None) -> tuple[bool, bool, int, int, float, float]:
    unknown = result.distance is None
    distance = math.inf if result.distance is None else result.distance
    fits = not unknown and not result.is_ood
    # A detector of another size or subject is further away than one that refuses how a picture was handled.
    other_kind = sum(rule in _OF_ANOTHER_KIND for rule in result.rules)
    faceless, better = "faceless" in result.rules, -(record or 0.0) if fits else 0.0
    return not fits, faceless, other_kind, len(result.reasons), better, distance
