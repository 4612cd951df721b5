"""Which detector judges faces, how it has them cropped, and which faces it leaves: the same for pictures and films."""

import math
from collections.abc import Mapping
from dataclasses import replace

from dfcore.confidence.file_range import SIZE_MARGIN
from dfcore.detectors.card import Card
from dfcore.detectors.verdict import Verdict
from dfcore.faces import Framing
from dfcore.utils.texts import counted

# Smallest crop that is judged, in pixels, where the detector's card gives no larger one.
LEAST_SIDE = 48
# What the reason of a face that is too small to be decided on ends with.
ERRS = "the detector was measured to err too often"
# Where no detector is for faces.
NONE = "There is no detector for faces."


def is_for_faces(card: Card) -> bool:
    """Whether a detector judges crops of faces and nothing else: its training images are portraits."""
    return card.subject is not None and card.subject.kind == "face"


def best(cards: Mapping[str, Card]) -> str | None:
    """Name of the detector for faces: of those that learned from portraits the one with the best record; None for none.

    Args:
        cards: Cards of the detectors to choose from, by their names.
    """
    fit = [name for name, card in cards.items() if is_for_faces(card)]
    return max(fit, key=lambda name: cards[name].record[1].get("roc_auc") or 0.0, default=None)


def framing(card: Card) -> Framing:
    """How a detector wants faces cropped; where its card does not tell, as in Flickr-Faces-HQ."""
    return card.framing.framing if card.framing else Framing()


def least_side(card: Card) -> int:
    """Side in pixels of the smallest crop of a face that a detector judges; what is smaller it refuses anyway."""
    low = None if card.ood is None else card.ood.limits.sides[0]
    # The limits of version 0.6 are those of the training images, of which a part is allowed.
    low = low / SIZE_MARGIN if low and card.ood is not None and card.ood.gate is None else low
    return max(LEAST_SIDE, math.ceil(low or 0))


def with_size(verdict: Verdict, card: Card, side: int) -> Verdict:
    """The verdict on a face, refused where such small ones were called likely fake more often than its budget allows.

    Args:
        verdict: What the detector says of the crop.
        card: The detector's.
        side: Side of the crop in pixels.
    """
    least = card.face_sizes.least if card.face_sizes else 0
    if side >= least:
        return verdict
    reason = f"this face has {side} pixels a side; on faces below {least} {ERRS}"
    return replace(verdict, ood=verdict.ood.refused("small_face", reason))


def why_small(card: Card) -> str:
    """Why a face below `least_side` is not judged, a clause."""
    return f"smaller than {least_side(card)} pixels a side when cut out, too small for {card.title}"


def left_small(count: int, card: Card) -> str:
    """How many faces are not judged since they are below `least_side`, a sentence; "" for none."""
    if not count:
        return ""
    return f"{counted(count, 'face is', 'faces are')} not judged: {why_small(card)}."
