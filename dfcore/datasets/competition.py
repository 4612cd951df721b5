"""The competition's JSON files of labels beside its folders of images; the folders decide."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from dfcore.datasets.walk import walk
from dfcore.datasets.words import parse_label
from dfcore.utils.texts import printable, storable

SUFFIX = "_cifake_preds.json"


@dataclass(frozen=True)
class LabelFile:
    """A file of labels, compared with its folder.

    Attributes:
        name: Its name, safe to print.
        entries: Number of its labels.
        contradicted: Paths of images whose folder says otherwise.
        missing: Number of images that only one of the two names.
        problem: Why it could not be read; empty if it was.
    """

    name: str
    entries: int = 0
    contradicted: list[str] = field(default_factory=list)
    missing: int = 0
    problem: str = ""

    def notes(self) -> Iterator[str]:
        """What a person should know of it, one sentence each."""
        if self.problem:
            yield f"{self.name} could not be read ({self.problem})."
        if self.contradicted:
            wrong = len(self.contradicted)
            yield f"{wrong} of {self.entries} labels in {self.name} contradict the folder; the folder counts."
        if self.missing:
            yield f"{self.name} and its folder do not name the same images ({self.missing} differ)."


def label_files(root: Path, table: pd.DataFrame) -> Iterator[LabelFile]:
    """Compares each file of labels under a folder with the images of its class, `Dataset.table`."""
    for file in sorted(path for path in walk(root) if path.name.lower().endswith(SUFFIX)):
        name = printable(storable(file.name))
        kind = storable(file.name).lower().removesuffix("_preds.json")
        folder = table[table.path.str.lower().str.contains(f"{kind}_images/", regex=False)]
        numbers = [PurePosixPath(path).stem for path in folder.path]
        known = dict(zip(numbers, zip(folder.path, folder.label, strict=True), strict=True))
        try:
            entries = json.loads(file.read_text(encoding="utf-8"))
            told = {str(entry["index"]): parse_label(entry["prediction"]) for entry in entries}
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            yield LabelFile(name, problem=f"{type(error).__name__}: {error}")
            continue
        wrong = [known[number][0] for number, label in told.items() if number in known and known[number][1] != label]
        yield LabelFile(name, len(told), wrong, len(set(known) ^ set(told)))
