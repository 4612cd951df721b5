"""The faces of a picture, each judged by a detector for faces: cut out of the original's own pixels, as its training
images were.

Finding and judging are two steps, so that a page can show faces before they are judged. Both are bounded: faces are
looked for in at most `LOOKED_AT` pixels a side, and of those found the largest `MOST` are judged; what is left out is
told.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dfcore.confidence import FINDINGS, Policy
from dfcore.detectors import of_faces
from dfcore.detectors.card import Card
from dfcore.detectors.detector import Detector
from dfcore.detectors.verdict import Verdict
from dfcore.faces import Face, find_faces, smallest_side
from dfcore.imaging import sandbox
from dfcore.imaging.preprocess import Region

# Longest side of the picture that faces are looked for in, and of a face's preview, in pixels; most faces judged.
LOOKED_AT, PREVIEW, MOST = 2048, 256, 24
# From this overlap on, as a share of both together, a face's crop is what is judged of the whole picture anyway.
_SAME = 0.6


@dataclass(frozen=True)
class FoundFaces:
    """The faces of a picture.

    Attributes:
        faces: In pixels of the picture, the largest first.
        height, width: Size of the picture in pixels.
        smallest: Side of the smallest face that was looked for, in pixels of the picture.
    """

    faces: tuple[Face, ...]
    height: int
    width: int
    smallest: float


@dataclass(frozen=True)
class JudgedFace:
    """A face with its verdict.

    Attributes:
        face: Where it is.
        region: What was cut out and judged: left, top, right and bottom in pixels of the picture.
        verdict: The verdict on that.
        preview: What was cut out, uint8 (H, W, 3), at most `PREVIEW` a side; None where it is not kept.
    """

    face: Face
    region: Region
    verdict: Verdict
    preview: np.ndarray | None

    @property
    def side(self) -> int:
        """Side of what was cut out in pixels."""
        return self.region[2] - self.region[0]

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable values."""
        told = ("finding", "says", "is_used", "score", "logit", "reason")
        return {
            "box": self.face.box, "score_of_finder": self.face.score, "region": self.region,
            **{name: getattr(self.verdict, name) for name in told},
        }  # fmt: skip


