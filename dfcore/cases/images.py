"""Pictures that were asked to be kept: files named by their hashes, in a folder beside the database.

All changes happen while the transaction that writes is held, so that no file is taken for one that nobody cites.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, select

from dfcore.cases.tables import PICTURES
from dfcore.cases.values import Problem
from dfcore.errors import StorageError
from dfcore.utils.files import explained, sha256_bytes, sha256_file, sweep, write_bytes

_NAME = re.compile(r"[0-9a-f]{64}")


def place(folder: Path, sha256: str) -> Path:
    """The file of a picture; in subfolders, since many file systems are slow with many files in one."""
    return folder / sha256[:2] / sha256


def write(folder: Path, sha256: str, data: bytes) -> None:
    """Writes a picture, unless it is there and sound."""
    path = place(folder, sha256)
    if not (path.is_file() and sha256_file(path) == sha256):
        write_bytes(path, data)


def read(folder: Path, sha256: str) -> bytes | None:
    """A picture's bytes; None if the file is not there.

    Raises:
        StorageError: If it was altered, or cannot be read.
    """
    path = place(folder, sha256)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {explained(error, path)}.") from error
    if sha256_bytes(data) != sha256:
        raise StorageError(f"{path} was altered: its content has another hash than the picture that was kept.")
    return data


def kept(connection: Connection) -> list[str]:
    """Pictures that are said to be kept."""
    return list(connection.execute(select(PICTURES.c.sha256).where(PICTURES.c.image)).scalars())


def remove_others(folder: Path, connection: Connection) -> None:
    """Removes files of pictures that are not, or no longer, to be kept; within a transaction that writes."""
    for path in others(folder, connection):
        with suppress(FileNotFoundError):
            path.unlink()
    for each in folder.glob("??"):
        sweep(each)


def unsound(folder: Path, connection: Connection) -> dict[str, str]:
    """Kept pictures that are missing or altered, with the reason."""
    result: dict[str, str] = {}
    for sha256 in sorted(kept(connection)):
        try:
            if read(folder, sha256) is None:
                result[sha256] = f"The picture {sha256} was kept, and its file is gone."
        except StorageError as error:
            result[sha256] = str(error)
    return result


def problems(folder: Path, connection: Connection, found: dict[str, str]) -> Iterator[Problem]:
    """What does not hold of kept pictures; within a transaction that writes, so that nothing changes meanwhile.

    Args:
        folder: Where they are.
        connection: The transaction.
        found: What `unsound` found, which may be out of date.
    """
    for sha256 in sorted(set(kept(connection)) & found.keys()):
        yield Problem(None, "image", found[sha256])
    for path in others(folder, connection):
        yield Problem(None, "image", f"{path} is a picture that is not to be kept; 'dfcore cases prune' removes it.")


def others(folder: Path, connection: Connection) -> list[Path]:
    """Files of pictures that are not, or no longer, to be kept."""
    files = [path for path in folder.glob("??/*") if _NAME.fullmatch(path.name)]
    cited = set(kept(connection)) if files else set()
    return sorted(path for path in files if path.name not in cited)
