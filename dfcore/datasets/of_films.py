"""What a data set of pictures of films says of itself, see `dfcore.films.dataset`."""

from pathlib import Path

from dfcore.datasets.scan_listing import FILMS_LEFT_OUT, OF_FILMS
from dfcore.utils.files import read_json
from dfcore.utils.texts import counted, printable

_MOST, _LONGEST = 20, 600


def told(folder: Path) -> tuple[list[str], list[str]]:
    """Notes on how a data set was made of films, and doubts about how the films were read; none where it was not."""
    if not (folder / OF_FILMS).is_file():
        return [], []
    try:
        values = read_json(folder / OF_FILMS)
        films = sum(bool(taken[2]) for taken in values["films"].values())
        notes = [f"Pictures of {counted(films, 'film', 'films')}: {printable(values['said'])[:_LONGEST]}."]
        if left_out := len(values["left_out"]):
            these = counted(left_out, "film or file", "films or files")
            notes.append(f"{these} gave no pictures, or not all: {FILMS_LEFT_OUT} says why.")
        return notes, [printable(text)[:_LONGEST] for text in values["doubts"][:_MOST]]
    except (OSError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return [f"{OF_FILMS} is damaged ({type(error).__name__}): how these pictures were made is not known."], []
