"""What each rule of a detector's gate costs and saves: the error of what it refuses beside that of what passes.

And what is said of figures on images most of which were refused.
"""

from typing import Any

import numpy as np
import pandas as pd

from dfcore.confidence import RULES, DecisionThresholds
from dfcore.evaluation.three_way import error_rates


def refusal_table(table: pd.DataFrame, thresholds: DecisionThresholds) -> list[dict[str, Any]]:
    """A row for each rule that refuses any image, one for all rules together, and one for what passes.

    Args:
        table: label, score, is_ood, and rules (names of the rules that refuse each image, with spaces; "" if none).
        thresholds: Thresholds by which refused images would be decided.

    Returns:
        Rows of rule, title, images, share (of all), alone (of these, how many no other rule refuses), fpr (of the real
        ones, the share that would be called likely fake), passed (of the fakes, the share below the lower threshold)
        and decided (the share outside the thresholds); None where there is no such image. A rule earns its keep where
        the errors of what it refuses are larger than of what passes.
    """
    refused = [set(text.split()) for text in table.rules]
    rows = []
    for rule, title in RULES.items():
        of_rule = np.array([rule in some for some in refused], bool)
        if of_rule.any():
            alone = sum(some == {rule} for some in refused)
            rows.append(
                {"rule": rule, "title": title} | _errors(table[of_rule], len(table), thresholds) | {"alone": alone}
            )
    ood = table.is_ood.to_numpy(bool)
    rows.append({"rule": "any", "title": "any rule"} | _errors(table[ood], len(table), thresholds) | {"alone": None})
    rows.append({"rule": "", "title": "let pass"} | _errors(table[~ood], len(table), thresholds) | {"alone": None})
    return rows


def mostly_refused(images: int, ood_rate: float | None) -> str:
    """Says that a detector refuses most of the images that figures are of, in sentences; "" if not, or if unknown.

    Args:
        images: Their number.
        ood_rate: The share of them that is out of distribution.
    """
    if not images or ood_rate is None or ood_rate <= 0.5:
        return ""
    refused = "every one" if ood_rate == 1 else f"{round(ood_rate * images):,}"
    return (
        f"The detector refuses {refused} of these {images:,} images, since they are unlike those that it was trained "
        "on. Metrics and curves are of scores that it does not use: they are not what it would say of such images."
    )


def _errors(table: pd.DataFrame, total: int, thresholds: DecisionThresholds) -> dict[str, Any]:
    errors = error_rates(table.label.to_numpy(int), table.score.to_numpy(float), thresholds)
    undecided = errors.pop("inconclusive")
    decided = None if undecided is None else 1 - undecided
    return {"images": len(table), "share": len(table) / total if total else None} | errors | {"decided": decided}
