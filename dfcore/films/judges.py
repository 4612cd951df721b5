"""Which detectors judge a film: one for whole frames, chosen once for the film, and one for faces."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from dfcore import faces
from dfcore.confidence import Policy
from dfcore.detectors import of_faces
from dfcore.detectors.card import Card
from dfcore.detectors.detector import Detector
from dfcore.detectors.remembered import card_sha256
from dfcore.detectors.selection import select_detector
from dfcore.errors import InputError
from dfcore.faces import Face
from dfcore.films.rows import Row
from dfcore.films.sampling import Position
from dfcore.films.tracks import MIN_FACE, Box
from dfcore.imaging.prepared import PreparedImage
from dfcore.utils.files import sha256_bytes

# Samples by which the detector for whole frames is chosen.
CHOOSE_BY = 5


def version_of(card: Card) -> str:
    """Hash of a card, and of how it has faces cropped and which it leaves: what judged a film is the same only so."""
    own = card_sha256(card)
    of_crops = [part.model_dump_json() for part in (card.framing, card.face_sizes) if part]
    return sha256_bytes(" ".join((own, *of_crops)).encode()) if of_crops else own


@dataclass(frozen=True)
class Judge:
    """A detector of a film.

    Attributes:
        name: Its name in the library, or "run:ID".
        detector: Loaded.
        policy: How its scores become decisions.
    """

    name: str
    detector: Detector
    policy: Policy = field(default_factory=Policy)

    @cached_property
    def version(self) -> str:
        """See `version_of`."""
        return version_of(self.detector.card)

    def rows(
        self, images: Sequence[PreparedImage], places: Sequence[tuple[Position, int | None, Box | None]]
    ) -> list[Row]:
        """Judges pictures that were prepared for it.

        Args:
            images: The pictures.
            places: For each where its sample lies, its track and its box.
        """
        result = []
        for image, verdict, (place, track, box) in zip(
            images, self.detector.judge(images, self.policy), places, strict=True
        ):
            if track is not None:
                verdict = of_faces.with_size(verdict, self.detector.card, image.shorter_side)
            row = Row(
                place.index, place.frame, place.seconds, track, box, self.name, self.version, verdict.score,
                verdict.logit, verdict.ood.is_ood, verdict.is_used, verdict.finding, verdict.reason,
            )  # fmt: skip
            result.append(row)
        return result


@dataclass(frozen=True)
class Judges:
    """The detectors of a film.

    Attributes:
        whole: Those that may judge whole frames; the one that fits the film does, see `choose`. None: faces alone.
        face: That of faces; None if there is none.
        no_faces: Why faces are not judged though they were asked for, a sentence; "" otherwise.
    """

    whole: Mapping[str, Judge]
    face: Judge | None
    no_faces: str = ""

    def alone(self, name: str) -> "Judges":
        """The same with one detector for whole frames.

        Raises:
            InputError: If it is not among them.
        """
        if name not in self.whole:
            known = ", ".join(self.whole) or "none"
            raise InputError(f"Expected a detector of whole frames ({known}). Received: {name}.")
        return replace(self, whole={name: self.whole[name]})


def judges_of(
    detectors: Mapping[str, Detector], policies: Mapping[str, Policy], *, with_faces: bool = True, no_faces: str = ""
) -> Judges:  # fmt: skip
    """Sorts detectors into those for whole frames and the best one for faces, which judges nothing else.

    Args:
        detectors: Loaded, by name.
        policies: By name, where they differ from the card's.
        with_faces: Whether faces are judged at all.
        no_faces: See `Judges`.
    """
    all_judges = {name: Judge(name, one, policies.get(name, Policy())) for name, one in detectors.items()}
    cards = {name: one.card for name, one in detectors.items()}
    whole = {name: one for name, one in all_judges.items() if not of_faces.is_for_faces(cards[name])}
    best = of_faces.best(cards) if with_faces else None
    return Judges(whole, all_judges[best] if best else None, no_faces)


def find(rgb: np.ndarray) -> list[Face]:
    """The faces of a frame, by falling score of the finder.

    Args:
        rgb: uint8 (H, W, 3), upright.
    """
    return faces.find_faces(rgb, min_side=MIN_FACE)


def crop(rgb: np.ndarray, face: Face, card: Card) -> np.ndarray:
    """A face as a detector's training images were cropped, uint8 (S, S, 3).

    Args:
        rgb: The frame, uint8 (H, W, 3).
        face: A face in it.
        card: The detector's.
    """
    return of_faces.framing(card).crop(rgb, face)


def choose(images: Sequence[PreparedImage], whole: Mapping[str, Judge]) -> tuple[str, str]:
    """The detector that fits most of a film's first samples; it judges all of them, so that scores can be compared.

    Args:
        images: The samples, at least one, prepared for all candidates.
        whole: The candidates, at least one.

    Returns:
        Its name, and why it was chosen, as a sentence.
    """
    if len(whole) == 1:
        return next(iter(whole)), ""
    records = {name: one.detector.card.record[1].get("roc_auc") for name, one in whole.items()}
    known = {name: one.detector.judge(images, one.policy) for name, one in whole.items()}
    chosen = [
        select_detector({name: verdicts[number].ood for name, verdicts in known.items()}, records)
        for number in range(len(images))
    ]
    fits = Counter(one.name for one in chosen if one.fits) or Counter(one.name for one in chosen)
    name = max(fits, key=lambda one: (fits[one], records[one] or 0.0))
    number, first = sum(one.fits and one.name == name for one in chosen), f"first {len(images)} samples"
    if len(images) == 1:
        first = "first frame"
    if not number:
        return name, f"No detector was trained on pictures like the {first}; {name} comes closest."
    if len(images) == 1:
        return name, f"Of the detectors here {name} fits the first frame best."
    return name, f"Of the detectors here {name} fits {number} of the {first}, the most."
