"""Actions on models from elsewhere: roles are checked and actions logged, as in `actions`."""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dashboard import background
from dashboard.actions import needs
from dashboard.roles import Role
from dfcore import workspace
from dfcore.errors import InputError

if TYPE_CHECKING:
    from dfcore.foreign.adopt import Adopted, Said
    from dfcore.foreign.read import Network

_Result = TypeVar("_Result")


@needs(Role.TRAINER, "Reading a model from elsewhere")
def read_model(name: str, source: bytes | Path) -> "Network":
    """What is in a model file; see `dfcore.foreign.read.read_network`.

    Args:
        name: What it is called.
        source: Its content, or a file on this machine in a folder that may be read.
    """
    from dfcore.foreign.read import read_network

    return _with_file(name, source, lambda path: read_network(path, name))


@needs(Role.TRAINER, "Importing a model from elsewhere")
def start_adopting(
    name: str, source: bytes | Path, file: str, root: Path, said: "Said", *, title: str, insist: bool
) -> None:
    """Makes a detector of a model file in the background; does nothing if that is under way.

    Args:
        name: Name of the new detector.
        source: As for `read_model`.
        file: What the file is called.
        root: Labelled images.
        said: What was said of its preprocessing.
        title: Title of the new detector.
        insist: Whether to go on although another preprocessing is clearly better.
    """
    workspace.require_readable(root)
    if isinstance(source, Path):
        workspace.require_readable(source)

    def work(task: background.Task) -> "Adopted":
        from dfcore.foreign.adopt import adopt

        reports = {"": task.step("")}

        def tell(text: str, done: int, total: int) -> None:
            if text not in reports:
                reports.clear()
                reports[text] = task.step(text[:1].upper() + text[1:])
            reports[text](done, total)

        def make(path: Path) -> "Adopted":
            return adopt(path, root, said, name, file=file, title=title, insist=insist, tell=tell)

        return _with_file(file, source, make)

    background.start(background.ADOPT_KEY, f"Importing {file}", work)


def _with_file(name: str, source: bytes | Path, do: Callable[[Path], _Result]) -> _Result:
    """Does something with the file of a model; what was uploaded is kept only as long as that takes."""
    if isinstance(source, Path):
        workspace.require_readable(source)
        if not source.exists():
            raise InputError(f"Expected an existing file on this machine. Received: {str(source)!r}.")
        return do(source)
    with tempfile.TemporaryDirectory(prefix="dfcore-upload-") as folder:
        # The name is a stranger's: its ending tells why some kinds are refused, the rest is no path.
        ending = re.fullmatch(r"\.[a-z0-9]{1,12}", Path(name).suffix.lower())
        path = Path(folder) / f"model{ending[0] if ending else ''}"
        path.write_bytes(source)
        return do(path)
