"""Makes a finished run a detector that ships: measures it on other data, and writes what people must know on its card.

Run from the project's root: `python -m benchmarks.ship RUN small|faces|photographs`. What comes after the network is
fitted and measured once more, and the bundle is copied to `models/NAME` with a description, limits in plain words and
licences from `cards.toml`, robustness, and figures on every data set here that it was not trained on.
"""

import argparse
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.presets import Printer
from dfcore import workspace
from dfcore.confidence import ErrorBudget, decide
from dfcore.datasets import TEST, TRAIN, VALIDATION, scan
from dfcore.datasets.listing import list_images
from dfcore.detectors import subject
from dfcore.detectors.bundle import read_card, read_replay, write_card, write_replay
from dfcore.detectors.card import Card
from dfcore.detectors.detector import Detector
from dfcore.evaluation import (
    HANDLED,
    full_metrics,
    measure,
    predictions_path,
    read_predictions,
    robustness,
    splits_as_trained,
    stored_splits,
    three_way,
)
from dfcore.evaluation.held_out import record_source
from dfcore.faces.portrait import MIN_SIDE
from dfcore.imaging import decoder
from dfcore.imaging.preprocess import first_view
from dfcore.runs import Run, RunStore

PORTRAITS = 150
MOST_REPLAY = 9_800_000
TEXTS = Path(__file__).with_name("cards.toml")
SETS = (
    *("cifake", "faces", "faces_stylegan2", "photo_generators", "generators"),
    *("modern/street_city", "modern/street_people", "modern/objects", "modern/gan_scenes"),
)
FIGURES = ("images", "real", "fake", "roc_auc", "balanced_accuracy", "false_positive_rate", "recall", "ece")


def finish_again(run: Run, *, tta_flip: bool, budget: ErrorBudget) -> None:
    """Fits and measures what comes after the network once more, for a budget, with mirror images where wanted.

    The logits of cross-validation stay those of the run.
    """
    from dfcore.training.config import make_config
    from dfcore.training.data import prepare
    from dfcore.training.finish import Trained, finish
    from dfcore.training.folds import cross_validate, fold_heads
    from dfcore.training.trainer import trainer_for

    config = make_config(run.config() | {"tta_flip": tta_flip})
    data, watcher = prepare(config), Printer(verbose=False)
    trainer = trainer_for(config, data, run.checkpoints, watcher)
    unseen = cross_validate(config, data, run.folder / "folds", watcher)
    heads = fold_heads(config, data, run.folder / "folds", watcher)
    finish(run, config, data, Trained(trainer.best_model(), trainer.progress, unseen, heads), watcher, budget)


def elsewhere(detector: Detector, data: Path, text: dict[str, Any]) -> list[dict[str, Any]]:
    """Figures on the data sets that it was not trained on; what it made of their fakes is written on its card."""
    learned = detector.card.training.fingerprint
    assert detector.folder is not None
    measured = {}
    for name in text.get("measured_on", SETS):
        dataset = splits_as_trained(detector.card, scan(data / name), detector.trained_on)
        if dataset.fingerprint == learned or name in text["learned_from"]:
            continue
        measured[name] = measure(detector, dataset, cache_dir=workspace.cache_dir())
        record_source(detector.folder, *measured[name])
    # The evidence of all of them decides on the words.
    detector.card = detector.card.model_copy(update={"words": read_card(detector.folder).words})
    rows = []
    for name, (metrics, table) in measured.items():
        three = three_way(table.label, table.score, detector.card.thresholds, table.is_ood)
        figures = {key: metrics[key] for key in FIGURES}
        figures |= {"three_way_fpr": three["fpr"], "three_way_fnr": three["fnr"]}
        figures |= {key: three[key] for key in ("passed", "abstention_rate", "ood_rate")}
        rows.append({"data set": name} | {key: _short(value) for key, value in figures.items()})
    photos = detector.predict(list_images([data / "photos"]))
    calls = [verdict.decision for verdict in photos]
    forced = decide([verdict.score or 0.0 for verdict in photos], detector.card.thresholds).tolist()
    rows.append({"data set": "photos", "images": len(calls), "real": len(calls), "fake": 0,
                 "three_way_fpr": calls.count("fake") / len(calls),
                 "abstention_rate": calls.count("inconclusive") / len(calls),
                 "ood_rate": sum(verdict.ood.is_ood for verdict in photos) / len(calls),
                 "fpr_ignoring_ood": forced.count("fake") / len(calls)})  # fmt: skip
    return rows


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def robust(detector: Detector, root: Path, most: int = 1000) -> list[dict[str, Any]]:
    """Robustness on the test split, or on validation where there is none, of at most so many images."""
    dataset = splits_as_trained(detector.card, scan(root), detector.trained_on)
    split = TEST if TEST in set(dataset.usable.split) else VALIDATION
    rows = robustness(detector, dataset, split, max_images=most)
    return [{"split": split, "rows": [{k: _short(v) for k, v in row.items()} for row in rows]}]


