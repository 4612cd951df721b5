"""Where a detector comes from that was not trained here, for its card."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Adopted(BaseModel):
    """Where a detector comes from that was made elsewhere, and what was said of it, see `dfcore.foreign`.

    What it was trained on is unknown; `Card.training` then tells the images that it was checked and calibrated on.

    Attributes:
        file, sha256: Name and hash of the file.
        keras: Version of Keras that saved it.
        end: What its last layer made of its logits: sigmoid, softmax, or linear for nothing.
        range, classes, colours: Its preprocessing and the order of its classes, as they were said.
        idle: Layers that act in training alone and were left out.
        check: ROC AUC, accuracy at a score of 0.5 and ECE with this and every other preprocessing, before calibration.
        images: The images of that check, {"real": n, "fake": n}.
        insisted: Why what was said seemed wrong, although somebody insisted; empty if it did not.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    file: str = Field(max_length=400)
    sha256: str = Field(max_length=64)
    keras: str = Field(default="", max_length=40)
    end: Literal["sigmoid", "softmax", "linear"]
    range: str = Field(max_length=40)
    classes: str = Field(max_length=40)
    colours: str = Field(max_length=40)
    idle: tuple[str, ...] = ()
    check: list[dict[str, str | float | None]] = Field(default_factory=list, max_length=50)
    images: dict[str, int] = Field(default_factory=dict)
    insisted: str = ""

    def __str__(self) -> str:
        """As an entry of the card."""
        text = f"from {self.file} (Keras {self.keras}, SHA-256 {self.sha256[:12]}…, ends in {self.end}), said to take "
        text += f"range {self.range}, classes {self.classes}, colours {self.colours}"
        return f"{text}; insisted although: {self.insisted}" if self.insisted else text
