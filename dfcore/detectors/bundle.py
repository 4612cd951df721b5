"""Detector bundles: a folder with `model.keras` and `card.json`, which belong together by a hash."""

import json
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dfcore import compat
from dfcore.confidence import Calibration, DecisionThresholds, FileRange, OODDetector
from dfcore.errors import ArchiveError, BundleError, ConfigError
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.labels import NAMES
from dfcore.utils.files import flush, read_json, remembered, sha256_bytes, sha256_file, write_bytes, write_json
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    import keras

MODEL, CARD, OOD_FILE = "model.keras", "card.json", "domain.npz"
# The same network for the fast engine: its graph, and how its weights follow from the model's.
OPENVINO_FILES = ("openvino.xml", "openvino.npz")
_MAX_OPENVINO = (8 * 2**20, 1024 * 2**20)
_MAX_CARD = 4 * 2**20
_PACKAGES = ("dfcore", "tensorflow", "keras", "numpy", "pillow", "scikit-learn")


# What the results of a split hold beside figures, each of which is a number or not known.
_STRUCTURED: dict[str, type | tuple[type, ...]] = {
    "three_way": dict, "groups": dict, "confusion": dict, "not_computed": dict, "report": (str, type(None)),
}  # fmt: skip
_ROW_TEXTS = ("change", "title")


def _is_figure(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Threshold(_Part):
    """From which score on an image is called fake, and how that was decided."""

    value: float = Field(ge=0, le=1)
    chosen_on: str
    criterion: str


class Preprocess(_Part):
    """See `dfcore.imaging.preprocess.PreprocessSpec`."""

    size: int
    resize: str


class OODRecord(_Part):
    """The kind of images a detector was trained on, see `dfcore.confidence.ood`.

    Attributes:
        files: what they were like as files.
        sha256: of `domain.npz`, which holds them in the detector's feature space.
        limit_from: from which images the limit of the distance was taken.
    """

    files: FileRange
    sha256: str
    limit_from: str = ""


class PrecisionCost(_Part):
    """What a faster, less precise way of computing costs.

    Attributes:
        difference: the largest difference of a score from Keras's on the images that engines are compared on.
        changed: the share of them whose two-way answer is another one, in [0, 1].
    """

    difference: float
    changed: float

    def __str__(self) -> str:
        """As a part of a sentence."""
        return f"scores change by up to {self.difference:.2g}, and {self.changed:.1%} of the answers"


class OpenVINORecord(_Part):
    """The network in OpenVINO's form, and whether it answers as the Keras model does.

    Attributes:
        enabled: whether it runs where OpenVINO is installed and nobody asks for another engine.
        reason: why it is not enabled.
        difference: the largest difference of a score from Keras's; None where there was nothing to compare.
        images: how many were compared.
        version: of OpenVINO.
        gradcam_difference: the largest difference of a Grad-CAM from Keras's, as a share of the map's largest number;
            None where that form gives none.
        layers: at which Keras can look for heat-maps, so that they can be named without it.
        bfloat16: what computing in bfloat16 costs; None where that was not measured. It is used only when asked for.
        thread_invariant: whether an image's outputs are the same on two threads as on one, to the last bit.
        sha256: of the files of `OPENVINO_FILES`, in their order; empty where OpenVINO cannot express the network.
    """

    enabled: bool
    reason: str = ""
    difference: float | None = None
    images: int = 0
    version: str = ""
    gradcam_difference: float | None = None
    layers: tuple[str, ...] = ()
    bfloat16: PrecisionCost | None = None
    thread_invariant: bool = False
    sha256: tuple[str, ...] = ()

    _from_0_4 = model_validator(mode="before")(compat.renamed(**compat.OPENVINO_RECORD))


class Training(_Part):
    """What a detector was trained on, and how."""

    dataset: str
    layout: str = ""
    fingerprint: str = ""
    counts: dict[str, dict[str, int]] = Field(default_factory=dict)
    demonstration: bool = False
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
    """What `card.json` says of a detector; everything that is shown of it comes from here."""

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
    ood: OODRecord | None = None
    openvino: OpenVINORecord | None = None
    cam_layer: str
    training: Training
    results: dict[str, dict[str, Any]] = Field(default_factory=dict)
    measured: list[dict[str, Any]] = Field(default_factory=list)
    robustness: list[dict[str, Any]] = Field(default_factory=list)
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
        # Cards of version 0.1 told in a sentence that there was none.
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
                raise ValueError(f"the figures on {split} lack sound {', '.join(wrong)}")
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
                raise ValueError("robustness holds figures that are no numbers")
        return value

    @property
    def thresholds(self) -> DecisionThresholds:
        """The thresholds of the three-way decision; one threshold where the card has no others."""
        return self.decision_thresholds or DecisionThresholds.single(self.threshold.value)

    @property
    def record(self) -> tuple[str, dict[str, Any]]:
        """The most honest figures on its own kind of data that it has, and on what they are: ("", {}) without any."""
        for name in ("test", "cross-validation", "validation"):
            result = self.results.get(name, {})
            if result.get("roc_auc") is not None:
                return name, result
        return "", {}

    @property
    def spec(self) -> PreprocessSpec:
        """The preprocessing that the model owns."""
        # Any text is taken here: the spec itself refuses what it does not know.
        return PreprocessSpec(self.preprocess.size, self.preprocess.resize)  # type: ignore[arg-type]


def now() -> str:
    """The time in UTC for a card."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def package_versions() -> dict[str, str]:
    """Versions of the packages that shape a result."""
    from dfcore import __version__

    return {name: __version__ if name == "dfcore" else version(name) for name in _PACKAGES}


def write_bundle(folder: Path, model: "keras.Model", card: Card, ood_detector: OODDetector | None = None) -> Card:
    """Saves a model and its card as a bundle, complete or not at all; returns the card as written.

    With `ood_detector`, the card's `ood` must be set; its hash is entered here.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".bundle-") as aside:
        made = Path(aside) / "bundle"
        made.mkdir()
        model.save(made / MODEL)
        flush(made / MODEL)
        # An OpenVINO record of the card belongs to another file.
        own = {"model_sha256": sha256_file(made / MODEL), "versions": package_versions(), "openvino": None}
        card = card.model_copy(update=own)
        write_card(made, card)
        if ood_detector is not None and card.ood is not None:
            card = write_ood_detector(made, card, ood_detector)
        place(made, folder)
    return card


def place(made: Path, folder: Path) -> None:
    """Puts a whole bundle where it belongs; what is there already is replaced. Both lie in one file system."""
    with tempfile.TemporaryDirectory(dir=made.parent, prefix=".replaced-") as aside:
        if folder.exists():
            folder.rename(Path(aside) / "replaced")
        made.rename(folder)


def write_ood_detector(folder: Path, card: Card, ood_detector: OODDetector) -> Card:
    """Writes the record of a detector's training images, and its card with `ood`; returns the card as written."""
    if card.ood is None:
        raise ValueError("The card has no record of the training images.")
    content = ood_detector.to_bytes()
    write_bytes(Path(folder) / OOD_FILE, content)
    record = card.ood.model_copy(update={"sha256": sha256_bytes(content)})
    card = card.model_copy(update={"ood": record})
    write_card(folder, card)
    return card


def write_card(folder: Path, card: Card) -> None:
    """Replaces a bundle's card; its model stays."""
    write_json(Path(folder) / CARD, card.model_dump(mode="json"))


def read_card(folder: Path) -> Card:
    """Reads a bundle's card.

    Raises:
        BundleError: when it is missing, no JSON, or not of this kind.
    """
    return _read_card(Path(folder).absolute() / CARD)


@remembered(most=2000)
def _read_card(path: Path) -> Card:
    folder = path.parent
    try:
        if path.stat().st_size > _MAX_CARD:
            raise BundleError(f"{path} has more than {_MAX_CARD // 2**20} MB, and is refused.")
        values = read_json(path)
    except FileNotFoundError:
        raise BundleError(f"{folder} is no detector bundle: it has no {CARD}.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path} cannot be read: {error}.") from error
    try:
        card = Card.model_validate(values)
        _ = card.spec
        # What cannot be written again is refused now, not when somebody promotes it.
        json.dumps(card.model_dump(mode="json"), allow_nan=False, ensure_ascii=False).encode()
        return card
    except ConfigError as error:
        raise BundleError(f"{path}: its preprocessing is not valid: {error}.") from None
    except ValidationError as error:
        result = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise BundleError(f"{path} is no card of schema version 1: {printable(result)[:1000]}.") from None
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} holds values that no card has: {printable(error)[:200]}.") from None


