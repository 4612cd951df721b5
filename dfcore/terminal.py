"""How the command line answers: JSON, figures in words, a progress line."""

import json
import sys
from collections.abc import Callable
from typing import Any


def print_json(value: Any) -> None:
    """Prints plain data."""
    print(json.dumps(value, indent=2))


def print_figures(metrics: dict[str, Any]) -> None:
    """Prints metrics by split, and why some could not be computed."""
    names = {
        "accuracy": "accuracy",
        "balanced_accuracy": "balanced accuracy",
        "precision": "precision (fake)",
        "recall": "recall (fake)",
        "f1": "F1 (fake)",
        "accuracy_real": "accuracy on real",
        "accuracy_fake": "accuracy on fake",
        "roc_auc": "ROC AUC",
        "average_precision": "average precision",
        "eer": "EER",
        "tpr_at_fpr_1": "TPR at 1% FPR",
        "tpr_at_fpr_5": "TPR at 5% FPR",
        "log_loss": "log loss",
        "brier": "Brier score",
    }
    for split, found in metrics.items():
        print(f"{split}: {found['images']} images ({found['real']} real, {found['fake']} fake), ", end="")
        print(f"threshold {found['threshold']:.4f}")
        for name, title in names.items():
            value = found[name]
            why = found["not_computed"].get(name)
            print(f"  {title:<20} {f'{value:.4f}' if value is not None else f'not computed: {why}'}")


def progress_bar(text: str) -> Callable[[int, int], None]:
    """A progress line on stderr, for people only."""

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if done >= total else ""
            print(f"\r{text}: {100 * done // max(total, 1)}% ", end=end, file=sys.stderr, flush=True)

    return show
