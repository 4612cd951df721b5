"""Top-level functions of `dfcore` that combine several subpackages."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcore import workspace

if TYPE_CHECKING:
    import pandas as pd

    from dfcore.architectures import Architecture
    from dfcore.datasets import Dataset
    from dfcore.detectors.card import Card
    from dfcore.detectors.detector import Detector
    from dfcore.evaluation.paired import Comparison
    from dfcore.explanation import Heatmap
    from dfcore.imaging import Source
    from dfcore.runs import Run

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Evaluation:
    """Results of a detector on labelled images.

    Attributes:
        metrics: Plain data: images, real, fake, threshold, one entry per key of `dfcore.evaluation.METRICS`,
            `three_way` (rates of the three-way decision), `groups` (a summary per generator or source) and more.
        predictions: One row per image: path, sha256, label, group, logit, score, is_ood, pixels_sha256.
    """

    metrics: dict[str, Any]
    predictions: "pd.DataFrame"


@dataclass(frozen=True)
class DetectorInfo:
    """An available detector.

    Attributes:
        name: Name that `Detector.load` accepts.
        folder: Its bundle.
        card: Its card: training, results, limits.
        default: Whether it is the default detector.
    """

    name: str
    folder: Path
    card: "Card"
    default: bool


def list_detectors() -> list[DetectorInfo]:
    """Lists the detectors of this workspace and those shipped with the package, the default first.

    Raises:
        BundleError: If a card cannot be read.

    Example:
        >>> import dfcore
        >>> [info.name for info in dfcore.list_detectors()]
        ['faces', 'photographs', 'small']
    """
    from dfcore.detectors.bundle import read_card
    from dfcore.detectors.library import default_name, list_bundles

    default = default_name()
    return [DetectorInfo(path.name, path, read_card(path), path.name == default) for path in list_bundles()]


def list_architectures() -> "list[Architecture]":
    """Lists all architectures that can be trained, the simplest first. Does not import TensorFlow.

    Example:
        >>> import dfcore
        >>> [entry.name for entry in dfcore.list_architectures()][:3]
        ['cnn', 'spectral_cnn', 'resnet18']
    """
    from dfcore import architectures

    return [architectures.get(name) for name in architectures.names()]


def evaluate(
    detector: "Detector | Run | str | Path",
    dataset: "Dataset | str | Path",
    split: str | None = "test",
    *,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluates a detector on labelled images, at the thresholds of its card.

    Splits not defined by the folders are drawn as they were for the detector's training, so that no training image is
    used for testing.

    Args:
        detector: A `Detector`, or anything `Detector.load` accepts.
        dataset: A `Dataset`, or the path of its folder or manifest.
        split: "train", "validation" or "test"; None for all labelled images.
        progress: Called with (images done, total images).

    Returns:
        Metrics and per-image predictions.

    Raises:
        BundleError: If there is no such detector.
        LayoutError: If there is no such data set.
        DatasetError: If the split has no usable image.

    Example:
        >>> import dfcore
        >>> from dfcore.datasets.demo import make_demo
        >>> demo = make_demo("demo", crops_per_block=3)
        >>> result = dfcore.evaluate("small", demo)
        >>> result.metrics["images"], 0 <= result.metrics["roc_auc"] <= 1
        (24, True)
    """
    from dfcore.evaluation import measure, splits_as_trained

    loaded = _loaded(detector)
    data = splits_as_trained(loaded.card, _scanned(dataset), loaded.trained_on)
    metrics, table = measure(loaded, data, split, cache_dir=workspace.cache_dir(), progress=progress)
    return Evaluation(metrics, table)


def compare(
    first: "Detector | Run | str | Path",
    second: "Detector | Run | str | Path",
    dataset: "Dataset | str | Path",
    split: str | None = "test",
    *,
    progress: Progress | None = None,
) -> "Comparison":
    """Tests whether the second detector is better than the first, on the same images.

    Args:
        first: A `Detector`, or anything `Detector.load` accepts.
        second: The detector to compare with it.
        dataset: A `Dataset`, or the path of its folder or manifest.
        split: As for `evaluate`.
        progress: As for `evaluate`; runs once per detector.

    Returns:
        McNemar's exact test of the two-way decisions and a paired bootstrap of the difference in ROC AUC, see
        `dfcore.evaluation.paired.Comparison`; `dfcore.evaluation.paired.in_words` summarises it in two sentences.

    Raises:
        BundleError, LayoutError, DatasetError: As for `evaluate`.

    Example:
        >>> import dfcore
        >>> from dfcore.datasets.demo import make_demo
        >>> demo = make_demo("demo", crops_per_block=1)
        >>> result = dfcore.compare("faces", "small", demo)
        >>> result["images"], 0 <= result["mcnemar_p"] <= 1
        (8, True)
    """
    from dfcore.evaluation import paired

    both = [_loaded(first), _loaded(second)]
    data = _scanned(dataset)
    tables = [evaluate(detector, data, split, progress=progress).predictions for detector in both]
    return paired.compare(paired.join(*tables), both[0].threshold, both[1].threshold)


def explain(
    detector: "Detector | Run | str | Path",
    image: "Source",
    *,
    method: str = "gradcam",
    target: str = "fake",
    layer: str | None = None,
    view: int | str = 0,
) -> "Heatmap":
    """Computes a heat-map of a detector's evidence in an image.

    Args:
        detector: A `Detector`, or anything `Detector.load` accepts.
        image: A path, the bytes of a file, a Pillow image, or RGB uint8 (H, W, 3).
        method: "gradcam", "gradcam++", "scorecam", "layercam" or "saliency".
        target: Evidence for "fake" or for "real".
        layer: Name of a convolutional layer; by default the last one before the head.
        view: Number or name of the view to explain, where the detector judges several; by default the first.

    Returns:
        A heat-map of the image's size, (H, W) in [0, 1], NaN outside the region that the view shows.

    Raises:
        BundleError: If there is no such detector.
        ImageError: If the image cannot be decoded.
        InputError: If the method, target, layer or view is unknown.

    Example:
        >>> import dfcore, numpy as np
        >>> noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        >>> dfcore.explain("small", noise).values.shape
        (48, 64)
    """
    return _loaded(detector).explain(image, method=method, target=target, layer=layer, view=view)


def _loaded(detector: "Detector | Run | str | Path") -> "Detector":
    from dfcore.detectors.detector import Detector

    return detector if isinstance(detector, Detector) else Detector.load(detector)


def _scanned(dataset: "Dataset | str | Path") -> "Dataset":
    from dfcore.datasets import Dataset, scan

    return dataset if isinstance(dataset, Dataset) else scan(dataset)
