"""Where a detector comes from that was adapted, or made elsewhere, for its card."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

# Shares among the rows of an adaptation, {name: title}.
_GAINED = {
    "fpr": "Real, called likely fake",
    "found": "Fake, called likely fake",
    "passed": "Fake, below the lower threshold",
    "refused": "Refused",
}


class Adaptation(BaseModel):
    """How a detector was made of another one, see `dfcore.training.adapt`.

    Attributes:
        base: Title of the other detector.
        base_sha256: Hash of its model.
        source: Name of the data set that was learned.
        counts: Its images, {"real": n, "fake": n}.
        rows: What it gained and lost, a row a source.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    base: str
    base_sha256: str
    source: str
    counts: dict[str, int]
    rows: list[dict[str, str | int | float | None]]

    def shown(self) -> list[dict[str, str | int | float | None]]:
        """The rows for people, each figure as "before to after"."""

        def both(row: dict[str, str | int | float | None], name: str, form: str) -> str:
            values = (row.get(f"{name}_{when}") for when in ("before", "after"))
            return " to ".join(format(value, form) if isinstance(value, (int, float)) else "-" for value in values)

        return [
            {"Source": row.get("source"), "Real": row.get("real"), "Fake": row.get("fake")}
            | {"ROC AUC": both(row, "roc_auc", ".3f")}
            | {title: both(row, name, ".0%") for name, title in _GAINED.items()}
            for row in self.rows
        ]


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
