"""Adds an OpenVINO network to a bundle, and enables it if its results match Keras."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dfcore import workspace
from dfcore.confidence import is_fake, sigmoid
from dfcore.detectors import on_tower
from dfcore.detectors.bundle import MODEL, write_openvino
from dfcore.detectors.card import Card, OpenVINORecord, PrecisionCost
from dfcore.detectors.detector import Detector
from dfcore.detectors.library import is_shipped
from dfcore.detectors.model_validation import read_weights
from dfcore.engines import (
    OpenVinoEngine,
    Outputs,
    Precision,
    TowerEngine,
    as_squares,
    convert,
    has_bfloat16,
    installed,
    weight_dedup,
)
from dfcore.errors import BundleError
from dfcore.explanation import Explainer, Target
from dfcore.utils.files import lock
from dfcore.utils.texts import printable

# OpenVINO is enabled by default only if scores differ by less than this from Keras...
LIMIT = 1e-4
# ...and features by less than this, relative to the largest.
FEATURES_LIMIT = 1e-3
# Its Grad-CAM is used only if it differs by less than this, relative to the maximum of the map. Where a ReLU's input is
# zero up to rounding, its gradient may be 1 in one engine and 0 in the other.
GRADCAM_LIMIT = 0.05
_PATTERNS = 32
# Number of images whose heat-maps are compared, each of which costs as much as two verdicts.
_EXPLAINED = 8
# Of a tower, which takes seconds a verdict in Keras: patterns and images; the last one is explained.
_TOWER_PATTERNS, _TOWER_IMAGES = 8, 24


def optimize(folder: Path, pixels: np.ndarray | None = None) -> Card:
    """Adds an OpenVINO network to a bundle; the card records whether it is enabled. Keras remains the reference.

    Args:
        folder: Folder of the bundle.
        pixels: Preprocessed images to compare the engines on, ideally of the detector's own kind, uint8
            (N, *spec.input_shape); built-in patterns are always compared too.

    Returns:
        The card as written; if the network is not enabled, `card.openvino.reason` says why.

    Raises:
        BundleError: If the bundle cannot be loaded, or belongs to the installed package.
    """
    if is_shipped(folder):
        raise BundleError(
            f"{folder.name!r} ships with the package and cannot be changed. "
            f"Copy its folder to {workspace.models_dir()} and optimize the copy."
        )
    detector = Detector.load(folder, "keras")
    if detector.card.tower is not None:
        record, files = _guarded(lambda: (_compared_tower(detector, pixels), None))
    else:
        squares = patterns(detector.spec.size, pixels, len(detector.spec.view_titles))
        record, files = _guarded(lambda: _compared(detector, squares))
    if files is not None:
        graph, weights = files
        files = graph, weight_dedup.pack(graph, weights, read_weights(folder / MODEL))
    return _store(folder, detector.card, record, files)


def _store(folder: Path, card: Card, record: OpenVINORecord, files: tuple[bytes, bytes] | None) -> Card:
    """Writes graph, weights and card; of two that make them at once the card must not name the other's files."""
    with lock(Path(folder).parent / ".lock"):
        return write_openvino(folder, card, record, files)


def patterns(size: int, pixels: np.ndarray | None = None, views: int = 1) -> np.ndarray:
    """Fixed images from smooth to noisy and from black to white, followed by `pixels`.

    Returns:
        uint8 (N, size, size, 3), or (N, views, size, size, 3) with several views, which differ.
    """
    random = np.random.default_rng(0)
    made = [np.full((size, size, 3), level, np.uint8) for level in (0, 128, 255)]
    for number in range(_PATTERNS - len(made)):
        coarse = random.integers(0, 256, (2 + number % 7 * 5, 2 + number % 7 * 5, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC), float)
        noise = random.normal(0, 2.0 * (number % 5), (size, size, 3))
        made.append(np.clip(smooth + noise, 0, 255).astype(np.uint8))
    squares = np.stack(made)
    if views > 1:
        squares = np.stack([np.roll(squares, -view, axis=0) for view in range(views)], axis=1)
    return squares if pixels is None else np.concatenate([squares, pixels])


Compared = tuple[OpenVINORecord, tuple[bytes, bytes] | None]


def _guarded(compare: Callable[[], Compared]) -> Compared:
    """What a comparison found, or why there is none."""
    if not installed():
        return OpenVINORecord(enabled=False, reason="OpenVINO was not installed"), None
    try:
        return compare()
    except BundleError as error:
        reason = str(error)
    except Exception as error:  # OpenVINO raises many exception types on networks it cannot run.
        reason = f"OpenVINO cannot run this network: {printable(' '.join(str(error).split()))[-200:]}"
    return OpenVINORecord(enabled=False, reason=reason, version=version("openvino")), None


