"""Data sets that the workbench makes: in a hidden folder beside their place, and moved there when complete.

What was made before a stop or a kill is kept for the next call with the same plan.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfcore.errors import InputError
from dfcore.utils.files import make_folder, read_json, write_json

PLAN = "plan.json"


def require_new(folder: Path, made: str) -> None:
    """Requires that a folder does not exist yet or is empty, as a place for what is made.

    Raises:
        InputError: Otherwise.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"Expected a new or empty folder for the {made}. Received: {folder}.")


@dataclass(frozen=True)
class Aside:
    """A data set in the making.

    Attributes:
        folder: The hidden folder that its files are written to.
        out: Where it will be.
    """

    folder: Path
    out: Path

    @staticmethod
    def hidden(out: str | Path, doing: str) -> Path:
        """The hidden folder for what will be at `out`; see `begin`."""
        out = Path(out).expanduser().absolute()
        return out.parent / f".{out.name}.{doing}"

    @classmethod
    def begin(cls, root: Path, out: str | Path, plan: dict[str, Any], *, made: str, of: str, doing: str) -> "Aside":
        """Prepares the hidden folder; what was made by another plan is discarded.

        Args:
            root: The data set that it is made of.
            out: A folder that does not exist yet or is empty.
            plan: All that decides on its files, as JSON-serialisable data.
            made: What it is, in words, e.g. "neutralised copy".
            of: What `root` is, in words, e.g. "data set itself".
            doing: Suffix of the hidden folder, e.g. "neutralising".

        Raises:
            InputError: If `out` holds something, or lies inside `root`.
            StorageError: If it cannot be written.
        """
        out = Path(out).expanduser().absolute()
        require_new(out, made)
        if out.resolve().is_relative_to(root.resolve()):
            raise InputError(f"Expected a folder outside of the {of}. Received: {out}, inside {root}.")
        folder = cls.hidden(out, doing)
        try:
            known = read_json(folder / PLAN) == plan
        except (OSError, ValueError):  # None yet, or damaged.
            known = False
        if not known:
            shutil.rmtree(folder, ignore_errors=True)
            make_folder(folder)
            write_json(folder / PLAN, plan)
        return cls(folder, out)

    def finish(self) -> Path:
        """Moves the complete data set to its place, which it returns."""
        if self.out.exists():
            self.out.rmdir()
        folder = self.folder.rename(self.out)
        (folder / PLAN).unlink()  # Not before: without a plan, what was made would be discarded.
        return folder
