"""A network with two branches: the image, and its log spectrum, in which up-sampling leaves replicas."""

from typing import Any

from dfcore.architectures.cnn import convolutions
from dfcore.architectures.registry import HEAD, register_architecture


@register_architecture(
    "spectral_cnn",
    title="Spectral CNN",
    summary="Looks at the image and at its frequency spectrum side by side; for traces the eye cannot see.",
    cam_layer="conv_last",
    min_size=16,
)
def features(inputs: Any, weights: str) -> Any:
    """See `register_architecture`."""
    from keras import layers

    from dfcore.architectures.layers import LogSpectrum

    image = layers.Rescaling(1 / 255, name="scale")(inputs)
    visual = layers.GlobalAveragePooling2D(name="visual_pool")(convolutions(image, prefix="conv"))
    spectrum = convolutions(LogSpectrum(name="log_spectrum")(image), prefix="spectrum")
    # Where a frequency lies matters, so that the spectral map is flattened, not averaged.
    spectrum = layers.Flatten(name="spectrum_flatten")(spectrum)
    spectrum = layers.Dense(64, activation="relu", name="spectrum_dense")(spectrum)
    both = layers.Concatenate(name="both")([visual, spectrum])
    return layers.Dense(128, activation="relu", name=f"{HEAD}dense")(both)
