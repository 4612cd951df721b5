"""Which column of a table means what: by its name, by what a user said, and, for paths, by what it leads to."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import pandas as pd

from dfcore.datasets.words import parse_label, parse_split, read_name
from dfcore.errors import LayoutError
from dfcore.labels import FAKE, REAL

PATHS = """path file_path filepath file_name filename file image_path img_path image_file image_name img_name image img
    relative_path rel_path fname name image_id img_id video_path video_name videoname video video_id clip uri url src
    key id"""
LABELS = """label labels class class_name classname target targets label_str label_name label_text category y gt
    ground_truth groundtruth truth verdict answer annotation binary_label type"""
# With one of these names, a column of two values is meant to hold the labels.
MEANT = "label labels class target is_fake is_real fake real binary_label"
SPLITS = "split splits set subset partition phase usage dataset_split data_split split_name fold"
GROUPS = """group generator generator_name gen model model_name method manipulation manipulation_type
    manipulation_method forgery forgery_type"""
SOURCES = """source_id video video_id video_name clip clip_id source_video original original_id original_video identity
    identity_id person person_id subject_id youtube_id source_image"""
FILMS = "film film_path film_name video video_path video_name video_id clip clip_id clip_name"


def plain(name: str) -> str:
    """A column's name in small letters with underscores: "File Name", "fileName" and "file-name" are file_name."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def named(columns: Iterable[str], names: str) -> list[str]:
    """The columns with one of the names, in the order of the names."""
    by_name: dict[str, str] = {}
    for column in columns:
        by_name.setdefault(plain(column), column)
        by_name.setdefault(plain(column).replace("_", ""), column)
    found = [by_name[name] for name in names.split() if name in by_name]
    return list(dict.fromkeys(found))


def label_names(columns: Iterable[str]) -> list[str]:
    """The columns that are named like labels: label, class, "Real or Fake"."""
    columns = list(columns)
    both = [column for column in columns if {"real", "fake"} <= {*plain(column).split("_")}]
    return list(dict.fromkeys([*named(columns, LABELS), *both]))


def chosen(columns: Iterable[str], said: Mapping[str, str], key: str) -> str | None:
    """The column that a user named for something, in any letter case; None where nothing was said.

    Raises:
        LayoutError: If there is no such column.
    """
    if key not in said:
        return None
    columns = list(columns)
    for column in columns:
        if column == said[key] or plain(column) == plain(said[key]):
            return column
    raise LayoutError(
        f"Expected the column {said[key]} for {key}, as was said. Received: {', '.join(columns) or 'no columns'}."
    )


@lru_cache(maxsize=1000)
def direction(column: str) -> int | None:
    """The class that a yes in a column means, by its name: is_fake, fake, AI generated; is_real, authentic."""
    name = read_name(re.sub(r"^(is|was)_", "", plain(column)))
    return name.label if not name.rest and (name.strong or name.label == FAKE) else None


def word_share(cells: "pd.Series[str]", *, strong: bool = False) -> float:
    """The share of cells that are words for a class, of those that are not empty."""
    filled = cells[cells.str.strip() != ""]
    if filled.empty:
        return 0.0
    counts = filled.value_counts()
    known = sum(int(count) for value, count in counts.items()
                if parse_label(value) is not None and (not strong or read_name(str(value)).strong))  # fmt: skip
    return known / len(filled)


def split_column(table: pd.DataFrame) -> str | None:
    """The column that names splits."""
    for name in named(table.columns, SPLITS):
        if any(parse_split(value) for value in table[name].unique()):
            return name
    return None


_MOST_GENERATORS = 100
_YES = {"1", "true", "yes", "y", "t"}
_NO = {"0", "false", "no", "n", "f", "-1"}


def yes_or_no(value: str) -> bool | None:
    """What a cell of a column such as `is_fake` says."""
    text = number_text(value)
    return True if text in _YES else False if text in _NO else None


def number_text(value: object) -> str:
    """A cell for comparison: "1.0" and " 1 " are 1, letter case does not matter."""
    text = str(value).strip().casefold()
    whole = re.fullmatch(r"([+-]?\d+)\.0*", text)
    return whole[1] if whole else text


def labels_by_direction(cells: "pd.Series[str]", column: str) -> list[int | None] | None:
    """Labels by a column that says yes or no to one class; None where it does not."""
    means = direction(column)
    if means is None:
        return None
    said = {value: yes_or_no(value) for value in cells.unique() if value.strip()}
    if not said or None in said.values():
        return None
    other = FAKE if means == REAL else REAL
    result = {value: (means if yes else other) for value, yes in said.items()}
    return [result.get(value) for value in cells]


def labels_by_generator(cells: "pd.Series[str]") -> list[int | None] | None:
    """Labels by a column of known generators beside a word for real; None where it is none."""
    labels: dict[str, int] = {}
    names = {value: read_name(value) for value in cells.unique()} if cells.nunique() <= _MOST_GENERATORS else {}
    if not any(name.generator for name in names.values()):
        return None
    for value, name in names.items():
        if name.generator or (name.label is not None and not name.rest and name.strong):
            labels[value] = FAKE if name.generator else int(name.label or 0)
        elif value.strip():
            return None
    return [labels.get(value) for value in cells] if {*labels.values()} == {REAL, FAKE} else None
