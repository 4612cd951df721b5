"""The figures of a run as one web page that needs no network, for trackers that show such pages."""

import html
from pathlib import Path
from typing import Any

from dfcore.errors import DfcoreError
from dfcore.runs.run import Run
from dfcore.utils import extras
from dfcore.utils.texts import printable

_CURVES = {
    "Loss": ({"loss": "training", "val_loss": "validation"}, False),
    "Accuracy at 0.5": ({"accuracy": "training", "val_accuracy": "validation"}, True),
    "ROC AUC on validation": ({"val_auc": "validation"}, True),
    "Learning rate": ({"lr": "learning rate"}, False),
}
_STYLE = (
    "body{font:15px system-ui,sans-serif;max-width:1100px;margin:1.5rem auto;padding:0 1rem;color:#222;background:#fff}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}"
    "div.all{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:1rem}"
    "h3{font-size:1rem;font-weight:600;margin:.5rem 0}"
)


def page(run: Run) -> str | None:
    """Curves of the training and figures of each split that was measured; None if plotly is not installed.

    Args:
        run: A run that has ended.
    """
    if not extras.installed("plotly"):
        return None
    parts = ["<h2>Training</h2>", _row(_curves(run))]
    for split in run.metrics() or {}:
        if found := _of_split(run, split):
            parts += [f"<h2>{html.escape(split.capitalize())}</h2>", _row(found)]
    from plotly.offline import get_plotlyjs

    name = html.escape(printable(run.name))
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{name}</title><style>{_STYLE}</style>"
        f"<script>{get_plotlyjs()}</script><h1>{name}</h1>{''.join(parts)}</html>"
    )


def _curves(run: Run) -> dict[str, Any]:
    from dfcore import figures

    rows = run.history()
    histories, names = {run.id: rows}, {run.id: printable(run.name)}
    epochs = max((int(row["epoch"]) for row in rows), default=1)
    return {
        title: figures.training_curves(
            histories, columns, title=title, epochs=epochs, names=names, unit_range=unit
        )
        for title, (columns, unit) in _CURVES.items()
        if any(name in row for row in rows for name in columns)
    }  # fmt: skip


def _of_split(run: Run, split: str) -> dict[str, Any]:
    """Figures of a split; none if its predictions cannot be read or are of one class."""
    from dfcore import figures
    from dfcore.evaluation import (
        METRICS,
        evaluate_scores,
        precision_recall_points,
        predictions_path,
        read_predictions,
        reliability,
        roc_points,
    )

    metrics = (run.metrics() or {})[split]
    try:
        table = read_predictions(predictions_path(run.folder, split))
    except (DfcoreError, OSError):
        return {}
    labels, scores = table.label.to_numpy(int), table.score.to_numpy(float)
    roc, precision = roc_points(labels, scores), precision_recall_points(labels, scores)
    if roc is None or precision is None:
        return {}
    threshold = float(metrics.get("threshold", 0.5))
    shown = evaluate_scores(labels, scores, threshold).to_dict()
    titles = {key: metric.title for key, metric in METRICS.items()}
    return {
        "ROC curve": figures.roc(roc, shown, titles, split=split),
        "Precision and recall": figures.precision_recall(precision, shown, titles),
        "Scores": figures.score_histogram(labels, scores, threshold),
        "Confusion matrix": figures.confusion_matrix(shown["confusion"]),
        "Calibration": figures.reliability(reliability(labels, scores)),
    }


def _row(drawn: dict[str, Any]) -> str:
    cells = (
        f"<div><h3>{html.escape(title)}</h3>"
        f"{figure.to_html(full_html=False, include_plotlyjs=False, config={'displaylogo': False})}</div>"
        for title, figure in drawn.items()
    )
    return f"<div class=all>{''.join(cells)}</div>"


def write(run: Run, folder: Path) -> Path | None:
    """Writes `page` as `figures.html` into a folder; None if there is none."""
    text = page(run)
    if text is None:
        return None
    path = folder / "figures.html"
    path.write_text(text, encoding="utf-8")
    return path
