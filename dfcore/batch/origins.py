"""Finds the content of a row's file again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfcore import workspace
from dfcore.batch import zip_reader
from dfcore.errors import AccessError, ImageError
from dfcore.imaging import decoder
from dfcore.utils.files import sha256_bytes


def content(folder: Path, row: Mapping[str, Any], *, closed: bool) -> bytes:
    """The content of a row's file.

    Args:
        folder: Of the batch, to which places in the spool are relative.
        row: With origin, see `Entry`, and sha256.
        closed: Whether what was spooled has been deleted.

    Raises:
        ImageError: If it was never read, is not there any more, or has changed since.
    """
    kind, *where = row.get("origin") or ("", "")
    path = folder / str(where[0])
    own = path.is_relative_to(folder)
    if row.get("sha256") is None:
        raise ImageError(row.get("error") or "The file could not be read.")
    if own and closed:
        raise ImageError("Its file was deleted when the batch was closed.")
    if not own:
        _require_readable(path)
    data = zip_reader.read_entry(path, *where[1:]) if kind == "zip" else decoder.read_bytes(path)
    if sha256_bytes(data) != row["sha256"]:
        raise ImageError("The file has changed since it was judged.")
    return data


def _require_readable(path: Path) -> None:
    try:
        workspace.require_readable(path)
    except AccessError as error:
        raise ImageError(str(error)) from error
