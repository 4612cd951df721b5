"""Makes a new bundle of a detector, with thresholds and gate fitted anew; its network and calibration stay."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dfcore.confidence import Words
from dfcore.datasets import VALIDATION
from dfcore.datasets.cache import Progress
from dfcore.datasets.dataset import Dataset
from dfcore.detectors.bundle import read_ood_detector, write_card, write_ood_detector
from dfcore.detectors.card import Card
from dfcore.detectors.detector import Detector
from dfcore.detectors.library import find_bundle
from dfcore.detectors.trained_on import Seen
from dfcore.errors import InputError
from dfcore.evaluation import (
    CROSS_VALIDATION,
    FEWEST,
    HANDLED,
    Learned,
    full_metrics,
    held_out_words,
    learned_features,
    measure_handled,
    predictions_path,
    read_predictions,
    refit,
    stored_splits,
    write_predictions,
)
from dfcore.evaluation.refit import HANDLINGS, handled_rows


def recalibrate(
    bundle: str | Path, datasets: Sequence[Dataset], target: Path, *, progress: Progress | None = None
) -> Card:
    """Fits thresholds and gate on held-out images with the handling that images get.

    The images are those that the detector lists as held out for validation. Predictions of cross-validation in the
    bundle are used as well. Evidence for its words, robustness, figures on other data sets and of heat-maps held for
    the old limits and scores, and are left out: measure them anew.

    Args:
        bundle: Folder, or name of a detector in the library; it is not changed.
        datasets: Scanned data sets that hold the images that it was trained on.
        target: Folder of the new bundle, which must not exist.
        progress: Called with (images done, total images).

    Returns:
        The card of the new bundle.

    Raises:
        InputError: If the target exists, or too few held-out images are found.
    """
    folder = find_bundle(bundle)
    if target.exists():
        raise InputError(f"{target} exists. Expected a new folder: a bundle is never recalibrated in place.")
    detector = Detector.load(folder)
    images, learned = _held_out(detector, datasets)
    plans = [HANDLINGS] * len(images)
    bank = measure_handled(detector, images.path.tolist(), images.label.tolist(), plans, progress=progress)
    splits = {split: read_predictions(predictions_path(folder, split)) for split in stored_splits(folder)}
    name = CROSS_VALIDATION if CROSS_VALIDATION in splits else VALIDATION
    if name not in splits:
        raise InputError(
            f"{detector.card.title} has no stored predictions on images that it was not trained on. Expected a bundle "
            "with those of its validation split."
        )
    base, source = splits[name], detector.card.threshold.chosen_on
    ood_detector = read_ood_detector(folder, detector.card)
    assert ood_detector is not None  # Checked by `_held_out`.
    names = images.assign(path=[path.name for path in images.path])

    def features(sound: Sequence[str]) -> np.ndarray:
        return learned_features(detector, learned, sound, progress=progress)

    fitted = refit(detector.card, ood_detector, bank, names, base, source, Learned(features))
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".recalibrate-") as aside:
        made = Path(aside) / "bundle"
        shutil.copytree(folder, made)
        card = fitted.card.model_copy(update={"words": Words(), "measured": [], "robustness": [], "faithfulness": ()})
        if CROSS_VALIDATION in splits:
            unseen = base.assign(score=card.calibration.apply(base.logit.to_numpy(float)))
            card = card.model_copy(update={"words": held_out_words(card, unseen)})
        write_card(made, card)
        card = write_ood_detector(made, card, fitted.ood_detector)
        splits[HANDLED] = fitted.table
        results = {}
        for split, table in splits.items():
            table = _rescored(made, card, table, datasets) if split not in (CROSS_VALIDATION, HANDLED) else table
            table["score"] = card.calibration.apply(table.logit.to_numpy(float))
            write_predictions(predictions_path(made, split), table)
            if split != HANDLED:
                metrics = full_metrics(table, card.threshold.value, card.thresholds)
                results[split] = {key: value for key, value in metrics.items() if key != "report"}
        card = card.model_copy(update={"results": results})
        write_card(made, card)
        made.replace(target)
    return card


def _held_out(detector: Detector, datasets: Sequence[Dataset]) -> tuple[pd.DataFrame, list[Path]]:
    """Images that the detector lists as held out, see `handled_rows`: path, sha256, label; and those it learned."""
    title = detector.card.title
    if detector.trained_on is None or detector.ood_detector is None:
        raise InputError(
            f"{title} lists no images that it held out, or knows no limits of its domain. Expected a detector that was "
            "trained by version 0.6 or later."
        )
    found, learned = [], []
    for dataset in datasets:
        rows = dataset.usable
        seen = detector.trained_on.find(
            rows.pixels_sha256.tolist(), rows.sha256.tolist(), lambda rest: (None for _ in rest)
        )
        held = rows[[each is Seen.VALIDATION for each in seen]]
        learned += [dataset.root / path for path in rows.path[[each is Seen.TRAIN for each in seen]]]
        found.append(
            held[["sha256", "label", "width", "height"]].assign(path=[dataset.root / path for path in held.path])
        )
    images = pd.concat(found, ignore_index=True).drop_duplicates("sha256")
    chosen = handled_rows(images)
    if chosen is None:
        raise InputError(
            f"Expected at least {FEWEST} real and {FEWEST} fake images that {title} held out for {VALIDATION}. "
            f"Received: {len(images)} images in {', '.join(dataset.name for dataset in datasets)}."
        )
    return chosen.reset_index(drop=True).astype({"label": int}), learned


def _rescored(folder: Path, card: Card, table: pd.DataFrame, datasets: Sequence[Dataset]) -> pd.DataFrame:
    """Predictions of a split with the new gate; its images must be in the data sets."""
    known = {
        sha256: dataset.root / path
        for dataset in datasets
        for path, sha256 in zip(dataset.usable.path, dataset.usable.sha256, strict=True)
    }
    missing = [path for path, sha256 in zip(table.path, table.sha256, strict=True) if sha256 not in known]
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(table)} images that {card.title} was measured on are not in these data sets, "
            f"such as {missing[0]}. Expected the data sets that it was trained on."
        )
    verdicts = Detector.load(folder).predict([known[sha256] for sha256 in table.sha256])
    broken = [verdict.error for verdict in verdicts if verdict.error]
    if broken:
        raise InputError(f"{len(broken)} images cannot be read any longer: {broken[0]}")
    return table.assign(
        logit=np.array([verdict.logit for verdict in verdicts], np.float32), is_ood=[v.ood.is_ood for v in verdicts]
    )
