"""Names of version 0.4 and earlier: the one place that still knows them.

Cards, runs, predictions and saved models of earlier versions are read for good. Old spellings on the command line are
accepted for one version, with a hint.
"""

from collections.abc import Callable, Mapping
from typing import Any

# Layers in saved models: name that the file holds -> class of today.
LAYERS = {"Statistics": "MeanStdPooling"}
ARCHITECTURES = {
    "mobilenetv2_levels": "mobilenetv2_multiscale",
    "mobilenetv2_levels_fine": "mobilenetv2_multiscale_fine",
}
AUGMENTATIONS = {"patch": "random_crop"}
# Settings of a training run.
SETTINGS = {"head_epochs": "freeze_epochs", "whole_epochs": "full_image_epochs", "mirrored": "tta_flip"}
CARD = {"mirrored": "tta_flip", "operating": "decision_thresholds", "known": "ood", "fast": "openvino"}
OPENVINO_RECORD = {"taken": "enabled", "steady": "thread_invariant", "evidence": "gradcam_difference"}
# Shares of the three-way answers.
THREE_WAY = {
    "false_alarms": "fpr",
    "misses": "fnr",
    "undecided": "abstention_rate",
    "unlike": "ood_rate",
    "accuracy_decided": "selective_accuracy",
}
ROBUSTNESS = {"undecided": "abstention_rate"}
# What stood beside the figures of one image set in a card's list of measurements.
MEASURED = {
    "false_alarms": "three_way_fpr",
    "misses": "three_way_fnr",
    "undecided": "abstention_rate",
    "unlike": "ood_rate",
    "false_alarms_if_insisted": "fpr_ignoring_ood",
}
PREDICTIONS = {"unlike": "is_ood"}
COMMANDS = {"quicken": "optimize", "matrix": "cross-eval"}
OPTIONS = {
    "--insist": "--ignore-ood",
    "--false-alarms": "--max-fpr",
    "--false_alarms": "--max-fpr",
    "--misses": "--max-fnr",
    "--most": "--max-images",
    "--mirrored": "--tta-flip",
    "--no-mirrored": "--no-tta-flip",
    "--head-epochs": "--freeze-epochs",
    "--head_epochs": "--freeze-epochs",
    "--whole-epochs": "--full-image-epochs",
    "--whole_epochs": "--full-image-epochs",
}


def rename_keys(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The same mapping with old keys under their names of today; a key of today counts before an old one."""
    return {names.get(key, key): value for key, value in values.items() if names.get(key) not in values}


def renamed(**names: str) -> Callable[[Any], Any]:
    """What a pydantic model runs before it validates, so that it reads old names of its fields too."""

    def rename(values: Any) -> Any:
        return rename_keys(values, names) if isinstance(values, Mapping) else values

    return rename


def metrics(values: Any) -> Any:
    """The metrics of one split, as any version wrote them."""
    if not isinstance(values, Mapping):
        return values
    result = dict(values)
    if isinstance(result.get("three_way"), Mapping):
        result["three_way"] = rename_keys(result["three_way"], THREE_WAY)
    if isinstance(result.get("robustness"), list):
        result["robustness"] = [robustness(row) for row in result["robustness"]]
    return result


def robustness(row: Any) -> Any:
    """One row of a robustness table, as any version wrote it."""
    return rename_keys(row, ROBUSTNESS) if isinstance(row, Mapping) else row


def measured(row: Any) -> Any:
    """One row of a card's list of measurements, as any version wrote it."""
    return rename_keys(row, MEASURED) if isinstance(row, Mapping) else row


def settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a training run, as any version wrote them."""
    result = rename_keys(values, SETTINGS)
    if "arch" in result:
        result["arch"] = architecture(result["arch"])
    if isinstance(result.get("augmentation"), str):
        result["augmentation"] = augmentation(result["augmentation"])
    return result


def architecture(name: Any) -> Any:
    """An architecture's name of today."""
    return ARCHITECTURES.get(name, name) if isinstance(name, str) else name


def augmentation(text: str) -> str:
    """An augmentation, its parts under their names of today."""

    def word(part: str) -> str:
        name, mark, strength = part.partition(":")
        return AUGMENTATIONS.get(name.strip().lower(), name) + mark + strength

    return (
        ",".join(word(part) for part in text.split(",")) if any(old in text.lower() for old in AUGMENTATIONS) else text
    )


def arguments(given: list[str]) -> tuple[list[str], list[str]]:
    """Arguments of the command line with old spellings replaced, and a hint for each."""
    result, hints = [], []
    for place, word in enumerate(given):
        option, mark, value = word.partition("=")
        new = OPTIONS.get(option) or (COMMANDS.get(word) if place == 0 else None)
        if new:
            hints.append(f"'{option}' is called '{new}' now; the old name goes with the next version.")
            word = new + mark + value
        result.append(word)
    return result, hints
