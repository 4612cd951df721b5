"""Runs as training leaves them, made in milliseconds: files with plausible content, and a bundle that nobody loads."""

import numpy as np
import pandas as pd

from dfcore.confidence import ErrorBudget, fit_thresholds
from dfcore.evaluation import full_metrics, predictions_path, write_predictions
from dfcore.runs import Run, RunStore, State
from dfcore.training.config import TrainConfig
from dfcore.utils.files import write_json


def make_run(folder, *, epochs: int = 3, state: State = State.COMPLETED, name: str = "", began: float = 1.7e9) -> Run:
    """A run in a folder of runs that came as far as `epochs` says.

    Args:
        folder: Folder of runs.
        epochs: Completed epochs.
        state: State; metrics, predictions and bundle are there if it is completed.
        name: Its name.
        began: When, in seconds since the Unix epoch.
    """
    config = TrainConfig(data_root="/somewhere/private/portraits", arch="cnn", image_size=32, epochs=9, name=name)
    run = RunStore(folder).create(config.to_dict(), epochs=9)
    write_json(run.folder / "created.json", {"time": began})
    write_json(run.folder / "data.json", {"images": 8, "sha256": "d" * 64})
    rows = {"path": [f"{n}.png" for n in range(8)], "split": ["train"] * 6 + ["test"] * 2, "label": [0, 1] * 4}
    pd.DataFrame(rows).to_parquet(run.folder / "images.parquet", index=False)
    run.write_history([row(epoch) for epoch in range(1, epochs + 1)])
    for epoch in range(1, epochs + 1):
        step = {
            "epoch": epoch,
            "step": 5,
            "steps": 5,
            "loss": 0.5,
            "lr": 0.1,
            "images_per_second": 9,
            "seconds_left": 1,
        }
        run.append_step({"time": began + 10 * epoch} | step)
    if state is State.COMPLETED:
        _finish(run)
    run.update(state=state, pid=None, epoch=epochs)
    return run


def row(epoch: int) -> dict[str, float]:
    """A row of the history."""
    return {"epoch": epoch, "loss": 0.75 / epoch, "accuracy": 0.5, "lr": 0.125, "val_auc": 1 - 0.25 / epoch}


def go_on(run: Run, epochs: int) -> None:
    """Adds epochs to the history of a run until it has that many."""
    run.write_history([row(epoch) for epoch in range(1, epochs + 1)])


def _finish(run: Run) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(40) % 2
    table = pd.DataFrame({"path": [f"{n}.png" for n in range(40)], "sha256": "a" * 64, "label": labels})
    table["score"] = np.clip(0.3 * labels + random.uniform(0, 0.7, 40), 0, 1)
    table["logit"] = np.float32(0)
    table["group"], table["is_ood"], table["pixels_sha256"] = None, False, "b" * 64
    write_predictions(predictions_path(run.folder, "test"), table)
    thresholds = fit_thresholds(labels, table.score, ErrorBudget(), chosen_on="test")
    run.write_metrics({"test": full_metrics(table, 0.5, thresholds)})
    run.bundle.mkdir()
    (run.bundle / "model.keras").write_bytes(random.bytes(50_000))
    (run.bundle / "card.json").write_text("{}")
