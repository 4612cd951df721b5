"""`dfcore evaluate`, `dfcore cross-eval` and `dfcore compare`: measure detectors on labelled images."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcore import workspace
from dfcore.commands import films_in_cache, frames
from dfcore.commands.base import BUNDLE_HELP, add_arch_file, add_budget, budget_of, command, out_file
from dfcore.commands.reading import add_reading, applied_reading
from dfcore.commands.terminal import print_by_film, print_figures, print_json, print_table, progress_bar
from dfcore.errors import InputError, LayoutError
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    import pandas as pd

_SPLITS = ("train", "validation", "test", "all")
# {key of the three-way metrics: column in the table of `cross-eval`}.
_THREE_WAY = {
    "fpr": "three_way_fpr",
    "fnr": "three_way_fnr",
    "passed": "passed",
    "abstention_rate": "abstention_rate",
    "ood_rate": "ood_rate",
}


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
    frames.add_options(evaluate.add_argument_group("where ROOT holds films: pictures are taken of them first"))
    add_reading(evaluate)
    cross = command(commands, "cross-eval", _cross_eval, "measure several detectors on several data sets")
    add_arch_file(cross)
    cross.add_argument("bundles", metavar="BUNDLE", nargs="+", help=BUNDLE_HELP)
    cross.add_argument("--data-root", "--data_root", required=True, nargs="+", metavar="ROOT")
    cross.add_argument("--split", default="all", choices=_SPLITS, help="default: all labelled images")
    cross.add_argument(
        "--record",
        action="store_true",
        help="write on the cards of the detectors how many fakes of each data set lie below the lower threshold: "
        "evidence for the right to say 'likely real'. Needs data sets that they have not learned from.",
    )
    add_reading(cross)
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
    _require_there(root)
    # Restore the detector's own splits, so that no training image counts as test.
    dataset = splits_as_trained(detector.card, scan(root, progress=progress_bar("reading")), detector.trained_on)
    _tell_left_out(dataset)
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


# Columns of the table of budgets by group, {key: title}.
_COVERAGE = {
    "group": "group",
    "real": "real",
    "fake": "fake",
    "refused": "refused",
    "fpr": "false alarms",
    "passed": "fakes below",
    "inconclusive": "between",
    "fpr_without": "false alarms (others)",
    "passed_without": "fakes below (others)",
}


def _require_there(root: str) -> None:
    """Checks that a data set exists; if runs were trained on it, the error names the command for one that moved."""
    from dfcore.runs import RunStore
    from dfcore.training.relocate import data_root

    path = Path(root).expanduser()
    if path.exists() or not workspace.readable(path):
        return  # What may not be read is the scan's to tell.
    own = [run.id for run in RunStore(workspace.runs_dir()) if data_root(run) == path.absolute()]
    if own:
        raise LayoutError(
            f"There is no folder or manifest {root}. {len(own)} runs, such as {own[0]}, were trained on it. If it was "
            f"moved, tell where to: dfcore runs relocate --all {root} NEW_ROOT"
        )


def _tell_left_out(dataset: Any) -> None:
    """Says on stderr that images were not measured; their reasons are those of `dfcore data scan`."""
    unusable = len(dataset.unreadable)
    missed = sum(one.files for one in dataset.left_out if one.missed)
    if unusable or missed:
        text = f"{unusable} images that cannot be used, and {missed} files, folders or links that were left out"
        print(printable(f"dfcore: {dataset.root}: {text}. See: dfcore data scan {dataset.root}"), file=sys.stderr)


def _evaluate(options: argparse.Namespace) -> None:
    from dfcore.detectors.detector import Detector
    from dfcore.evaluation import by_film, coverage, mostly_refused, three_way, thresholds_for
    from dfcore.evaluation.by_film import why_none
    from dfcore.evaluation.overlap import in_words
    from dfcore.evaluation.predictions import EXPORT_FORMATS, export_predictions

    out = out_file(options.out, EXPORT_FORMATS) if options.out else None
    if options.max_images < 2:
        raise InputError(f"Expected --max-images of at least 2. Received: {options.max_images}.")
    detector = Detector.load(options.bundle)
    budget = budget_of(options, detector.card)
    thresholds = thresholds_for(detector.folder, detector.card, budget) if budget else None
    robust = options.max_images if options.robustness else 0
    with (
        applied_reading(options, options.data_root) as reading,
        films_in_cache.pictures_of(options, reading) as films,
    ):
        root = str(films) if films else options.data_root
        metrics, table = _measured(detector, root, options.split, robust=robust)
    if thresholds:
        metrics["three_way"] = three_way(table.label.astype(int), table.score, thresholds, table.is_ood)
        if "coverage" in metrics:
            metrics["coverage"] = coverage(table, thresholds)
        if "by_film" in metrics:
            metrics["by_film"] = by_film(table, detector.threshold, thresholds)
    if out:
        export_predictions(out, table)
    if options.json:
        print_json(metrics)
        return
    print_figures({metrics["split"]: metrics})
    if told := mostly_refused(metrics["images"], metrics["three_way"]["ood_rate"]):
        print(told)
    if "by_film" in metrics:
        print_by_film(metrics["by_film"])
    elif why := why_none(table):
        print(f"By film: {why}")
    if "self_made" in metrics:
        print(f"SELF-MADE: {printable(metrics['self_made'])}")
    print(in_words(metrics["trained_on"], same_data=metrics["same_data_as_training"]))
    print(metrics["report"])
    if metrics["groups"]:
        print_table([{"group": name} | result for name, result in metrics["groups"].items()])
        print("By the two thresholds, and by those that the other groups alone would give:")
        print_table([{title: row[key] for key, title in _COVERAGE.items()} for row in metrics["coverage"]])
    if robust:
        print_table([{k: v for k, v in row.items() if k != "change"} for row in metrics["robustness"]])


def _cross_eval(options: argparse.Namespace) -> None:
    from dfcore.detectors.detector import Detector
    from dfcore.detectors.library import find_bundle
    from dfcore.evaluation import mostly_refused
    from dfcore.evaluation.metrics import summary
    from dfcore.evaluation.overlap import cell, found, in_words

    rows, remarks = [], []
    # Resolve all names first, so that a misspelt one fails before any measurement.
    for name, folder in [(name, find_bundle(name)) for name in options.bundles]:
        detector = Detector.load(folder)
        for root in options.data_root:
            with applied_reading(options, root):
                metrics, table = _measured(detector, root, options.split)
            three, seen = metrics["three_way"], metrics["trained_on"]
            same = {"same_data": metrics["same_data_as_training"]}
            rows.append(
                {"detector": Path(name).name, "data set": metrics["dataset"], "images": metrics["images"]}
                | {metric.key: metrics[metric.key] for metric in summary()}
                | {"ece": metrics["ece"]}
                | {column: three[key] for key, column in _THREE_WAY.items()}
                | {"trained on it": cell(seen, **same)}
                | ({"trained_on": seen} if options.json else {})
            )
            if options.record:
                text = _recorded(folder, metrics, table)
                remarks.append(f"{Path(name).name}: {text}")
                rows[-1] |= {"recorded": text} if options.json else {}
            if "self_made" in metrics:
                remarks.append(f"{metrics['dataset']}: {metrics['self_made']}")
            if told := mostly_refused(metrics["images"], three["ood_rate"]):
                remarks.append(f"{Path(name).name} on {metrics['dataset']}: {told}")
            if found(seen):
                remarks.append(f"{Path(name).name} on {metrics['dataset']}: {in_words(seen, **same)}")
    if options.json:
        print_json(rows)
        return
    print_table(rows)
    print(*map(printable, dict.fromkeys(remarks)), sep="\n", end="\n" if remarks else "")


def _recorded(folder: Path, metrics: dict[str, Any], table: "pd.DataFrame") -> str:
    """Records a source on a detector's card; says what follows from it, or why it was not recorded."""
    from dfcore.evaluation.held_out import record_source

    try:
        card = record_source(folder, metrics, table)
    except InputError as error:  # What was measured so far is not lost for it.
        return f"not recorded: {error}"
    return card.words.in_words(card.thresholds)


def _compare(options: argparse.Namespace) -> None:
    from dfcore.detectors.detector import Detector
    from dfcore.evaluation import paired
    from dfcore.evaluation.overlap import found, in_words

    detectors = [Detector.load(name) for name in (options.first, options.second)]
    measured = [_measured(detector, options.data_root, options.split) for detector in detectors]
    tables = [table for _, table in measured]
    seen = {letter: metrics["trained_on"] for letter, (metrics, _) in zip("ab", measured, strict=True)}
    result = paired.compare(paired.join(*tables), detectors[0].threshold, detectors[1].threshold)
    names = {"a": detectors[0].card.title, "b": detectors[1].card.title}
    if options.json:
        print_json(result | {"detectors": names, "trained_on": seen})
        return
    print(f"A: {printable(names['a'])}\nB: {printable(names['b'])}\n{paired.in_words(result)}")
    for letter, overlap in seen.items():
        if found(overlap):
            print(f"{letter.upper()}: {in_words(overlap)}")
