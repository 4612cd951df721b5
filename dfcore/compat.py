"""Names from version 0.4 and earlier, known only to this module.

Cards, runs, predictions and saved models of earlier versions remain readable. Old command-line spellings are accepted
for one version, with a hint.
"""

from collections.abc import Callable, Mapping
from typing import Any

# Layers in saved models: stored class name -> current class name.
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
# Rates of the three-way decision.
BUDGET = {"false_alarms": "max_fpr", "misses": "max_fnr"}
THRESHOLDS = {"undecided": "abstention_rate"}
THREE_WAY = {
    "false_alarms": "fpr",
    "misses": "fnr",
    "undecided": "abstention_rate",
    "unlike": "ood_rate",
    "accuracy_decided": "selective_accuracy",
}
ROBUSTNESS = {"undecided": "abstention_rate"}
# Extra keys in a card's list of measurements.
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

# Options of newer commands that had another meaning in older ones.
NEW_OPTIONS = {"adopt": ("--insist",), "faces": ("--most",)}


def rename_keys(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Returns a copy with old keys renamed; where both are present, the current key wins."""
    return {names.get(key, key): value for key, value in values.items() if names.get(key) not in values}


def renamed(**names: str) -> Callable[[Any], Any]:
    """Returns a pydantic "before" validator that accepts old field names."""

    def rename(values: Any) -> Any:
        return rename_keys(values, names) if isinstance(values, Mapping) else values

    return rename


def metrics(values: Any) -> Any:
    """Renames old keys in the metrics of one split."""
    if not isinstance(values, Mapping):
        return values
    result = dict(values)
    if isinstance(result.get("three_way"), Mapping):
        result["three_way"] = rename_keys(result["three_way"], THREE_WAY)
    if isinstance(result.get("robustness"), list):
        result["robustness"] = [robustness(row) for row in result["robustness"]]
    return result


def robustness(row: Any) -> Any:
    """Renames old keys in one row of a robustness table."""
    return rename_keys(row, ROBUSTNESS) if isinstance(row, Mapping) else row


def measured(row: Any) -> Any:
    """Renames old keys in one row of a card's list of measurements."""
    return rename_keys(row, MEASURED) if isinstance(row, Mapping) else row


def prediction(row: dict[str, Any]) -> dict[str, Any]:
    """A row of predictions: up to 0.6 `label` was the side of one threshold, whether or not anything was decided."""
    if "label" not in row or "threshold" in row:
        return row
    return row | {"side": row["label"], "label": row["label"] if row["label"] == row.get("verdict") else None}


def settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Renames old keys and values in the settings of a training run."""
    result = rename_keys(values, SETTINGS)
    if "arch" in result:
        result["arch"] = architecture(result["arch"])
    if isinstance(result.get("augmentation"), str):
        result["augmentation"] = augmentation(result["augmentation"])
    return result


def architecture(name: Any) -> Any:
    """Returns an architecture's current name."""
    return ARCHITECTURES.get(name, name) if isinstance(name, str) else name


def augmentation(text: str) -> str:
    """Renames old steps in an augmentation string."""

    def step(part: str) -> str:
        name, colon, strength = part.partition(":")
        return AUGMENTATIONS.get(name.strip().lower(), name) + colon + strength

    return (
        ",".join(step(part) for part in text.split(",")) if any(old in text.lower() for old in AUGMENTATIONS) else text
    )


def arguments(given: list[str]) -> tuple[list[str], list[str]]:
    """Replaces old spellings in command-line arguments; returns the new arguments and one hint per replacement."""
    result, hints = [], []
    for position, argument in enumerate(given):
        option, equals, value = argument.partition("=")
        new = OPTIONS.get(option) or (COMMANDS.get(argument) if position == 0 else None)
        if new and option not in NEW_OPTIONS.get(given[0], ()):
            hints.append(f"'{option}' is now '{new}'; the old name will be removed in the next version.")
            argument = new + equals + value
        result.append(argument)
    return result, hints
