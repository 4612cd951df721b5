"""What every engine offers: logits for a batch of preprocessed images, and the features behind them."""

from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

# Names of the outputs of a network in OpenVINO's form; of the maps that are looked at its Grad-CAM is made.
LOGITS, FEATURES, MAPS, GRADCAM = "logits", "features", "maps", "evidence"
EngineName = Literal["auto", "keras", "openvino", "openvino-bf16"]


class Outputs(NamedTuple):
    """What a forward pass gives.

    Attributes:
        logits: float32 (N,), the logit of P(fake).
        features: float32 (N, D), what the last layer decides on.
    """

    logits: np.ndarray
    features: np.ndarray


class Engine(Protocol):
    """Runs a detector's forward pass.

    An image's outputs must not depend, to the last bit, on what else is in its batch.
    """

    name: EngineName

    @property
    def width(self) -> int:
        """Number of features an image."""
        ...

    def outputs(self, pixels: np.ndarray) -> Outputs:
        """Maps uint8 (N, size, size, 3), N >= 1."""
        ...

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """The logits alone."""
        ...


def fake_logit(outputs: Any) -> Any:
    """Maps a model's outputs, (N, 1) or (N, 2) with real first, to the logit of P(fake), (N,)."""
    return outputs[:, 0] if outputs.shape[-1] == 1 else outputs[:, 1] - outputs[:, 0]
