"""Thresholds for other error budgets than the card's, from the predictions stored in a bundle."""

from pathlib import Path

from dfcore.confidence import DecisionThresholds, ErrorBudget, fit_thresholds
from dfcore.datasets import VALIDATION
from dfcore.detectors.card import Card
from dfcore.errors import InputError
from dfcore.evaluation.predictions import CROSS_VALIDATION, predictions_path, read_predictions


def thresholds_for(folder: Path | None, card: Card, budget: ErrorBudget) -> DecisionThresholds:
    """Chooses thresholds for a budget, on the same images as the card's own thresholds.

    Raises:
        InputError: If the bundle has no predictions to choose them on.
    """
    if card.decision_thresholds is not None and card.decision_thresholds.budget == budget:
        return card.decision_thresholds
    paths = [predictions_path(folder, name) for name in (CROSS_VALIDATION, VALIDATION)] if folder else []
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise InputError(
            f"{card.title} has no stored predictions on unseen images, so thresholds cannot be chosen for a budget."
        )
    table = read_predictions(path)
    chosen_on = card.decision_thresholds.chosen_on if card.decision_thresholds else "the validation split"
    return fit_thresholds(table.label.to_numpy(int), table.score.to_numpy(float), budget, chosen_on=chosen_on)
