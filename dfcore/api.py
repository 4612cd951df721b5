"""The functions of the package's face that belong to no one room: each is a few calls into the rooms below."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcore import workspace

if TYPE_CHECKING:
    import pandas as pd

    from dfcore.architectures import Architecture
    from dfcore.datasets import Dataset
    from dfcore.detectors.bundle import Card
    from dfcore.detectors.detector import Detector
    from dfcore.evaluation.paired import Comparison
    from dfcore.explanation import Heatmap
    from dfcore.imaging import Source

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Evaluation:
    """What a detector is worth on labelled images.

    Attributes:
        metrics: plain data: images, real, fake, threshold, one entry for each key of `dfcore.evaluation.METRICS`,
            `three_way` (shares of the three-way decisions), `groups` (a summary by generator or source) and the like.
        predictions: one row an image: path, sha256, label, group, logit, score, is_ood.
    """

    metrics: dict[str, Any]
    predictions: "pd.DataFrame"


@dataclass(frozen=True)
class DetectorInfo:
    """A detector at hand.

    Attributes:
        name: what `Detector.load` takes.
        folder: its bundle.
        card: what is known of it: training, results, limits.
        default: whether it is the one to take where nobody chooses.
    """

    name: str
    folder: Path
    card: "Card"
    default: bool


def list_detectors() -> list[DetectorInfo]:
    """The detectors of this workspace and those that ship with the package, the default first.

    Raises:
        BundleError: when the card of one cannot be read.

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
    """All architectures that can be trained, the simple ones first; imports no TensorFlow.

    Example:
        >>> import dfcore
        >>> [entry.name for entry in dfcore.list_architectures()][:3]
        ['cnn', 'spectral_cnn', 'resnet18']
    """
    from dfcore import architectures

    return [architectures.get(name) for name in architectures.names()]


def evaluate(
    detector: "Detector | str | Path",
    dataset: "Dataset | str | Path",
    split: str | None = "test",
    *,
    progress: Progress | None = None,
) -> Evaluation:
    """Measures a detector on labelled images, at the thresholds of its card.

    Splits that the folders do not tell are drawn as the detector's training drew them, so that nothing it learned from
    is measured as test.

    Args:
        detector: loaded, or what `Detector.load` takes.
        dataset: scanned, or its folder or manifest.
        split: "train", "validation" or "test"; None for all labelled images.
        progress: called with (images done, images in all).

    Raises:
        BundleError: when there is no such detector.
        LayoutError: when there is no such data set.
        DatasetError: when the split holds no usable image.

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
    data = splits_as_trained(loaded.card, _scanned(dataset))
    metrics, table = measure(loaded, data, split, cache_dir=workspace.cache_dir(), progress=progress)
    return Evaluation(metrics, table)


def compare(
    first: "Detector | str | Path",
    second: "Detector | str | Path",
    dataset: "Dataset | str | Path",
    split: str | None = "test",
    *,
    progress: Progress | None = None,
) -> "Comparison":
    """Tests whether the second detector is better than the first, on the same images.

    Args:
        first: loaded, or what `Detector.load` takes.
        second: the other one.
        dataset: scanned, or its folder or manifest.
        split: as for `evaluate`.
        progress: as for `evaluate`; it runs twice.

    Returns:
        McNemar's exact test of the two-way answers and a paired bootstrap of the difference in ROC AUC, see
        `dfcore.evaluation.paired.Comparison`; `dfcore.evaluation.paired.in_words` puts it into two sentences.

    Raises:
        BundleError, LayoutError, DatasetError: as `evaluate` does.

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
    detector: "Detector | str | Path",
    image: "Source",
    *,
    method: str = "gradcam",
    target: str = "fake",
    layer: str | None = None,
) -> "Heatmap":
    """Where in an image a detector finds its evidence.

    Args:
        detector: loaded, or what `Detector.load` takes.
        image: a path, a file's bytes, a Pillow image, or RGB uint8 (H, W, 3).
        method: "gradcam", "gradcam++", "scorecam", "layercam" or "saliency".
        target: evidence of "fake" or of "real".
        layer: a convolutional layer by name; by default the last one before the head.

    Returns:
        A heat-map of the image's own size, (H, W) in [0, 1], NaN where the model did not look.

    Raises:
        BundleError: when there is no such detector.
        ImageError: when the image cannot be decoded.
        InputError: when method, target or layer is none of those that there are.

    Example:
        >>> import dfcore, numpy as np
        >>> noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        >>> dfcore.explain("small", noise).values.shape
        (48, 64)
    """
    return _loaded(detector).explain(image, method=method, target=target, layer=layer)


def _loaded(detector: "Detector | str | Path") -> "Detector":
    from dfcore.detectors.detector import Detector

    return detector if isinstance(detector, Detector) else Detector.load(detector)


def _scanned(dataset: "Dataset | str | Path") -> "Dataset":
    from dfcore.datasets import Dataset, scan

    return dataset if isinstance(dataset, Dataset) else scan(dataset)
