"""Draws train, validation and test where the folders do not tell them.

Copies of one image (same content) always land in the same split. The draw depends on the content and
the seed alone, not on file names or order, and keeps the share of each class and group.
"""

from dataclasses import dataclass

import pandas as pd

from dfcore.datasets.dataset import Dataset
from dfcore.datasets.layouts import SPLITS, TEST, TRAIN, VALIDATION
from dfcore.errors import DatasetError
from dfcore.labels import NAMES
from dfcore.utils.files import sha256_bytes


@dataclass(frozen=True)
class SplitPolicy:
    """How missing splits are drawn.

    Attributes:
        validation, test: shares of the images that have no split yet, each in [0, 0.5].
        valid_as_test: when the folders have train and validation but no test, keep theirs as the
            test split, untouched, and draw validation from train.
        seed: any integer; the same seed gives the same splits.
    """

    validation: float = 0.15
    test: float = 0.15
    valid_as_test: bool = False
    seed: int = 0


def assign_splits(dataset: Dataset, policy: SplitPolicy = SplitPolicy()) -> Dataset:
    """Gives every usable image a split.

    Images without any split are divided into train, validation and test. Where the folders give
    train and test only, validation is drawn from train. Train and validation without a test split
    stay as they are, unless `policy.valid_as_test`.
    """
    table = dataset.table.copy()
    usable = table.index.isin(dataset.usable.index)
    given = set(table.split[usable].dropna())
    if policy.valid_as_test and VALIDATION in given and TEST not in given:
        table.loc[usable & (table.split == VALIDATION), "split"] = TEST
        given = set(table.split[usable].dropna())
    # A copy of an image whose split is given goes where that one is.
    given_by_content = table[usable & table.split.notna()].drop_duplicates("sha256").set_index("sha256").split
    copies = usable & table.split.isna() & table.sha256.isin(given_by_content.index)
    table.loc[copies, "split"] = table.sha256[copies].map(given_by_content)
    unsplit = usable & table.split.isna()
    if unsplit.any():
        table.loc[unsplit, "split"] = _draw(table[unsplit], policy.validation, policy.test, policy.seed)
    elif VALIDATION not in given and TRAIN in given:
        train = usable & (table.split == TRAIN)
        table.loc[train, "split"] = _draw(table[train], policy.validation, 0.0, policy.seed)
    return dataset.with_table(table)


def require_trainable(dataset: Dataset) -> None:
    """Checks that train and validation both hold both classes.

    Raises:
        DatasetError: with what is there and what is missing.
    """
    counts = dataset.counts().reindex(index=list(SPLITS), fill_value=0)
    missing = [
        f"no {name} images in {split}"
        for split in (TRAIN, VALIDATION)
        for name in NAMES
        if counts.loc[split, name] == 0
    ]
    if missing:
        text = "; ".join(f"{split}: {row['real']} real, {row['fake']} fake" for split, row in counts.iterrows())
        bad = len(dataset.unreadable)
        raise DatasetError(
            f"{dataset.name} cannot be trained on: {', '.join(missing)}. Expected both classes in train and "
            f"validation. Received: {text}" + (f"; {bad} images that cannot be used." if bad else ".")
        )


def _draw(rows: pd.DataFrame, validation: float, test: float, seed: int) -> pd.Series:
    """Draws a split per distinct content, class by class and group by group, by seeded hash order."""
    first = rows.drop_duplicates("sha256").copy()
    first["order"] = [sha256_bytes(f"{seed} {content}".encode()) for content in first.sha256]
    first["group"] = first.group.fillna("")
    drawn: dict[str, str] = {}
    for _, of_class in first.groupby("label", sort=True):
        before = 0
        for _, stratum in of_class.groupby("group", sort=True):
            contents = stratum.sort_values("order").sha256.tolist()
            after = before + len(contents)
            # Rounded over all groups so far: each by itself could leave nothing for validation.
            n_test = round(test * after) - round(test * before)
            n_held = n_test + round(validation * after) - round(validation * before)
            for position, content in enumerate(contents):
                held = VALIDATION if position < n_held else TRAIN
                drawn[content] = TEST if position < n_test else held
            before = after
    return rows.sha256.map(drawn)
