"""What a detector's card says of faces: whether it is for them, how it has them cropped, and from which size on."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from dfcore.faces.framing import Framing


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Subject(_Record):
    """Whether a detector is for portraits, pictures that one face fills; see `dfcore.detectors.subject`.

    Attributes:
        kind: "face": its training images are portraits, others are refused. "no_face": it errs on portraits.
        images: Number of training images that were looked at, or of real portraits that were judged.
        share: Share of them that are portraits, or that were called likely fake, in [0, 1].
    """

    kind: Literal["face", "no_face"]
    images: int = Field(gt=0)
    share: float = Field(ge=0, le=1)


class FramingRecord(_Record):
    """How the faces of a detector's training images were cropped, see `dfcore.faces.Framing`.

    Attributes:
        alignment: What the frame is drawn by: "features" (eyes and mouth), or the "box" of the face.
        margin: What is added on each side of that square, as a share of its side.
        offset: How far it is moved down, as a share of the square's side without margin; negative is up.
        faces: Number of training images that it was measured on; 0 if it was stated by whoever made them.
        spread: Standard deviation of their sides, as a share of the median.
        apart: Standard deviation of their places, as a share of the side.
    """

    alignment: Literal["features", "box"] = "features"
    margin: float = Field(ge=-0.4, le=10)
    offset: float = Field(ge=-5, le=5)
    faces: int = Field(default=0, ge=0)
    spread: float = Field(default=0.0, ge=0)
    apart: float = Field(default=0.0, ge=0)

    @property
    def framing(self) -> Framing:
        """What crops a face like the training images."""
        return Framing(self.margin, self.offset, self.alignment)


class MeasuredFaces(_Record):
    """What a detector said of real faces of one size.

    Attributes:
        side: Side of what was cut out and judged, in pixels.
        faces: Number of real faces whose score is used.
        alarms: How many of them it called likely fake.
    """

    side: int = Field(gt=0)
    faces: int = Field(gt=0)
    alarms: int = Field(ge=0)


class FaceSizes(_Record):
    """From which size of a face on its false alarms were measured to stay within a budget.

    Attributes:
        budget: Most real faces that may be called likely fake, as a share in [0, 1].
        measured: What was measured, the smallest faces first; at least one size.
        measured_on: The faces, in words, to follow "on".
    """

    budget: float = Field(gt=0, lt=1)
    measured: tuple[MeasuredFaces, ...] = Field(min_length=1)
    measured_on: str = ""

    @property
    def least(self) -> int:
        """Side in pixels of the smallest measured face from which on the budget holds; beyond all if it never does."""
        least = self.measured[-1].side + 1
        for one in sorted(self.measured, key=lambda one: -one.side):
            if one.alarms > self.budget * one.faces:
                break
            least = one.side
        return least