def verify(folder: Path) -> Card:
    """Reads the card and checks that the model is the one that the card was written for.

    Raises:
        BundleError: when something is missing or the hash does not match.
    """
    card = read_card(folder)
    model = Path(folder) / MODEL
    if not model.is_file():
        raise BundleError(f"{folder} is no detector bundle: it has no {MODEL}.")
    result = sha256_file(model)
    if result != card.model_sha256:
        raise BundleError(
            f"{model} is not the model that its card was written for, and is refused. Expected SHA-256 "
            f"{card.model_sha256[:12]}… Received: {result[:12]}…"
        )
    return card


def read_ood_detector(folder: Path, card: Card) -> OODDetector | None:
    """The record of a detector's training images, or None where the card names nothing.

    Raises:
        BundleError: when it is missing, altered or unreadable.
    """
    if card.ood is None:
        return None
    path = Path(folder) / OOD_FILE
    try:
        content = path.read_bytes()
        if sha256_bytes(content) != card.ood.sha256:
            raise BundleError(f"{path} is not the one that its card was written for, and is refused.")
        return OODDetector.from_bytes(content)
    except (OSError, EOFError, ValueError, KeyError, MemoryError, ArchiveError) as error:
        raise BundleError(f"{path} cannot be read: {error}.") from error


def read_openvino(folder: Path, card: Card) -> tuple[bytes, bytes] | None:
    """The files of the network in OpenVINO's form, or None where the bundle has none.

    Raises:
        BundleError: when it is not the one that the card was written for.
    """
    paths = [Path(folder) / name for name in OPENVINO_FILES]
    if card.openvino is None or not card.openvino.sha256 or not all(path.is_file() for path in paths):
        return None
    for path, most in zip(paths, _MAX_OPENVINO, strict=True):
        if path.stat().st_size > most:
            raise BundleError(f"{path} has more than {most // 2**20} MB, and is refused.")
    graph, weights = (path.read_bytes() for path in paths)
    if (sha256_bytes(graph), sha256_bytes(weights)) != card.openvino.sha256:
        raise BundleError(f"{paths[0]} is not the network that its card was written for, and is refused.")
    return graph, weights


def write_openvino(folder: Path, card: Card, record: OpenVINORecord, files: tuple[bytes, bytes] | None) -> Card:
    """Adds the network in OpenVINO's form to a bundle; returns the card as written."""
    if files is not None:
        for name, content in zip(OPENVINO_FILES, files, strict=True):
            write_bytes(Path(folder) / name, content)
        record = record.model_copy(update={"sha256": tuple(sha256_bytes(content) for content in files)})
    card = card.model_copy(update={"openvino": record})
    write_card(folder, card)
    return card
