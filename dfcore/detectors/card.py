"""The card of a detector: everything that is known of it, as plain data in `card.json`."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dfcore import compat
from dfcore.confidence import Calibration, DecisionThresholds, FileRange, Gate, Words
from dfcore.detectors.face_records import FaceSizes, FramingRecord, Subject
from dfcore.detectors.origin import Adaptation, Adopted
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.labels import NAMES

# Entries of a split's results that are not plain numbers; all others are a number or None.
_STRUCTURED: dict[str, type | tuple[type, ...]] = {
    "three_way": dict,
    "groups": dict,
    "coverage": list,
    "confusion": dict,
    "not_computed": dict,
    "report": (str, type(None)),
}
_ROW_TEXTS = ("change", "title")


def _is_figure(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Threshold(_Part):
    """Score from which an image is called fake, and how it was chosen."""

    value: float = Field(ge=0, le=1)
    chosen_on: str
    criterion: str


class Preprocess(_Part):
    """See `dfcore.imaging.preprocess.PreprocessSpec`."""

    size: int
    resize: str
    views: tuple[str, ...] = ()


class OODRecord(_Part):
    """Training images of a detector as reference for out-of-distribution detection, see `dfcore.confidence.ood`.

    Attributes:
        files: Their file properties.
        sha256: Hash of `domain.npz`, which holds their feature vectors.
        limit_from: Description of the images that set the distance limit.
        gate: Limits by what handling was measured to do; None for those of `files` (version 0.6, or few images held
            out).
    """

    files: FileRange
    sha256: str
    limit_from: str = ""
    gate: Gate | None = None

    @property
    def limits(self) -> FileRange | Gate:
        """The limits that apply."""
        return self.gate or self.files


class TrainedOnRecord(_Part):
    """Training images of a detector, listed by their hashes, see `dfcore.detectors.trained_on`.

    Attributes:
        train: Number of listed images of the training split.
        validation: Number of listed images of the validation split, which tuned the detector.
        sha256: Hash of `trained_on.npz`, which holds the list.
    """

    train: int = Field(ge=0)
    validation: int = Field(ge=0)
    sha256: str


class TowerRecord(_Part):
    """The shared network that a detector's head was trained on; the bundle holds the head alone.

    Attributes:
        name: Its name.
        sha256: Hash of its file.
    """

    name: str
    sha256: str


class ReplayRecord(_Part):
    """Features of images that a detector learned from, see `dfcore.detectors.replay`.

    Attributes:
        images: Their number.
        sha256: Hash of `replay.npz`, which holds them.
    """

    images: int = Field(gt=0)
    sha256: str


class PrecisionCost(_Part):
    """Loss of accuracy from computing at lower precision.

    Attributes:
        difference: Largest absolute difference in score from Keras, on the images used to compare engines.
        changed: Share of these images whose two-way decision changes, in [0, 1].
    """

    difference: float
    changed: float

    def __str__(self) -> str:
        """As a clause of a sentence."""
        return f"scores change by up to {self.difference:.2g}, and {self.changed:.1%} of the decisions change"


class OpenVINORecord(_Part):
    """The network converted for OpenVINO, and whether its results match the Keras model.

    Attributes:
        enabled: Whether it is used by default where OpenVINO is installed.
        reason: Why it is not enabled.
        difference: Largest absolute difference in score from Keras; None if nothing could be compared.
        images: Number of images compared.
        version: OpenVINO version.
        gradcam_difference: Largest difference in Grad-CAM from Keras, relative to the maximum of the map; None if this
            graph does not compute Grad-CAM.
        layers: Layers at which Keras can compute heat-maps, listed here so that TensorFlow is not needed to list them.
        bfloat16, int8: Cost of computing in bfloat16 or 8 bits, which is done only on request; None if not measured.
        thread_invariant: Whether an image's outputs are bit-identical on one thread and on two.
        sha256: Hashes of `OPENVINO_FILES`, in that order; empty if OpenVINO cannot represent the network.
    """

    enabled: bool
    reason: str = ""
    difference: float | None = None
    images: int = 0
    version: str = ""
    gradcam_difference: float | None = None
    layers: tuple[str, ...] = ()
    bfloat16: PrecisionCost | None = None
    int8: PrecisionCost | None = None
    thread_invariant: bool = False
    sha256: tuple[str, ...] = ()

    _from_0_4 = model_validator(mode="before")(compat.renamed(**compat.OPENVINO_RECORD))


class MapFigures(_Part):
    """How faithful one method's heat-maps are on average, see `dfcore.evaluation.maps`.

    Attributes:
        method: Key of the method.
        view: The explained view in words; None if there is one alone.
        split: The images that the figures are of.
        images: Their number.
        empty: How many of the maps were empty; they count as random in `beats_random` and not in the areas.
        deletion, insertion: Mean areas under the curves of the score of the class that the image was given, in [0, 1].
        random: That of random orders, the same for deletion and insertion.
        beats_random: Share of comparisons with random orders won, in [0, 1]; 0.5 by chance.
        sanity: Mean rank correlation with the maps of the same network with shuffled weights, over at least eight of
            the images, in [-1, 1]; near 1, the maps do not depend on what was learned.
    """

    method: str
    view: str | None = None
    split: str
    images: int = Field(gt=0)
    empty: int = Field(default=0, ge=0)
    deletion: float | None = None
    insertion: float | None = None
    random: float | None = None
    beats_random: float = Field(ge=0, le=1)
    sanity: float = Field(ge=-1, le=1)


class Training(_Part):
    """Data and settings a detector was trained with.

    Attributes:
        self_made: What is to be said of fakes among them that this workbench made of real pictures; empty if there are
            none.
    """

    dataset: str
    layout: str = ""
    fingerprint: str = ""
    counts: dict[str, dict[str, int]] = Field(default_factory=dict)
    demonstration: bool = False
    self_made: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    epochs_run: int = 0
    best_epoch: int = 0
    excluded: int = 0
    notes: list[str] = Field(default_factory=list)

    @field_validator("config", mode="before")
    @classmethod
    def _current_settings(cls, value: Any) -> Any:
        return compat.settings(value) if isinstance(value, dict) else value

    @field_validator("counts")
    @classmethod
    def _both(cls, value: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        return {split: {"real": 0, "fake": 0} | counts for split, counts in value.items()}


class Card(_Part):
    """Contents of `card.json`: all information shown about a detector."""

    schema_version: Literal[1] = 1
    title: str
    description: str = ""
    created: str
    arch: str
    loss: Literal["binary", "categorical"]
    preprocess: Preprocess
    labels: dict[str, str] = Field(default_factory=lambda: {str(i): name for i, name in enumerate(NAMES)})
    threshold: Threshold
    tta_flip: bool = False
    calibration: Calibration = Calibration()
    decision_thresholds: DecisionThresholds | None = None
    words: Words = Words()
    ood: OODRecord | None = None
    trained_on: TrainedOnRecord | None = None
    subject: Subject | None = None
    framing: FramingRecord | None = None
    face_sizes: FaceSizes | None = None
    replay: ReplayRecord | None = None
    adapted: Adaptation | None = None
    adopted: Adopted | None = None
    tower: TowerRecord | None = None
    openvino: OpenVINORecord | None = None
    cam_layer: str
    training: Training
    results: dict[str, dict[str, Any]] = Field(default_factory=dict)
    measured: list[dict[str, Any]] = Field(default_factory=list)
    robustness: list[dict[str, Any]] = Field(default_factory=list)
    faithfulness: tuple[MapFigures, ...] = ()
    limits: list[str] = Field(default_factory=list)
    licence: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    model_sha256: str = ""

    _from_0_4 = model_validator(mode="before")(compat.renamed(**compat.CARD))

    @field_validator("arch", mode="before")
    @classmethod
    def _current_arch(cls, value: Any) -> Any:
        return compat.architecture(value)

    @field_validator("results", mode="before")
    @classmethod
    def _current_results(cls, value: Any) -> Any:
        sound = isinstance(value, dict) and all(isinstance(result, dict) for result in value.values())
        return {split: compat.metrics(result) for split, result in value.items()} if sound else value

    @field_validator("measured", mode="before")
    @classmethod
    def _current_measured(cls, value: Any) -> Any:
        return [compat.measured(row) for row in value] if isinstance(value, list) else value

    @field_validator("robustness", mode="before")
    @classmethod
    def _current_robustness(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [
            result | {"rows": [compat.robustness(row) for row in result["rows"]]}
            if isinstance(result, dict) and isinstance(result.get("rows"), list)
            else result
            for result in value
        ]

    @field_validator("calibration", mode="before")
    @classmethod
    def _from_words(cls, value: Any) -> Any:
        # Cards of version 0.1 held a sentence here, saying that there was no calibration.
        return {} if isinstance(value, str) else value

    @field_validator("results")
    @classmethod
    def _figures(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for split, result in value.items():
            wrong = [name for name in ("images", "real", "fake") if type(result.get(name)) is not int]
            wrong += [
                name
                for name, part in result.items()
                if not (isinstance(part, _STRUCTURED[name]) if name in _STRUCTURED else _is_figure(part))
            ]
            wrong += ["threshold"] if result.get("threshold") is None and result.get("images") else []
            if wrong:
                raise ValueError(f"the figures on {split} have missing or invalid {', '.join(wrong)}")
        return value

    @field_validator("robustness")
    @classmethod
    def _rows(cls, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for result in value:
            rows = result.get("rows")
            sound = isinstance(result.get("split"), str) and isinstance(rows, list) and bool(rows)
            if not sound or not all(isinstance(row, dict) and isinstance(row.get("title"), str) for row in rows or ()):
                raise ValueError("robustness needs a split, and rows with titles")
            figures = [part for row in rows or () for name, part in row.items() if name not in _ROW_TEXTS]
            if not all(map(_is_figure, figures)):
                raise ValueError("robustness has figures that are not numbers")
        return value

    @property
    def answers_unasked(self) -> bool:
        """Whether it may be the default and answer where nobody chose it: not if it knows a simulation alone."""
        return not self.training.demonstration

    @property
    def thresholds(self) -> DecisionThresholds:
        """Thresholds of the three-way decision, with its words; the two-way threshold if the card has no others."""
        return self.worded(self.decision_thresholds or DecisionThresholds.single(self.threshold.value))

    def worded(self, thresholds: DecisionThresholds) -> DecisionThresholds:
        """Thresholds of this detector with its right to say "likely real" at them, see `dfcore.confidence.words`."""
        return thresholds.model_copy(update={"says_real": self.words.allow_real(thresholds)})

    @property
    def record(self) -> tuple[str, dict[str, Any]]:
        """The most trustworthy results on its own kind of images, as (split, metrics); ("", {}) if there are none."""
        for name in ("test", "cross-validation", "validation"):
            result = self.results.get(name, {})
            if result.get("roc_auc") is not None:
                return name, result
        return "", {}

    @property
    def measured_on(self) -> str:
        """Which images its `record` is of, to follow "images"; what one that was adopted learned from is unknown."""
        if self.adopted:
            return "of the data set that it was calibrated on"
        held_out = self.by_source and self.record[0] == "cross-validation"
        return "of sources that it had not learned from" if held_out else "like its training data"

    @property
    def by_source(self) -> bool:
        """Whether it was cross-validated by whole sources, each of which is to keep the budget."""
        return self.training.config.get("cross_validation") == "source"

    @property
    def spec(self) -> PreprocessSpec:
        """The preprocessing of this detector's model."""
        resize: Any = self.preprocess.resize
        views: Any = self.preprocess.views
        # Any strings may stand here; PreprocessSpec validates them.
        return PreprocessSpec(self.preprocess.size, resize, views)
