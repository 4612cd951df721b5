"""Thresholds for other error budgets than the card's, from the predictions stored in a bundle."""

from pathlib import Path

from dfcore.confidence import DecisionThresholds, ErrorBudget, fit_thresholds
from dfcore.datasets import VALIDATION
from dfcore.detectors.card import Card
from dfcore.errors import InputError
from dfcore.evaluation.coverage import budget_groups
from dfcore.evaluation.handled import by_handling
from dfcore.evaluation.predictions import CROSS_VALIDATION, HANDLED, predictions_path, read_predictions
from dfcore.evaluation.refit import fit_pooled


def thresholds_for(folder: Path | None, card: Card, budget: ErrorBudget) -> DecisionThresholds:
    """Chooses thresholds for a budget, on the same images as the card's own thresholds.

    Raises:
        InputError: If the bundle has no predictions to choose them on.
    """
    if card.decision_thresholds is not None and card.decision_thresholds.budget == budget:
        return card.thresholds
    paths = [predictions_path(folder, name) for name in (CROSS_VALIDATION, VALIDATION)] if folder else []
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise InputError(
            f"{card.title} has no stored predictions on unseen images, so thresholds cannot be chosen for a budget."
        )
    table = read_predictions(path)
    chosen_on = card.decision_thresholds.chosen_on if card.decision_thresholds else "the validation split"
    labels, scores = table.label.to_numpy(int), table.score.to_numpy(float)
    groups = budget_groups(card, table.group)
    gate = card.ood.gate if card.ood else None
    handled = predictions_path(folder, HANDLED) if folder else None
    if gate is None or handled is None or not handled.is_file():
        return card.worded(fit_thresholds(labels, scores, budget, chosen_on=chosen_on, groups=groups))
    some = read_predictions(handled).rename(columns={"sha256": "image", "group": "handling"})
    sound = {row.handling for row in gate.measured if row.sound}
    carried = by_handling(some).carried(labels, table.logit.to_numpy(float))
    kept = {name: logits for name, logits in carried.items() if name in sound}
    fitted = fit_pooled(labels, kept, card.calibration, budget, chosen_on, groups)
    return card.worded(fitted.model_copy(update={"chosen_on": chosen_on}))
