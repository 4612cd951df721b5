"""Training configuration: one frozen, validated object, whether from the form, the command line or a file."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dfcore import architectures, compat
from dfcore.datasets import SplitPolicy, augment
from dfcore.errors import ConfigError, DfcoreError
from dfcore.imaging.preprocess import MAX_SIZE, MIN_SIZE, RESIZE_HELP, VIEW_HELP, PreprocessSpec, Resize, parse_views
from dfcore.towers import clip
from dfcore.training.checks import FIRST_BLOCK, LAST_BLOCK, SOLVED_AT_ONCE, misfits
from dfcore.training.form import FormField
from dfcore.utils.files import read_json

# Display names of the choices, in menu order.
_RESIZE_TITLES = {
    "stretch": "stretching",
    "fit_crop": "fitting and cropping",
    "native_crop": "cropping, no resizing",
}
_HEADS_TITLES = {"shared": "one for all views", "own": "one for each view"}
_SCHEDULE_TITLES = {"constant": "constant", "cosine": "cosine", "plateau": "halved on a plateau"}
_STOPPING_TITLES = {"auc": "validation ROC AUC", "loss": "validation loss", "off": "never"}
_PRECISION_TITLES = {
    "auto": "automatic",
    "float32": "float32",
    "mixed_float16": "mixed float16",
    "mixed_bfloat16": "mixed bfloat16",
}
_CROSS_VALIDATION_TITLES = {
    "off": "the validation split",
    "content": "cross-validation",
    "group": "leaving groups out",
    "source": "leaving sources out",
}
# Replaced by the default size of the architecture before validation.
_BY_ARCH: Any = None


class TrainConfig(BaseModel):
    """All settings of a training run.

    The fields are documented by their descriptions, which the form and the command line also show.

    Example:
        >>> import dfcore
        >>> config = dfcore.TrainConfig(data_root="photos", epochs=5)
        >>> config.arch, config.epochs
        ('cnn', 5)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)

    schema_version: Annotated[
        Literal[1], FormField("Version of the settings", "main", hidden="it is written by the program, never chosen")
    ] = 1
    data_root: Annotated[
        str, FormField("Data set", "main", hidden="the page asks for the data set before the form")
    ] = Field(min_length=1, description="Folder or manifest of the data set.")
    name: Annotated[str, FormField("Name", "main")] = Field(
        "", max_length=120, description="A name for people; empty takes architecture and data set."
    )
    arch: Annotated[str, FormField("Architecture", "main")] = Field("cnn", description="Architecture of the network.")
    arch_file: Annotated[
        str, FormField("File of the architecture", "main", hidden="it is code: named on the command line only")
    ] = Field("", description="A Python file that registers the architecture; it is run.")
    image_size: Annotated[int, FormField("Image size (pixels)", "main", step=16)] = Field(
        _BY_ARCH,
        ge=MIN_SIZE,
        le=MAX_SIZE,
        description="Side in pixels of the square that the network sees; by default the architecture's own. Close to "
        "the images' own size is best: shrinking blurs the finest traces.",
    )
    resize: Annotated[Resize, FormField("Fit to the square by", "data", titles=_RESIZE_TITLES)] = Field(
        "stretch",
        description="How an image of any shape becomes that square. "
        + " ".join(f"{name}: {text}" for name, text in RESIZE_HELP.items()),
    )
    views: Annotated[str, FormField("Further views", "data")] = Field(
        "",
        description="Squares that are judged beside this one, e.g. native,native_tl; the mean logit counts. They keep "
        "the fine traces that resizing blurs, and each costs as much time as the first. "
        + " ".join(f"{name}: {text}" for name, text in VIEW_HELP.items()),
    )
    view_heads: Annotated[Literal["shared", "own"], FormField("Last layer", "data", titles=_HEADS_TITLES)] = Field(
        "shared",
        description="With further views: one last layer for all (shared), or one for each (own), which may weigh other "
        "features and learns from its own view alone.",
    )
    weights: Annotated[str, FormField("Weights to start from", "main")] = Field(
        "none",
        description="Weights to start from: none, imagenet, shipped (of clip_vit_b16), or a weights file. Pretrained "
        "ones need far fewer images; those of ImageNet are downloaded once, those that ship stay as they are.",
    )
    loss: Annotated[
        Literal["binary", "categorical"],
        FormField("Loss", "optimisation", titles={"binary": "binary", "categorical": "categorical"}),
    ] = Field("binary", description="Binary cross-entropy on one logit, or categorical cross-entropy on two.")
    epochs: Annotated[int, FormField("Epochs, at most", "main", step=1)] = Field(
        30, ge=1, le=10_000, description="Passes over the training images, at most; fewer where early stopping ends it."
    )
    freeze_epochs: Annotated[int, FormField("Epochs with frozen layers", "optimisation", step=1)] = Field(
        2, ge=0, le=1000, description="Of these, passes at the start with pretrained layers frozen."
    )
    batch_size: Annotated[int, FormField("Batch size", "optimisation", step=1)] = Field(
        32, ge=1, le=4096, description="Images a step. 32 is usual; lower it when memory runs out."
    )
    optimizer: Annotated[
        Literal["adam", "adamw"], FormField("Optimiser", "optimisation", titles={"adam": "Adam", "adamw": "AdamW"})
    ] = Field("adam", description="Adam, or AdamW with weight decay.")
    lr: Annotated[float, FormField("Learning rate", "optimisation", step=1e-5, format="%.2e")] = Field(
        1e-4, gt=0, le=1, description="Learning rate. 1e-4 is usual; lower it when the loss jumps."
    )
    head_lr: Annotated[float, FormField("Learning rate meanwhile", "optimisation", step=1e-4, format="%.2e")] = Field(
        1e-3, gt=0, le=1, description="Learning rate while pretrained layers are frozen."
    )
    weight_decay: Annotated[float, FormField("Weight decay", "optimisation", step=0.005, format="%.4f")] = Field(
        0.01, ge=0, le=1, description="Weight decay of AdamW."
    )
    schedule: Annotated[
        Literal["constant", "cosine", "plateau"], FormField("Schedule", "optimisation", titles=_SCHEDULE_TITLES)
    ] = Field(
        "constant",
        description="Learning rate over time: constant, a cosine down to zero, or halved on a plateau of the "
        "validation loss.",
    )
    plateau_patience: Annotated[int, FormField("Epochs on a plateau", "optimisation", step=1)] = Field(
        3, ge=1, le=1000, description="Epochs without a lower validation loss before the rate is halved (plateau only)."
    )
    warmup_epochs: Annotated[float, FormField("Warm-up (epochs)", "optimisation", step=0.5)] = Field(
        0, ge=0, le=100, description="Epochs over which the rate rises (cosine only)."
    )
    early_stopping: Annotated[
        Literal["auc", "loss", "off"], FormField("Stop early by", "optimisation", titles=_STOPPING_TITLES)
    ] = Field(
        "auc",
        description="Validation figure that decides which epoch is the best and when to stop. Between "
        "epochs of equal AUC, the lower loss wins.",
    )
    patience: Annotated[int, FormField("Patience (epochs)", "optimisation", step=1)] = Field(
        6, ge=1, le=1000, description="Epochs without a better figure before it stops."
    )
    class_weights: Annotated[bool, FormField("Weigh classes equally", "optimisation")] = Field(
        True, description="Weigh classes so that both count the same."
    )
    label_smoothing: Annotated[float, FormField("Label smoothing", "optimisation", step=0.01)] = Field(
        0.0, ge=0, lt=0.5, description="Softens the labels 0 and 1 by this much; 0 to 0.1 is usual."
    )
    dropout: Annotated[float, FormField("Dropout", "optimisation", step=0.05)] = Field(
        0.3, ge=0, lt=1, description="Share of features dropped before the last layer."
    )
    augmentation: Annotated[str, FormField("Augmentation", "main")] = Field(
        "light", description="none, light, standard, strong, or single changes such as flip,jpeg:strong."
    )
    handled: Annotated[int, FormField("Handled copies", "optimisation", step=1)] = Field(
        1,
        ge=0,
        le=20,
        description="With weights that ship: how often each training image is learned from once more after a random "
        "handling (resizing, JPEG, WebP, noise, blur), as images get it on their way. Each costs as much as the image.",
    )
    pairs: Annotated[int, FormField("Aligned pairs", "optimisation", step=1)] = Field(
        0,
        ge=0,
        le=20,
        description="With weights that ship and further views: how many pairs of itself and its own reconstruction by "
        "a decoder (TAEF2) are learned from for each real training image, by the further views. They teach a decoder's "
        "traces apart from the subject. The fakes are self-made.",
    )
    first_block: Annotated[int, FormField("First block", "optimisation", step=1)] = Field(
        FIRST_BLOCK,
        ge=1,
        le=clip.BLOCKS,
        description="With weights that ship: first block of the network whose class tokens the head learns from, "
        "counted from 1. Lower blocks see little, higher ones the subject.",
    )
    last_block: Annotated[int, FormField("Last block", "optimisation", step=1)] = Field(
        LAST_BLOCK,
        ge=clip.MAP_BLOCK + 1,
        le=clip.BLOCKS,
        description="The last such block; those above are not computed, and each costs a twelfth of the time of all.",
    )
    late_weight: Annotated[float, FormField("Weight of the late blocks", "optimisation", step=0.1)] = Field(
        0.0, ge=0, lt=1, description="With weights that ship: share of a second head in the first view's logit, which "
        "learns from the blocks after the last, where each view has its own. They carry over better to other sources, "
        "and make a verdict take two fifths longer.",
    )  # fmt: skip
    inverse_penalty: Annotated[float, FormField("Inverse of the penalty", "optimisation", step=1e-3, format="%.2e")] = (
        Field(
            2.4e-3, gt=0, le=1e3, description="With weights that ship: the C of the logistic regression, on "
            "standardised features. The smaller, the smaller the head's weights, and the less it follows single images."
        )
    )  # fmt: skip
    full_image_epochs: Annotated[int, FormField("Epochs on full images", "optimisation", step=1)] = Field(
        0, ge=0, le=1000, description="Epochs at the end on full images, where the augmentation crops at random."
    )
    tta_flip: Annotated[bool, FormField("Judge the mirror image too", "optimisation")] = Field(
        False, description="Judge each image and its mirror image, and take the mean: steadier, at twice the time."
    )
    seed: Annotated[int, FormField("Seed", "machine", step=1)] = Field(
        0, ge=0, lt=2**31, description="Same seed, same run."
    )
    precision: Annotated[
        Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"],
        FormField("Precision", "machine", titles=_PRECISION_TITLES),
    ] = Field(
        "auto",
        description="auto is mixed_float16 on a GPU and float32 else. On CPUs that compute in bfloat16, mixed_bfloat16 "
        "trains `cnn` about twice as fast, and `mobilenetv2` no faster.",
    )
    validation_share: Annotated[float, FormField("Share for validation", "data", step=0.05)] = Field(
        0.15, gt=0, le=0.5, description="Share drawn for validation if none is given."
    )
    test_share: Annotated[float, FormField("Share for the test", "data", step=0.05)] = Field(
        0.15, ge=0, le=0.5, description="Share drawn for the test if nothing is split."
    )
    valid_as_test: Annotated[bool, FormField("Keep 'valid' for the test", "data")] = Field(
        False, description="With train and valid but no test folder: test on valid, draw validation from train."
    )
    cross_validation: Annotated[
        Literal["off", "content", "group", "source"], FormField("Calibrate by", "data", titles=_CROSS_VALIDATION_TITLES)
    ] = Field(
        "off",
        description="Where calibration and thresholds come from: off takes the validation split; content and group "
        "train further networks, each without a share of the training images or without one group (generator), "
        "and take their scores of what they did not see. source says that each group is a collection of its own, with "
        "photographs and fakes put together independently of the others: thresholds then keep the budget for each, and "
        "the detector may earn the right to call an image likely real; a collection of one class is never left out.",
    )
    folds: Annotated[int, FormField("Folds", "data", step=1)] = Field(
        5, ge=2, le=20, description="Shares that cross-validation by content makes."
    )
    cache: Annotated[
        Literal["disk", "memory"],
        FormField("Keep decoded images", "machine", titles={"disk": "on disk", "memory": "in memory"}),
    ] = Field("disk", description="Where decoded images are kept; those on disk serve all runs.")

    @model_validator(mode="before")
    @classmethod
    def _size_of_arch(cls, values: Any) -> Any:
        """Sets the image size if none is given, and the epochs of a head that is solved for; no other code does."""
        if not isinstance(values, dict):
            return values
        if values.get("weights") == "shipped":
            values = values | SOLVED_AT_ONCE
        if values.get("image_size") is not None:
            return values
        rest = {name: value for name, value in values.items() if name != "image_size"}
        name = rest.get("arch", cls.model_fields["arch"].default)
        return rest | {"image_size": architectures.get(name).image_size if name in architectures.names() else MIN_SIZE}

    @field_validator("arch")
    @classmethod
    def _known_arch(cls, value: str) -> str:
        if value not in architectures.names():
            raise ValueError(
                f"expected one of {', '.join(architectures.names())}; others are registered by an installed package "
                "or by the file that --arch-file names"
            )
        return value

    @field_validator("augmentation")
    @classmethod
    def _known_augmentation(cls, value: str) -> str:
        try:
            augment.parse(value)
        except ConfigError as error:
            raise ValueError(str(error).removeprefix("augmentation: ").split(". Received")[0]) from None
        return value

    @field_validator("views")
    @classmethod
    def _known_views(cls, value: str) -> str:
        try:
            return ",".join(PreprocessSpec(views=parse_views(value)).views)
        except ConfigError as error:
            raise ValueError(str(error).removeprefix("views: ").split(". Received")[0]) from None

    @field_validator("weights")
    @classmethod
    def _existing_weights(cls, value: str) -> str:
        if value not in architectures.BY_NAME and not Path(value).expanduser().is_file():
            raise ValueError("expected none, imagenet, shipped or an existing weights file")
        return value if value in architectures.BY_NAME else str(Path(value).expanduser().resolve())

    @property
    def pretrained(self) -> bool:
        """Whether training starts from pretrained weights."""
        return self.weights != "none"

    @property
    def on_tower(self) -> bool:
        """Whether only the head learns, on the tower that ships: the bundle then holds the head alone."""
        return self.weights == "shipped"

    @property
    def blocks(self) -> int:
        """Blocks of the tower that are computed, from the first on."""
        return clip.BLOCKS if self.late_weight else self.last_block

    @property
    def spec(self) -> PreprocessSpec:
        """The preprocessing of the model."""
        return PreprocessSpec(self.image_size, self.resize, parse_views(self.views))

    @property
    def heads(self) -> int:
        """Number of units of which each judges its own view; 1 if all views share the last layer."""
        return len(self.spec.view_titles) if self.view_heads == "own" else 1

    @property
    def split_policy(self) -> SplitPolicy:
        """How to split the images that the data set does not assign to a split."""
        return SplitPolicy(self.validation_share, self.test_share, self.valid_as_test, self.seed)

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON-serialisable data, as stored in `config.json`."""
        return self.model_dump(mode="json")


def form_fields() -> dict[str, FormField]:
    """Form metadata by field name; bounds, choices and help are in `TrainConfig.model_fields`."""
    return {
        name: next(part for part in field.metadata if isinstance(part, FormField))
        for name, field in TrainConfig.model_fields.items()
    }


def make_config(values: dict[str, Any]) -> TrainConfig:
    """Validates settings and creates the configuration.

    Raises:
        ConfigError: If settings are invalid; lists all problems, each with the value received and what is allowed.
    """
    values = compat.settings(values)
    problems = misfits(values)
    try:
        config = TrainConfig(**values)
    except ValidationError as error:
        problems = [_tell(problem) for problem in error.errors()] + problems
    if problems:
        raise ConfigError(problems)
    return config


def load_config(path: str | Path) -> TrainConfig:
    """Reads a configuration from a JSON file.

    Raises:
        ConfigError: If the file is not a JSON object or settings are invalid.
    """
    return make_config(read_values(path))


def read_values(path: str | Path) -> dict[str, Any]:
    """Reads settings from a JSON file without validating them.

    Raises:
        ConfigError: If the file is not a JSON object.
    """
    try:
        values = read_json(Path(path))
    except (OSError, ValueError) as error:
        raise ConfigError([f"{path} cannot be read as JSON: {error}"]) from error
    if not isinstance(values, dict):
        raise ConfigError([f"{path}: expected a JSON object. Received: {type(values).__name__}"])
    return compat.settings(values)


def suggest(image_side: int, *, pretrained_weights: str | None = None) -> dict[str, Any]:
    """Suggests architecture and image size for a data set.

    Args:
        image_side: Median of the shorter side of the images, in pixels.
        pretrained_weights: Weights file for MobileNetV2, or "imagenet"; None to train from scratch.

    Returns:
        Settings for `make_config`.
    """
    if pretrained_weights and image_side > 64:
        size = 224 if image_side >= 160 else 128
        return {"arch": "mobilenetv2", "weights": pretrained_weights, "image_size": size}
    # Downscaling blurs the traces of generators, so small images keep their size; large ones would be too slow.
    size = next((size for size in (32, 64, 96) if image_side <= size), 128)
    return {"arch": "cnn", "image_size": size}


def _tell(problem: Any) -> str:
    field = ".".join(str(part) for part in problem["loc"])
    cause = problem.get("ctx", {}).get("error")
    if problem["type"] == "extra_forbidden":
        allowed = ", ".join(TrainConfig.model_fields)
        return f"{field}: there is no such setting. Expected one of {allowed}"
    text = str(cause) if isinstance(cause, (ValueError, DfcoreError)) else problem["msg"]
    if not field:
        return text
    return f"{field}: {text[0].lower()}{text[1:]}. Received: {problem['input']!r}"
