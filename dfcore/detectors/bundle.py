"""Detector bundles: a folder with `model.keras` and `card.json`, linked by a hash."""

import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from dfcore.confidence import OODDetector, Words
from dfcore.detectors.card import Card, OpenVINORecord, ReplayRecord, TrainedOnRecord
from dfcore.detectors.replay import MAX_BYTES as MAX_REPLAY
from dfcore.detectors.replay import Replay
from dfcore.detectors.trained_on import MAX_BYTES as MAX_TRAINED_ON
from dfcore.detectors.trained_on import TrainedOn
from dfcore.errors import ArchiveError, BundleError, ConfigError, StorageError
from dfcore.utils.files import flush, read_json, remembered, sha256_bytes, sha256_file, write_bytes, write_json
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    import keras

MODEL, CARD, OOD_FILE, TRAINED_ON, REPLAY = "model.keras", "card.json", "domain.npz", "trained_on.npz", "replay.npz"
# The same network for OpenVINO: its graph, and instructions to derive its weights from the Keras model.
OPENVINO_FILES = ("openvino.xml", "openvino.npz")
_Part = TypeVar("_Part")
_MAX_OPENVINO = (8 * 2**20, 1024 * 2**20)
_MAX_CARD = 4 * 2**20
MAX_OOD = 64 * 2**20
_PACKAGES = ("dfcore", "tensorflow", "keras", "numpy", "pillow", "scikit-learn")


def now() -> str:
    """Current UTC time in ISO format, for a card."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def package_versions() -> dict[str, str]:
    """Versions of the packages that affect results."""
    from dfcore import __version__

    return {name: __version__ if name == "dfcore" else version(name) for name in _PACKAGES}


def write_bundle(folder: Path, model: "keras.Model", card: Card, ood_detector: OODDetector | None = None) -> Card:
    """Saves a model and its card as a bundle, atomically.

    Args:
        folder: Destination; replaced if it exists.
        model: The Keras model.
        card: Its card; if `ood_detector` is given, `card.ood` must be set, and its hash is filled in.
        ood_detector: Data for out-of-distribution detection.

    Returns:
        The card as written.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".bundle-") as aside:
        made = Path(aside) / "bundle"
        made.mkdir()
        model.save(made / MODEL)
        flush(made / MODEL)
        # An existing OpenVINO record would describe another model file.
        update = {"model_sha256": sha256_file(made / MODEL), "versions": package_versions(), "openvino": None}
        card = card.model_copy(update=update)
        write_card(made, card)
        if ood_detector is not None and card.ood is not None:
            card = write_ood_detector(made, card, ood_detector)
        place(made, folder)
    return card


def place(made: Path, folder: Path) -> None:
    """Moves a complete bundle to its destination, replacing what is there. Both must be on one file system."""
    with tempfile.TemporaryDirectory(dir=made.parent, prefix=".replaced-") as aside:
        if folder.exists():
            folder.rename(Path(aside) / "replaced")
        made.rename(folder)


def write_ood_detector(folder: Path, card: Card, ood_detector: OODDetector) -> Card:
    """Writes the data for out-of-distribution detection and updates the card's `ood`; returns the card as written."""
    if card.ood is None:
        raise ValueError("Expected a card with `ood` set. Received: a card without it.")
    content = ood_detector.to_bytes()
    _add(folder, OOD_FILE, content)
    record = card.ood.model_copy(update={"sha256": sha256_bytes(content)})
    card = card.model_copy(update={"ood": record})
    write_card(folder, card)
    return card


def write_card(folder: Path, card: Card) -> None:
    """Replaces a bundle's card, leaving its model unchanged.

    Raises:
        StorageError: If the bundle's folder is not there, or cannot be written to.
    """
    _there(folder)
    write_json(Path(folder) / CARD, card.model_dump(mode="json"))


def _add(folder: Path, name: str, content: bytes) -> None:
    _there(folder)
    write_bytes(Path(folder) / name, content)


def _there(folder: Path) -> None:
    """Refuses to add to a bundle that was deleted while it was made, which would make a part of it anew."""
    if not Path(folder).is_dir():
        raise StorageError(f"{folder} is not there any more: it was deleted or renamed meanwhile.")


def read_card(folder: Path) -> Card:
    """Reads a bundle's card.

    Raises:
        BundleError: If it is missing, not JSON, or not a valid card.
    """
    return _read_card(Path(folder).absolute() / CARD)


@remembered(most=2000)
def _read_card(path: Path) -> Card:
    folder = path.parent
    try:
        if path.stat().st_size > _MAX_CARD:
            raise BundleError(f"{path} is larger than {_MAX_CARD // 2**20} MB and was refused.")
        values = read_json(path)
    except FileNotFoundError:
        raise BundleError(f"{folder} is not a detector bundle: it has no {CARD}.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path} cannot be read: {error}.") from error
    try:
        card = Card.model_validate(values)
        if "words" not in card.model_fields_set and card.decision_thresholds:  # Of version 0.6 or earlier.
            words = Words.of_measured(card.measured, card.decision_thresholds.real_below)
            card = card.model_copy(update={"words": words})
        _ = card.spec
        # Reject values that could not be written again now, rather than when the bundle is promoted.
        json.dumps(card.model_dump(mode="json"), allow_nan=False, ensure_ascii=False).encode()
        return card
    except ConfigError as error:
        raise BundleError(f"{path}: invalid preprocessing: {error}.") from None
    except ValidationError as error:
        result = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise BundleError(f"{path} is not a valid card of schema version 1: {printable(result)[:1000]}.") from None
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} contains invalid values: {printable(error)[:200]}.") from None


