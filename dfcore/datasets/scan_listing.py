"""The files of a data set: its images, the files that may be tables, and what is left out."""

import os
from pathlib import Path

from dfcore.datasets.dataset import LeftOut
from dfcore.datasets.path_lists import LISTS
from dfcore.datasets.self_made import NOTICE
from dfcore.datasets.table_files import SUFFIXES as TABLES
from dfcore.datasets.understand import Listed
from dfcore.datasets.walk import Found, films, is_image, number_first, pictures, relative, walk
from dfcore.datasets.words import parse_label
from dfcore.utils.texts import storable

# What was fetched from a hub, see `dfcore.hub.record`: no table of images.
FETCHED = "fetched.json"
# What pictures of films were made of, see `dfcore.films.dataset`, and a table of films that gave none.
OF_FILMS, FILMS_LEFT_OUT = "films.json", "left_out.csv"
_NOTICES = ("DEMONSTRATION.txt", NOTICE, FETCHED)
_NO_UTF8 = "The file's name is no valid UTF-8; give it another one."


def list_files(root: Path, *, of_films: bool = False) -> Listed:
    """Lists a folder with all that lies below it, images in natural order (2.png before 10.png).

    Args:
        root: The folder.
        of_films: Whether its films are listed, in place of images.
    """
    listing = films if of_films else pictures
    own = {root / name for name in (OF_FILMS, FILMS_LEFT_OUT)} if (root / OF_FILMS).is_file() else set[Path]()
    found = list(listing(root, skip=own))
    if through := _class_links(root, found):
        found = list(listing(root, through, own))
    refused = {Path(one.path): one.reason for one in found if isinstance(one, LeftOut) and is_image(one, film=of_films)}
    images = sorted([*refused, *(one for one in found if isinstance(one, Path))], key=_natural)
    rest = (one for one in found if isinstance(one, LeftOut) and not is_image(one, film=of_films))
    left_out = [relative(one, root, storable) for one in rest if Path(one.path).name not in _NOTICES]
    reasons = {}
    for path in images:
        name = path.relative_to(root).as_posix()
        reasons[storable(name)] = refused.get(path) or (None if storable(name) == name else _NO_UTF8)
    own.add(root / FETCHED)
    tables = [path for path in walk(root) if path.suffix.lower() in (*TABLES, *LISTS) and path not in own]
    return Listed(reasons, tables, left_out, of_films=of_films)


def _class_links(root: Path, found: list[Found]) -> dict[Path, Path]:
    """{link: folder} of links that tell a class, to folders in the root that tell none."""
    links = [Path(one.path) for one in found if isinstance(one, LeftOut) and Path(one.path).is_symlink()]
    targets = {link: link.resolve() for link in links if os.path.isdir(link)}  # noqa: PTH112 (Path.is_dir raises on 3.11)
    return {
        link: target
        for link, target in targets.items()
        if target.is_relative_to(root) and _tells_class(link, root) and not _tells_class(target, root)
    }


def _tells_class(folder: Path, root: Path) -> bool:
    return any(parse_label(name) is not None for name in folder.relative_to(root).parts)


def _natural(path: Path) -> tuple[str, int, str]:
    return str(path.parent), *number_first(path.name)
