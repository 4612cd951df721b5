"""Detectors on a shared tower: their bundle holds the head alone, a dense layer, and names the tower by its hash."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dfcore import architectures
from dfcore.architectures.clip import upto
from dfcore.architectures.registry import LOGIT
from dfcore.detectors.bundle import MODEL
from dfcore.detectors.card import Card, TowerRecord
from dfcore.detectors.model_validation import read_weights
from dfcore.engines import Precision, TowerEngine, count_heads
from dfcore.errors import BundleError, InputError
from dfcore.towers import clip, require_tower
from dfcore.towers.graph import WIDTH, blocks_of, looked_at
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    import keras


def record() -> TowerRecord:
    """The entry for cards of detectors on the tower that ships."""
    return TowerRecord(name=clip.NAME, sha256=clip.SHA256)


def head(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Kernel, float32 (768 * blocks, units), and bias, (units,), of a bundle on a tower.

    The kernel's length tells how many of the tower's blocks are needed: up to version 0.6 all twelve, those that the
    head ignores too; since then up to the last that it looks at.

    Raises:
        BundleError: If they are no weights of a head.
    """
    return _checked(folder, list(read_weights(folder / MODEL).values()))


def shared_width(folder: Path, card: Card) -> int:
    """Length of the feature vectors of the blocks that all views of a bundle on a tower look at.

    Of these the domain is made: later ones see what an image shows, rather than how it was made and handled.

    Raises:
        BundleError: As `head`.
    """
    kernel, bias = head(folder)
    return clip.WIDTH * min(_looked_at(card, kernel, bias))


def head_model(kernel: np.ndarray, bias: np.ndarray) -> "keras.Model":
    """The network of a bundle on a tower.

    Args:
        kernel: Weights of the head, float32 (768 * blocks, units).
        bias: Its biases, float32 (units,).
    """
    import keras

    inputs = keras.Input((len(kernel),), name="features")
    model = keras.Model(inputs, keras.layers.Dense(len(bias), name=LOGIT)(inputs))
    model.set_weights([kernel, bias])
    return model


def network(folder: Path, card: Card, head: "keras.Model") -> "keras.Model":
    """The whole network in Keras: the tower with this head.

    Raises:
        BundleError: If the tower is missing, or the head does not fit it.
    """
    _require_tower(folder, card)
    kernel, bias = _checked(folder, head.get_weights())
    try:
        model = architectures.build_model(
            card.arch, size=card.preprocess.size, weights="shipped", loss=card.loss, heads=_heads(card, len(bias))
        )
        blocks, traced = blocks_of(len(kernel)), min(_looked_at(card, kernel, bias))
        if len(kernel) < WIDTH or traced < blocks:
            model = upto(model, blocks, len(bias), traced)
        model.get_layer(LOGIT).set_weights([kernel, bias])
    except (InputError, ValueError) as error:
        raise BundleError(f"{folder}: its head does not fit its tower: {printable(error)[:300]}") from error
    return model


def engine(folder: Path, card: Card, precision: Precision = "float32", *, gradcam: bool | None = None) -> TowerEngine:
    """The tower, shared by all detectors of this process, with the head of this one.

    Args:
        folder: Folder of the bundle.
        card: Its card.
        precision: What the tower computes in.
        gradcam: Whether its heat-maps may be used; by default if the card says that they agree with Keras's.

    Raises:
        BundleError: If the tower is missing, or the head does not fit it.
        MissingExtraError: If OpenVINO is not installed.
    """
    _require_tower(folder, card)
    agree = card.openvino is not None and card.openvino.gradcam_difference is not None
    kernel, bias = head(folder)
    try:
        return TowerEngine(
            kernel,
            bias,
            views=len(card.spec.view_titles),
            loss=card.loss,
            tta_flip=card.tta_flip,
            precision=precision,
            gradcam=agree if gradcam is None else gradcam,
        )
    except ValueError as error:
        raise BundleError(f"{folder}: its head does not fit its card: {error}") from error


def _looked_at(card: Card, kernel: np.ndarray, bias: np.ndarray) -> list[int]:
    return looked_at(kernel, len(card.spec.view_titles), _heads(card, len(bias)))


def _heads(card: Card, units: int) -> int:
    return count_heads(units, len(card.spec.view_titles), card.loss)


def _require_tower(folder: Path, card: Card) -> None:
    """Checks that the tower that a card names is here and is the one that this version computes with."""
    assert card.tower is not None
    if card.arch not in architectures.names() or architectures.get(card.arch).tower is None:
        raise BundleError(f"{folder}: expected an architecture with a tower that ships. Received: {card.arch!r}.")
    if (card.tower.name, card.tower.sha256) != (clip.NAME, clip.SHA256):
        raise BundleError(
            f"{folder}: the network that it builds on is not the one that ships with this version. Expected "
            f"{clip.NAME} with SHA-256 {clip.SHA256[:12]}… Received: {printable(card.tower.name)[:40]!r}, "
            f"{printable(card.tower.sha256)[:12]}…"
        )
    if card.preprocess.size != clip.SIDE:
        raise BundleError(f"{folder}: expected images of {clip.SIDE} pixels. Received: {card.preprocess.size}.")
    require_tower()


def _checked(folder: Path, arrays: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias, if these are the weights of a head."""
    by_rank = {array.ndim: np.asarray(array, np.float32) for array in arrays}
    kernel, bias = by_rank.get(2), by_rank.get(1)
    if len(arrays) != 2 or kernel is None or bias is None or kernel.shape[1] != len(bias):
        shapes = ", ".join(str(array.shape) for array in arrays[:4])
        raise BundleError(f"{folder}: expected the kernel and the bias of a head. Received: arrays of shape {shapes}.")
    try:
        blocks_of(len(kernel))
    except ValueError as error:
        raise BundleError(f"{folder}: its head does not fit its tower. {error}") from None
    return kernel, bias
