"""A small vision transformer (Dosovitskiy et al., 2021); its tokens are reshaped to a map for heat-maps."""

from typing import Any

from dfcore.architectures.registry import HEAD, register_architecture

_WIDTH, _DEPTH, _HEADS, _MLP = 192, 6, 3, 384


def patch_size(size: int) -> int:
    """Side of a patch in pixels: 16 from 192 px on, 8 from 96, 4 from 32, else 2."""
    return next(patch for least, patch in ((192, 16), (96, 8), (32, 4), (0, 2)) if size >= least)


def _block(tokens: Any, name: str) -> Any:
    from keras import layers

    x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_1")(tokens)
    x = layers.MultiHeadAttention(_HEADS, _WIDTH // _HEADS, name=f"{name}_attention")(x, x)
    tokens = layers.Add(name=f"{name}_add_1")([tokens, x])
    x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_2")(tokens)
    x = layers.Dense(_MLP, activation="gelu", name=f"{name}_dense_1")(x)
    x = layers.Dense(_WIDTH, name=f"{name}_dense_2")(x)
    return layers.Add(name=f"{name}_add_2")([tokens, x])


@register_architecture(
    "vit",
    title="Vision transformer",
    summary="Small transformer over image patches, trained from scratch; wants many images.",
    cam_layer="token_map",
    min_size=16,
)
def features(inputs: Any, weights: str) -> Any:
    """See `register_architecture`."""
    from keras import layers

    from dfcore.architectures.layers import PositionEmbedding

    patch = patch_size(inputs.shape[1])
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(inputs)
    x = layers.Conv2D(_WIDTH, patch, patch, name="patches")(x)
    rows, columns = x.shape[1:3]
    tokens = layers.Reshape((rows * columns, _WIDTH), name="tokens")(x)
    tokens = PositionEmbedding(name="positions")(tokens)
    for number in range(1, _DEPTH + 1):
        tokens = _block(tokens, f"block_{number}")
    tokens = layers.LayerNormalization(epsilon=1e-6, name="norm")(tokens)
    x = layers.Reshape((rows, columns, _WIDTH), name="token_map")(tokens)
    return layers.GlobalAveragePooling2D(name=f"{HEAD}pool")(x)
