"""Gives loaded files their places in the data set: as hard links, which take no room, or as copies."""

from collections.abc import Callable
from pathlib import Path

from dfcore.hub.pieces import Report, Seen, after, hand_on
from dfcore.hub.unpack import ASIDE
from dfcore.utils.files import make_folder


def links_work(file: Path) -> bool:
    """Whether files beside this one can be hard links."""
    other = file.with_name(f"{file.name}.link")
    try:
        other.unlink(missing_ok=True)
        other.hardlink_to(file)
        other.unlink()
    except OSError:
        return False
    return True


def lay_out(load: Path, files: Path, choose: Callable[[Path], bool], report: Report) -> set[Path]:
    """Gives loaded files their places; what was loaded stays.

    Args:
        load: What was loaded.
        files: Where to.
        choose: Which files.
        report: Called with (bytes done, bytes in all) while files are copied; may raise to stop.

    Returns:
        Their places.

    Raises:
        OSError: If they cannot be written.
    """
    names = (path.relative_to(load) for path in sorted(load.rglob("*")) if path.is_file() and choose(path))
    sizes = {name: (load / name).stat().st_size for name in names if name.parts[0] != ".cache"}
    total, done = sum(sizes.values()), 0
    for name, size in sizes.items():
        place = files / name
        if not place.is_file() or place.stat().st_size != size:
            make_folder(place.parent)
            _link(load / name, place, files / ASIDE, after(done, total, report))
        done += size
    (files / ASIDE).unlink(missing_ok=True)
    return {files / name for name in sizes}


def _link(path: Path, place: Path, aside: Path, seen: Seen) -> None:
    try:
        place.hardlink_to(path)
    except OSError:  # A file system without links, or part of a file lies there.
        # One name for all: what a killed process leaves is no file of the data set.
        with open(aside, "wb") as file:
            hand_on(path, file.write, seen)
        aside.replace(place)
