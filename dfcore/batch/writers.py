"""Writes rows of predictions to a file; the suffix selects the format."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

from dfcore.confidence import is_fake
from dfcore.datasets.dataset import LeftOut
from dfcore.errors import InputError
from dfcore.labels import name_of
from dfcore.utils.files import write_atomic, write_text
from dfcore.utils.texts import cell, storable

COLUMNS = ("path", "sha256", "score", "verdict", "label", "reason", "detector", "error", "trained_on", "finding")
_PARQUET_ROWS = 10_000


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Writes rows to a file: `COLUMNS` to .jsonl, .csv and .parquet, the competition's format to .json.

    Rows are streamed, except for .json, which needs all of them in memory.

    Raises:
        InputError: If the suffix is not in `FORMATS`, or the file names are not distinct numbers as .json requires.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise InputError(f"Expected a file ending in {', '.join(FORMATS)}. Received: {path}.")
    write_atomic(path, lambda temporary: _WRITERS[suffix](temporary, rows))


def write_left_out(path: Path, counted: Sequence[LeftOut], rows: Iterable[dict[str, Any]]) -> Path | None:
    """Writes beside a file of rows what has no row in it, as CSV: path, files, reason.

    Args:
        path: The file of rows.
        counted: What was left out without a row.
        rows: All rows; those without a verdict are not in the competition's format.

    Returns:
        The file; None if nothing is missing. A file of an earlier time is then removed.
    """
    beside = Path(path).with_name(f"{Path(path).name}.left-out.csv")
    entries = [(storable(left.path), left.files, left.reason) for left in counted]
    if Path(path).suffix.lower() == ".json":
        entries += [(row["path"], 1, row["error"]) for row in rows if row["error"]]
    if not entries:
        beside.unlink(missing_ok=True)
        return None
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([("path", "files", "reason"), *(map(cell, entry) for entry in entries)])
    write_text(beside, text.getvalue())
    return beside


def _write_competition(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.write_text(json.dumps(competition(list(rows)), indent=1) + "\n", encoding="utf-8")


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps({name: row[name] for name in COLUMNS}) + "\n" for row in rows)


def _write_csv(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({name: cell(row[name]) for name in COLUMNS} for row in rows)


def _write_parquet(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, pa.float64() if name == "score" else pa.string()) for name in COLUMNS])
    waiting = iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while some := list(islice(waiting, _PARQUET_ROWS)):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))


_WRITERS: dict[str, Callable[[Path, Iterable[dict[str, Any]]], None]] = {
    ".json": _write_competition, ".jsonl": _write_lines, ".csv": _write_csv, ".parquet": _write_parquet,
}  # fmt: skip
FORMATS = tuple(_WRITERS)


def competition(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The competition's list [{"index": 1, "prediction": "fake"}, …], sorted by index, without unreadable images.

    The prediction is the side of the detector's threshold, since the format has no third answer.
    """
    judged = [row for row in rows if not row["error"]]
    require_numbers([Path(row["path"]) for row in judged])
    pairs = [(int(Path(row["path"]).stem), _side(row)) for row in judged]
    return [{"index": index, "prediction": verdict} for index, verdict in sorted(pairs)]


def _side(row: dict[str, Any]) -> str | None:
    """Rows of earlier versions have it, see `dfcore.compat.prediction`; those of films have none."""
    if "side" in row or row["score"] is None:
        return row.get("side")
    return name_of(int(is_fake(row["score"], row["threshold"])))


def require_numbers(paths: Sequence[PurePath]) -> None:
    """Checks that file names are distinct numbers, as the competition's format requires.

    Raises:
        InputError: If a name is not a number or a number occurs twice.
    """
    stems = [path.stem for path in paths]
    odd = [stem for stem in stems if not (stem.isascii() and stem.isdecimal())]
    if odd:
        raise InputError(
            f"The competition's .json needs names that are numbers, such as 12.png. Received: {odd[0]!r} and "
            f"{len(odd) - 1} more. Use .jsonl, .csv or .parquet for other names."
        )
    numbers = [int(stem) for stem in stems]
    if len(set(numbers)) < len(numbers):
        twice = next(number for number in numbers if numbers.count(number) > 1)
        raise InputError(f"The competition's .json needs each number once. Received: {twice} more than once.")
