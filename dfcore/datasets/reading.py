"""What a user has said of a data set that its folders and tables do not tell, remembered for its root."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from dfcore import workspace
from dfcore.datasets.layouts import Place
from dfcore.utils.files import read_json, sha256_bytes, write_json

ClassName = Literal["real", "fake"]
EXCLUDED = "Left out of the data set, as was said."


class Reading(BaseModel):
    """How to read a data set.

    Attributes:
        columns: Name of the column for each of path, label, split, group, source, film.
        labels: Class of each value of the label column.
        class_folders: Class of each folder name.
        groups: Regular expression searched in each path; its first group, or the whole match, is the `source_id`.
        swapped: Whether real and fake are turned around.
        confirmed: Whether a person has looked at what was understood and said that it is right.
        confirmed_of: `Dataset.labelled_fingerprint` of what was confirmed; empty where it was not kept.
        excluded: `pixels_sha256` of images that are left out.
        together: Groups of `pixels_sha256` that belong together, as found by an audit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[Literal["path", "label", "split", "group", "source", "film"], str] = {}
    labels: dict[str, ClassName] = {}
    class_folders: dict[str, ClassName] = {}
    groups: str = ""
    swapped: bool = False
    confirmed: bool = False
    confirmed_of: str = ""
    excluded: tuple[str, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()


def turned(place: Place, reading: Reading) -> Place:
    """A place with its class turned around, if a user said so."""
    return replace(place, label=1 - place.label) if reading.swapped and place.label is not None else place


def apply_reading(table: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """The rows of a data set as a user said: turned around, without what was excluded."""
    table = table.copy()
    if reading.swapped:
        table["label"] = 1 - table.label
    if reading.excluded:
        out = table.pixels_sha256.isin(reading.excluded) & table.error.isna()
        table.loc[out, "error"] = EXCLUDED
    return table


def reading_notes(reading: Reading, table: pd.DataFrame | None = None) -> list[str]:
    """What a user's choices did, in words; of the rows that they leave out, if `table` is given."""
    result = []
    if reading.columns:
        said = ", ".join(f"{key} in {column}" for key, column in reading.columns.items())
        result.append(f"Columns are read as was said: {said}.")
    for what, said_of in (("Values of the label column", reading.labels), ("Class folders", reading.class_folders)):
        if said_of:
            said = ", ".join(f"{name} is {label}" for name, label in said_of.items())
            result.append(f"{what} are read as was said: {said}.")
    if reading.swapped:
        result.append("Real and fake are turned around, as was said.")
    if reading.excluded and table is not None:
        result.append(f"{(table.error == EXCLUDED).sum()} images are left out, as was said.")
    return result


def recall(root: Path) -> Reading:
    """What was said of a data set; the defaults if nothing was."""
    try:
        return Reading.model_validate(read_json(_file(root)))
    except (OSError, ValueError, ValidationError):
        return Reading()


def remember(root: Path, reading: Reading) -> None:
    """Keeps what was said of a data set; the defaults are forgotten.

    Raises:
        StorageError: If it cannot be written.
    """
    if reading == Reading():
        _file(root).unlink(missing_ok=True)
    else:
        write_json(_file(root), reading.model_dump(mode="json"))


def _file(root: Path) -> Path:
    return workspace.data_dir() / "readings" / f"{sha256_bytes(str(Path(root).resolve()).encode())[:24]}.json"
