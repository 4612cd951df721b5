"""Recipes: named sets of training settings that were found by measurement, see `benchmarks/recipes.md`."""

from dataclasses import dataclass
from typing import Any

from dfcore.errors import InputError


@dataclass(frozen=True)
class Preset:
    """One recipe.

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


_COMMON = {"weights": "imagenet", "early_stopping": "off", "schedule": "cosine", "head_epochs": 2}
PRESETS = (
    Preset(
        "small",
        "Small images (32 to 64 px)",
        "For thumbnails and data sets like CIFAKE.",
        _COMMON
        | {"arch": "mobilenetv2_levels_fine", "image_size": 32, "epochs": 8, "lr": 3e-4, "augmentation": "flip"},
    ),
)


def names() -> tuple[str, ...]:
    """All recipes."""
    return tuple(preset.name for preset in PRESETS)


def get(name: str) -> Preset:
    """Looks a recipe up.

    Raises:
        InputError: naming those that there are.
    """
    found = next((preset for preset in PRESETS if preset.name == name), None)
    if found is None:
        raise InputError(f"Expected a recipe out of {', '.join(names())}. Received: {name!r}.")
    return found
