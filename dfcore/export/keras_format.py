"""One `.keras` file of Keras's own layers."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dfcore.detectors.card import Card
from dfcore.errors import BundleError
from dfcore.export.network import LOGIT, SCORE, whole_network

if TYPE_CHECKING:
    import keras

FILE = "model.keras"
LOADER = f"""\
import keras
model = keras.models.load_model(here / "{FILE}", compile=False)
def run(pixels): return model.predict(pixels, verbose=0)["{SCORE}"]
"""


def write(model: "keras.Model", card: Card, folder: Path, _: np.ndarray | None, __: bool) -> None:
    """Writes the network.

    Raises:
        BundleError: If it has layers whose code is not Keras's.
    """
    whole = whole_network(model, card)
    foreign = sorted({_module(each) for each in whole._flatten_layers() if not _module(each).startswith("keras.")})
    if foreign:
        raise BundleError(
            f"{card.title} has layers of its own ({', '.join(foreign)[:200]}), so that a Keras file would need their "
            "code. Expected a network of Keras's layers; the other formats contain what its layers compute."
        )
    whole.save(folder / FILE)


def _module(layer: object) -> str:
    return f"{type(layer).__module__}.{type(layer).__name__}"


def run(folder: Path) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Loads the network, as somebody without dfcore would."""
    import keras

    model = keras.models.load_model(folder / FILE, compile=False)

    def call(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        outputs = model.predict(pixels, verbose=0)
        return outputs[SCORE], outputs[LOGIT]

    return call
