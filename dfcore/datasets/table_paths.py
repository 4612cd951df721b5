"""Finds the images that a table names, as tables name them.

A path may be relative to the table's folder or to the data set's, begin with the data set's own name, come from another
machine, lack its suffix, or be a video's whose frames lie here. A file is only ever found under the data set's root.
"""

import os
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from dfcore.datasets.kinds import VIDEOS
from dfcore.imaging import decoder

LEADS_OUT = "The path leads out of the manifest's folder."


@dataclass(frozen=True)
class Found:
    """What a cell leads to.

    Attributes:
        paths: Images, relative to the root; as written if there are none.
        reason: Why it leads to none, or None.
        there: Whether there is such a file.
    """

    paths: tuple[str, ...]
    reason: str | None = None
    there: bool = True


class Finder:
    """Finds images under one root."""

    def __init__(self, root: Path, images: Sequence[str] | Callable[[], Sequence[str]], *, of_films: bool = False):
        """Takes the paths of all images, or how to list them, which is then done only where it is needed.

        Args:
            root: Under which they lie.
            images: Their paths.
            of_films: Whether they are films: a film that is named is then itself meant, and not its frames.
        """
        self._of_films = of_films
        self._root = root
        self._top = str(root).rstrip(os.sep) + os.sep
        self._real: dict[str, str] = {}
        self._list = images if callable(images) else lambda: images
        self._listed = frozenset[str]() if callable(images) else frozenset(images)

    def find(self, text: str, folder: str, *, videos: bool = False) -> Found:
        """Finds what a cell names.

        Args:
            text: The cell.
            folder: The table's folder, relative to the root.
            videos: Whether a name without suffix may be a video's.
        """
        text = text.strip().replace("\\", "/")
        if not text:
            return Found(("",), "The row names no file.", there=False)
        suffix = posixpath.splitext(text)[1].lower()
        for path in dict.fromkeys((_within(folder, text), _within("", text))):
            if path is not None and self._is_file(path):
                return Found((path,))
        known = suffix in (VIDEOS if self._of_films else decoder.SUFFIXES)
        found = self._by_end(text, self._ends) if known else None
        if not known and suffix not in VIDEOS:
            found = self._by_end(text, self._stems)
        if found is None and not self._of_films and (suffix in VIDEOS or (videos and not known)):
            found = self._frames(_key(text), folder)
        return found or self._missing(text, folder)

    def _is_file(self, path: str) -> bool:
        """Whether there is such a file, and no link leads it out of the root."""
        folder, _, name = path.rpartition("/")
        try:
            if folder not in self._real:
                self._real[folder] = os.path.realpath(self._top + folder)
            real = os.path.join(self._real[folder], name)
            if Path(real).is_symlink():
                real = os.path.realpath(real)
            return real.startswith(self._top) and (path in self._listed or Path(real).is_file())
        except (OSError, RuntimeError, ValueError):  # Links in a circle, a zero byte in the name.
            return False

    def _missing(self, text: str, folder: str) -> Found:
        path = posixpath.join(folder, text)
        try:
            inside = (self._root / PurePosixPath(path)).resolve().is_relative_to(self._root)
        except (OSError, RuntimeError, ValueError):
            return Found((text,), "The path leads nowhere.", there=False)
        if not inside:
            return Found((text,), LEADS_OUT, there=False)
        return Found((path if folder else text,), None, there=False)

    def _by_end(self, text: str, ends: dict[str, list[str]]) -> Found | None:
        """The image whose path has the longest common end with a path of another folder or machine."""
        parts = [part for part in _key(text).split("/") if part not in ("", ".", "..")]
        for length in range(len(parts), 0, -1):
            found = ends.get("/".join(parts[-length:]))
            if not found:
                continue
            if length == 1 < len(parts) and all("/" in path for path in found):
                return None  # Only the file's own name is the same.
            if len(found) > 1:
                reason = f"The path fits {len(found)} files, such as {found[0]} and {found[1]}."
                return Found((text,), reason, there=False)
            return Found((found[0],)) if self._is_file(found[0]) else None
        return None

    def _frames(self, key: str, folder: str) -> Found | None:
        stem = re.sub(r"\.\w+$", "", key.rsplit("/", 1)[-1]) if "." in key else key.rsplit("/", 1)[-1]
        paths = self._folders.get(stem) or self._clips.get(stem, [])
        here = [path for path in paths if path.startswith(f"{folder}/")] if folder else paths
        return Found(tuple(here or paths)) if paths else None

    @cached_property
    def _ends(self) -> dict[str, list[str]]:
        return _index(self._list(), lambda path: _ends(_key(path)))

    @cached_property
    def _stems(self) -> dict[str, list[str]]:
        return _index(self._list(), lambda path: _ends(_key(str(PurePosixPath(path).with_suffix("")))))

    @cached_property
    def _folders(self) -> dict[str, list[str]]:
        return _index(self._list(), _folder_names)

    @cached_property
    def _clips(self) -> dict[str, list[str]]:
        return _index(self._list(), _clip_names)


def _within(folder: str, text: str) -> str | None:
    """A path relative to the root; None where it leads out by its words."""
    if text.startswith("/") or re.match(r"[A-Za-z]:", text) or "\0" in text:
        return None
    path = posixpath.normpath(posixpath.join(folder, text))
    return None if path.startswith("..") or path == "." else path


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _ends(key: str) -> list[str]:
    parts = key.split("/")
    return ["/".join(parts[-length:]) for length in range(1, len(parts) + 1)]


def _folder_names(path: str) -> list[str]:
    """Names of videos that the folders of a frame may have."""
    return list(dict.fromkeys(re.sub(r"\.\w{2,4}$", "", folder) for folder in _key(path).split("/")[:-1]))


def _clip_names(path: str) -> list[str]:
    """Names of videos that a frame's own name may begin with, up to each separator."""
    stem = _key(path).rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return [*(stem[: match.start()] for match in re.finditer(r"[_.\-]", stem)), stem]


def _index(paths: Iterable[str], names: Callable[[str], list[str]]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for path in paths:
        for name in names(path):
            result.setdefault(name, []).append(path)
    return result
