"""Fakes of our own making: marked by a notice in their folder, so that wherever they are used it can be said.

A folder with a file `SELF-MADE.txt` holds fakes that this workbench made of real pictures. A detector that learns from
them learns the traces of a few decoders; figures on them say nothing about images of generators.
"""

from dataclasses import replace
from pathlib import Path, PurePosixPath

import pandas as pd

from dfcore.datasets.dataset import LeftOut
from dfcore.labels import FAKE

NOTICE, MASKS = "SELF-MADE.txt", "masks"


def marked(root: Path, table: pd.DataFrame) -> pd.Series:
    """Which rows are self-made fakes: bool with the index of `table`, which has columns path and label."""
    known: dict[PurePosixPath, bool] = {}

    def noted(folder: PurePosixPath) -> bool:
        if folder not in known:
            above = folder != folder.parent and noted(folder.parent)
            known[folder] = above or (root / folder / NOTICE).is_file()
        return known[folder]

    below = table.path.map(lambda path: noted(PurePosixPath(path).parent)).astype(bool)
    return below & (table.label == FAKE).fillna(False).astype(bool)


def told(table: pd.DataFrame, made: pd.Series) -> str:
    """What is to be said of the self-made fakes in a data set, as one sentence; empty if there are none.

    Args:
        table: Its usable rows, columns label and group.
        made: Which of them are self-made fakes.
    """
    count, fakes = int(made.sum()), int((table.label == FAKE).sum())
    if not count:
        return ""
    kinds = table.group[made].value_counts(sort=False).sort_index()
    named = f" ({', '.join(f'{kind} {number:,}' for kind, number in kinds.items())})" if len(kinds) else ""
    some = f"All {count:,} fakes are" if count == fakes else f"{count:,} of the {fakes:,} fakes are"
    return (
        f"{some} self-made{named}: real pictures that went through decoders, not images of generators. Figures on them "
        "say nothing about other fakes."
    )


def settled(root: Path, left: LeftOut) -> LeftOut:
    """Something left out; the masks beside self-made fakes are no pictures that may be missed."""
    own = PurePosixPath(left.path).name == MASKS and (root / left.path).with_name(NOTICE).is_file()
    return replace(left, missed=False) if own else left
