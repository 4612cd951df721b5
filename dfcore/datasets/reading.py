"""What a user has said of a data set that its folders and tables do not tell, remembered for its root."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from dfcore import workspace
from dfcore.utils.files import read_json, sha256_bytes, write_json

ClassName = Literal["real", "fake"]


class Reading(BaseModel):
    """How to read a data set.

    Attributes:
        columns: Name of the column for each of path, label, split, group, source.
        labels: Class of each value of the label column.
        class_folders: Class of each folder name.
        groups: Regular expression searched in each path; its first group, or the whole match, is the `source_id`.
        swapped: Whether real and fake are turned around.
        confirmed: Whether a person has looked at what was understood and said that it is right.
        excluded: `pixels_sha256` of images that are left out.
        together: Groups of `pixels_sha256` that belong together, as found by an audit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[Literal["path", "label", "split", "group", "source"], str] = {}
    labels: dict[str, ClassName] = {}
    class_folders: dict[str, ClassName] = {}
    groups: str = ""
    swapped: bool = False
    confirmed: bool = False
    excluded: tuple[str, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()


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
