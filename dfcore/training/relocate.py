"""Tells runs where their data set is now, once it is known to be the same by content."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dfcore import workspace
from dfcore.datasets import Dataset, assign_splits, scan
from dfcore.datasets.reading import Reading, recall, remember
from dfcore.errors import DatasetError, DfcoreError, LayoutError, RunError
from dfcore.runs.run import Run
from dfcore.training.config import TrainConfig, make_config
from dfcore.training.data import require_same
from dfcore.training.record import identity, read_record

_NAMED = 10


@dataclass(frozen=True)
class Relocation:
    """What became of a run.

    Attributes:
        run: Its id.
        root: Where its data set is now, or where it was looked for.
        images: Number of its images found there.
        added: Number of images there that it did not begin with.
        problem: Why it was left as it is; empty if it was changed.
    """

    run: str
    root: Path
    images: int = 0
    added: int = 0
    problem: str = ""


def relocate(run: Run, root: str | Path) -> Relocation:
    """Checks that a folder or manifest holds the images that a run began with, and writes it into its configuration.

    Args:
        run: A run that is not active.
        root: Where its data set is now.

    Raises:
        RunError: If the run is active or damaged.
        LayoutError, DatasetError: If it is no data set, or not the one that the run began with; says what is missing.
        StorageError: If the run cannot be written.
    """
    status = run.status()
    if status.state.active:
        raise RunError(f"Run {run.id} is {status.state}; stop it before its data set is changed.")
    root = Path(root).expanduser()
    workspace.require_readable(root)
    if not root.exists():
        raise LayoutError(f"There is no folder or manifest {root}.")
    root = root.resolve()
    config = make_config(_known_settings(run) | {"data_root": str(root)})
    with _read_as_before(data_root(run), root):
        dataset = assign_splits(scan(root), config.split_policy)
        added = _require_same_images(run, dataset, exactly=status.state.resumable)
        run.change_config(data_root=str(root))
    return Relocation(run.id, root, len(dataset.usable) - added, added)


def relocate_all(runs: Iterable[Run], old: str | Path, new: str | Path) -> list[Relocation]:
    """Does the same for every run whose data set is `old` or below it.

    Returns:
        What became of each of them; one that fails does not keep the others from being changed.
    """
    before, now = (Path(path).expanduser().absolute() for path in (old, new))
    result = []
    for run in runs:
        root = data_root(run)
        if root is None or not root.is_relative_to(before):
            continue
        moved = now / root.relative_to(before)
        try:
            result.append(relocate(run, moved))
        except DfcoreError as error:
            result.append(Relocation(run.id, moved, problem=str(error)))
    return result


def data_root(run: Run) -> Path | None:
    """Where a run's data set was; None if its configuration cannot be read."""
    try:
        root = run.config().get("data_root")
    except RunError:
        return None
    return Path(root) if isinstance(root, str) else None


@contextmanager
def _read_as_before(old: Path | None, new: Path) -> Iterator[None]:
    """Reads the data set as its user said of the old place, and remembers that for the new one if all goes well."""
    said = recall(old) if old else Reading()
    if said == Reading() or recall(new) != Reading():
        yield
        return
    remember(new, said)
    try:
        yield
    except BaseException:
        remember(new, Reading())
        raise


def _known_settings(run: Run) -> dict[str, object]:
    """The settings on which the splits depend; an architecture of a file need not be loaded for that."""
    names = ("validation_share", "test_share", "valid_as_test", "seed")
    return {name: value for name, value in run.config().items() if name in names and name in TrainConfig.model_fields}


def _require_same_images(run: Run, dataset: Dataset, *, exactly: bool) -> int:
    """Returns the number of images that the run did not begin with.

    Raises:
        DatasetError: If images are missing or have another label; with `exactly`, also if there are others.
    """
    rows = dataset.usable.reset_index(drop=True)
    record = read_record(run.folder)
    added = 0
    if record is not None:
        added = _compare(run, dataset.root, record, rows)
        if not exactly:
            return added
    started = run.folder / "data.json"
    if started.is_file():
        # As when it is resumed: also splits and order must be the same.
        require_same(dataset.root, rows, started, begun=True)
    return added


def _compare(run: Run, root: Path, record: pd.DataFrame, rows: pd.DataFrame) -> int:
    by = identity(record)
    now = rows.drop_duplicates(by).set_index(by).label
    missing = record[~record[by].isin(now.index)]
    if len(missing):
        names = ", ".join(missing.path[:_NAMED]) + (" …" if len(missing) > _NAMED else "")
        raise DatasetError(
            f"{root} is not the data set of run {run.id}: of its {len(record):,} images {len(missing):,} are missing "
            f"or have other content: {names}."
        )
    turned = record[record.label.astype(int) != record[by].map(now).astype(int)]
    if len(turned):
        raise DatasetError(
            f"{root} holds the images of run {run.id}, but {len(turned):,} of them have the other label, "
            f"{turned.path.iloc[0]} first."
        )
    return int((~rows[by].isin(record[by])).sum())
