"""Whether the error budget holds for each source of images by itself, and for one that took no part in the choice."""

from typing import Any

import numpy as np
import pandas as pd

from dfcore.confidence import DecisionThresholds, HeldOutSource, Words, fit_thresholds
from dfcore.detectors.card import Card
from dfcore.evaluation.three_way import error_rates
from dfcore.labels import FAKE, REAL

_MOST_GROUPS = 50


def budget_groups(card: Card, groups: pd.Series) -> np.ndarray | None:
    """Which groups of images keep the budget by themselves, see `fit_thresholds`.

    Args:
        card: The detector's card: of one that was cross-validated by source each does, of one that was adapted to a
            source this one does.
        groups: Group of each image, (N,).

    Returns:
        A name for each image, (N,); None if no group keeps it by itself.
    """
    names = groups.fillna("").to_numpy(str)
    if card.by_source:
        return names
    return None if card.adapted is None else np.where(names == card.adapted.source, names, "")


def coverage(table: pd.DataFrame, thresholds: DecisionThresholds) -> list[dict[str, Any]]:
    """Errors of the three-way decision by group.

    Args:
        table: label, score, group and, if known, is_ood.
        thresholds: The thresholds, with their budget.

    Returns:
        A row for each group: group, real, fake (judged images), refused (share), fpr (of the real ones, the share that
        is called likely fake), passed (of the fakes, the share below the lower threshold), inconclusive (the share
        between the thresholds);
        and fpr_without, passed_without, inconclusive_without: the same at thresholds that the other groups alone would
        give, each of them keeping the budget, as for a source that nobody knows. Shares are None where there is no
        image; those without a group of many groups (more than 50) are, since they take long.
    """
    names = table.group.fillna("").to_numpy(str)
    ood = table.is_ood.to_numpy(bool) if "is_ood" in table else np.zeros(len(table), bool)
    labels, scores = table.label.to_numpy(int), table.score.to_numpy(float)
    rows = []
    few = len(set(names)) <= _MOST_GROUPS
    for name in sorted(set(names)):
        own = (names == name) & ~ood
        row = {"group": name, "real": int((labels[own] == REAL).sum()), "fake": int((labels[own] == FAKE).sum())}
        row["refused"] = float(ood[names == name].mean())
        others = (names != name) & ~ood
        row |= (errors := error_rates(labels[own], scores[own], thresholds))
        if few:
            without = fit_thresholds(labels[others], scores[others], thresholds.budget, groups=names[others])
            errors = error_rates(labels[own], scores[own], without)
        rows.append(row | {f"{key}_without": value if few else None for key, value in errors.items()})
    return rows


def sources_held_out(table: pd.DataFrame, thresholds: DecisionThresholds) -> list[HeldOutSource]:
    """Records of the sources that cross-validation held out, as evidence for a detector's words.

    The thresholds were chosen on these sources too, so that each keeps the budget at them whatever it holds. A source's
    scores are therefore lowered by as much as it lowered the lower threshold: they then lie below it as they would have
    lain below the one that the other sources give. That one is fitted on images as they are: if the thresholds were
    chosen on handled images too, what handling lowered is charged to the source as well, to the safe side.

    Args:
        table: Predictions of cross-validation by source: label, score, group.
        thresholds: Thresholds chosen on all of them.
    """
    names = table.group.fillna("").to_numpy(str)
    labels, scores = table.label.to_numpy(int), table.score.to_numpy(float)
    result = []
    for name in sorted(set(names)):
        own, others = names == name, names != name
        without = fit_thresholds(labels[others], scores[others], thresholds.budget, groups=names[others])
        shift = max(without.real_below - thresholds.real_below, 0.0)
        fakes = scores[own & (labels == FAKE)] - shift
        result.append(HeldOutSource.of(name, "cross-validation by source", fakes))
    return result


def held_out_words(card: Card, table: pd.DataFrame) -> Words:
    """The evidence for a detector's words that its own cross-validation gives: none unless it is by source.

    Args:
        card: The card with its thresholds.
        table: Predictions of cross-validation: label, score, group.
    """
    return Words(sources=tuple(sources_held_out(table, card.thresholds))) if card.by_source else Words()
