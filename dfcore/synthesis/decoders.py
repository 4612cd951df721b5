"""What makes a fake of a real picture: kinds of decoders that keep its content and leave traces of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dfcore.datasets.demo import simulate_decoder
from dfcore.errors import InputError
from dfcore.synthesis import taef2
from dfcore.synthesis.drawn import draw_decoder
from dfcore.synthesis.taef2 import Precision

TAEF2, SIMULATED, DRAWN, BLENDED, PARTLY = "taef2", "simulated", "drawn", "blended", "partly"
# Share of the reconstruction in a blend.
_BLEND = (0.4, 0.8)


class Decode(Protocol):
    """Passes RGB uint8 (H, W, 3) through a decoder, keeping its size."""

    def __call__(self, rgb: np.ndarray, random: np.random.Generator, precision: Precision) -> np.ndarray:
        """`precision` is that of TAEF2."""


@dataclass(frozen=True)
class Kind:
    """One kind of self-made fakes.

    Attributes:
        name: Name in files and commands.
        title: Name shown to users.
        help: What it is, for users.
        decode: Makes the fake; None for `PARTLY`, which also gives a mask.
        needs_openvino: Whether it takes OpenVINO.
    """

    name: str
    title: str
    help: str
    decode: Decode | None
    needs_openvino: bool = False


def _taef2(rgb: np.ndarray, random: np.random.Generator, precision: Precision) -> np.ndarray:
    return taef2.reconstruct(rgb, precision=precision)


def _simulated(rgb: np.ndarray, random: np.random.Generator, precision: Precision) -> np.ndarray:
    height, width = rgb.shape[:2]
    even = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(simulate_decoder(even, random)[:height, :width])


def _drawn(rgb: np.ndarray, random: np.random.Generator, precision: Precision) -> np.ndarray:
    return draw_decoder(random)(rgb)


def _blended(rgb: np.ndarray, random: np.random.Generator, precision: Precision) -> np.ndarray:
    make: Callable[..., np.ndarray] = (_taef2, _simulated, _drawn)[random.integers(3)]
    share = random.uniform(*_BLEND)
    mixed = share * make(rgb, random, precision) + (1 - share) * rgb
    return np.round(mixed).astype(np.uint8)


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            TAEF2,
            "TAEF2",
            "The picture through a real autoencoder of the kind that generators end in (2.4 million weights).",
            _taef2,
            needs_openvino=True,
        ),
        Kind(
            SIMULATED,
            "Simulated decoder",
            "Half the size and back by zero insertion or nearest neighbour and a smoothing kernel, as in the "
            "demonstration data.",
            _simulated,
        ),
        Kind(
            DRAWN,
            "Drawn decoders",
            "A small up-sampling network with random weights close to identity, another one for each picture.",
            _drawn,
        ),
        Kind(
            BLENDED,
            "Blended",
            "A mixture of the picture and its reconstruction by one of the other decoders, 40 to 80% of it.",
            _blended,
            needs_openvino=True,
        ),
        Kind(
            PARTLY,
            "Partly generated",
            "A region of 3 to 50% of the picture comes from TAEF2, with a soft border; its mask is kept.",
            None,
            needs_openvino=True,
        ),
    )
}
# Kinds whose fakes are generated as a whole.
WHOLE = (TAEF2, SIMULATED, DRAWN, BLENDED)


def kind_of(name: str) -> Kind:
    """A kind by its name.

    Raises:
        InputError: If there is none; the text lists all.
    """
    if name not in KINDS:
        raise InputError(f"Expected a kind of self-made fakes: {', '.join(KINDS)}. Received: {name!r}.")
    return KINDS[name]
