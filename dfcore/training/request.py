"""Validates the settings of a new run, whether from the command line, a form, a file or Python.

Settings that would have no effect are rejected only here, not in the configuration of an existing run.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dfcore import architectures, compat
from dfcore.datasets import TEST, TRAIN, VALIDATION, Dataset, assign_splits, augment, require_trainable, scan
from dfcore.datasets.scan import image_side
from dfcore.errors import ConfigError
from dfcore.training import presets
from dfcore.training.checks import SOLVED_AT_ONCE
from dfcore.training.config import TrainConfig, make_config, suggest
from dfcore.utils import extras


class _Rule(NamedTuple):
    """A setting that has an effect only in combination with others."""

    name: str
    works: Callable[[TrainConfig], bool]
    needs: str


def _trains_backbone(config: TrainConfig) -> bool:
    return not config.pretrained or config.freeze_epochs < config.epochs


# Settings of training step by step.
_OF_STEPS = (
    "epochs", "freeze_epochs", "batch_size", "optimizer", "lr", "head_lr", "schedule", "early_stopping",
    "class_weights", "label_smoothing", "dropout", "augmentation", "tta_flip", "precision",
)  # fmt: skip
_RULES = (
    *(
        _Rule(name, lambda c: not c.on_tower, "other weights than those that ship: on these the head is solved for")
        for name in _OF_STEPS
    ),
    *(
        _Rule(name, lambda c: c.on_tower, "weights=shipped")
        for name in ("handled", "first_block", "last_block", "late_weight", "inverse_penalty")
    ),
    _Rule("pairs", lambda c: c.on_tower and c.view_heads == "own", "weights=shipped, further views and view_heads=own"),
    _Rule("warmup_epochs", lambda c: c.schedule == "cosine", "schedule=cosine"),
    _Rule("weight_decay", lambda c: c.optimizer == "adamw", "optimizer=adamw"),
    _Rule("plateau_patience", lambda c: c.schedule == "plateau", "schedule=plateau"),
    _Rule("patience", lambda c: c.early_stopping != "off", "early_stopping=auc or loss"),
    _Rule("folds", lambda c: c.cross_validation == "content", "cross_validation=content"),
    _Rule("view_heads", lambda c: bool(c.views.strip(" ,")), "further views"),
    _Rule("freeze_epochs", lambda c: c.pretrained, "weights to start from"),
    _Rule("head_lr", lambda c: c.pretrained and c.freeze_epochs > 0, "weights to start from, and freeze_epochs"),
    _Rule("full_image_epochs", lambda c: augment.has_random_crop(c.augmentation), "random_crop in augmentation"),
    _Rule("augmentation", lambda c: not _all_full(c), "fewer full_image_epochs than epochs, else nothing is cropped"),
    *(
        _Rule(name, _trains_backbone, "fewer freeze_epochs than epochs, else the head alone is trained at head_lr")
        for name in ("lr", "schedule", "warmup_epochs")
    ),
)


def _all_full(config: TrainConfig) -> bool:
    return augment.has_random_crop(config.augmentation) and config.full_image_epochs >= config.epochs


def idle(config: TrainConfig) -> dict[str, str]:
    """Names of settings that have no effect, whatever their values, each with what it requires."""
    result: dict[str, str] = {}
    for rule in _RULES:
        if not rule.works(config):
            result.setdefault(rule.name, rule.needs)
    return result


def without_effect(config: TrainConfig) -> dict[str, str]:
    """Like `idle`, but only for settings that differ from their defaults."""
    usual = {name: field.default for name, field in TrainConfig.model_fields.items()}
    if config.on_tower:
        usual |= SOLVED_AT_ONCE
    return {name: needs for name, needs in idle(config).items() if getattr(config, name) != usual[name]}


def idle_on(dataset: Dataset, config: TrainConfig) -> Iterator[tuple[str, str]]:
    """Like `idle`, for settings whose effect depends on the splits that the data set defines."""
    given = set(dataset.usable.split.dropna())
    drawn = bool(dataset.usable.split.isna().any())
    movable = VALIDATION in given and TEST not in given
    if config.valid_as_test and not movable:
        yield "valid_as_test", "folders with train and validation and without test"
    if not drawn and (TRAIN not in given or (VALIDATION in given and not (movable and config.valid_as_test))):
        yield "validation_share", "images for which the folders give no validation split"
    if not drawn:
        yield "test_share", "images for which the folders give no split"


def check_request(
    asked: dict[str, Any],
    *,
    preset: str | None = None,
    dataset: Dataset | None = None,
    progress: Callable[[int, int], None] | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> TrainConfig:
    """Validates the settings and the data set of a new run and creates its configuration.

    Args:
        asked: Settings by name. Missing ones are taken from the preset, then from what suits the images, then from the
            defaults. The file named by `arch_file` is executed.
        preset: Name of a preset to start from.
        dataset: The data set in `data_root`, if it has already been scanned.
        progress: Called with (images read, total number of images) during the scan.
        note: Called with a message for each setting of the preset that has no effect, and each doubt about the data
            that nobody has confirmed.

    Raises:
        ConfigError: If settings are invalid or requested settings would have no effect; lists all problems.
        LayoutError, DatasetError: If the data set cannot be used for training.
        InputError: If there is no such preset, or the architecture file cannot be loaded.
    """
    asked = compat.settings(asked)
    values = (presets.get(preset).values if preset else {}) | asked
    if values.get("arch_file"):
        values["arch_file"] = str(architectures.load_file(values["arch_file"]))
    config = make_config(values)
    _refuse_idle(config, without_effect(config), asked, note)
    if config.on_tower:
        extras.require("openvino", "openvino", "Training on the weights that ship")
    data = dataset or scan(config.data_root, progress=progress)
    values["data_root"] = str(Path(config.data_root).expanduser().resolve())
    fitting = suggest(image_side(data)) if not {"arch", "image_size"} & set(values) and len(data.usable) else {}
    config = make_config(fitting | values)
    defaults = {name: field.default for name, field in TrainConfig.model_fields.items()}
    on_data = {name: needs for name, needs in idle_on(data, config) if getattr(config, name) != defaults[name]}
    _refuse_idle(config, {name: needs for name, needs in on_data.items() if name in asked}, asked, note)
    require_trainable(assign_splits(data, config.split_policy))
    if data.self_made:
        note(f"{data.name}: {data.self_made}")
    for doubt in data.doubts if not data.reading.confirmed else ():
        note(f"{data.name}: {doubt}")
    return config


def _refuse_idle(config: TrainConfig, idle: dict[str, str], asked: dict[str, Any], note: Callable[[str], None]) -> None:
    problems = []
    for name, needs in idle.items():
        value = getattr(config, name)
        if name in asked:
            problems.append(
                f"{name}: it does nothing without {needs}. Leave it out, or change that. Received: {value!r}"
            )
        else:
            note(f"{name}={value} of the preset does nothing here: it needs {needs}.")
    if problems:
        raise ConfigError(problems)


def recorded_config(values: dict[str, Any]) -> TrainConfig:
    """Restores the configuration of an existing run; its architecture file, if any, is executed.

    Raises:
        ConfigError: If the settings are invalid.
        InputError: If the architecture file is missing or fails.
    """
    if values.get("arch_file"):
        architectures.load_file(values["arch_file"])
    return make_config(values)
