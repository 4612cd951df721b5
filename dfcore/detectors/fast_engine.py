"""Which engine runs a detector, and its fast one: OpenVINO's form of its network, or the shared tower."""

from pathlib import Path
from typing import get_args

from dfcore import workspace
from dfcore.detectors import on_tower
from dfcore.detectors.bundle import MODEL, read_openvino
from dfcore.detectors.card import Card
from dfcore.detectors.model_validation import read_weights
from dfcore.engines import (
    EngineName,
    OpenVinoEngine,
    Precision,
    TowerEngine,
    has_bfloat16,
    installed,
    weight_dedup,
)
from dfcore.errors import BundleError, InputError
from dfcore.utils import extras

_PRECISIONS: dict[EngineName, Precision] = {"openvino-bf16": "bfloat16", "openvino-int8": "int8"}


def fast_engine(folder: Path, card: Card, requested: EngineName) -> OpenVinoEngine | TowerEngine | None:
    """The OpenVINO engine of a bundle, or None if Keras is to be used.

    Args:
        folder: Folder of the bundle.
        card: Its card.
        requested: The engine that was asked for, see `Detector.load`.

    Raises:
        BundleError: If the network is missing, altered, or does not match the card.
        InputError: If the requested engine is unknown or unavailable.
        MissingExtraError: If it is not installed.
    """
    if requested not in get_args(EngineName):
        raise InputError(f"Expected one of the engines {', '.join(get_args(EngineName))}. Received: {requested!r}.")
    # OpenVINO does not validate graphs; one from elsewhere is loaded only on explicit request.
    enabled = card.openvino is not None and card.openvino.enabled and installed()
    trusted = card.tower is not None or workspace.is_own(folder)
    precision = _PRECISIONS.get(requested, "float32")
    if requested == "keras" or (requested == "auto" and not (enabled and trusted)):
        return None
    extras.require("openvino", "openvino", f"The engine {requested!r}")
    if precision == "bfloat16" and not has_bfloat16():
        raise InputError("This processor does not support bfloat16; use --engine openvino.")
    if precision == "int8" and card.tower is None:
        raise InputError(f"{folder} has no network in 8 bits: only detectors on a tower do. Use --engine openvino.")
    if card.tower is not None:
        _require_measured(folder, card, precision)
        return on_tower.engine(folder, card, precision)
    files = read_openvino(folder, card)
    if files is None and requested == "auto":
        return None
    if files is None:
        why = card.openvino.reason if card.openvino and card.openvino.reason else "none was created"
        raise InputError(f"{folder} has no network for OpenVINO ({why}). Create one with 'dfcore optimize'.")
    graph, weights = files
    assert card.openvino is not None  # Otherwise there would be no files.
    _require_measured(folder, card, precision)
    weights = weight_dedup.unpack(weights, read_weights(folder / MODEL))
    engine = OpenVinoEngine(
        graph,
        weights,
        thread_invariant=card.openvino.thread_invariant,
        bfloat16=precision == "bfloat16",
        views=len(card.spec.view_titles),
        loss=card.loss,
    )
    if engine.size != card.preprocess.size or engine.tta_flip != card.tta_flip:
        raise BundleError(
            f"{folder}: the OpenVINO network does not match the card. Expected size {card.preprocess.size}, tta_flip "
            f"{card.tta_flip}. Received: size {engine.size}, tta_flip {engine.tta_flip}."
        )
    return engine


def _require_measured(folder: Path, card: Card, precision: Precision) -> None:
    if precision != "float32" and (card.openvino is None or getattr(card.openvino, precision) is None):
        raise InputError(f"{folder}: the cost of {precision} has not been measured. Run 'dfcore optimize' first.")
