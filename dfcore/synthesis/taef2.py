"""TAEF2, a tiny autoencoder that stands in for that of FLUX.2: a picture that went through it shows the same content
and carries the traces of a generator's decoder.

Weights by madebyollin (https://github.com/madebyollin/taesd, MIT licence), 2.4 million, in `models/parts`. The network
is built as OpenVINO graphs from the weights; no other framework is needed.

All layers but some at an eighth of the resolution see only a small neighbourhood. So the large layers work on tiles
that overlap by what they see, and the small ones on the picture as a whole: memory for the large ones is bounded, and
the result is that of the picture in one piece, without seams.
"""

import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dfcore.errors import BundleError, InputError
from dfcore.parts import part_file, read_part
from dfcore.synthesis.taef2_graph import Weights, graph
from dfcore.utils import extras
from dfcore.utils.processes import cores

FILE = "taef2_float16.npz"
_SHA256 = "26defaf2f03c96f3666f4cdcfffa5a39b00362157277062c74122f963d5b8280"
# Pixels to a latent, and channels of a latent.
SCALE, CHANNELS = 8, 32
# Sides of the tiles, and what the tiled layers see beyond a pixel (65), rounded to whole latents.
_TILE, _HALO = 384, 72
# The layers by name: what works on tiles, and what on the whole.
_ENCODER = (tuple(range(11)), (11, 12, 13, 14))
_DECODER = ((0, 1, 2, 3, 4, 5), tuple(range(6, 20)))

Precision = Literal["float32", "bfloat16"]


def read_weights(path: Path | None = None) -> dict[str, np.ndarray]:
    """The weights as float32, by name, in PyTorch's layout (out, in, h, w).

    Raises:
        BundleError: If the file is missing or is not the one that was shipped.
    """
    part = read_part(path or part_file(FILE), _SHA256, "TAEF2")
    return {name: values.astype(np.float32) for name, values in part.items()}


