"""How a last layer learns a new source without forgetting: it is changed as little as the new pictures ask for.

The change is a logistic regression whose logits are added to the old ones, with a penalty that holds it at nothing. It
learns from the new pictures, as they are and after handling. Of what was learned before (replay) the features are kept,
and the targets are the old scores: there is nothing to gain, and what it would lose holds the change back. With their
labels as targets it would learn a second time what the old layer has learned already. The new pictures are weighed as
one more source.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dfcore.confidence import sigmoid
from dfcore.training.head import HANDLED_SHARE, cell_weights
from dfcore.training.logistic import Part, fit

# Inverse of the penalty on the change, times the number of weights: more of them move the logit further together.
STRENGTH = 0.25
# How many times the new source counts beside one of the old ones.
NEW_SHARE = 1.0
# Chosen by leaving out whole sources in turn and adapting to them, see benchmarks/adapting.py and its results.
FOLDS = 5
_MOST_SOURCES = 10


@dataclass(frozen=True)
class Examples:
    """Images to learn from and to measure on.

    Attributes:
        design: See `LastLayer.design`, float32 (N, P).
        logits: Of the network as it was, (N,); where they are known, of one that has not learned from the image.
        labels: 0 real, 1 fake, (N,).
        sources: Where each comes from, str (N,).
        folds: In which fold it is left out, int (N,); -1 if it is never learned from.
        copies: `design` and `logits` of the same images after handlings.
    """

    design: np.ndarray
    logits: np.ndarray
    labels: np.ndarray
    sources: np.ndarray
    folds: np.ndarray
    copies: tuple[tuple[np.ndarray, np.ndarray], ...] = ()

    def without(self, fold: int | None) -> np.ndarray:
        """Numbers of the images that are learned from where this fold is left out; None leaves none out."""
        return np.flatnonzero((self.folds >= 0) & (self.folds != (-1 if fold is None else fold)))


def change(old: Examples, new: Examples, fold: int | None = None) -> tuple[np.ndarray, float]:
    """Learns the change of a last layer, see `LastLayer.plus`.

    Args:
        old: What was learned before.
        new: The new source.
        fold: A fold to leave out of both.

    Returns:
        Weights, float32 (P,), and the bias.
    """
    kept_old, kept_new = old.without(fold), new.without(fold)
    labels = np.concatenate([old.labels[kept_old], new.labels[kept_new]])
    weights = cell_weights(np.concatenate([old.sources[kept_old], new.sources[kept_new]]), labels)
    of_old, of_new = weights[: len(kept_old)], weights[len(kept_old) :] * NEW_SHARE
    parts = [_part(old.design, old.logits, sigmoid(old.logits), kept_old, of_old)]
    parts.append(_part(new.design, new.logits, new.labels, kept_new, of_new))
    share = HANDLED_SHARE / max(len(new.copies), 1)
    parts += [_part(design, logits, new.labels, kept_new, share * of_new) for design, logits in new.copies]
    kernel, bias, _ = fit(parts, STRENGTH / old.design.shape[1])
    return kernel, bias


def _part(design: np.ndarray, logits: np.ndarray, labels: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> Part:
    return Part(lambda some: design[some], rows, labels[rows], weights, logits[rows])


def unseen(old: Examples, new: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Logits after the change, of both, each from a change that has not learned from the image's fold."""
    whole = change(old, new)
    results = [each.logits + each.design @ whole[0] + whole[1] for each in (old, new)]
    for fold in range(1 + max(old.folds.max(), new.folds.max())):
        weights, bias = change(old, new, fold)
        for each, result in zip((old, new), results, strict=True):
            own = each.folds == fold
            result[own] = each.logits[own] + each.design[own] @ weights + bias
    return results[0], results[1]


def folds_of_sources(sources: np.ndarray) -> np.ndarray:
    """A fold for each whole source, or for several where there are many, int (N,)."""
    names, numbers = np.unique(sources, return_inverse=True)
    return numbers if len(names) <= _MOST_SOURCES else numbers % FOLDS


def folds_of_units(units: pd.Series, labels: np.ndarray) -> np.ndarray:
    """Folds that hold each class alike and part no unit, int (N,).

    Args:
        units: Name of the unit of each image, see `datasets.units`.
        labels: 0 real, 1 fake, (N,).
    """
    table = pd.DataFrame({"unit": units.to_numpy(str), "label": labels})
    firsts = table.drop_duplicates("unit").sort_values(["label", "unit"])
    numbers = firsts.groupby("label").cumcount() % FOLDS
    return table.unit.map(dict(zip(firsts.unit, numbers, strict=True))).to_numpy(int)
