"""Reads tables as people keep them: separators, letter case, JSON in several shapes; every cell as text."""

import csv
import io
import json
import warnings
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from dfcore.datasets.words import read_name
from dfcore.errors import LayoutError
from dfcore.imaging import decoder

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
# Name of the column that holds the keys of {"x.mp4": {"label": "FAKE", …}, …}.
KEY = "filename"
_SEPARATORS = ",;\t|"
_MAX_BYTES = 2 * 2**30
# Per-image .json files beside images are no tables: so many are read whatever their name.
_FEW_JSON = 20
_MAX_TABLES = 500
_TABLE_WORDS = {
    "metadata",
    "meta",
    "label",
    "labels",
    "annotation",
    "annotations",
    "manifest",
    "dataset",
    "index",
    "list",
}


def table_files(files: Iterable[Path]) -> list[Path]:
    """Those of the files that may be tables of images."""
    found = [path for path in files if path.suffix.lower() in SUFFIXES and not _of_the_competition(path)]
    loose = [path for path in found if path.suffix.lower() == ".json" and not _named_like_table(path)]
    if len(loose) > _FEW_JSON:
        found = [path for path in found if path not in {*loose}]
    return sorted(found)[:_MAX_TABLES]


def _of_the_competition(path: Path) -> bool:
    return path.name.lower().endswith("_cifake_preds.json")


def _named_like_table(path: Path) -> bool:
    stem = path.stem.lower()
    return bool(read_name(path.stem).split) or any(word in _TABLE_WORDS for word in stem.replace("-", "_").split("_"))


def is_submission(path: Path) -> bool:
    """Whether a table is an example of an answer, as Kaggle ships it: its labels mean nothing."""
    return "submission" in path.stem.lower()


def read_table(file: Path) -> pd.DataFrame:
    """Reads a table, all cells as text, missing ones empty; column names as written, each once.

    Raises:
        LayoutError: If it cannot be read.
    """
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise ValueError(f"it is larger than {_MAX_BYTES >> 20} MB")
        suffix = file.suffix.lower()
        if suffix == ".parquet":
            table = _read_parquet(file)
        else:
            text = _decoded(file.read_bytes())
            if suffix == ".json":
                table = _records_table(_json_records(json.loads(text)))
            elif suffix in (".jsonl", ".ndjson"):
                table = _records_table(_json_lines(text))
            else:
                table = _read_separated(text)
    except Exception as error:  # pandas and pyarrow raise all sorts on damaged files.
        raise LayoutError(f"{file.name} cannot be read as a table: {error}") from error
    return table.set_axis(_unique([str(name).strip() for name in table.columns]), axis=1).astype("str").fillna("")


def _read_parquet(file: Path) -> pd.DataFrame:
    import pyarrow as pa
    from pyarrow import parquet

    stored = parquet.read_table(file)
    stored.validate(full=True)
    columns: dict[str, list[str]] = {}
    for name, column in zip(stored.column_names, stored.columns, strict=True):
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            continue  # Images inside the table, boxes, landmarks.
        # As text, like the cells of a CSV; what has no such form (dates out of range) is refused here.
        columns[f"{len(columns)} {name}"] = column.cast(pa.string()).fill_null("").to_pylist()
    table = pd.DataFrame(columns)
    return table.set_axis([name.split(" ", 1)[1] for name in columns], axis=1)


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def _read_separated(text: str) -> pd.DataFrame:
    first = next((line for line in text.splitlines() if line.strip()), "")
    cells = {separator: next(csv.reader([first], delimiter=separator)) for separator in _SEPARATORS}
    separator = max(_SEPARATORS, key=lambda sign: len(cells[sign]))
    # A table without a header begins with an image.
    bare = any(PurePosixPath(cell.strip()).suffix.lower() in decoder.SUFFIXES for cell in cells[separator])
    names = [f"column {i + 1}" for i in range(len(cells[separator]))] if bare else None
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # Rows with more cells than the header.
        return pd.read_csv(
            io.StringIO(text), sep=separator, dtype=str, keep_default_na=False, header=None if bare else 0, names=names,
            index_col=False,
        )  # fmt: skip


def _json_lines(text: str) -> list[dict[str, Any]]:
    result = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number} is not JSON ({error})") from None
            if not isinstance(row, dict):
                raise ValueError(f"line {number}: expected an object, received {type(row).__name__}")
            result.append(row)
    return result


def _json_records(value: Any) -> list[dict[str, Any]]:
    """The rows of [{…}, …], {"images": [{…}, …]}, {"x.mp4": {…}, …}, {"x.png": "fake", …} or {"path": […], …}."""
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return value
    if isinstance(value, dict) and value:
        values = list(value.values())
        if all(isinstance(row, dict) for row in values):
            return [{KEY: key, **row} for key, row in value.items()]
        if all(isinstance(row, (str, int, bool)) for row in values):
            return [{KEY: key, "label": row} for key, row in value.items()]
        lists = [row for row in values if isinstance(row, list) and row]
        if len(lists) > 1 and len(lists) == len(values) == sum(len(row) == len(lists[0]) for row in lists):
            return [dict(zip(value, row, strict=True)) for row in zip(*values, strict=True)]
        for rows in lists:
            if all(isinstance(row, dict) for row in rows):
                return rows
    raise ValueError("expected a list of objects, or an object with one entry for each file")


def _records_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    names = list(dict.fromkeys(str(key) for row in rows for key in row))
    return pd.DataFrame([[_cell(row.get(name)) for name in names] for row in rows], columns=names)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def _unique(names: list[str]) -> list[str]:
    result: list[str] = []
    for name in names:
        taken = {other.casefold() for other in result}
        plain, number = name, 2
        while name.casefold() in taken:
            name, number = f"{plain} {number}", number + 1
        result.append(name)
    return result
