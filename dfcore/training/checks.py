"""Checks of a training configuration that involve several fields; pydantic checks single fields."""

from typing import Any

from dfcore import architectures
from dfcore.datasets import augment
from dfcore.errors import ConfigError
from dfcore.imaging.preprocess import MIN_SIZE, parse_views
from dfcore.towers import clip

# With weights that ship only the head learns, which has one best solution: there are no epochs to choose from.
SOLVED_AT_ONCE: dict[str, Any] = {"epochs": 1, "freeze_epochs": 1, "early_stopping": "off"}
# Blocks of the tower that a head learns from, unless other ones are asked for; chosen by leaving whole sources out.
FIRST_BLOCK, LAST_BLOCK = 4, 8


def misfits(values: dict[str, Any]) -> list[str]:
    """Lists settings that are incompatible with the architecture or with each other.

    Invalid values of single fields are ignored here: they are reported by pydantic.
    """
    problems = _views(values)
    name = values.get("arch", "cnn")
    if name not in architectures.names():
        return problems
    architecture = architectures.get(name)
    size = architecture.image_size if values.get("image_size") is None else values["image_size"]
    if str(size).isdecimal() and MIN_SIZE <= int(size) < architecture.min_size:
        problems.append(f"image_size: expected at least {architecture.min_size} for {name}. Received: {size!r}")
    problems += _small_crops(values, architecture, size)
    if not architecture.any_size and "random_crop" in str(values.get("augmentation", "")).lower():
        text = ", ".join(other for other in architectures.names() if architectures.get(other).any_size)
        problems.append(
            f"augmentation: random_crop needs one of {text}, not {name}. Received: {values['augmentation']!r}"
        )
    early = values.get("early_stopping", "off" if values.get("weights") == "shipped" else "auc")
    if values.get("cross_validation") in ("content", "group", "source") and early != "off":
        problems.append(
            "early_stopping: expected off with cross-validation: the images that a fold holds out would choose its "
            f"best epoch. Received: {early!r}"
        )
    if values.get("weights") == "shipped":
        problems += _on_tower(values, architecture, size)
    if values.get("weights") == "imagenet" and not architecture.pretrained:
        offered = ", ".join(other for other in architectures.names() if architectures.get(other).pretrained)
        problems.append(f"weights: there are ImageNet weights for {offered} only, not for {name}. Received: 'imagenet'")
    return problems


def _on_tower(values: dict[str, Any], architecture: architectures.Architecture, size: Any) -> list[str]:
    """Reports what does not go with weights that ship."""
    name, problems = architecture.name, []
    if architecture.tower is None:
        offered = ", ".join(other for other in architectures.names() if architectures.get(other).tower)
        problems.append(f"weights: weights ship for {offered} only, not for {name}. Received: 'shipped'")
    elif size != architecture.image_size:
        problems.append(
            f"image_size: expected {architecture.image_size} with the weights that ship for {name}. Received: {size!r}"
        )
    first, last = values.get("first_block", FIRST_BLOCK), values.get("last_block", LAST_BLOCK)
    if all(str(number).isdecimal() for number in (first, last)) and int(first) > int(last):
        problems.append(f"first_block: expected at most last_block, {last}. Received: {first!r}")
    late = values.get("late_weight")
    if late and str(last) == str(clip.BLOCKS):
        problems.append(f"late_weight: expected 0 where last_block is the last there is. Received: {late}")
    if late and values.get("view_heads") != "own":
        problems.append(
            "late_weight: expected 0 unless view_heads is own, with a head for each view: late blocks are for the "
            f"first view alone. Received: {late}"
        )
    if values.get("loss", "binary") != "binary":
        problems.append(f"loss: expected binary with weights that ship. Received: {values['loss']!r}")
    for field, only in SOLVED_AT_ONCE.items():
        if values.get(field, only) != only:
            problems.append(
                f"{field}: expected {only} with weights that ship: the head is solved for at once. Received: "
                f"{values[field]!r}"
            )
    return problems


def _views(values: dict[str, Any]) -> list[str]:
    """Reports views that the first one shows already, and heads that the loss leaves no room for."""
    text = values.get("views", "")
    views, problems = parse_views(str(text)), []
    if values.get("resize") == "native_crop" and "native" in views:
        problems.append(f"views: native is what resize=native_crop sees already. Received: {text!r}")
    if views and values.get("view_heads") == "own" and values.get("loss", "binary") != "binary":
        problems.append(
            "view_heads: expected shared with categorical loss, whose two logits judge all views. Received: 'own'"
        )
    return problems


def _small_crops(values: dict[str, Any], architecture: architectures.Architecture, size: Any) -> list[str]:
    """Reports random crops that are too small for the architecture although full images are not."""
    text = str(values.get("augmentation", ""))
    try:
        side = augment.random_crop_side(text, int(size)) if augment.has_random_crop(text) else None
    except (ConfigError, TypeError, ValueError):
        return []  # Reported by the check of the field.
    if side is None or not architecture.any_size or side >= architecture.min_size or int(size) < architecture.min_size:
        return []
    return [
        f"augmentation: expected random crops of at least {architecture.min_size} pixels for {architecture.name}; of "
        f"{size} pixels they have {side}. Received: {text!r}"
    ]
