"""Goes through a folder: every file in natural order, and everything that is left out, with its reason.

Links are followed where their targets may be read. One folder's names are in memory at a time.
"""

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePath

from dfcore import workspace
from dfcore.datasets import kinds
from dfcore.datasets.dataset import LeftOut
from dfcore.datasets.kinds import Kind

# Hidden folders of tools, in which nobody keeps pictures to be judged.
_OF_TOOLS = {
    "__MACOSX", ".git", ".svn", ".hg", ".dvc", ".ipynb_checkpoints", ".cache", ".config", ".venv", ".idea", ".vscode",
    ".Trashes", ".Spotlight-V100", ".fseventsd", ".thumbnails", ".huggingface", "$RECYCLE.BIN", "@eaDir",
    "System Volume Information",
}  # fmt: skip
_OF_SYSTEMS = {"thumbs.db", "desktop.ini", ".ds_store", "ehthumbs.db", "icon\r"}
_SPECIAL = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
VIDEO = "A video; extract the frames that are to be judged. The command dfcore data frames does so for all in a folder."
_REASONS = {
    Kind.VIDEO: VIDEO,
    Kind.ARCHIVE: "An archive in a folder is not opened: name it itself if it is a ZIP, or unpack it.",
}
_PLURALS = {Kind.PICTURE: "pictures", Kind.VIDEO: "films"}


Found = Path | LeftOut


def pictures(root: Path, through: Mapping[Path, Path] | None = None, skip: Collection[Path] = ()) -> Iterator[Found]:
    """All pictures under a folder, by suffix or first bytes, and what is left out.

    Pictures in formats that cannot be read are among them, so that each gets its reason. Files that are no pictures
    come at the end of their folder, one entry a suffix. A `LeftOut` has a full path.

    Args:
        root: A folder.
        through: See `walk_all`.
        skip: Files that are not even left out.
    """
    return _of_kind(root, Kind.PICTURE, through, skip)


def films(root: Path, through: Mapping[Path, Path] | None = None, skip: Collection[Path] = ()) -> Iterator[Found]:
    """All films under a folder, by suffix or first bytes, and what is left out; as `pictures`, which are left out here.

    Args:
        root: A folder.
        through: See `walk_all`.
        skip: Files that are not even left out.
    """
    return _of_kind(root, Kind.VIDEO, through, skip)


def _of_kind(root: Path, wanted: Kind, through: Mapping[Path, Path] | None, skip: Collection[Path]) -> Iterator[Found]:
    others: dict[tuple[Kind, str], list[Path]] = {}
    folder: Path | None = None
    for found in walk_all(root, through):
        if isinstance(found, LeftOut):
            yield found
            continue
        if found.parent != folder:
            yield from _gathered(others, wanted)
            others.clear()
            folder = found.parent
        if found in skip:
            continue
        try:
            kind = kinds.of_file(found)
        except OSError as error:
            yield LeftOut(str(found), f"The file could not be opened: {_words(error)}.")
            continue
        if kind is wanted:
            yield found
        elif kind in _REASONS:
            yield LeftOut(str(found), _REASONS[kind])
        elif kind is Kind.LINK:
            yield LeftOut(
                str(found),
                f"A text that names {kinds.link_target(found)}: a link was copied as a file. Copy the folder itself.",
            )
        else:
            others.setdefault((kind, found.suffix.lower()), []).append(found)
    yield from _gathered(others, wanted)


def is_image(left: LeftOut, *, film: bool = False) -> bool:
    """Whether it is one image, or film, by its name, such as a link that leads nowhere; a hidden one is not."""
    path = PurePath(left.path)
    suffixes = kinds.VIDEOS if film else kinds.PICTURES
    return left.missed and left.files == 1 and path.suffix.lower() in suffixes and not _is_hidden(path.name)


def walk(root: Path) -> Iterator[Path]:
    """All files under a folder but hidden ones, folder by folder, 2.png before 10.png."""
    return (found for found in walk_all(root) if isinstance(found, Path))


def walk_all(root: Path, through: Mapping[Path, Path] | None = None) -> Iterator[Found]:
    """Like `walk`, with what cannot be reached and what is hidden.

    A folder that is also linked to from within the root is read in its own place, and the link left out.

    Args:
        root: A folder.
        through: {link: folder in the root} of links for which it is the other way round.
    """
    start, through = Path(root), through or {}
    seen: set[tuple[int, int]] = set()
    waiting = [start]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: number_first(entry.name))
            identity = folder.stat()
        except OSError as error:
            yield LeftOut(str(folder), f"The folder could not be read: {_words(error)}; what is in it is not known.")
            continue
        if (identity.st_dev, identity.st_ino) in seen:
            yield LeftOut(str(folder), "The folder was read already, by another path.", missed=False)
            continue
        seen.add((identity.st_dev, identity.st_ino))
        folders = []
        yield from _hidden(folder, [entry for entry in entries if _is_hidden(entry.name)])
        for entry in entries:
            if _is_hidden(entry.name):
                continue
            found = _classify(entry, start, through)
            if found is None:
                folders.append(Path(entry.path))
            else:
                yield found
        waiting += sorted(folders, key=lambda path: path.name, reverse=True)


