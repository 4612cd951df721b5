"""What a detector was measured to do at the thresholds in use: the figures that a verdict is quoted with."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dfcore.confidence import DecisionThresholds, find, upper_bound
from dfcore.datasets import TEST, VALIDATION
from dfcore.detectors.card import Card
from dfcore.evaluation.coverage import coverage
from dfcore.evaluation.predictions import CROSS_VALIDATION, predictions_path, read_predictions
from dfcore.labels import FAKE, REAL

# Fewest real images of a source whose false alarms are quoted as those of the worst.
_FEWEST = 20


@dataclass(frozen=True)
class MeasuredRates:
    """Counts at some thresholds, on images of which a detector's scores are stored; those that it refuses are left out.

    Attributes:
        where: The images, in words.
        real, fake: Numbers of images.
        alarms: Real images called likely fake.
        found: Fakes called likely fake.
        passed: Fakes below the lower threshold, whatever they are called.
        between: Images between the two thresholds.
        worst: Of sources held out in turn, that with the most false alarms, by its name and that share, at thresholds
            that the other sources alone would give; None where no source was held out.
        chosen_here: Whether the thresholds were chosen on these very images.
    """

    where: str
    real: int
    fake: int
    alarms: int
    found: int
    passed: int
    between: int
    worst: tuple[str, float] | None = None
    chosen_here: bool = False

    def alarm_is_right(self, one_in: float) -> tuple[float, float] | None:
        """Share of alarms that are right where one in so many images is fake.

        Args:
            one_in: At least 1; for 10, one image in ten is fake.

        Returns:
            By the rates as counted; and a lower bound at 90% confidence, from the bounds of both rates by Clopper and
            Pearson, each one-sided at 95%, and from the worst source. Both in [0, 1]. None where no fake was found, or
            a class is missing.
        """
        if not (self.real and self.found):
            return None
        share = 1 / one_in

        def right(found: float, alarms: float) -> float:
            return share * found / (share * found + (1 - share) * alarms) if found else 0.0

        fewest_found = 1 - upper_bound(self.fake - self.found, self.fake)
        most_alarms = max(upper_bound(self.alarms, self.real), self.worst[1] if self.worst else 0.0)
        return right(self.found / self.fake, self.alarms / self.real), right(fewest_found, most_alarms)


def measured_rates(folder: Path | None, card: Card, thresholds: DecisionThresholds) -> MeasuredRates | None:
    """Counts at thresholds, on the first of these that a bundle has with both classes: images of the test split, of
    cross-validation, of the validation split.

    A detector that was cross-validated by source is quoted by that alone: its other figures hold only for the sources
    that it knows.

    Returns:
        None if the bundle has no such predictions.

    Raises:
        DfcoreError: If they are damaged.
    """
    for split in (CROSS_VALIDATION,) if card.by_source else (TEST, CROSS_VALIDATION, VALIDATION):
        if folder is None or not predictions_path(folder, split).is_file():
            continue
        table = read_predictions(predictions_path(folder, split))
        judged = table[~table.is_ood.to_numpy(bool)] if "is_ood" in table else table
        if judged.label.nunique() == 2:
            result = _counts(judged, thresholds, _where(split, card), by_source=card.by_source)
            # Those of an error budget are chosen on what is not the test split, see `thresholds_for`.
            return replace(result, chosen_here=bool(thresholds.images) and split != TEST)
    return None


def _counts(table: pd.DataFrame, thresholds: DecisionThresholds, where: str, *, by_source: bool) -> MeasuredRates:
    real, fake = (table.label.to_numpy(int) == label for label in (REAL, FAKE))
    said = find(table.score.to_numpy(float), thresholds)
    worst = None
    if by_source and thresholds.images:
        rows = [row for row in coverage(table, thresholds) if row["real"] >= _FEWEST and row["fpr_without"] is not None]
        worst = max(((str(row["group"]), row["fpr_without"]) for row in rows), key=lambda pair: pair[1], default=None)
    return MeasuredRates(
        where=where,
        real=int(real.sum()),
        fake=int(fake.sum()),
        alarms=int((said[real] == "fake").sum()),
        found=int((said[fake] == "fake").sum()),
        passed=int(np.isin(said[fake], ("real", "no_sign")).sum()),
        between=int((said == "inconclusive").sum()),
        worst=worst,
    )


def _where(split: str, card: Card) -> str:
    name = card.training.dataset
    if split != CROSS_VALIDATION:
        return f"the {split} split of {name}"
    what = "source of pictures" if card.by_source else "picture"
    return f"the data set {name}, each {what} judged by a detector that had not learned from it"
