"""Verdicts as a file, its format told by the ending of its name."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dfcore.errors import InputError
from dfcore.files import write_atomic, write_text

COLUMNS = ("path", "sha256", "score", "verdict", "label", "reason", "detector", "error")
FORMATS = (".json", ".jsonl", ".csv", ".parquet")


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Writes `COLUMNS` of rows: .jsonl, .csv and .parquet as they are, .json as the competition wants it.

    Raises:
        InputError: when the ending is none of `FORMATS`, or .json is asked for names that are no numbers.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".json":
        write_text(path, json.dumps(competition(rows), indent=1) + "\n")
    elif suffix == ".jsonl":
        kept = ({name: row[name] for name in COLUMNS} for row in rows)
        write_text(path, "".join(json.dumps(row) + "\n" for row in kept))
    elif suffix == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        write_text(path, text.getvalue())
    elif suffix == ".parquet":
        import pandas as pd

        table = pd.DataFrame(rows, columns=list(COLUMNS))
        write_atomic(path, lambda temporary: table.to_parquet(temporary, index=False))
    else:
        raise InputError(f"Expected a file ending in {', '.join(FORMATS)}. Received: {path}.")


def competition(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The competition's list [{"index": 1, "prediction": "fake"}, …], by index; unreadable images are left out.

    It knows two answers only: the prediction is the label, not the three-way verdict.
    """
    require_numbers([Path(row["path"]) for row in rows])
    pairs = [(int(Path(row["path"]).stem), row["label"]) for row in rows if not row["error"]]
    return [{"index": index, "prediction": verdict} for index, verdict in sorted(pairs)]


def require_numbers(paths: Sequence[Path]) -> None:
    """Checks that every name is a number of its own, as the competition's list wants it.

    Raises:
        InputError: naming what is not.
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
