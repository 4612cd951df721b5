"""The interface of all engines: logits and feature vectors for a batch of preprocessed images.

A network maps one square to its outputs. If a detector judges several views of an image (see `PreprocessSpec.views`),
the engine runs the network on each; the image's logit is the mean over its views, and its features are those of its
first view. With binary loss the last layer may have one unit for each view, and each view is then judged by its own.
"""

from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

# Names of the outputs of an OpenVINO network. MAPS, the activations, are replaced by GRADCAM during conversion.
LOGITS, FEATURES, MAPS, GRADCAM = "logits", "features", "maps", "evidence"
EngineName = Literal["auto", "keras", "openvino", "openvino-bf16", "openvino-int8"]


class Outputs(NamedTuple):
    """Outputs of a forward pass.

    Attributes:
        logits: Logits of P(fake), float32 (N,); the mean over an image's views.
        features: Input of the last layer, float32 (N, D), for the first view.
    """

    logits: np.ndarray
    features: np.ndarray


class Engine(Protocol):
    """Runs a detector's forward pass.

    An image's outputs must be bit-identical whatever else is in its batch.

    Attributes:
        name: Its name.
        heads: Number of units of which each judges its own view; 1 if all views share the network's outputs.
    """

    name: EngineName
    heads: int

    @property
    def width(self) -> int:
        """Length D of a feature vector."""
        ...

    def outputs(self, pixels: np.ndarray) -> Outputs:
        """Runs the forward pass on uint8 (N, size, size, 3) or (N, V, size, size, 3), N >= 1."""
        ...

    def by_view(self, pixels: np.ndarray) -> Outputs:
        """Like `outputs`, but of every view: logits (N * V,) and features (N * V, D), an image's own one after the
        other."""
        ...

    def of_view(self, squares: np.ndarray, view: int) -> np.ndarray:
        """Logits of squares, uint8 (N, size, size, 3), each seen as this view of an image: (N,), as of `by_view`."""
        ...

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """Like `outputs`, but returns only the logits."""
        ...


def fake_logit(outputs: Any) -> Any:
    """Converts a model's outputs, (N, 1) or (N, 2) with real first, to logits of P(fake), (N,)."""
    return outputs[:, 0] if outputs.shape[-1] == 1 else outputs[:, 1] - outputs[:, 0]


def count_heads(units: int, views: int, loss: str) -> int:
    """Number of units of which each judges its own view, 1 if all views share the outputs.

    Args:
        units: Width of the last layer.
        views: Number of views of an image.
        loss: "binary" or "categorical".

    Raises:
        ValueError: If a network with these units cannot judge these views.
    """
    own = views > 1 and loss == "binary" and units == views
    # Without views the units alone tell the loss.
    allowed = {1: (1, 2)}.get(views, (1, views) if loss == "binary" else (2,))
    if units not in allowed:
        raise ValueError(f"Expected {' or '.join(map(str, allowed))} units for {views} views. Received: {units}.")
    return views if own else 1


def as_squares(pixels: np.ndarray, views: int, size: int | None = None) -> np.ndarray:
    """The squares of all views, (N * V, size, size, 3), an image's own one after the other.

    Args:
        pixels: uint8 (N, size, size, 3), or (N, V, size, size, 3) with several views.
        views: Number of views.
        size: Side that the network takes; None for any.

    Raises:
        ValueError: If they are anything else. Queues of OpenVINO lose a request to images that they refuse.
    """
    found = pixels.shape[1] if pixels.ndim == 5 else 1
    if pixels.ndim not in (4, 5) or found != views:
        raise ValueError(f"Expected images with {views} views. Received: an array of shape {pixels.shape}.")
    side = size or pixels.shape[-2]
    if pixels.dtype != np.uint8 or pixels.shape[-3:] != (side, side, 3):
        raise ValueError(f"Expected uint8 squares of {side} pixels. Received: {pixels.dtype} {pixels.shape}.")
    return pixels.reshape(-1, *pixels.shape[-3:])


def over_views(outputs: Outputs, views: int) -> Outputs:
    """Combines the outputs of all views, see `Engine.by_view`; each logit is from the unit that judges its view."""
    if views == 1:
        return outputs
    logits, features = outputs
    return Outputs(mean_logits(logits.reshape(-1, views)), features.reshape(-1, views, features.shape[-1])[:, 0])


def mean_logits(by_view: np.ndarray) -> np.ndarray:
    """Logits of images, (N,), from those of their views, float32 (N, V)."""
    total = by_view[:, 0]
    for view in range(1, by_view.shape[1]):  # In this order whatever the batch, so that no bit depends on it.
        total = total + by_view[:, view]
    return total / np.float32(by_view.shape[1])
