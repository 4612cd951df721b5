"""The interface of all engines: logits and feature vectors for a batch of preprocessed images."""

from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

# Names of the outputs of an OpenVINO network. MAPS, the activations, are replaced by GRADCAM during conversion.
LOGITS, FEATURES, MAPS, GRADCAM = "logits", "features", "maps", "evidence"
EngineName = Literal["auto", "keras", "openvino", "openvino-bf16"]


class Outputs(NamedTuple):
    """Outputs of a forward pass.

    Attributes:
        logits: Logits of P(fake), float32 (N,).
        features: Input of the last layer, float32 (N, D).
    """

    logits: np.ndarray
    features: np.ndarray


class Engine(Protocol):
    """Runs a detector's forward pass.

    An image's outputs must be bit-identical whatever else is in its batch.
    """

    name: EngineName

    @property
    def width(self) -> int:
        """Length D of a feature vector."""
        ...

    def outputs(self, pixels: np.ndarray) -> Outputs:
        """Runs the forward pass on uint8 (N, size, size, 3), N >= 1."""
        ...

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """Like `outputs`, but returns only the logits."""
        ...


def fake_logit(outputs: Any) -> Any:
    """Converts a model's outputs, (N, 1) or (N, 2) with real first, to logits of P(fake), (N,)."""
    return outputs[:, 0] if outputs.shape[-1] == 1 else outputs[:, 1] - outputs[:, 0]
