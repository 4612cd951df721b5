"""`dfcore data frames`: a folder of films becomes a data set of pictures."""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcore.commands.base import INCOMPLETE, INCOMPLETE_HELP, command
from dfcore.commands.reading import add_reading, applied_reading
from dfcore.commands.shown_data import (
    dataset_json,
    exit_code,
    print_dataset,
    print_doubts,
    print_left_out,
    print_tree,
    tree_json,
)
from dfcore.commands.terminal import print_json, progress_bar
from dfcore.errors import InputError
from dfcore.utils.texts import counted, printable

if TYPE_CHECKING:
    from dfcore.datasets.films import FilmSet
    from dfcore.films.dataset import FrameSettings, Made

# Of the films that are left out, so many are named; left_out.csv and --json have all of them.
_MOST = 20
_EVERY, _PER_FILM = "1s", "32"
_TELL_SECONDS = 0.2


def add(commands: Any) -> None:
    """Adds the command."""
    parser = command(commands, "frames", _frames, "make a data set of pictures out of a folder of films")
    parser.epilog = INCOMPLETE_HELP.format(
        "all films gave their pictures", "films gave none, or not all, or something was left out"
    )
    parser.add_argument("root", metavar="ROOT", help="folder of films, such as FaceForensics++, Celeb-DF, DFDC")
    add_reading(parser, confirm=True)
    parser.add_argument("out", metavar="OUT", help="a new or empty folder; what was stopped goes on where it was")
    add_options(parser)
    parser.add_argument("--anew", action="store_true", help="delete what was begun in OUT with other settings")


def add_options(parser: Any) -> None:
    """Adds the options of which pictures are taken of films; `settings_of` reads them."""
    parser.add_argument(
        "--every", default=_EVERY, metavar="WHAT",
        help="frames to look at: 1s (default) for one every second, 25 for every 25th, or scenes",
    )  # fmt: skip
    parser.add_argument(
        "--per-film",
        "--per_film",
        default=_PER_FILM,
        metavar="N",
        help="most of them a film, spread over it; or all (default: 32)",
    )
    parser.add_argument(
        "--faces", action="store_true", help="take the faces in them, cropped as for face detectors, not whole frames"
    )


def given(options: argparse.Namespace) -> list[str]:
    """Which of these options were given, and say something else than without."""
    differ = {"--every": options.every != _EVERY, "--per-film": options.per_film != _PER_FILM, "--faces": options.faces}
    return [name for name, differs in differ.items() if differs]


def settings_of(options: argparse.Namespace) -> "FrameSettings":
    """What the options say.

    Raises:
        InputError: If they cannot be read.
    """
    from dfcore.films import Sampling
    from dfcore.films.dataset import FrameSettings

    text = str(options.per_film).strip().lower()
    if text != "all" and not (text.isascii() and text.isdecimal()):
        raise InputError(f"Expected --per-film with a number of frames from 1, or all. Received: {options.per_film}.")
    return FrameSettings(Sampling.parse(options.every), None if text == "all" else int(text), options.faces)


def taken(films: "FilmSet", out: Path, settings: "FrameSettings", *, anew: bool = False) -> "Made":
    """Makes the data set, with its progress on stderr; Ctrl-C is told."""
    from dfcore.films.dataset import frames_of_films

    try:
        made = frames_of_films(films, out, settings, anew=anew, progress=_progress())
    except KeyboardInterrupt:
        print("\ndfcore: the films that are done are kept; the same command goes on with the rest.", file=sys.stderr)
        raise
    assert made is not None  # Nobody asks it to stop.
    return made


def print_left_out_films(made: "Made", *, file: Any = None) -> None:
    """Prints the films that gave no pictures or not all, each with its reason."""
    print(f"Films or files left out, or not complete: {len(made.left_out)}", file=file)
    for one in made.left_out[:_MOST]:
        kept = f" ({counted(one.pictures, 'picture is', 'pictures are')} kept)" if one.pictures else ""
        print(f"  {printable(one.film)}: {printable(one.reason)}{kept}", file=file)
    if len(made.left_out) > _MOST:
        print(f"  … and {len(made.left_out) - _MOST:,} more; left_out.csv names all.", file=file)


def _frames(options: argparse.Namespace) -> int:
    from dfcore.datasets import assign_splits, scan
    from dfcore.datasets.films import read_films
    from dfcore.datasets.registry import register

    settings, out = settings_of(options), Path(options.out).expanduser()
    with applied_reading(options, options.root) as reading:
        films = read_films(options.root, reading=reading)
    if not options.json:
        _print_films(films)
        print(f"Of each film it takes {settings.in_words()}.")
    made = taken(films, out, settings, anew=options.anew)
    register(made.folder)
    result = scan(made.folder, progress=progress_bar("reading"))
    dataset, drawn = assign_splits(result), bool(result.usable.split.isna().any())
    if options.json:
        print_json(
            asdict(made)
            | {"folder": str(made.folder), "settings": settings.to_dict(), "root": str(films.root),
               "tree": tree_json(films.tree), "doubts": list(films.doubts),
               "dataset": dataset_json(dataset, drawn=drawn)}
        )  # fmt: skip
    else:
        there = "It is there already" if made.was_there else "Made"
        many = f"{counted(made.pictures, 'picture', 'pictures')} of {counted(made.films, 'film', 'films')}"
        print(f"{there}: {printable(made.folder)}, {many}.")
        for note in made.notes:
            print(f"Note: {printable(note)}")
        print_left_out_films(made)
        print()
        print_dataset(dataset, drawn=drawn)
    return INCOMPLETE if made.left_out else exit_code(dataset)


def _print_films(films: "FilmSet") -> None:
    print(f"{printable(films.root)}\nLayout: {printable(films.layout)}")
    print_tree(films.tree, what="films")
    print_left_out(films.left_out)
    print_doubts(films.doubts, confirmed=films.reading.confirmed)


def _progress() -> Callable[[int, int, int], None]:
    """A line with films done, frames a second and the time left, only on a terminal."""
    looked, told = 0, 0.0
    bar = progress_bar("taking pictures of films", lambda seconds: f", {looked / max(seconds, 0.1):.3g} frames/s")

    def show(done: int, total: int, samples: int) -> None:
        nonlocal looked, told
        looked = samples
        if done == total or time.monotonic() - told >= _TELL_SECONDS:
            told = time.monotonic()
            bar(done, total)

    return show