@dataclass(frozen=True)
class FaceVerdicts:
    """The faces of a picture with what was said of each.

    Attributes:
        detector: Name of the detector that judged.
        card: Its card.
        faces: The judged faces, the largest first.
        too_small: Number of faces that were not judged since they are smaller than `least`.
        too_many: Number of faces that were not judged since larger ones had come before.
        least: Side of the smallest crop that is judged, in pixels.
        looked_from: Side of the smallest face that was looked for, in pixels.
        as_whole: Whether the only face is what was judged of the whole picture already; then it is not judged again.
    """

    detector: str
    card: Card
    faces: tuple[JudgedFace, ...]
    too_small: int = 0
    too_many: int = 0
    least: int = of_faces.LEAST_SIDE
    looked_from: float = 0.0
    as_whole: bool = False

    @property
    def summary(self) -> str:
        """How many faces were judged, by which detector, what they suffer from, and what was left out, in sentences."""
        if self.as_whole:
            return "One face fills the picture: the verdict on the picture is the verdict on it."
        found = len(self.faces) + self.too_small + self.too_many
        if not found:
            return f"No face was found; those below {self.looked_from:.0f} pixels were not looked for."
        judged = f"{_faces(found)} found, {len(self.faces)} judged by {self.card.title}"
        judged += f": {self.said}." if self.faces else "."
        return " ".join(filter(None, (judged, self.caution, self.left_out)))

    @property
    def caution(self) -> str:
        """What is to be known of small faces, a sentence; "" if none was judged."""
        size = self.card.preprocess.size
        small = sum(one.side < size and one.verdict.is_used for one in self.faces)
        if not small:
            return ""
        has = "has" if small == 1 else "have"
        return f"{small} {has} fewer than {size} pixels a side: on such faces it errs more often than its figures say."

    @property
    def said(self) -> str:
        """What was said of how many of the judged faces, alarms first; "" if none was judged."""
        unused = "to which it does not apply"
        counts = Counter(one.verdict.says if one.verdict.is_used else unused for one in self.faces)
        order = sorted(counts, key=lambda says: (says != FINDINGS["fake"], -counts[says]))
        return ", ".join(f"{counts[says]} {says}" for says in order)

    @property
    def left_out(self) -> str:
        """Which faces were not judged, in sentences; "" if all that were found were."""
        many = f"{_faces(self.too_many)} not judged: only the {MOST} largest are." if self.too_many else ""
        return " ".join(filter(None, (of_faces.left_small(self.too_small, self.card), many)))

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable values."""
        return {
            "detector": self.detector, "summary": self.summary, "judged": [face.to_dict() for face in self.faces],
            "too_small": self.too_small, "too_many": self.too_many, "smallest_crop_judged": self.least,
            "smallest_face_looked_for": round(self.looked_from, 1), "judged_as_the_whole": self.as_whole,
            "error": None,
        }  # fmt: skip


def not_judged(why: str) -> str:
    """That the faces of a picture were not judged, in a sentence or more.

    Args:
        why: The reason, a sentence.
    """
    return f"Faces were not judged. {why}"


def unjudged(why: str) -> dict[str, Any] | None:
    """In place of `FaceVerdicts.to_dict` where faces were not judged; None if nobody asked.

    Args:
        why: The reason, a sentence; "" if nobody asked.
    """
    return {"summary": not_judged(why), "judged": None, "error": why} if why else None


def find(data: bytes) -> FoundFaces:
    """Finds the faces of a picture.

    Args:
        data: Contents of the file.

    Raises:
        ImageError: If it cannot be decoded.
        MissingExtraError: If OpenVINO is not installed.
        BundleError: If the weights of the finder are missing or altered.
    """
    facts, rgb = sandbox.opened(data, LOOKED_AT)
    height, width = rgb.shape[:2]
    across, down = facts.width / width, facts.height / height
    found = sorted((_enlarged(face, across, down) for face in find_faces(rgb)), key=lambda face: -face.side)
    return FoundFaces(tuple(found), facts.height, facts.width, smallest_side(height, width) * max(across, down))


def is_whole(found: FoundFaces, card: Card) -> bool:
    """Whether there is one face alone, whose crop is what the detector judges of the whole picture anyway."""
    if len(found.faces) != 1:
        return False
    one = of_faces.framing(card).region(found.faces[0], found.height, found.width)
    return _overlap(one, card.spec.region(found.height, found.width)) >= _SAME


def judge(
    data: bytes, found: FoundFaces, name: str, detector: Detector, policy: Policy = Policy(), *,
    judged_whole: bool = False,
) -> FaceVerdicts:  # fmt: skip
    """Judges the faces of a picture.

    Args:
        data: Contents of the file.
        found: Its faces, see `find`.
        name: Name of the detector.
        detector: The detector, see `dfcore.detectors.of_faces.best`.
        policy: How scores become decisions; by default as on the card.
        judged_whole: Whether the detector has judged the picture as a whole; see `FaceVerdicts.as_whole`.

    Raises:
        ImageError: If the file cannot be decoded.
    """
    card = detector.card
    told = FaceVerdicts(name, card, (), least=of_faces.least_side(card), looked_from=found.smallest)
    if judged_whole and is_whole(found, card):
        return replace(told, as_whole=True)
    cut, size = of_faces.framing(card), (found.height, found.width)
    large = [(face, box) for face in found.faces if (box := cut.region(face, *size))[2] - box[0] >= told.least]
    chosen = large[:MOST]
    told = replace(told, too_small=len(found.faces) - len(large), too_many=len(large) - len(chosen))
    if not chosen:
        return told
    parts = sandbox.crops(data, [box for _, box in chosen], [detector.spec], PREVIEW)
    verdicts = detector.judge(parts, policy)
    judged = []
    for (face, box), part, verdict in zip(chosen, parts, verdicts, strict=True):
        assert part.preview is not None  # `crops` makes one of each.
        judged.append(JudgedFace(face, box, of_faces.with_size(verdict, card, box[2] - box[0]), part.preview))
    return replace(told, faces=tuple(judged))


def _enlarged(face: Face, across: float, down: float) -> Face:
    """A face in the pixels of a picture so many times as wide and high."""
    left, top, right, bottom = face.box
    box = (left * across, top * down, right * across, bottom * down)
    return Face(box, face.score, tuple((x * across, y * down) for x, y in face.landmarks))


def _overlap(one: Region, other: Region) -> float:
    """Common area as a share of the area of both together."""
    across, down = (min(one[k + 2], other[k + 2]) - max(one[k], other[k]) for k in (0, 1))
    common = max(across, 0) * max(down, 0)
    return common / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - common)


def _faces(number: int) -> str:
    return f"{number} face{'' if number == 1 else 's'}"
