"""How a data set of aligned pairs is made, and what came of it."""

from dataclasses import dataclass
from pathlib import Path

from dfcore.errors import InputError
from dfcore.synthesis.decoders import WHOLE, kind_of
from dfcore.synthesis.taef2 import Precision
from dfcore.utils import extras


@dataclass(frozen=True)
class Plan:
    """How pairs are made.

    Attributes:
        kinds: Names of kinds, see `dfcore.synthesis.KINDS`; which of them makes a pair depends on its picture.
        seed: Of everything that is drawn.
        pairs: Pairs of each picture.
        limit: Largest number of pictures; None for all.
        precision: Of TAEF2.
    """

    kinds: tuple[str, ...] = WHOLE
    seed: int = 0
    pairs: int = 1
    limit: int | None = None
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            InputError: If a value is out of range.
            MissingExtraError: If a kind takes OpenVINO and it is not installed.
        """
        if not self.kinds or len(set(self.kinds)) < len(self.kinds):
            raise InputError(f"Expected kinds of self-made fakes, each once. Received: {', '.join(self.kinds)}.")
        for name in self.kinds:
            if kind_of(name).needs_openvino:
                extras.require("openvino", "openvino", f"The kind {name!r}")
        for what, number in (("pairs of each picture", self.pairs), ("pictures", self.limit)):
            if number is not None and number < 1:
                raise InputError(f"Expected a number of {what} of at least 1. Received: {number}.")


@dataclass(frozen=True)
class Aligned:
    """A data set of pairs.

    Attributes:
        folder: Where it is.
        pairs: Number of its pairs.
        kinds: Number of pairs of each kind.
        told: Which pictures were taken as real, as a sentence.
        left_out: (path, reason) of each picture of which no pair was made.
    """

    folder: Path
    pairs: int
    kinds: dict[str, int]
    told: str
    left_out: tuple[tuple[str, str], ...]
