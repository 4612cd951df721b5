"""Paired tests of whether one detector is better than another, on the same images.

Comparing separate confidence intervals ignores that both results come from the same images, and loses power.
"""

from typing import TypedDict, cast

import numpy as np
import pandas as pd

from dfcore.confidence import is_fake
from dfcore.errors import InputError
from dfcore.evaluation.bootstrap import REPEATS, auc, middle, resampled


class Comparison(TypedDict):
    """Comparison of two detectors on the same images; the AUC entries are None if a class is missing.

    `only_a_right` and `only_b_right` count images. `mcnemar_p` (exact, two-sided; McNemar, 1947) and `bootstrap_p` are
    p-values under the null hypothesis that neither is better. `auc_difference` is b minus a, with a 95% confidence
    interval from a bootstrap stratified by class.
    """

    images: int
    accuracy_a: float
    accuracy_b: float
    only_a_right: int
    only_b_right: int
    mcnemar_p: float
    auc_a: float | None
    auc_b: float | None
    auc_difference: float | None
    auc_low: float | None
    auc_high: float | None
    bootstrap_p: float | None


def join(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Joins two tables of predictions on the images' pixels: label, score_a, score_b.

    Tables of earlier versions, which do not hold hashes of the pixels, are joined on those of the files.

    Raises:
        InputError: If they have no image in common.
    """
    pixels = all("pixels_sha256" in table and table.pixels_sha256.notna().all() for table in (first, second))
    key = "pixels_sha256" if pixels else "sha256"
    a = first.drop_duplicates(key)[[key, "label", "score"]]
    b = second.drop_duplicates(key)[[key, "score"]]
    both = a.merge(b, on=key, suffixes=("_a", "_b"))
    if both.empty:
        raise InputError(
            f"Expected predictions of the same images. Received: {len(a)} and {len(b)} images, none of them in both."
        )
    return both


def compare(both: pd.DataFrame, threshold_a: float, threshold_b: float, *, seed: int = 0) -> Comparison:
    """McNemar's test of the two-way decisions, and a bootstrap of the difference in ROC AUC.

    Args:
        both: Output of `join`.
        threshold_a: Two-way threshold of the first detector.
        threshold_b: Two-way threshold of the second detector.
        seed: Seed of the bootstrap.
    """
    from scipy.stats import binomtest

    labels = both.label.to_numpy(int)
    a, b = both.score_a.to_numpy(float), both.score_b.to_numpy(float)
    right_a, right_b = is_fake(a, threshold_a) == labels, is_fake(b, threshold_b) == labels
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    differ = only_a + only_b
    result = {
        "images": len(both),
        "accuracy_a": float(right_a.mean()),
        "accuracy_b": float(right_b.mean()),
        "only_a_right": only_a,
        "only_b_right": only_b,
        "mcnemar_p": float(binomtest(only_a, differ).pvalue) if differ else 1.0,
    } | _auc_difference(labels, a, b, seed)
    return cast(Comparison, result)


def _auc_difference(labels: np.ndarray, a: np.ndarray, b: np.ndarray, seed: int) -> dict[str, float | None]:
    names = ("auc_a", "auc_b", "auc_difference", "auc_low", "auc_high", "bootstrap_p")
    real, fake = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    if not len(real) or not len(fake):
        return dict.fromkeys(names)
    auc_a, auc_b = auc(a[real], a[fake]), auc(b[real], b[fake])
    result = np.array([auc(b[r], b[f]) - auc(a[r], a[f]) for r, f in resampled(labels, seed)])
    low, high = middle(result)
    beyond = min((result <= 0).mean(), (result >= 0).mean())
    p = min(1.0, 2 * (beyond * REPEATS + 1) / (REPEATS + 1))
    values = (auc_a, auc_b, auc_b - auc_a, low, high, p)
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def in_words(result: Comparison) -> str:
    """Summarises a `Comparison` in two sentences."""
    p = result["mcnemar_p"]
    accuracy = (
        f"On the same {result['images']:,} images A is right on {result['accuracy_a']:.1%} and B on "
        f"{result['accuracy_b']:.1%}: only A is right on {result['only_a_right']}, only B on "
        f"{result['only_b_right']} (McNemar, p = {p:.2g}{_significance(p)})."
    )
    if result["auc_difference"] is None:
        return accuracy + " There is only one class, so ROC AUC cannot be compared."
    auc_p = result["bootstrap_p"]
    assert auc_p is not None  # It is set whenever the difference is.
    return (
        f"{accuracy} ROC AUC is {result['auc_a']:.3f} and {result['auc_b']:.3f}: a difference of "
        f"{result['auc_difference']:+.3f}, 95% confidence interval {result['auc_low']:+.3f} to "
        f"{result['auc_high']:+.3f} (paired bootstrap, p = {auc_p:.2g}{_significance(auc_p)})."
    )


def _significance(p: float) -> str:
    return "" if p < 0.05 else ", not significant"
