"""Which epoch was the best, by the rule of training."""

import pytest

from dfcore.training.progress import best_row

ROWS = [(1.0, 0.9), (0.5, 0.7), (0.8, 0.95), (0.7, 0.95), (0.9, 0.94)]  # Validation loss and AUC.


@pytest.mark.parametrize(
    ("watched", "best"),
    [
        pytest.param("auc", 4, id="the highest AUC, of equal ones that with the lower loss"),
        pytest.param("loss", 2, id="the lowest loss"),
        pytest.param("off", 5, id="the last"),
    ],
)
def test_the_best_epoch_is_that_of_what_early_stopping_watches(watched, best):
    history = [{"epoch": float(n), "val_loss": loss, "val_auc": auc} for n, (loss, auc) in enumerate(ROWS, 1)]
    assert best_row(history, watched)["epoch"] == best


@pytest.mark.parametrize("history", [[], [{"epoch": 1.0}]], ids=["no epoch yet", "without what is watched"])
def test_there_may_be_none(history):
    assert best_row(history, "auc") is None
