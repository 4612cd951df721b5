"""CLIP's image tower as an OpenVINO graph, built from its weights without another framework."""

from typing import Any, Literal

import numpy as np

from dfcore.towers import clip
from dfcore.utils import extras
from dfcore.utils.processes import cores

# "float32" computes with the kernels multiplied back, as Keras does; "int8" rounds activations to 8 bits on the way.
Precision = Literal["float32", "bfloat16", "int8"]
# A thread that is bound to a core waits there for other work, however free the other core is.
_FREE = {"ENABLE_CPU_PINNING": False}
_SETTINGS: dict[Precision, dict[str, Any]] = {
    "float32": {**_FREE, "INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"},
    "bfloat16": {**_FREE, "INFERENCE_PRECISION_HINT": "bf16", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0},
    "int8": {**_FREE, "INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "PERFORMANCE"},
}
# OpenVINO 2026.4 gives wrong gradients of products of up to four rows with a kernel that is scaled by its rows.
_LEAST_WITH_GRADIENTS = 16
# Length of a feature vector of all blocks.
WIDTH = clip.BLOCKS * clip.WIDTH
# Names of outputs; the first three as in `dfcore.engines.base`.
LOGITS, FEATURES, MAPS, TOKENS, LAST = "logits", "features", "maps", "tokens", "last"


def blocks_of(width: int) -> int:
    """Number of the tower's blocks that a head with so many inputs looks at.

    Raises:
        ValueError: If no head on this tower has so many.
    """
    blocks, rest = divmod(width, clip.WIDTH)
    if rest or not clip.MAP_BLOCK < blocks <= clip.BLOCKS:
        raise ValueError(
            f"Expected a head of {clip.WIDTH} features a block, of {clip.MAP_BLOCK + 1} to {clip.BLOCKS} blocks. "
            f"Received: {width} features."
        )
    return blocks


def looked_at(kernel: np.ndarray, views: int, heads: int) -> list[int]:
    """Number of blocks that each view needs.

    The first view needs all that the kernel is for, further ones those that their own head looks at.

    Args:
        kernel: Weights of a head, (768 * blocks, units).
        views: Number of views.
        heads: Units of which each judges its own view, see `dfcore.engines.count_heads`.
    """
    blocks = blocks_of(len(kernel))
    if heads == 1:
        return [blocks] * views
    rows = [np.flatnonzero(column) for column in kernel.T[1:]]
    last = [int(some[-1]) // clip.WIDTH + 1 if len(some) else 0 for some in rows]
    return [blocks, *(max(each, clip.MAP_BLOCK + 1) for each in last)]


def compiled(
    weights: clip.Tower, precision: Precision = "float32", blocks: int = clip.BLOCKS, *, goes_on: bool = False
) -> Any:
    """The network that maps an image, uint8 (1, 224, 224, 3), to its features and to the tokens for `explained`.

    Features, float32 (1, 768 * blocks), are the class tokens of the first blocks, each of length 1; the others are not
    computed. Kernels stay in 8 bits, 0.1 GB instead of 0.35 for all blocks: what is compiled packs a copy, and holds on
    to those that it was given (`Tower.let_go`). Each image is computed on one core, so that its features do not depend
    on what else is computed.

    Args:
        weights: The tower.
        precision: What it computes in.
        blocks: Number of blocks, above `clip.MAP_BLOCK`.
        goes_on: Whether the tokens after the last block are an output too, "last", for `continued`.

    Raises:
        MissingExtraError: If OpenVINO is not installed.
    """
    ov = extras.openvino("The network CLIP ViT-B/16")
    settings = _SETTINGS[precision] | {"NUM_STREAMS": cores(), "INFERENCE_NUM_THREADS": cores()}
    return ov.Core().compile_model(_Builder(ov, weights, blocks).model(goes_on), "CPU", settings)


def continued(weights: clip.Tower, precision: Precision, start: int, blocks: int = clip.BLOCKS) -> Any:
    """The network that goes on where `compiled` ended.

    It maps the tokens of an image after block `start`, float32 (1, 197, 768), to the features of the later blocks,
    float32 (1, 768 * (blocks - start)).
    """
    ov = extras.openvino("The network CLIP ViT-B/16")
    # The first view alone goes on, so that in a single picture no other work is left for the second core.
    settings = _SETTINGS[precision] | _on_two_threads(max(1, cores() // 2))
    return ov.Core().compile_model(_Builder(ov, weights, blocks).continued(start), "CPU", settings)


def _on_two_threads(requests: int) -> dict[str, Any]:
    """So many requests at once, each on two threads where there are two cores or more: rounding depends on threads."""
    return {"NUM_STREAMS": requests, "INFERENCE_NUM_THREADS": 2 * requests}


def explained(weights: clip.Tower, blocks: int = clip.BLOCKS) -> tuple[Any, dict[str, Any]]:
    """The upper part of the network of so many blocks, for `gradcam.add_gradcam`, and the settings to compile it with.

    Inputs: the tokens of an image after block `clip.MAP_BLOCK`, float32 (1, 197, 768), and the weights of a head for
    the features of later blocks, float32 (D, 1). Outputs: "logits" (1, 1), and "maps" (1, 14, 14, 768), the tokens of
    the patches on their grid.
    """
    ov = extras.openvino("The network CLIP ViT-B/16")
    return _Builder(ov, weights, blocks).explained(), _SETTINGS["float32"] | _on_two_threads(1)


class _Builder:
    def __init__(self, ov: Any, weights: clip.Tower, blocks: int):
        self._ov, self._ops, self._weights, self._last = ov, ov.opset13, weights, blocks
        # With all twelve blocks too, rounding would change the scores of detectors of version 0.6.
        self._alone = 1 if blocks < clip.BLOCKS else None

    def model(self, goes_on: bool) -> Any:
        image = self._ops.parameter([1, clip.SIDE, clip.SIDE, 3], np.uint8, name="image")
        middle, lower = self._blocks(self._embedded(image), 0, clip.MAP_BLOCK)
        last, upper = self._blocks(middle, clip.MAP_BLOCK, self._last, None if goes_on else self._alone)
        outputs = {FEATURES: self._ops.concat(lower + upper, 1), TOKENS: middle}
        return self._named(outputs | ({LAST: last} if goes_on else {}), [image])

    def continued(self, start: int) -> Any:
        tokens = self._ops.parameter([1, clip.TOKENS, clip.WIDTH], np.float32, name="tokens")
        _, found = self._blocks(tokens, start, self._last, 1)
        return self._named({FEATURES: self._ops.concat(found, 1)}, [tokens])

    def explained(self) -> Any:
        ops, grid = self._ops, clip.SIDE // clip.PATCH
        tokens = ops.parameter([1, clip.TOKENS, clip.WIDTH], np.float32, name="tokens")
        head = ops.parameter([(self._last - clip.MAP_BLOCK) * clip.WIDTH, 1], np.float32, name="head")
        # Reshaped to a map and back, as at the layer "token_map" in Keras.
        maps = self._reshaped(self._part(tokens, 1, clip.TOKENS), [1, grid, grid, clip.WIDTH])
        row = self._reshaped(maps, [1, clip.TOKENS - 1, clip.WIDTH])
        x = ops.concat([self._part(tokens, 0, 1), row], 1)
        _, found = self._blocks(x, clip.MAP_BLOCK, self._last, _LEAST_WITH_GRADIENTS)
        logits = ops.matmul(ops.concat(found, 1), head, False, False)
        return self._named({LOGITS: logits, MAPS: maps}, [tokens, head])

    def _named(self, outputs: dict[str, Any], inputs: list[Any]) -> Any:
        for name, value in outputs.items():
            value.output(0).get_tensor().set_names({name})
        return self._ov.Model([self._ops.result(value) for value in outputs.values()], inputs, clip.NAME)

    def _blocks(self, x: Any, start: int, stop: int, least: int | None = None) -> tuple[Any, list[Any]]:
        """Tokens after these blocks, and the class token of each, divided by its length, (1, 768).

        The last one computes the first `least` tokens alone, where no more is asked for; all by default.
        """
        ops, found = self._ops, []
        for number in range(start, stop):
            x = self._block(x, f"layers.{number}", least if least and number + 1 == stop else clip.TOKENS)
            token = self._part(x, 0, 1)
            length = ops.sqrt(ops.reduce_sum(ops.multiply(token, token), np.array([2]), keep_dims=True))
            found.append(self._reshaped(ops.divide(token, length), [1, clip.WIDTH]))
        return x, found

    def _reshaped(self, x: Any, shape: list[int]) -> Any:
        return self._ops.reshape(x, np.array(shape), special_zero=False)

    def _embedded(self, image: Any) -> Any:
        ops, weights = self._ops, self._weights
        mean, spread = (np.array(values, np.float32) * 255 for values in (clip.MEAN, clip.SPREAD))
        x = ops.divide(ops.subtract(ops.convert(image, "f32"), mean), spread)
        x = ops.transpose(x, np.array([0, 3, 1, 2]))
        kernel, step = weights.vector("embeddings.patch_embedding.weight"), [clip.PATCH, clip.PATCH]
        x = ops.convolution(x, ops.constant(kernel), step, [0, 0], [0, 0], [1, 1])
        x = self._reshaped(x, [1, clip.WIDTH, clip.TOKENS - 1])
        first = weights.vector("embeddings.class_embedding").reshape(1, 1, -1)
        x = ops.concat([ops.constant(first), ops.transpose(x, np.array([0, 2, 1]))], 1)
        x = ops.add(x, weights.vector("embeddings.position_embedding.weight")[None])
        return self._norm(x, "pre_layernorm")

    def _block(self, x: Any, name: str, count: int) -> Any:
        """The first `count` tokens after a block."""
        ops = self._ops
        normed = self._norm(x, f"{name}.layer_norm1")
        x = ops.add(self._first(x, count), self._attention(normed, f"{name}.attention", count))
        inner = self._dense(self._norm(x, f"{name}.layer_norm2"), f"{name}.fc1")
        inner = ops.multiply(inner, ops.sigmoid(ops.multiply(inner, np.float32(1.702))))
        return ops.add(x, self._dense(inner, f"{name}.fc2"))

    def _attention(self, x: Any, name: str, asking: int) -> Any:
        ops = self._ops

        def by_head(part: str, x: Any, tokens: int) -> Any:
            split = [1, tokens, clip.HEADS, clip.WIDTH // clip.HEADS]
            values = self._reshaped(self._dense(x, f"{name}.{part}"), split)
            return ops.transpose(values, np.array([0, 2, 1, 3]))

        query = by_head("q_proj", self._first(x, asking), asking)
        key, value = (by_head(part, x, clip.TOKENS) for part in ("k_proj", "v_proj"))
        scale = np.float32((clip.WIDTH // clip.HEADS) ** -0.5)
        weight = ops.softmax(ops.multiply(ops.matmul(query, key, False, True), scale), -1)
        joined = ops.transpose(ops.matmul(weight, value, False, False), np.array([0, 2, 1, 3]))
        return self._dense(self._reshaped(joined, [1, asking, clip.WIDTH]), f"{name}.out_proj")

    def _dense(self, x: Any, name: str) -> Any:
        ops = self._ops
        values, scale = self._weights.quantised(name)
        rows = ops.convert(ops.constant(values, shared_memory=True), "f32")
        kernel = ops.multiply(rows, ops.constant(scale[:, None]))
        return ops.add(ops.matmul(x, kernel, False, True), self._weights.vector(f"{name}.bias"))

    def _norm(self, x: Any, name: str) -> Any:
        ops, weights = self._ops, self._weights
        x = ops.mvn(x, np.array([-1]), True, clip.EPSILON, "inside_sqrt")
        return ops.add(ops.multiply(x, weights.vector(f"{name}.weight")), weights.vector(f"{name}.bias"))

    def _first(self, x: Any, count: int) -> Any:
        return x if count == clip.TOKENS else self._part(x, 0, count)

    def _part(self, x: Any, start: int, stop: int) -> Any:
        start_at, stop_at, one = np.array([start]), np.array([stop]), np.array([1])
        return self._ops.slice(x, start_at, stop_at, one, one)
