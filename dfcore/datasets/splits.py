"""Draws train, validation and test where the folders do not give them.

Images that belong together (the same pixels, or one `source_id`) always land in the same split. The draw depends only
on content and seed, not on file names or order, and keeps the share of each class and group.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from dfcore.datasets.dataset import Dataset
from dfcore.datasets.layouts import SPLITS, TEST, TRAIN, VALIDATION
from dfcore.datasets.units import units
from dfcore.errors import DatasetError
from dfcore.labels import FAKE, NAMES, REAL
from dfcore.utils.files import sha256_bytes

LABELS = (REAL, FAKE)


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
    if not usable.any():
        return dataset.with_table(table)
    unit = units(table[usable])
    if given:
        # What belongs to an image whose split is given goes where that one is.
        with_split = table[usable & table.split.notna()].assign(unit=unit)
        given_by_unit = with_split.drop_duplicates("unit").set_index("unit").split
        related = usable & table.split.isna() & unit.reindex(table.index).isin(given_by_unit.index)
        table.loc[related, "split"] = unit[related[usable]].map(given_by_unit)
    unsplit = usable & table.split.isna()
    if unsplit.any():
        table.loc[unsplit, "split"] = _draw(table[unsplit], unit, policy.validation, policy.test, policy.seed)
    elif VALIDATION not in given and TRAIN in given:
        train = usable & (table.split == TRAIN)
        table.loc[train, "split"] = _draw(table[train], unit, policy.validation, 0.0, policy.seed)
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
            f"validation. Received: {text}"
            + (f"; {bad} images that cannot be used." if bad else ".")
            + _few_sources(dataset.usable)
        )


def _few_sources(rows: pd.DataFrame) -> str:
    """A sentence on why a split stays empty where images may not be parted."""
    if rows.empty or rows.source_id.isna().all():
        return ""
    count = units(rows).nunique()
    return (
        f" Its {len(rows)} images come from {count} unrelated source{'s' if count > 1 else ''}, e.g. one video or "
        "person, and images of one source stay in one split."
    )


def _draw(rows: pd.DataFrame, unit: pd.Series, validation: float, test: float, seed: int) -> pd.Series:
    """Draws a split for every row, unit by unit, in an order given by seeded hashes."""
    shares = {TEST: test, VALIDATION: validation}
    plan = _weights(rows.assign(unit=unit.loc[rows.index]), seed)
    drawn = _stratified(plan, shares) if (plan[list(LABELS)].sum(axis=1) == 1).all() else _balanced(plan, shares)
    return unit.loc[rows.index].map(_filled(plan, drawn, shares))


def _weights(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """A row per unit: number of different contents of each class (columns 0, 1), group, and place in the order."""
    contents = rows.drop_duplicates(["unit", "sha256"])
    counts = contents.groupby(["unit", "label"]).size().unstack(fill_value=0)
    plan = counts.reindex(columns=list(LABELS), fill_value=0).astype(int)
    plan["group"] = contents.assign(group=contents.group.fillna("")).groupby("unit").group.min()
    plan["order"] = [sha256_bytes(f"{seed} {name}".encode()) for name in plan.index]
    return plan


def _stratified(plan: pd.DataFrame, shares: dict[str, float]) -> dict[str, str]:
    """Single images: the first of each class and group by hash are held out, as many as their share."""
    drawn: dict[str, str] = {}
    for label in LABELS:
        before = 0
        for _, stratum in plan[plan[label] > 0].groupby("group", sort=True):
            names = stratum.sort_values("order").index.tolist()
            after = before + len(names)
            # Rounded over all groups so far: each by itself could leave nothing for validation.
            n_test = round(shares[TEST] * after) - round(shares[TEST] * before)
            n_held = n_test + round(shares[VALIDATION] * after) - round(shares[VALIDATION] * before)
            for position, name in enumerate(names):
                held = VALIDATION if position < n_held else TRAIN
                drawn[name] = TEST if position < n_test else held
            before = after
    return drawn


def _balanced(plan: pd.DataFrame, shares: dict[str, float]) -> dict[str, str]:
    """Units of several images: each goes where most images of its classes are missing, the largest first."""
    names, sizes = plan.index.tolist(), plan[list(LABELS)].to_numpy(float)
    totals = np.maximum(sizes.sum(axis=0), 1)
    # Of about the same size, by group and hash.
    rank = -np.floor(np.log2(sizes.sum(axis=1)))
    order = plan.assign(rank=rank, number=np.arange(len(plan))).sort_values(["rank", "group", "order"]).number
    targets = {TRAIN: 1 - sum(shares.values()), VALIDATION: shares[VALIDATION], TEST: shares[TEST]}
    wanted = {split: share for split, share in targets.items() if share > 0}
    taken = {split: np.zeros(len(LABELS)) for split in wanted}
    seen = np.zeros(len(LABELS))
    drawn: dict[str, str] = {}
    for number in order:
        size = sizes[number]
        seen += size
        missing = {
            split: float(((share * seen - taken[split]) * size / totals).sum()) for split, share in wanted.items()
        }
        split = max(missing, key=missing.__getitem__)
        taken[split] += size
        drawn[names[number]] = split
    return drawn


def _filled(plan: pd.DataFrame, drawn: dict[str, str], shares: dict[str, float]) -> dict[str, str]:
    """Gives a split that has no image of a class the smallest unit of train that holds one, if train keeps another."""
    for split, label in product((VALIDATION, TEST), LABELS):
        holders = plan[plan[label] > 0]
        places = holders.index.map(drawn)
        if not shares[split] or (places == split).any():
            continue
        spare = holders[places == TRAIN].assign(size=lambda part: part[list(LABELS)].sum(axis=1))
        if len(spare) > 1:
            drawn[str(spare.sort_values(["size", "order"]).index[0])] = split
    return drawn
