"""Network architectures: a registry, and one file per family. Importing this package does not import TensorFlow."""

from dfcore.architectures import cnn, spectral_cnn, resnet18, applications, multiscale, vit, clip  # noqa: F401, I001 (order = menu)
from dfcore.architectures.external import load_file, own_layers
from dfcore.architectures.registry import (
    BY_NAME,
    Architecture,
    Loss,
    backbone_layers,
    build_model,
    get,
    heat_map_layers,
    names,
    register_architecture,
)

__all__ = [
    "BY_NAME",
    "Architecture",
    "Loss",
    "backbone_layers",
    "build_model",
    "get",
    "heat_map_layers",
    "load_file",
    "names",
    "own_layers",
    "register_architecture",
]