def add_subject(folder: Path, roots: list[Path], portraits: Path) -> None:
    """Writes on a detector's card whether it is for portraits, or errs on them, by real ones of a training split."""
    card = read_card(folder).model_copy(update={"subject": None, "framing": None})
    write_card(folder, card)
    splits = [(data, data.table.split == TRAIN) for data in map(scan, roots)]
    files = [data.root / path for data, train in splits for path in data.table.path[train | ~train.any()]]
    chosen = [files[i] for i in np.random.default_rng(0).permutation(len(files))[:200]]
    images = np.stack([first_view(card.spec.apply(decoder.decode(path))[None])[0] for path in chosen])
    shown, framing = subject.of_images(images)
    if shown is None and card.preprocess.size >= MIN_SIDE:
        real = sorted(portraits.iterdir())[:PORTRAITS]
        said = [verdict.finding for verdict in Detector.load(folder).predict(real)]
        shown = subject.of_portraits(said, card.thresholds.budget.max_fpr)
    write_card(folder, card.model_copy(update={"subject": shown, "framing": framing}))
    print(f"{folder.name}: {shown}, {framing}")


def lighten_replay(folder: Path) -> None:
    """Keeps features of fewer training images, drawn at random, where the file is too large to clone."""
    kept = read_replay(folder, read_card(folder))
    if kept is None or (size := len(kept.to_bytes())) <= MOST_REPLAY:
        return
    number = int(len(kept) * MOST_REPLAY / size)
    rows = np.sort(np.random.default_rng(0).permutation(len(kept))[:number])
    of_images = {name: getattr(kept, name)[rows] for name in ("sha256", "labels", "groups", "held", "features")}
    write_card(folder, write_replay(folder, read_card(folder), replace(kept, **of_images)))


def main() -> None:
    texts = tomllib.loads(TEXTS.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("name", choices=sorted(texts))
    parser.add_argument("--root", type=Path, help="the data set that it was trained on, for its robustness")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    target, text = workspace.models_dir() / options.name, texts[options.name]
    run = RunStore(workspace.runs_dir()).get(options.run)
    budget = ErrorBudget(**text["budget"])
    if text["tta_flip"] or budget != ErrorBudget():
        finish_again(run, tta_flip=text["tta_flip"], budget=budget)
    source = run.bundle
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    card = read_card(source)
    own = [limit for limit in card.limits if limit not in text["limits"]]
    card = card.model_copy(
        update={
            "description": text["description"],
            "limits": text["limits"] + own,
            "licence": text["licence"],
        }
    )
    # What is measured is what ships: the figures of its own splits are those at the thresholds of its budget.
    write_card(target, card.model_copy(update={"results": results(target, card)}))
    lighten_replay(target)
    if options.root:
        add_subject(target, [options.root], options.data / "faces" / "train" / "real")
    add_figures(Detector.load(target), options.data, text, options.root)


def results(folder: Path, card: Card) -> dict[str, Any]:
    """Metrics of the stored splits at the card's thresholds."""
    metrics = {
        split: full_metrics(read_predictions(predictions_path(folder, split)), card.threshold.value, card.thresholds)
        for split in stored_splits(folder)
        if split != HANDLED
    }
    return {split: {k: v for k, v in row.items() if k != "report"} for split, row in metrics.items()}


def add_figures(detector: Detector, data: Path, text: dict[str, Any], root: Path | None) -> None:
    """Writes on the card what it does on other data sets, and robustness on the one that it was trained on."""
    changes: dict[str, Any] = {"measured": elsewhere(detector, data, text)}
    if root:
        changes["robustness"] = robust(detector, root, text.get("robustness_images", 1000))
    assert detector.folder is not None
    card = read_card(detector.folder).model_copy(update=changes)
    write_card(detector.folder, card)
    print(card.words.in_words(card.thresholds))
    for row in [*card.words.rows(card.thresholds), *changes["measured"]]:
        print(row)
    for row in changes.get("robustness", []):
        for change in row["rows"]:
            print(change)


if __name__ == "__main__":
    main()
