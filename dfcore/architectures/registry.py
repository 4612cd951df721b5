"""The registry of architectures, and the one function that builds them.

Each family's file registers a function that maps the input tensor to a feature vector. The head is the same for all:
dropout, then one dense unit (the logit of P(fake)), one for each view of an image, or two (logits of real and fake).
Listing architectures does not import TensorFlow.
"""

import re
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Literal

from dfcore.errors import DfcoreError, InputError

if TYPE_CHECKING:
    import keras

Loss = Literal["binary", "categorical"]
# Layers of the head carry this prefix; all others are the backbone, which can be frozen.
HEAD = "head_"
LOGIT = "head_logit"


@dataclass(frozen=True)
class Architecture:
    """One entry of the registry.

    Attributes:
        name: Name in configurations and on the command line.
        title: Displayed name.
        summary: One sentence on what it is good for.
        image_size: Default side of the input in pixels.
        min_size: Smallest side it can be built for.
        pretrained: Whether Keras offers ImageNet weights for it.
        features: (inputs, weights) -> feature vector; weights is "none", "imagenet" or a file.
        cam_layer: Name of the default layer for heat-maps.
        any_size: Whether it pools over the image, so that the same weights take images of any size.
        layers: Custom layers that its saved models may contain: classes, or "module:Class".
    """

    name: str
    title: str
    summary: str
    image_size: int
    min_size: int
    pretrained: bool
    features: Callable[[Any, str], Any]
    cam_layer: str
    any_size: bool = False
    layers: tuple[type | str, ...] = ()


Features = Callable[[Any, str], Any]
_REGISTRY: dict[str, Architecture] = {}


def register_architecture(
    name: str,
    *,
    title: str,
    summary: str,
    cam_layer: str,
    image_size: int = 128,
    min_size: int = 32,
    pretrained: bool = False,
    any_size: bool = False,
    layers: Sequence[type | str] = (),
) -> Callable[[Features], Features]:
    """Registers the decorated function as an architecture that can be trained.

    The function takes the input tensor, RGB in [0, 255], (N, size, size, 3), and the initial weights ("none",
    "imagenet" or the path of a weights file), and returns a feature vector, (N, F). Dropout and the logit of P(fake)
    are added to it. It should import Keras inside, so that listing architectures does not need TensorFlow.

    Another installed package registers by an entry point of the group `dfcore.architectures` whose
    value is the module to import, e.g. `tiny = "my_package.networks"` under
    `[project.entry-points."dfcore.architectures"]`. A file can be named instead: `dfcore train --arch-file FILE.py`.

    Args:
        name: Name in configurations and on the command line: lower-case letters, digits and underscores.
        title: Displayed name.
        summary: One sentence on what it is good for.
        cam_layer: Name of the default layer for heat-maps; its output is (N, H, W, C).
        image_size: Default side in pixels for training.
        min_size: Smallest side in pixels it can be built for.
        pretrained: Whether it accepts "imagenet" as weights.
        any_size: Whether it pools over the image, so that the same weights take images of any size.
        layers: Custom layers, each a class, "module:Class", or ":Class" for the function's own module, registered with
            `keras.saving.register_keras_serializable(package=...)`. Saved models may contain these and the Keras
            layers that dfcore's own networks use, nothing else.

    Raises:
        InputError: If the name is invalid or taken.

    Example:
        >>> import dfcore
        >>> @dfcore.register_architecture(
        ...     "one_convolution", title="One convolution", summary="For a test.", cam_layer="conv"
        ... )
        ... def features(inputs, weights):
        ...     from keras import layers
        ...
        ...     x = layers.Rescaling(1 / 255)(inputs)
        ...     x = layers.Conv2D(8, 3, activation="relu", name="conv")(x)
        ...     return layers.GlobalAveragePooling2D(name="head_pool")(x)
        >>> "one_convolution" in [entry.name for entry in dfcore.list_architectures()]
        True
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
        raise InputError(
            f"Expected an architecture's name of small letters, digits and underscores. Received: {name!r}."
        )

    def enter(features: Features) -> Features:
        before = _REGISTRY.get(name)
        # A module that is imported anew may enter its own again.
        if before is not None and before.features.__module__ != features.__module__:
            raise InputError(f"There is an architecture {name!r} already, from {before.features.__module__}.")
        _REGISTRY[name] = Architecture(
            name, title, summary, image_size, min_size, pretrained, features, cam_layer, any_size, tuple(layers)
        )
        return features

    return enter


# The group of entry points by which installed packages register theirs.
GROUP = "dfcore.architectures"
_installed_lock = threading.RLock()
_installed_loaded = False


def _load_installed() -> None:
    """Imports the architectures of installed packages, once; a broken one is reported in a warning and skipped."""
    global _installed_loaded
    with _installed_lock:
        if _installed_loaded:
            return
        _installed_loaded = True  # Before the imports, since they may call `names` themselves.
        for entry in entry_points(group=GROUP):
            before = set(_REGISTRY)
            try:
                entry.load()
                reason = "" if set(_REGISTRY) - before else "it registers no architecture"
            except Exception as error:  # Anybody's code.
                reason = f"{type(error).__name__}: {error}"
            if reason:
                package = entry.dist.name if entry.dist else entry.value
                warnings.warn(
                    f"The architecture {entry.name!r} of the package {package} is left out: {reason}", stacklevel=3
                )


def names() -> tuple[str, ...]:
    """All registered names: dfcore's own, simplest first, then those of installed packages and files."""
    _load_installed()
    return tuple(_REGISTRY)