def is_of_system(name: str) -> bool:
    """Whether a file of this path is one that systems and tools put beside pictures, such as below `__MACOSX`."""
    parts = name.replace("\\", "/").split("/")
    return parts[-1].startswith("._") or any(part in _OF_TOOLS or part.lower() in _OF_SYSTEMS for part in parts)


def number_first(name: str) -> tuple[int, str]:
    """Key by which 2.png is before 10.png."""
    stem = PurePath(name).stem
    return int(stem) if stem.isdecimal() else -1, name


def relative(left: LeftOut, root: Path, name: Callable[[object], str] = str) -> LeftOut:
    """The same with its path relative to `root`, as `name` writes it."""
    return replace(left, path=name(PurePath(left.path).relative_to(root).as_posix()))


def _classify(entry: os.DirEntry, root: Path, through: Mapping[Path, Path]) -> Found | None:
    """A file to read, what is left out, or None for a folder to go into."""
    path = Path(entry.path)
    try:
        if entry.is_symlink() and path not in through:
            trouble = _trouble_of_link(path, root)
            if trouble:
                return trouble
        mode = entry.stat().st_mode
    except OSError as error:
        return LeftOut(str(path), f"It could not be looked at: {_words(error)}.")
    if stat.S_ISDIR(mode):
        link = next((link for link, target in through.items() if target == path), None)
        return link and LeftOut(str(path), f"It is read as {link.relative_to(root)}.", missed=False)
    if stat.S_ISREG(mode):
        return path
    what = _SPECIAL.get(stat.S_IFMT(mode), "something else")
    return LeftOut(str(path), f"Not a file but {what}.", missed=path.suffix.lower() in kinds.PICTURES)


def _trouble_of_link(path: Path, root: Path) -> LeftOut | None:
    """Why a link is not followed; None if it is."""
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        round_and_round = isinstance(error, RuntimeError) or error.errno == errno.ELOOP
        if isinstance(error, PermissionError):
            return LeftOut(str(path), f"A link that could not be followed: {_words(error)}.")
        if round_and_round:
            return LeftOut(str(path), "A link that leads round in a circle.")
        return LeftOut(str(path), f"There is no file or folder {path.readlink()}, to which this link leads.")
    if not workspace.readable(target):
        return LeftOut(str(path), "A link that leads outside of the folders that may be read here.")
    if not target.is_dir():
        return None
    top = root.resolve()
    if top.is_relative_to(target):
        return LeftOut(str(path), "A link to a folder that it is in; it is read once.", missed=False)
    if target.is_relative_to(top) and not any(map(_is_hidden, target.relative_to(top).parts)):
        return LeftOut(str(path), f"A link to {target.relative_to(top)}, which is read there.", missed=False)
    return None


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _OF_TOOLS or name.lower() in _OF_SYSTEMS


def _hidden(folder: Path, entries: list[os.DirEntry]) -> Iterator[LeftOut]:
    """Hidden pictures each count as missed; the rest is one entry."""
    rest = 0
    for entry in entries:
        pictures = _hidden_pictures(entry)
        if pictures:
            text = "Hidden by its name." if not entry.is_dir() else f"A hidden folder with {pictures} pictures."
            yield LeftOut(entry.path, f"{text} Rename it to have it judged.", pictures)
        else:
            rest += 1
    if rest:
        yield LeftOut(str(folder / ".*"), f"{rest} hidden files or folders of the system and of tools.", rest, False)


def _hidden_pictures(entry: os.DirEntry) -> int:
    if entry.name.startswith("._") or entry.name in _OF_TOOLS or entry.is_symlink():
        return 0
    if not entry.is_dir():
        return int(PurePath(entry.name).suffix.lower() in kinds.PICTURES)
    names = (name for _, _, files in os.walk(entry.path) for name in files)
    return sum(PurePath(name).suffix.lower() in kinds.PICTURES and not name.startswith("._") for name in names)


def _gathered(others: Mapping[tuple[Kind, str], list[Path]], wanted: Kind) -> Iterator[LeftOut]:
    one, several = _PLURALS[wanted].removesuffix("s"), _PLURALS[wanted]
    for (kind, suffix), paths in sorted(others.items()):
        path = str(paths[0] if len(paths) == 1 else paths[0].parent / f"*{suffix}")
        what = "" if len(paths) == 1 else f"{len(paths)} files{'' if suffix else ' without suffix'}: "
        if kind is Kind.OTHER:
            yield LeftOut(path, f"{what}no {one}.", len(paths), missed=False)
        elif kind is Kind.PICTURE:
            yield LeftOut(path, f"{what}{'a picture' if len(paths) == 1 else 'pictures'}, not {several}.", len(paths),
                          missed=False)  # fmt: skip
        else:
            yield LeftOut(path, f"{what}neither name nor first bytes are those of a {one}.", len(paths))


def _words(error: OSError) -> str:
    return error.strerror or str(error)
