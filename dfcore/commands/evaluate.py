"""`dfcore evaluate`, `dfcore cross-eval` and `dfcore compare`: measure detectors on labelled images."""

import argparse
from pathlib import Path
from typing import Any

from dfcore import workspace
from dfcore.commands.base import BUNDLE_HELP, add_arch_file, add_budget, budget_of, command, out_file
from dfcore.commands.reading import add_reading, applied_reading
from dfcore.commands.terminal import print_figures, print_json, print_table, progress_bar
from dfcore.errors import InputError
from dfcore.utils.texts import printable

_SPLITS = ("train", "validation", "test", "all")
# {key of the three-way metrics: column in the table of `cross-eval`}.
_THREE_WAY = {
    "fpr": "three_way_fpr", "fnr": "three_way_fnr", "abstention_rate": "abstention_rate", "ood_rate": "ood_rate",
}  # fmt: skip


def add(commands: Any) -> None:
    """Adds the commands."""
    evaluate = command(commands, "evaluate", _evaluate, "measure a detector on a data set")
    add_arch_file(evaluate)
    evaluate.add_argument("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    _add_data(evaluate)
    evaluate.add_argument("--out", metavar="FILE", help="also write per-image predictions: .csv, .jsonl or .parquet")
    evaluate.add_argument(
        "--robustness",
        action="store_true",
        help="also measure after recompression, resizing, blur, noise and other changes",
    )
    evaluate.add_argument(
        "--max-images",
        "--max_images",
        type=int,
        default=1000,
        metavar="N",
        help="maximum images for --robustness (default: 1000)",
    )
    add_budget(evaluate)
    add_reading(evaluate)
    cross = command(commands, "cross-eval", _cross_eval, "measure several detectors on several data sets")
    add_arch_file(cross)
    cross.add_argument("bundles", metavar="BUNDLE", nargs="+", help=BUNDLE_HELP)
    cross.add_argument("--data-root", "--data_root", required=True, nargs="+", metavar="ROOT")
    cross.add_argument("--split", default="all", choices=_SPLITS, help="default: all labelled images")
    compare = command(commands, "compare", _compare, "test whether one detector is better than another")
    add_arch_file(compare)
    compare.add_argument("first", metavar="BUNDLE", help=BUNDLE_HELP)
    compare.add_argument("second", metavar="BUNDLE", help=BUNDLE_HELP)
    _add_data(compare)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-root", "--data_root", required=True, metavar="ROOT")
    parser.add_argument("--split", default="test", help=f"{', '.join(_SPLITS)} (default: test)")


def _measured(detector: Any, root: str, split: str, *, robust: int = 0) -> tuple[dict[str, Any], Any]:
    """Measures a detector on a data set and stores the result for the dashboard; returns metrics and predictions."""
    from dfcore.datasets import scan
    from dfcore.evaluation import measure, results, robustness, splits_as_trained

    if split not in _SPLITS:
        raise InputError(f"Expected --split {', '.join(_SPLITS)}. Received: {split!r}.")
    # Restore the detector's own splits, so that no training image counts as test.
    dataset = splits_as_trained(detector.card, scan(root, progress=progress_bar("reading")))
    part = None if split == "all" else split
    bar = progress_bar("measuring")
    metrics, table = measure(detector, dataset, part, cache_dir=workspace.cache_dir(), progress=bar)
    metrics["root"] = str(dataset.root)
    if robust:
        metrics["robustness"] = robustness(
            detector, dataset, part, max_images=robust, progress=progress_bar("changing")
        )
    results.store(workspace.measurements_dir(), detector.card.model_sha256, metrics, table)
    return metrics, table


def _evaluate(options: argparse.Namespace) -> None:
    from dfcore.detectors.detector import Detector
    from dfcore.evaluation import three_way, thresholds_for
    from dfcore.evaluation.predictions import EXPORT_FORMATS, export_predictions

    out = out_file(options.out, EXPORT_FORMATS) if options.out else None
    if options.max_images < 2:
        raise InputError(f"Expected --max-images of at least 2. Received: {options.max_images}.")
    detector = Detector.load(options.bundle)
    budget = budget_of(options, detector.card)
    thresholds = thresholds_for(detector.folder, detector.card, budget) if budget else None
    robust = options.max_images if options.robustness else 0
    with applied_reading(options, options.data_root):
        metrics, table = _measured(detector, options.data_root, options.split, robust=robust)
    if thresholds:
        metrics["three_way"] = three_way(table.label.astype(int), table.score, thresholds, table.is_ood)
    if out:
        export_predictions(out, table)
    if options.json:
        print_json(metrics)
        return
    print_figures({metrics["split"]: metrics})
    print(metrics["report"])
    if metrics["groups"]:
        print_table([{"group": name} | result for name, result in metrics["groups"].items()])
    if robust:
        print_table([{k: v for k, v in row.items() if k != "change"} for row in metrics["robustness"]])


def _cross_eval(options: argparse.Namespace) -> None:
    from dfcore.detectors.detector import Detector
    from dfcore.detectors.library import find_bundle
    from dfcore.evaluation.metrics import summary

    rows = []
    # Resolve all names first, so that a misspelt one fails before any measurement.
    for name, folder in [(name, find_bundle(name)) for name in options.bundles]:
        detector = Detector.load(folder)
        for root in options.data_root:
            metrics, _ = _measured(detector, root, options.split)
            three = metrics["three_way"]
            rows.append(
                {"detector": Path(name).name, "data set": metrics["dataset"], "images": metrics["images"]}
                | {metric.key: metrics[metric.key] for metric in summary()}
                | {"ece": metrics["ece"]}
                | {column: three[key] for key, column in _THREE_WAY.items()}
                | {"trained on it": "yes" if metrics["same_data_as_training"] else "no"}
            )
    print_json(rows) if options.json else print_table(rows)


def _compare(options: argparse.Namespace) -> None:
    from dfcore.detectors.detector import Detector
    from dfcore.evaluation import paired

    detectors = [Detector.load(name) for name in (options.first, options.second)]
    tables = [_measured(detector, options.data_root, options.split)[1] for detector in detectors]
    result = paired.compare(paired.join(*tables), detectors[0].threshold, detectors[1].threshold)
    names = {"a": detectors[0].card.title, "b": detectors[1].card.title}
    if options.json:
        print_json(result | {"detectors": names})
        return
    print(f"A: {printable(names['a'])}\nB: {printable(names['b'])}\n{paired.in_words(result)}")