def get(name: str) -> Architecture:
    """Returns an architecture by name.

    Raises:
        InputError: If there is no such architecture; lists those that exist.
    """
    _load_installed()
    if name not in _REGISTRY:
        raise InputError(f"Expected an architecture out of {', '.join(_REGISTRY)}. Received: {name!r}.")
    return _REGISTRY[name]


def build_model(
    name: str,
    *,
    size: int | None,
    weights: str = "none",
    loss: Loss = "binary",
    dropout: float = 0.3,
    heads: int = 1,
) -> "keras.Model":
    """Builds a flat Functional model from RGB pixels in [0, 255], shape (N, size, size, 3), to logits.

    Args:
        name: A registered architecture.
        size: Side of the input in pixels; None for any size, where the architecture allows it.
        weights: "none" (random), "imagenet" (Keras's download) or the path of a weights file.
        loss: "binary" ends in one logit, shape (N, 1); "categorical" in two, shape (N, 2), real first.
        dropout: Rate before the last layer, in [0, 1).
        heads: Number of logits with binary loss: 1, or the number of views of an image, of which each is then judged
            by its own, shape (N, heads).

    Raises:
        InputError: If the weights file does not fit, or heads are asked for with categorical loss.
        DfcoreError: If ImageNet weights cannot be downloaded.
    """
    import keras

    architecture = get(name)
    if heads != 1 and loss != "binary":
        raise InputError(f"Expected one head with categorical loss, shared by all views. Received: {heads} heads.")
    own_file = weights not in ("none", "imagenet") and not architecture.pretrained
    inputs = keras.Input((size, size, 3), name="image")
    try:
        x = architecture.features(inputs, "none" if own_file else weights)
        x = keras.layers.Dropout(dropout, name=f"{HEAD}dropout")(x)
        units = heads if loss == "binary" else 2
        # The logit stays float32 under mixed precision.
        outputs = keras.layers.Dense(units, dtype="float32", name=LOGIT)(x)
        model = keras.Model(inputs, outputs, name=name)
        if own_file:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # What does not fit is told below.
                model.load_weights(weights)
    except (OSError, ValueError, KeyError) as error:
        if weights == "none":
            raise
        if weights == "imagenet":
            raise DfcoreError(
                f"The ImageNet weights of {name} could not be downloaded ({error}). Without a connection, "
                "give a weights file or train with --weights none."
            ) from error
        # Keras goes on with every value of the layer that did not fit.
        text = " ".join(str(error).split("Target variable")[0].split())[:400]
        raise InputError(f"The weights in {weights} do not fit {name} at {size} pixels: {text}") from error
    if weights == "none":
        _shorten_batch_norm_memory(model)
    return model


def backbone_layers(model: "keras.Model") -> list["keras.layers.Layer"]:
    """The layers before the head."""
    return [layer for layer in model.layers if not layer.name.startswith(HEAD)]


def heat_map_layers(model: "keras.Model") -> list[str]:
    """Names of the layers that heat-maps can be computed at: convolutions and token maps, from input to output."""
    import keras

    convolutions = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)
    return [
        layer.name
        for layer in model.layers
        if (isinstance(layer, convolutions) or layer.name == "token_map") and "spectrum" not in layer.name
    ]


def _shorten_batch_norm_memory(model: "keras.Model") -> None:
    """Lets moving averages converge within tens of steps; with 0.99 or 0.999 they never do in short runs."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, 0.9)