class Taef2:
    """Encoder and decoder. Thread-safe; a picture of one tile is computed on one core, so call it from several threads.

    For pictures larger than a tile (384 pixels) it takes some 0.5 GB a core, and keeps them.

    Results do not depend on the number of cores: each tile is computed on one thread.
    """

    def __init__(self, weights: Weights | None = None, *, precision: Precision = "float32"):
        """Builds the network.

        Args:
            weights: See `read_weights`; the shipped ones by default.
            precision: "bfloat16" is faster on processors that have it; reconstructions then differ a little between
                processors.

        Raises:
            MissingExtraError: If OpenVINO is not installed.
            BundleError: If the weights are not those of this network.
        """
        ov = extras.openvino("TAEF2, which makes aligned fakes,")
        weights = read_weights() if weights is None else weights
        hint = {"float32": "f32", "bfloat16": "bf16"}[precision]
        mode = "ACCURACY" if precision == "float32" else "PERFORMANCE"
        settings = {"INFERENCE_PRECISION_HINT": hint, "EXECUTION_MODE_HINT": mode,
                    "NUM_STREAMS": cores(), "INFERENCE_NUM_THREADS": cores()}  # fmt: skip
        core = ov.Core()

        def compiled(part: str, layers: tuple[int, ...], channels: int) -> Any:
            built = graph(ov, weights, [f"{part}.{number}" for number in layers], channels)
            return core.compile_model(built, "CPU", settings)

        try:
            self._encoder = [compiled("encoder", _ENCODER[0], 3), compiled("encoder", _ENCODER[1], 64)]
            self._decoder = [compiled("decoder", _DECODER[0], CHANNELS), compiled("decoder", _DECODER[1], 64)]
        except KeyError as error:
            raise BundleError(f"Expected the weights of TAEF2. Received none named {error}.") from error
        self._queues = {id(net): ov.AsyncInferQueue(net, cores()) for net in (self._encoder[0], self._decoder[1])}
        self._lock = threading.Lock()

    def encode(self, rgb: np.ndarray) -> np.ndarray:
        """Latents of a picture.

        Args:
            rgb: uint8 (H, W, 3), of any size; it is mirrored at its lower and right edge to multiples of 8 pixels.

        Returns:
            float32 (32, ceil(H / 8), ceil(W / 8)).

        Raises:
            InputError: If it is no such array.
        """
        rgb = np.asarray(rgb)
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or 0 in rgb.shape:
            raise InputError(f"Expected a picture, uint8 (H, W, 3). Received: {rgb.dtype} {rgb.shape}.")
        height, width = rgb.shape[:2]
        padded = np.pad(rgb, ((0, -height % SCALE), (0, -width % SCALE), (0, 0)), mode="symmetric")
        fine = padded.transpose(2, 0, 1)
        coarse = self._tiled(self._encoder[0], fine, 64, (1, SCALE), lambda part: part.astype(np.float32) / 255)
        return _whole(self._encoder[1], coarse)

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """The picture of latents (32, h, w): uint8 (8 h, 8 w, 3)."""
        coarse = _whole(self._decoder[0], np.asarray(latents, np.float32))
        fine = self._tiled(self._decoder[1], coarse, 3, (SCALE, 1))
        return np.round(fine * 255).astype(np.uint8).transpose(1, 2, 0)

    def reconstruct(self, rgb: np.ndarray) -> np.ndarray:
        """A picture through encoder and decoder: uint8 (H, W, 3) to the same size; see `encode`."""
        height, width = np.asarray(rgb).shape[:2]
        return np.ascontiguousarray(self.decode(self.encode(rgb))[:height, :width])

    def _tiled(
        self,
        net: Any,
        whole: np.ndarray,
        channels: int,
        scales: tuple[int, int],
        prepare: Callable[[np.ndarray], np.ndarray] = lambda part: part,
    ) -> np.ndarray:
        """Runs a network of local layers tile by tile.

        Args:
            net: The network.
            whole: (C, H, W).
            channels: Channels of the result.
            scales: Pixels of the picture to one position of input and of output.
            prepare: Applied to each part of the input.
        """
        take, give = scales
        height, width = (length * take for length in whole.shape[1:])
        result = np.empty((channels, height // give, width // give), np.float32)
        tiles = [(top, left) for top in _starts(height) for left in _starts(width)]

        def crop(top: int, left: int) -> np.ndarray:
            rows, columns = _span(top, height), _span(left, width)
            part = prepare(whole[:, rows[0] // take : rows[1] // take, columns[0] // take : columns[1] // take])
            return np.ascontiguousarray(part)[None]

        def put(output: np.ndarray, top: int, left: int) -> None:
            down, right = min(top + _TILE, height), min(left + _TILE, width)
            row, column = _span(top, height)[0], _span(left, width)[0]
            result[:, top // give : down // give, left // give : right // give] = output[
                0, :, (top - row) // give : (down - row) // give, (left - column) // give : (right - column) // give
            ]

        if len(tiles) == 1:
            put(_infer(net, crop(0, 0)), 0, 0)
            return result
        with self._lock:
            queue = self._queues[id(net)]
            queue.set_callback(lambda request, tile: put(request.get_output_tensor().data, *tile))
            for tile in tiles:
                queue.start_async({0: crop(*tile)}, tile)
            queue.wait_all()
        return result


@lru_cache(2)
def taef2(precision: Precision = "float32") -> Taef2:
    """The shipped network, built once; see `Taef2`."""
    return Taef2(precision=precision)


def release() -> None:
    """Frees the memory of the shipped network; it is built anew when it is needed."""
    taef2.cache_clear()


def reconstruct(rgb: np.ndarray, *, precision: Precision = "float32") -> np.ndarray:
    """A picture through TAEF2: the same content, with the traces of a generator's decoder.

    Args:
        rgb: uint8 (H, W, 3), of any size.
        precision: See `Taef2`.

    Returns:
        uint8 (H, W, 3); half of the photographs measured differ by 4.3 to 8.9 grey levels on average.

    Raises:
        MissingExtraError: If OpenVINO is not installed.
        InputError: If it is no picture.

    Source: madebyollin, "TAESD: Tiny AutoEncoder for Stable Diffusion", https://github.com/madebyollin/taesd.
    """
    return taef2(precision).reconstruct(rgb)


def _starts(length: int) -> range:
    return range(0, length, _TILE)


def _span(start: int, length: int) -> tuple[int, int]:
    """Begin and end of a tile with all that its layers see."""
    return max(start - _HALO, 0), min(start + _TILE + _HALO, length)


def _infer(net: Any, values: np.ndarray) -> np.ndarray:
    request = net.create_infer_request()
    request.infer({0: values})
    return np.array(request.get_output_tensor().data)


def _whole(net: Any, values: np.ndarray) -> np.ndarray:
    return _infer(net, np.ascontiguousarray(values)[None])[0]