def _compared(detector: Detector, pixels: np.ndarray) -> Compared:
    explainer = detector.explainer()
    kind: dict[str, Any] = {"views": len(detector.spec.view_titles), "loss": detector.card.loss}
    how = kind | {"tta_flip": detector.card.tta_flip}
    files = convert(detector.model, layer=explainer.default_layer, **how)
    gradcam_difference = _gradcam_difference(explainer, OpenVinoEngine(*files, **kind), pixels)
    if gradcam_difference is not None and not gradcam_difference < GRADCAM_LIMIT:
        files, gradcam_difference = convert(detector.model, **how), None
    result = OpenVinoEngine(*files, **kind).outputs(pixels)
    two_threads = OpenVinoEngine(*files, thread_invariant=True, **kind)
    # Several views never run on two threads, see `OpenVinoEngine`.
    thread_invariant = kind["views"] == 1 and all(
        _identical(two_threads.outputs(pixels[[index]]), result, index) for index in range(len(pixels))
    )
    cheaper = OpenVinoEngine(*files, bfloat16=True, **kind).outputs(pixels) if has_bfloat16() else None
    record = _record(detector, pixels, result, bfloat16=cheaper)
    about = {"gradcam_difference": gradcam_difference, "thread_invariant": thread_invariant}
    return record.model_copy(update=about), files


def _compared_tower(detector: Detector, pixels: np.ndarray | None) -> OpenVINORecord:
    """Compares the tower as a graph for OpenVINO, on few images: it is the program's own and no part of the bundle."""
    assert detector.folder is not None
    folder, card = detector.folder, detector.card
    some = patterns(detector.spec.size, None, len(detector.spec.view_titles))[:: _PATTERNS // _TOWER_PATTERNS]
    if pixels is not None:
        some = np.concatenate([some, pixels[:_TOWER_IMAGES]])
    engine = on_tower.engine(folder, card, gradcam=True)

    def at(precision: Precision) -> Outputs:
        return on_tower.engine(folder, card, precision).outputs(some)

    bfloat16 = at("bfloat16") if has_bfloat16() else None
    record = _record(detector, some, engine.outputs(some), bfloat16=bfloat16, int8=at("int8"))
    difference = _gradcam_difference(detector.explainer(), engine, some[-1:])
    if difference is None or not difference < GRADCAM_LIMIT:
        return record
    return record.model_copy(update={"gradcam_difference": difference})


def _record(
    detector: Detector,
    pixels: np.ndarray,
    result: Outputs,
    *,
    bfloat16: Outputs | None = None,
    int8: Outputs | None = None,
) -> OpenVINORecord:
    """How results differ from Keras's, and what computing at lower precisions costs."""
    expected = detector.engine.outputs(pixels)
    # Uncalibrated scores too: the calibration may be flat in the range of these logits.
    scorings = (detector.card.calibration.apply, sigmoid)
    difference = max(float(np.abs(score(result.logits) - score(expected.logits)).max()) for score in scorings)
    features = float(np.abs(result.features - expected.features).max() / np.abs(expected.features).max())
    reason = ""
    if not difference < LIMIT:  # Also true for NaN.
        reason = f"its scores differ from Keras's by up to {difference:.2g} (limit {LIMIT:g})"
    elif not features < FEATURES_LIMIT:
        reason = f"its features differ from Keras's by up to {features:.2g} of the largest (limit {FEATURES_LIMIT:g})"
    return OpenVINORecord(
        enabled=not reason,
        reason=reason,
        difference=difference if np.isfinite(difference) else None,
        images=len(pixels),
        version=version("openvino"),
        layers=tuple(detector.explainer().layers),
        bfloat16=bfloat16 and _cost(detector.card, expected, bfloat16),
        int8=int8 and _cost(detector.card, expected, int8),
    )


def _cost(card: Card, expected: Outputs, result: Outputs) -> PrecisionCost | None:
    scores, others = card.calibration.apply(expected.logits), card.calibration.apply(result.logits)
    difference, threshold = float(np.abs(others - scores).max()), card.threshold.value
    return (
        PrecisionCost(
            difference=difference, changed=float((is_fake(scores, threshold) != is_fake(others, threshold)).mean())
        )
        if np.isfinite(difference)
        else None
    )


def _identical(single: Outputs, batch: Outputs, index: int) -> bool:
    """Whether an image's outputs are bit-identical on its own and in a batch."""
    return all(np.array_equal(one[0], many[index]) for one, many in zip(single, batch, strict=True))


def _gradcam_difference(explainer: Explainer, engine: OpenVinoEngine | TowerEngine, pixels: np.ndarray) -> float | None:
    """Largest difference between the engines' heat-maps, relative to the map's maximum; None without Grad-CAM."""
    if not engine.has_gradcam:
        return None
    differences = []
    targets: tuple[tuple[Target, int], ...] = (("fake", 1), ("real", -1))
    some = pixels[:: max(1, len(pixels) // _EXPLAINED)]
    squares = as_squares(some, engine.views)
    for number, square in enumerate(squares):
        view = number % engine.views
        evidence = engine.gradcam(square, view)
        for target, sign in targets:
            expected = explainer.raw(square, "gradcam", target, explainer.default_layer, view)
            result = np.maximum(sign * evidence, 0)
            peak = max(expected.max(), result.max()) or 1.0
            differences.append(np.abs(result - expected).max() / peak)
    return float(np.max(differences))  # NaN if any difference is.