def verify(folder: Path) -> Card:
    """Reads the card and checks the model file against its hash.

    Raises:
        BundleError: If a file is missing or the hash does not match.
    """
    card = read_card(folder)
    model = Path(folder) / MODEL
    if not model.is_file():
        raise BundleError(f"{folder} is not a detector bundle: it has no {MODEL}.")
    sha256 = sha256_file(model)
    if sha256 != card.model_sha256:
        raise BundleError(
            f"{model} is not the model that its card was written for, and was refused. Expected SHA-256 "
            f"{card.model_sha256[:12]}… Received: {sha256[:12]}…"
        )
    return card


def read_ood_detector(folder: Path, card: Card) -> OODDetector | None:
    """Reads the data for out-of-distribution detection; None if the card names none.

    Raises:
        BundleError: If the file is missing, altered or unreadable.
    """
    if card.ood is None:
        return None
    path = Path(folder) / OOD_FILE
    return _part(path, card.ood.sha256, MAX_OOD, OODDetector.from_bytes)


def write_trained_on(folder: Path, card: Card, trained_on: TrainedOn) -> Card:
    """Adds the list of training images to a bundle; returns the card as written."""
    content = trained_on.to_bytes()
    _add(folder, TRAINED_ON, content)
    held = int(trained_on.held.sum())
    record = TrainedOnRecord(train=len(trained_on) - held, validation=held, sha256=sha256_bytes(content))
    card = card.model_copy(update={"trained_on": record})
    write_card(folder, card)
    return card


def read_trained_on(folder: Path, card: Card) -> TrainedOn | None:
    """Reads the list of training images; None if the card names none, as those of version 0.5 and earlier.

    Raises:
        BundleError: If the file is missing, altered, too large or unreadable.
    """
    if card.trained_on is None:
        return None
    path = Path(folder) / TRAINED_ON
    result = _part(path, card.trained_on.sha256, MAX_TRAINED_ON, TrainedOn.from_bytes)
    stated = card.trained_on.train, card.trained_on.validation
    listed = len(result) - int(result.held.sum()), int(result.held.sum())
    if stated != listed:
        raise BundleError(
            f"{path} does not fit its card. Expected {stated[0]:,} images of training and {stated[1]:,} of validation. "
            f"Received: {listed[0]:,} and {listed[1]:,}."
        )
    return result


def write_replay(folder: Path, card: Card, replay: Replay) -> Card:
    """Adds features of what it learned from to a bundle; returns the card as written."""
    content = replay.to_bytes()
    _add(folder, REPLAY, content)
    card = card.model_copy(update={"replay": ReplayRecord(images=len(replay), sha256=sha256_bytes(content))})
    write_card(folder, card)
    return card


def read_replay(folder: Path, card: Card) -> Replay | None:
    """Reads the features of what a detector learned from; None if the card names none.

    Raises:
        BundleError: If the file is missing, altered, too large or unreadable.
    """
    if card.replay is None:
        return None
    path = Path(folder) / REPLAY
    result = _part(path, card.replay.sha256, MAX_REPLAY, Replay.from_bytes)
    if (len(result), result.views) != (card.replay.images, len(card.spec.view_titles)):
        raise BundleError(
            f"{path} does not fit its card. Expected {card.replay.images:,} images with {len(card.spec.view_titles)} "
            f"views. Received: {len(result):,} with {result.views}."
        )
    return result


def _part(path: Path, sha256: str, most: int, read: Callable[[bytes], _Part]) -> _Part:
    """What is read from a file of a bundle that its card names by its hash."""
    try:
        if path.stat().st_size > most:
            raise BundleError(f"{path} is larger than {most // 2**20} MB and was refused.")
        content = path.read_bytes()
        if sha256_bytes(content) != sha256:
            raise BundleError(f"{path} is not the file that its card was written for, and was refused.")
        return read(content)
    except (OSError, EOFError, ValueError, MemoryError, ArchiveError) as error:
        raise BundleError(f"{path} cannot be read: {error}.") from error


def read_openvino(folder: Path, card: Card) -> tuple[bytes, bytes] | None:
    """Reads the files of the OpenVINO network; None if the bundle has none.

    Raises:
        BundleError: If they are too large, or not those that the card was written for.
    """
    paths = [Path(folder) / name for name in OPENVINO_FILES]
    if card.openvino is None or not card.openvino.sha256 or not all(path.is_file() for path in paths):
        return None
    for path, most in zip(paths, _MAX_OPENVINO, strict=True):
        if path.stat().st_size > most:
            raise BundleError(f"{path} is larger than {most // 2**20} MB and was refused.")
    graph, weights = (path.read_bytes() for path in paths)
    if (sha256_bytes(graph), sha256_bytes(weights)) != card.openvino.sha256:
        raise BundleError(f"{paths[0]} is not the network that its card was written for, and was refused.")
    return graph, weights


def write_openvino(folder: Path, card: Card, record: OpenVINORecord, files: tuple[bytes, bytes] | None) -> Card:
    """Adds an OpenVINO network to a bundle; returns the card as written."""
    if files is not None:
        for name, content in zip(OPENVINO_FILES, files, strict=True):
            _add(folder, name, content)
        record = record.model_copy(update={"sha256": tuple(sha256_bytes(content) for content in files)})
    card = card.model_copy(update={"openvino": record})
    write_card(folder, card)
    return card
