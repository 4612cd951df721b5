"""What a run has to tell a tracker: parameters, tags, its data set, figures by epoch, and figures at the end.

Paths on this machine are not part of it, only names of files and folders, as in the cards of detectors.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfcore import __version__
from dfcore.detectors.bundle import read_card
from dfcore.errors import DfcoreError, JobError
from dfcore.runs.run import Run
from dfcore.utils.files import read_json
from dfcore.utils.texts import storable

_PATHS = ("data_root", "weights", "arch_file")
_LONGEST_KEY = 240
# Of the figures at the end: texts, and what the thresholds were chosen from.
_NO_FIGURES = ("report", "not_computed", "threshold", "says_real")


@dataclass(frozen=True)
class Figure:
    """A number at a step.

    Attributes:
        name: Name of the metric.
        value: Its value.
        step: Epoch, from 1.
        time: When, in milliseconds since the Unix epoch; the same whenever it is computed.
    """

    name: str
    value: float
    step: int
    time: int


@dataclass(frozen=True)
class Data:
    """The images of a run.

    Attributes:
        name: Name of the data set.
        sha256: Hash of content, labels, groups and splits of the images that take part.
        images: Number of these images.
        counts: {split: {class: number}}; empty if the run did not record it.
    """

    name: str
    sha256: str
    images: int
    counts: dict[str, dict[str, int]]


def parameters(run: Run) -> dict[str, str]:
    """The settings of a run as texts."""
    return {name: _text(value) for name, value in settings(run).items()}


def settings(run: Run) -> dict[str, Any]:
    """The settings of a run without paths."""
    config = dict(run.config())
    for name in _PATHS:
        if isinstance(config.get(name), str):
            config[name] = Path(config[name]).name
    return config


def tags(run: Run) -> dict[str, str]:
    """What names a run and its detector."""
    config = settings(run)
    result = {
        "dfcore.version": __version__,
        "dfcore.state": str(run.status().state),
        "dfcore.seed": _text(config.get("seed", "")),
        "dfcore.arch": _text(config.get("arch", "")),
        "dfcore.data": _text(config.get("data_root", "")),
    }
    with suppress(DfcoreError):
        card = read_card(run.bundle)
        result |= {
            "dfcore.detector": storable(card.title),
            "dfcore.model_sha256": card.model_sha256,
            "dfcore.best_epoch": str(card.training.best_epoch),
            "dfcore.data_fingerprint": card.training.fingerprint,
        }
    return {name: value for name, value in result.items() if value}


def identity(run: Run) -> dict[str, str]:
    """Tags by which a run is found again on a server; two runs never share them."""
    created = read_json(run.folder / "created.json")["time"]
    return {"dfcore.run": run.id, "dfcore.created": repr(created)}


def data(run: Run) -> Data | None:
    """The images of a run; None until they were read."""
    path = run.folder / "data.json"
    if not path.is_file():
        return None
    known = read_json(path)
    name = _text(settings(run).get("data_root", "")) or "data"
    return Data(name, str(known["sha256"]), int(known["images"]), _counts(run.folder / "images.parquet"))


def by_epoch(run: Run) -> list[Figure]:
    """The history of a run, oldest epoch first."""
    times = epoch_times(run)
    return [
        Figure(key(name), value, int(row["epoch"]), round(1000 * times[int(row["epoch"])]))
        for row in run.history()
        for name, value in row.items()
        if name != "epoch"
    ]


def at_the_end(run: Run) -> list[Figure]:
    """The final metrics of a run, by split: "test/roc_auc"; none before it has any."""
    metrics, rows = run.metrics(), run.history()
    if not metrics:
        return []
    step = int(rows[-1]["epoch"]) if rows else 0
    time = round(1000 * (run.folder / "metrics.json").stat().st_mtime)
    return [Figure(name, value, step, time) for name, value in _numbers(metrics)]


def epoch_times(run: Run) -> dict[int, float]:
    """When each epoch ended, in seconds since the Unix epoch, as its last step says; else the run's first second."""
    began = run.created.timestamp()
    times = {int(row["epoch"]): began + int(row["epoch"]) for row in run.history()}
    with suppress(JobError):
        times |= {int(row["epoch"]): row["time"] for row in run.steps() if int(row["epoch"]) in times}
    return times


def key(*parts: str) -> str:
    """Name of a metric of which MLflow and TensorBoard approve."""
    clean = (re.sub(r"[^\w\-. ]", "_", storable(part)).strip(" .") or "_" for part in parts)
    return "/".join(clean)[:_LONGEST_KEY]


def _numbers(value: Mapping[str, Any], *above: str) -> Iterator[tuple[str, float]]:
    for name, each in value.items():
        if name in _NO_FIGURES:
            continue
        if isinstance(each, dict):
            yield from _numbers(each, *above, name)
        elif isinstance(each, (int, float)) and not isinstance(each, bool):
            yield key(*above, name), float(each)


def _counts(path: Path) -> dict[str, dict[str, int]]:
    if not path.is_file():
        return {}
    import pandas as pd

    from dfcore.labels import NAMES

    try:
        table = pd.read_parquet(path, columns=["split", "label"])
        numbers = Counter(zip(table.split.astype(str), table.label.astype(int), strict=True))
        result: dict[str, dict[str, int]] = {}
        for (split, label), number in numbers.items():
            result.setdefault(split, {})[NAMES[label]] = number
    except Exception:  # pandas and pyarrow raise all sorts on damaged files; the run goes on without.
        return {}
    return result


def _text(value: Any) -> str:
    return storable(value) if isinstance(value, str) else json.dumps(value)
