"""Architectures: a registry, one file a family. Importing it imports no TensorFlow."""

from dfcore.architectures import cnn, spectral_cnn, resnet18, applications, multiscale, vit  # noqa: F401, I001 (order = menu)
from dfcore.architectures.registry import (
    Architecture,
    Loss,
    backbone_layers,
    build_model,
    get,
    heat_map_layers,
    names,
)

__all__ = ["Architecture", "Loss", "backbone_layers", "build_model", "get", "heat_map_layers", "names"]
