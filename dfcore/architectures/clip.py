"""The image tower of CLIP (Radford et al., 2021) with the class tokens of all its blocks as features.

Early blocks see traces, late ones content; the head weighs them. The class token of each block is normalised, so that
blocks count alike whatever the length of their tokens.
"""

import math
from collections.abc import Callable
from typing import Any

from dfcore.architectures.registry import HEAD, LOGIT, register_architecture
from dfcore.errors import InputError
from dfcore.towers import clip

# Finds a layer by its name.
_Layers = Callable[[str], Any]


def _layers_of_block(number: int, count: int) -> dict[str, Any]:
    """The layers of a block of so many tokens, by name, and those that make a feature vector of its class token."""
    from keras import layers

    block, feature = f"block_{number}", f"{HEAD}{number}"
    made = [
        layers.LayerNormalization(epsilon=clip.EPSILON, name=f"{block}_norm_1"),
        layers.MultiHeadAttention(clip.HEADS, clip.WIDTH // clip.HEADS, name=f"{block}_attention"),
        layers.Add(name=f"{block}_add_1"),
        layers.LayerNormalization(epsilon=clip.EPSILON, name=f"{block}_norm_2"),
        layers.Dense(clip.INNER, name=f"{block}_dense_1"),
        layers.Rescaling(1.702, name=f"{block}_slope"),
        layers.Activation("sigmoid", name=f"{block}_gate"),
        layers.Multiply(name=f"{block}_gelu"),
        layers.Dense(clip.WIDTH, name=f"{block}_dense_2"),
        layers.Add(name=f"{block}_add_2"),
        layers.Cropping1D((0, count - 1), name=f"{feature}_class"),
        layers.Flatten(name=f"{feature}_flat"),
        layers.UnitNormalization(name=f"{feature}_unit"),
    ]
    return {layer.name: layer for layer in made}


def _block(tokens: Any, number: int, layer: _Layers) -> Any:
    """Tokens after a block."""
    name = f"block_{number}"
    x = layer(f"{name}_norm_1")(tokens)
    tokens = layer(f"{name}_add_1")([tokens, layer(f"{name}_attention")(x, x)])
    x = layer(f"{name}_dense_1")(layer(f"{name}_norm_2")(tokens))
    # Quick GELU: x times the sigmoid of 1.702 x.
    x = layer(f"{name}_gelu")([x, layer(f"{name}_gate")(layer(f"{name}_slope")(x))])
    return layer(f"{name}_add_2")([tokens, layer(f"{name}_dense_2")(x)])


def _feature(tokens: Any, number: int, layer: _Layers) -> Any:
    """The class token after a block, of length 1."""
    name = f"{HEAD}{number}"
    return layer(f"{name}_unit")(layer(f"{name}_flat")(layer(f"{name}_class")(tokens)))


def _map(tokens: Any, name: str) -> Any:
    """Passes tokens on, with the patches as a map on the way."""
    from keras import layers

    count = tokens.shape[1] - 1
    side = math.isqrt(count)
    first = layers.Cropping1D((0, count), name=f"{name}_apart")(tokens)
    patches = layers.Cropping1D((1, 0), name=f"{name}_patches")(tokens)
    patches = layers.Reshape((side, side, clip.WIDTH), name=name)(patches)
    patches = layers.Reshape((count, clip.WIDTH), name=f"{name}_row")(patches)
    return layers.Concatenate(axis=1, name=f"{name}_joined")([first, patches])


@register_architecture(
    "clip_vit_b16",
    title="CLIP ViT-B/16",
    summary="Large pretrained transformer; only its head learns. The best choice for photographs of anything.",
    cam_layer="token_map",
    image_size=clip.SIDE,
    min_size=2 * clip.PATCH,
    tower=lambda model: load(model, clip.tower()),
)
def features(inputs: Any, weights: str) -> Any:
    """See `register_architecture`."""
    from keras import layers

    from dfcore.architectures.layers import ClassToken, PositionEmbedding

    x = layers.Normalization(
        mean=[255 * value for value in clip.MEAN], variance=[(255 * value) ** 2 for value in clip.SPREAD], name="scale"
    )(inputs)
    x = layers.Conv2D(clip.WIDTH, clip.PATCH, clip.PATCH, use_bias=False, name="patches")(x)
    x = layers.Reshape((x.shape[1] * x.shape[2], clip.WIDTH), name="tokens")(x)
    x = PositionEmbedding(name="positions")(ClassToken(name="class_token")(x))
    x = layers.LayerNormalization(epsilon=clip.EPSILON, name="norm")(x)
    found = []
    for number in range(1, clip.BLOCKS + 1):
        layer = _layers_of_block(number, x.shape[1]).__getitem__
        x = _block(x, number, layer)
        if number == clip.MAP_BLOCK:
            x = _map(x, "token_map")
        found.append(_feature(x, number, layer))
    return layers.Concatenate(name=f"{HEAD}tokens")(found)


def upto(model: Any, blocks: int, units: int, traced: int) -> Any:
    """A built network of this architecture whose head sees the class tokens of its first blocks; the rest is left out.

    Args:
        model: The whole network; it shares its layers with the new one.
        blocks: Number of blocks, above `clip.MAP_BLOCK`.
        units: Units of the new last layer, with weights at random.
        traced: Blocks that gradients, and heat-maps with them, go through; what later ones add to the logit is a
            constant to them.
    """
    import keras

    from dfcore.architectures.layers import NoGradient

    found = [model.get_layer(f"{HEAD}{number}_unit").output for number in range(1, traced + 1)]
    if traced < blocks:
        x = NoGradient(name="untraced")(model.get_layer(f"block_{traced}_add_2").output)
        for number in range(traced + 1, blocks + 1):
            x = _block(x, number, model.get_layer)
            found.append(_feature(x, number, model.get_layer))
    x = keras.layers.Concatenate(name=f"{HEAD}tokens")(found)
    x = keras.layers.Dense(units, dtype="float32", name=LOGIT)(x)
    return keras.Model(model.input, x, name=model.name)


def load(model: Any, weights: clip.Tower) -> None:
    """Sets the weights of the backbone of a network of this architecture.

    Raises:
        InputError: If it takes images of another size than the tower.
    """
    if model.input_shape[1:3] != (clip.SIDE, clip.SIDE):
        raise InputError(
            f"Expected images of {clip.SIDE} pixels with the weights that ship. Received: {model.input_shape}."
        )
    embedding = weights.vector("embeddings.patch_embedding.weight")
    model.get_layer("patches").set_weights([embedding.transpose(2, 3, 1, 0)])
    model.get_layer("class_token").set_weights([weights.vector("embeddings.class_embedding").reshape(1, 1, -1)])
    model.get_layer("positions").set_weights([weights.vector("embeddings.position_embedding.weight")[None]])
    _set_norm(model.get_layer("norm"), weights, "pre_layernorm")
    for number in range(clip.BLOCKS):
        ours, theirs = f"block_{number + 1}", f"layers.{number}"
        for norm in (1, 2):
            _set_norm(model.get_layer(f"{ours}_norm_{norm}"), weights, f"{theirs}.layer_norm{norm}")
        parts = []
        for part in ("q_proj", "k_proj", "v_proj"):
            name = f"{theirs}.attention.{part}"
            split = clip.HEADS, clip.WIDTH // clip.HEADS
            parts += [weights.kernel(name).reshape(clip.WIDTH, *split), weights.vector(f"{name}.bias").reshape(split)]
        name = f"{theirs}.attention.out_proj"
        out = weights.kernel(name).reshape(clip.HEADS, clip.WIDTH // clip.HEADS, clip.WIDTH)
        query, query_bias, key, key_bias, value, value_bias = parts
        model.get_layer(f"{ours}_attention").set_weights(
            [query, query_bias, key, key_bias, value, value_bias, out, weights.vector(f"{name}.bias")]
        )
        for dense, part in ((1, "fc1"), (2, "fc2")):
            name = f"{theirs}.{part}"
            model.get_layer(f"{ours}_dense_{dense}").set_weights([weights.kernel(name), weights.vector(f"{name}.bias")])


def _set_norm(layer: Any, weights: clip.Tower, name: str) -> None:
    layer.set_weights([weights.vector(f"{name}.weight"), weights.vector(f"{name}.bias")])
