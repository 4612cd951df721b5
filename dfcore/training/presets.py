"""Presets: named sets of training settings that were found by measurement, see `benchmarks/recipes.md`."""

from dataclasses import dataclass
from typing import Any

from dfcore.errors import InputError


@dataclass(frozen=True)
class Preset:
    """One preset.

    Attributes:
        name: what the command line calls it.
        title: what people read.
        summary: what it is for, in one sentence.
        values: settings for `dfcore.training.config.make_config`; whatever is not named keeps its default.
    """

    name: str
    title: str
    summary: str
    values: dict[str, Any]


# Nothing is chosen on validation, so that it can tell what calibration and thresholds are worth.
_COMMON: dict[str, Any] = {
    "weights": "imagenet",
    "early_stopping": "off",
    "validation_share": 0.06,
    "cross_validation": "content",
    "tta_flip": True,
}
# For the whole network; where the head alone learns, its own constant rate counts.
_RATES: dict[str, Any] = {"schedule": "cosine", "warmup_epochs": 1, "lr": 3e-4}
PRESETS = (
    Preset(
        "small",
        "Small images (32 to 64 px)",
        "For thumbnails and data sets like CIFAKE: every pixel is looked at, at all depths of the network.",
        _COMMON
        | _RATES
        | {
            "arch": "mobilenetv2_multiscale_fine",
            "image_size": 32,
            "epochs": 14,
            "freeze_epochs": 2,
            "augmentation": "flip",
            "folds": 5,
        },
    ),
    Preset(
        "faces",
        "Faces (about 256 px)",
        "For portraits of one face: learns from random crops at full resolution, and from full faces at the end.",
        _COMMON
        | _RATES
        | {
            "arch": "mobilenetv2_multiscale",
            "image_size": 256,
            "resize": "fit_crop",
            "epochs": 16,
            "full_image_epochs": 4,
            "freeze_epochs": 1,
            "augmentation": "flip,random_crop,jpeg:strong",
            "folds": 5,
        },
    ),
    Preset(
        "photographs",
        "Photographs of any size",
        "For a few hundred images of several generators: only the head learns, and each generator is held out once to "
        "see what the scores are worth on one that is not known.",
        _COMMON
        | {
            "arch": "mobilenetv2_multiscale",
            "image_size": 224,
            "resize": "fit_crop",
            "epochs": 8,
            "freeze_epochs": 8,
            "augmentation": "flip",
            "dropout": 0.5,
            "cross_validation": "group",
            "validation_share": 0.1,
            "test_share": 0.0,
        },
    ),
)


def names() -> tuple[str, ...]:
    """All presets."""
    return tuple(preset.name for preset in PRESETS)


def get(name: str) -> Preset:
    """Looks a preset up.

    Raises:
        InputError: naming those that there are.
    """
    result = next((preset for preset in PRESETS if preset.name == name), None)
    if result is None:
        raise InputError(f"Expected a preset out of {', '.join(names())}. Received: {name!r}.")
    return result
