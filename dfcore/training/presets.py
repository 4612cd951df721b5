"""Presets: named sets of training settings, chosen by experiments; see `benchmarks/presets.md`."""

from dataclasses import dataclass
from typing import Any

from dfcore.errors import InputError


@dataclass(frozen=True)
class Preset:
    """A named set of training settings.

    Attributes:
        name: Name on the command line.
        title: Display name.
        summary: Its purpose, in one sentence.
        values: Settings for `dfcore.training.config.make_config`; others keep their defaults.
    """

    name: str
    title: str
    summary: str
    values: dict[str, Any]


# Nothing is selected on the validation split, so that it can be used to evaluate calibration and thresholds.
_COMMON: dict[str, Any] = {
    "weights": "imagenet",
    "early_stopping": "off",
    "validation_share": 0.06,
    "cross_validation": "content",
    "tta_flip": True,
}
# For training the whole network; if only the head is trained, the constant `head_lr` is used.
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
        "For photographs of anything from several sources: only the head on CLIP learns, in seconds, and each source "
        "is held out once to see what the scores are worth on one that is not known.",
        {
            "arch": "clip_vit_b16",
            "weights": "shipped",
            "image_size": 224,
            "resize": "fit_crop",
            "views": "native",
            "view_heads": "own",
            "handled": 1,
            "late_weight": 0.2,
            "early_stopping": "off",
            "cross_validation": "source",
            "validation_share": 0.1,
            "test_share": 0.0,
        },
    ),
)


def names() -> tuple[str, ...]:
    """Names of all presets."""
    return tuple(preset.name for preset in PRESETS)


def get(name: str) -> Preset:
    """Returns a preset by name.

    Raises:
        InputError: If there is no such preset.
    """
    result = next((preset for preset in PRESETS if preset.name == name), None)
    if result is None:
        raise InputError(f"Expected a preset out of {', '.join(names())}. Received: {name!r}.")
    return result
