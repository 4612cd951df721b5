"""Tables of numbers in CSV files, which grow while others read them: a run's history and its live rows."""

import csv
import io
from pathlib import Path

from dfcore.errors import RunError, StorageError
from dfcore.utils.files import write_text


def read(path: Path) -> list[dict[str, float]]:
    """The complete rows of a table, without incomplete ones; none if there is no file.

    Raises:
        RunError: If it is no CSV.
    """
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if "\n" not in text:
        return []
    try:
        # The last line may be incomplete while it is being written.
        lines = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))
    except csv.Error as error:
        raise RunError(f"Run {path.parent.name}: {path.name} is damaged ({error}).") from error
    rows = [_numbers(lines[0], values) for values in lines[1:]]
    return [row for row in rows if row is not None]


def write(path: Path, rows: list[dict[str, float]]) -> None:
    """Replaces a table."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    write_text(path, text.getvalue())


def append(path: Path, row: dict[str, float]) -> None:
    """Appends a row in a single write.

    Raises:
        StorageError: If it cannot be written.
    """
    line = ",".join(str(value) for value in row.values()) + "\n"
    try:
        with open(path, "ab+") as file:
            if file.tell() == 0:
                line = ",".join(row) + "\n" + line
            else:
                file.seek(-1, io.SEEK_END)
                # A process that died may have left an incomplete line.
                line = line if file.read(1) == b"\n" else "\n" + line
            file.write(line.encode())
    except OSError as error:
        raise StorageError(f"{path} could not be written: {error.strerror}.") from error


def _numbers(names: list[str], values: list[str]) -> dict[str, float] | None:
    """Parses a row into numbers by column name; returns None for an incomplete row."""
    if len(values) != len(names):
        return None
    try:
        return {name: float(value) for name, value in zip(names, values, strict=True) if value != ""}
    except ValueError:
        return None
