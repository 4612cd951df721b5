"""Records on a detector's card what it made of the fakes of a held-out source: the evidence for its words."""

from pathlib import Path
from typing import Any

import pandas as pd

from dfcore import workspace
from dfcore.confidence import HeldOutSource
from dfcore.detectors.bundle import read_card, write_card
from dfcore.detectors.card import Card
from dfcore.detectors.library import is_shipped
from dfcore.detectors.trained_on import Seen
from dfcore.errors import InputError
from dfcore.evaluation.overlap import found
from dfcore.labels import FAKE
from dfcore.utils.files import lock

# Unrelated images can look alike; such a share of a data set is left out, more makes it no held-out source.
_MOST_SEEN = 0.02


def record_source(folder: Path, metrics: dict[str, Any], table: pd.DataFrame) -> Card:
    """Adds a measured data set to the evidence on a card; what was recorded of the same data set is replaced.

    Args:
        folder: The detector's bundle, whose card is written.
        metrics: Metrics of `measure` on the data set.
        table: Predictions of `measure`.

    Returns:
        The card as written.

    Raises:
        InputError: If the data set is no held-out source of this detector, or has no fakes, or the bundle ships.
    """
    card, name = read_card(folder), metrics["dataset"]
    if is_shipped(folder):
        raise InputError(
            f"{card.title} ships with the package and cannot be changed. Copy its folder to {workspace.models_dir()} "
            "and record it there."
        )
    if metrics["same_data_as_training"]:
        raise InputError(
            f"{name} is the data set that {card.title} was trained on. Expected a source held out from it."
        )
    if metrics.get("self_made") or metrics.get("demonstration"):
        raise InputError(
            f"The fakes of {name} are made by this workbench. Expected those of generators: what a detector makes of "
            "others is no evidence for its words."
        )
    seen = metrics["trained_on"]
    if not seen["known"]:
        raise InputError(
            f"{card.title} has no list of its training images, so that nobody can tell whether {name} was held out "
            "from it. Expected a detector of version 0.6 or later."
        )
    if found(seen) > _MOST_SEEN * metrics["images"]:
        raise InputError(
            f"{card.title} was trained on images of {name}, or on some that look like them. Expected a source of which "
            f"it has seen none. Received: {found(seen)} of {metrics['images']:,}."
        )
    fakes = table[(table.label == FAKE) & (table.trained_on == Seen.NOT_FOUND)]
    if fakes.empty:
        raise InputError(f"{name} has no fakes. Expected a source with some, of which a share may look real.")
    source = HeldOutSource.of(name, "another data set", fakes.score, fakes.is_ood, metrics["fingerprint"])
    with lock(Path(folder).parent / ".lock"):  # Of two that record at once neither is to be lost.
        card = read_card(folder)
        card = card.model_copy(update={"words": card.words.plus(source)})
        write_card(folder, card)
    return card
