"""Tries a preset by cross-validation on labelled images, and logs what it reached.

Run from the project's root, for example:
`python -m benchmarks.presets ../shared/data/cifake --preset small --weights FILE --set epochs=6 lr=1e-3`.

Images that the folders give for validation or test are never read here: what is reported chose the presets, and
is for that reason no test figure. One line an experiment is added to `benchmarks/results/presets.jsonl`.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

BUDGETS = (0.01, 0.05, 0.1)
LOG = Path(__file__).parent / "results" / "presets.jsonl"


class Printer:
    """A watcher that prints a line an epoch when it is wanted."""

    def __init__(self, verbose: bool):
        self.verbose = verbose

    def phase(self, text: str) -> None:
        pass

    def working(self, text: str, done: int, total: int) -> None:
        pass

    def step(self, row: dict[str, float]) -> None:
        pass

    def beside(self, row: dict[str, float], left: int) -> None:
        pass

    def epoch(self, history: list[dict[str, float]]) -> None:
        if self.verbose:
            names = ("loss", "accuracy", "val_loss", "val_accuracy", "val_auc", "images_per_second")
            figures = "  ".join(f"{name} {history[-1][name]:.4f}" for name in names)
            print(f"  epoch {history[-1]['epoch']}: {figures}", flush=True)

    def should_stop(self) -> bool:
        return False


def pooled_data(config: Any) -> Any:
    """All images that the folders do not hold out, as one training split."""
    from dfcore.datasets import TRAIN, scan
    from dfcore.training.data import prepare

    data = prepare(config)
    given = scan(config.data_root).table.set_index("path").split
    mine = data.rows.path.map(given)
    split = np.where(mine.isna().all() or mine == TRAIN, TRAIN, "")
    return replace(data, rows=data.rows.assign(split=split))


def out_of_fold(config: Any, data: Any, *, most: int | None, verbose: bool) -> pd.DataFrame:
    """Trains a network a fold and scores its held-out images: path, label, group, fold, logit."""
    from dfcore.training.folds import fold_data, held_out_logits

    tables = []
    by = "content" if config.cross_validation == "off" else config.cross_validation
    for number, (name, fold) in enumerate(fold_data(data, config.folds, by, config.seed)):
        if most is not None and number >= most:
            break
        with tempfile.TemporaryDirectory() as folder:
            table = held_out_logits(config, fold, Path(folder), Printer(verbose))
        assert table is not None
        table = table.assign(fold=name)
        tables.append(table)
        if verbose:
            print(f"{name}: {figures(table)}", flush=True)
    return pd.concat(tables, ignore_index=True)


def figures(table: pd.DataFrame) -> dict[str, float]:
    """Accuracy at a logit of 0, ROC AUC and log loss of out-of-fold logits, pooled and by fold."""
    from sklearn.metrics import roc_auc_score

    label, logit = table.label.to_numpy(int), table.logit.to_numpy(float)
    folds = [part for _, part in table.groupby("fold") if part.label.nunique() == 2]
    aucs = [roc_auc_score(part.label.astype(int), part.logit) for part in folds]
    return {
        "accuracy": round(float(((logit >= 0) == label).mean()), 4),
        "auc": round(float(np.mean(aucs)), 4),
        "auc_worst_fold": round(float(np.min(aucs)), 4),
        "auc_pooled": round(float(roc_auc_score(label, logit)), 4),
        "log_loss": round(float(np.logaddexp(0, np.where(label == 1, -logit, logit)).mean()), 4),
    }


def honest_report(table: pd.DataFrame) -> str:
    """What the whole procedure is worth: each fold is calibrated, and judged, by the other folds' logits alone."""
    from dfcore.confidence import ErrorBudget, decide, fit_calibration, fit_thresholds
    from dfcore.evaluation import calibration_error, evaluate_scores

    parts, rows = [], []
    for name in table.fold.unique():
        held, others = table[table.fold == name], table[table.fold != name]
        labels, logits = others.label.to_numpy(int), others.logit.to_numpy(float)
        calibration = fit_calibration(labels, logits, fitted_on="the other folds")
        scores = calibration.apply(held.logit.to_numpy(float))
        said = [
            decide(scores, fit_thresholds(labels, calibration.apply(logits), ErrorBudget(max_fpr=b, max_fnr=b)))
            for b in BUDGETS
        ]
        part = held.assign(score=scores, **{f"call_{b}": call for b, call in zip(BUDGETS, said, strict=True)})
        parts.append(part)
        result = evaluate_scores(part.label.astype(int), part.score, 0.5)
        rows.append({name: result[name] for name in ("accuracy", "balanced_accuracy", "roc_auc", "log_loss")})
    whole = pd.concat(parts)
    lines = [f"{len(whole)} images, {len(rows)} folds; mean ± standard deviation over the folds"]
    for name, values in pd.DataFrame(rows).items():
        lines.append(f"{name:<20} {values.mean():.4f} ± {values.std():.4f}")
    lines.append(f"{'ECE (pooled)':<20} {calibration_error(whole.label.astype(int), whole.score):.4f}")
    for budget in BUDGETS:
        said = whole[f"call_{budget}"]
        alarms = (said[whole.label == 0] == "fake").mean()
        misses = (said[whole.label == 1] == "real").mean()
        undecided = (said == "inconclusive").mean()
        lines.append(
            f"budget {budget:<13.0%} false alarms {alarms:.3f}  misses {misses:.3f}  undecided {undecided:.3f}"
        )
    return "\n".join(lines)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_root", metavar="ROOT")
    parser.add_argument("--preset", help="the preset to start from")
    parser.add_argument("--weights", default="none")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings that differ from it")
    parser.add_argument("--folds-run", type=int, help="stop after so many folds")
    parser.add_argument("--note", default="", help="why it was tried")
    parser.add_argument("--out", metavar="FILE.parquet", help="write the out-of-fold logits")
    parser.add_argument("--report", action="store_true", help="print accuracy, AUC, ECE and errors by budget")
    parser.add_argument("--verbose", action="store_true", help="print a line an epoch")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    import tensorflow  # noqa: F401  (before pandas, pyarrow and scikit-learn)

    from dfcore.training import presets
    from dfcore.training.config import make_config

    text = dict(item.split("=", 1) for item in options.set)
    values = presets.get(options.preset).values if options.preset else {}
    config = make_config(values | {"weights": options.weights, "early_stopping": "off"} | text
                         | {"data_root": options.data_root})  # fmt: skip
    data = pooled_data(config)
    began = time.monotonic()
    table = out_of_fold(config, data, most=options.folds_run, verbose=options.verbose)
    row = {
        "data": Path(options.data_root).name,
        "preset": options.preset,
        "changed": text,
        "folds": int(table.fold.nunique()),
        "images": len(table),
        **figures(table),
        "minutes": round((time.monotonic() - began) / 60, 1),
        "note": options.note,
    }
    print(json.dumps(row), flush=True)
    with open(LOG, "a", encoding="utf-8") as log:
        log.write(json.dumps(row) + "\n")
    if options.report:
        print(honest_report(table))
    if options.out:
        table.to_parquet(options.out, index=False)


if __name__ == "__main__":
    main()
