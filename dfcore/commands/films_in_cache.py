"""Measuring on a folder of films: pictures are taken of them first, into the cache."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dfcore import workspace
from dfcore.commands import frames
from dfcore.errors import InputError
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    from dfcore.datasets.reading import Reading


@contextmanager
def pictures_of(options: argparse.Namespace, reading: "Reading") -> Iterator[Path | None]:
    """Takes pictures of the films in `data_root`, where it holds films and no image; tells on stderr what it does.

    They stay at least as long as this is entered. What is old in the cache goes, whatever `data_root` holds.

    Args:
        options: With data_root, and those of `frames.add_options`.
        reading: How the folder is to be read.

    Yields:
        The data set of pictures; None if `data_root` holds no films alone.

    Raises:
        InputError: If faces were asked for and it does not.
        DfcoreError: If the films cannot be understood, or give no picture.
    """
    from dfcore.datasets.films import holds_only_films, read_films
    from dfcore.films.dataset.cached import make_room, place

    if not holds_only_films(options.data_root):
        given = ", ".join(frames.given(options))
        if given:
            raise InputError(
                f"Expected a folder of films with {given}. Received: {options.data_root}, which holds images, or no "
                "film."
            )
        make_room(workspace.cache_dir())
        yield None
        return
    settings = frames.settings_of(options)
    films = read_films(options.data_root, reading=reading)
    with place(films, settings) as out:
        _tell(f"{films.root} holds {len(films.usable):,} films. Of each it takes {settings.in_words()}, into {out}.")
        for text in (*films.notes, *films.doubts):
            _tell(text)
        made = frames.taken(films, out, settings)
        _tell(f"{made.pictures:,} pictures of {made.films:,} films{', which were there' if made.was_there else ''}.")
        if made.left_out:
            frames.print_left_out_films(made, file=sys.stderr)
        yield made.folder


def _tell(text: str) -> None:
    print(printable(f"dfcore: {text}"), file=sys.stderr)
