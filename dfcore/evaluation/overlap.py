"""How many of the measured images a detector was trained on, and its figures on the rest."""

from typing import Any

import pandas as pd

from dfcore.detectors.trained_on import Seen
from dfcore.evaluation.metrics import METRICS, evaluate_scores, summary

# Key of each count in the result, {key: which images}.
_COUNTS = {
    "train": Seen.TRAIN, "like_train": Seen.LIKE_TRAIN,
    "validation": Seen.VALIDATION, "like_validation": Seen.LIKE_VALIDATION,
}  # fmt: skip


def overlap(table: pd.DataFrame, threshold: float) -> dict[str, Any]:
    """Counts the images that a detector was trained on, and measures it on the rest.

    Args:
        table: Predictions with columns label, score and trained_on (values of `Seen`).
        threshold: Threshold of the two-way decision.

    Returns:
        "known": whether the detector's bundle lists its training images; if so also "images", the number of measured
        images; "train", "validation", "like_train" and "like_validation", the numbers of those that are, or look like,
        images of these splits; and "unseen": number and summary metrics of the rest, None if nothing was found.
    """
    seen = table.get("trained_on")
    if seen is None or (seen == Seen.UNKNOWN).any():
        return {"known": False}
    found = seen != Seen.NOT_FOUND
    counts = {key: int((seen == value).sum()) for key, value in _COUNTS.items()}
    unseen = None
    if found.any():
        rest = table[~found]
        result = evaluate_scores(rest.label.astype(int), rest.score, threshold)
        unseen = {key: result[key] for key in ("images", "real", "fake", *(metric.key for metric in summary()))}
    return {"known": True, "images": len(table)} | counts | {"unseen": unseen}


def found(result: dict[str, Any]) -> int:
    """Number of images found among those that the detector was trained on, or that look like one of them."""
    return sum(result.get(key, 0) for key in _COUNTS)


def cell(result: dict[str, Any] | None, *, same_data: bool = False) -> str:
    """What an `overlap` says, short enough for a table: "60 of 240", "none found", "unknown", "yes".

    Args:
        result: From `overlap`; None for measurements of version 0.5 and earlier.
        same_data: Whether the data set's fingerprint is that of the training data.
    """
    if result is None or not result["known"]:
        return "yes" if same_data else "unknown"
    count = found(result)
    return f"{count:,} of {result['images']:,}" if count else "none found"


def in_words(result: dict[str, Any] | None, *, same_data: bool = False) -> str:
    """What an `overlap` means for the figures, in a few sentences; arguments as for `cell`."""
    if result is None or not result["known"]:
        return (
            "It is unknown which images this detector was trained on: its bundle does not list them."
            + (" But this is the data set that it was trained on." if same_data else "")
        )  # fmt: skip
    count = found(result)
    if not count:
        return (
            f"Neither these {result['images']:,} images nor re-saved, resized or mirrored copies of them were found "
            "among those that the detector was trained on."
        )
    parts = [text.format(f"{result[key]:,}") for key, text in _PARTS.items() if result[key]]
    verb = "flatter" if result["train"] or result["like_train"] else "are somewhat optimistic"
    return f"Of {result['images']:,} images {_joined(parts)}: the figures {verb}. {_rest(result['unseen'])}"


_PARTS = {
    "train": "{} were trained on",
    "like_train": "{} look like ones that were trained on",
    "validation": "{} were used to tune the detector (validation split)",
    "like_validation": "{} look like ones that were used to tune it",
}


def _joined(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _rest(unseen: dict[str, Any]) -> str:
    if not unseen["images"]:
        return "There are no others."
    metrics = METRICS["roc_auc"], METRICS["balanced_accuracy"]
    figures = ", ".join(f"{metric.title} {metric.shown(unseen[metric.key])}" for metric in metrics)
    return f"On the other {unseen['images']:,} ({unseen['real']:,} real, {unseen['fake']:,} fake): {figures}."
