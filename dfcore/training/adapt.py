"""`adapt`: makes a new bundle of a detector that has learned a new generator from few pictures.

The network stays, its last layer changes (`adaptation`). What that gains and costs is measured on images that neither
the old last layer nor the change has learned from: the new pictures in folds; images of the old cross-validation,
whose whole source is left out of the change where it was by source; validation images, which nothing learns from.
Calibration and thresholds are fitted on the same images.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dfcore import workspace
from dfcore.datasets import TEST, Dataset
from dfcore.datasets.cache import Progress
from dfcore.datasets.looks import looks
from dfcore.detectors import on_tower
from dfcore.detectors.bundle import (
    place,
    read_card,
    read_replay,
    write_bundle,
    write_card,
    write_ood_detector,
    write_replay,
    write_trained_on,
)
from dfcore.detectors.card import Card
from dfcore.detectors.detector import Detector
from dfcore.detectors.library import find_bundle
from dfcore.detectors.origin import Adaptation
from dfcore.detectors.replay import MOST_IMAGES, Replay
from dfcore.detectors.trained_on import TrainedOn
from dfcore.errors import BundleError, InputError
from dfcore.evaluation import (
    full_metrics,
    predictions_path,
    write_predictions,
)
from dfcore.exchange.optimize import optimize
from dfcore.labels import FAKE, REAL
from dfcore.training import replay as replays
from dfcore.training.adaptation import change, unseen
from dfcore.training.adapted import (
    Pictures,
    described,
    fitted,
    gained,
    known_predictions,
    new_examples,
    old_examples,
    refused,
    table_of,
)
from dfcore.training.frozen import AS_IT_IS, Variant
from dfcore.training.last_layer import LastLayer

if TYPE_CHECKING:
    import keras

# New pictures of a class without which nothing can be learned or measured.
FEWEST = 10
# Handled copies of each new picture that are learned from as well.
_COPIES = 2


def adapt(
    bundle: str | Path,
    dataset: Dataset,
    target: Path,
    *,
    learned_from: Sequence[Dataset] = (),
    title: str = "",
    progress: Progress | None = None,
) -> Card:
    """Teaches a detector the fakes of a new source, and writes the result as a new bundle.

    Args:
        bundle: Folder, or name of a detector in the library; it is not changed.
        dataset: A scanned data set with at least `FEWEST` real pictures and as many fakes; a test split is left aside.
        target: Folder of the new bundle, which must not exist.
        learned_from: Data sets that hold its training images, instead of the features that its bundle keeps.
        title: Title of the new detector.
        progress: Called with (images done, total images).

    Returns:
        The card of the new bundle; `Card.adapted` tells what was gained and lost, source by source.

    Raises:
        InputError: If the target exists, there are too few new pictures, or the bundle lacks what is needed.
        DatasetError: If no picture can be read.
    """
    folder = find_bundle(bundle)
    if target.exists():
        raise InputError(f"{target} exists. Expected a new folder: a detector is never adapted in place.")
    detector = Detector.load(folder)
    rows = _new_rows(detector, dataset)
    replay = (
        replays.of_datasets(detector, learned_from, progress) if learned_from else read_replay(folder, detector.card)
    )
    if replay is None:
        raise InputError(
            f"{detector.card.title} keeps no features of what it was trained on, without which it would forget. Name "
            "the data sets that hold its training images (--learned-from)."
        )
    variants = [AS_IT_IS, *(Variant("drawn", number) for number in range(1, 1 + _COPIES))]
    features, readable = replays.of_files(detector, rows, variants, progress)
    pictures = Pictures(dataset.root, rows[readable].reset_index(drop=True), features, _name(dataset, replay))
    _require_enough(pictures.rows, dataset)
    return _made(detector, folder, dataset, replay, pictures, target, title)


def _new_rows(detector: Detector, dataset: Dataset) -> pd.DataFrame:
    """Rows of the new pictures: neither of a test split, nor among those that the detector was trained on."""
    rows = dataset.usable.drop_duplicates("sha256")
    rows = rows[rows.split.fillna("") != TEST]
    if detector.trained_on is not None:
        seen = detector.trained_on.find(
            rows.pixels_sha256.tolist(), rows.sha256.tolist(), lambda rest: (None for _ in rest)
        )
        rows = rows[[not each.found for each in seen]]
    _require_enough(rows, dataset)
    return rows.assign(file=rows.path, path=[dataset.root / path for path in rows.path])


def _require_enough(rows: pd.DataFrame, dataset: Dataset) -> None:
    counts = [int((rows.label == label).sum()) for label in (REAL, FAKE)]
    if min(counts) < FEWEST:
        raise InputError(
            f"Expected at least {FEWEST} real and {FEWEST} fake pictures that the detector has not seen, of the same "
            "kind but for the generator: with fakes alone it would learn where they come from. Received: "
            f"{counts[0]} real and {counts[1]} fake in {dataset.name}."
        )
    if len(rows) > MOST_IMAGES:
        raise InputError(
            f"Expected at most {MOST_IMAGES:,} pictures. Received: {len(rows):,} in {dataset.name}. Train a detector "
            "on so many (dfcore train)."
        )


def _name(dataset: Dataset, replay: Replay) -> str:
    return dataset.name if dataset.name not in set(replay.groups.tolist()) else f"{dataset.name} (new)"


def _made(
    detector: Detector,
    folder: Path,
    dataset: Dataset,
    replay: Replay,
    pictures: Pictures,
    target: Path,
    title: str,
) -> Card:
    card, layer = detector.card, LastLayer.of(detector)
    if not np.array_equal(replay.columns, layer.columns):
        raise BundleError(
            f"{folder}: the features that it keeps are not those of its last layer. Expected {len(layer.columns):,} of "
            f"them. Received: {len(replay.columns):,}. Name the data sets that hold its training images "
            "(--learned-from)."
        )
    base = known_predictions(folder)
    old, new = old_examples(card, layer, replay, base), new_examples(layer, pictures)
    refused_before, refused_after = refused(detector, pictures, new.folds)
    before = table_of(replay, base, pictures, old, new, (old.logits, new.logits), refused_before)
    after = table_of(replay, base, pictures, old, new, unseen(old, new), refused_after)
    record = Adaptation(
        base=card.title, base_sha256=card.model_sha256, source=pictures.name, counts=pictures.counts, rows=[]
    )
    made = fitted(card.model_copy(update={"adapted": record}), after)
    record = record.model_copy(update={"rows": gained(before, card, after, made)})
    made = described(made, card, dataset, record, title)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".adapt-") as aside:
        bundle = Path(aside) / "bundle"
        _write(bundle, detector, made, layer.plus(*change(old, new)), replay, pictures, after)
        place(bundle, target)
    return read_card(target)


def _write(
    made: Path,
    detector: Detector,
    card: Card,
    layer: LastLayer,
    replay: Replay,
    pictures: Pictures,
    table: pd.DataFrame,
) -> None:
    domain = detector.ood_detector
    card = write_bundle(made, _model(detector, layer), card)
    if domain is not None and card.ood is not None:
        # Handled images stand last, see `Gate.learned`.
        card = write_ood_detector(made, card, domain.joined(pictures.features[AS_IT_IS][:, 0], before=_handled(card)))
    if detector.trained_on is not None:
        card = write_trained_on(made, card, detector.trained_on.plus(_listed(pictures)))
    card = write_replay(made, card, _replayed(replay, layer, pictures))
    card = optimize(made)
    scored = table.assign(score=card.calibration.apply(table.logit.to_numpy(float)))
    results = {}
    for split, part in scored.groupby("split"):
        part = part.drop(columns="split")
        write_predictions(predictions_path(made, str(split)), part)
        metrics = full_metrics(part, card.threshold.value, card.thresholds)
        results[split] = {key: value for key, value in metrics.items() if key != "report"}
    write_card(made, card.model_copy(update={"results": results}))


def _model(detector: Detector, layer: LastLayer) -> "keras.Model":
    if detector.card.tower is not None:
        return on_tower.head_model(layer.kernel, layer.bias)
    model = detector.model
    model.layers[-1].set_weights([layer.kernel, layer.bias])
    return model


def _handled(card: Card) -> int:
    return card.ood.gate.learned if card.ood and card.ood.gate else 0


def _listed(pictures: Pictures) -> TrainedOn:
    rows = pictures.rows
    signatures = looks(pictures.root, rows.file.tolist(), rows.sha256.tolist(), workspace.cache_dir())
    return TrainedOn.of(rows.pixels_sha256.tolist(), rows.sha256.tolist(), signatures, [False] * len(rows))


def _replayed(replay: Replay, layer: LastLayer, pictures: Pictures) -> Replay:
    """What the new detector has learned from: of the old images as many as there is room for."""
    room = MOST_IMAGES - len(pictures.rows)
    kept = np.sort(np.random.default_rng(0).permutation(len(replay))[:room])
    return Replay.of(
        [*replay.sha256[kept], *pictures.rows.sha256],
        [*replay.labels[kept], *pictures.labels],
        [*replay.groups[kept], *([pictures.name] * len(pictures.rows))],
        [*replay.held[kept], *([False] * len(pictures.rows))],
        np.concatenate([replay.values(kept), layer.taken(pictures.features[AS_IT_IS])]),
        layer.columns,
    )
