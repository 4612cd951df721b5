"""Engines that run a detector's forward pass. Importing this imports neither TensorFlow nor OpenVINO."""

from dfcore.engines import weight_dedup
from dfcore.engines.base import Engine, EngineName, Outputs, fake_logit
from dfcore.engines.keras_engine import KerasEngine
from dfcore.engines.openvino_engine import OpenVinoEngine, convert, has_bfloat16, installed

__all__ = [
    "Engine",
    "EngineName",
    "KerasEngine",
    "OpenVinoEngine",
    "Outputs",
    "convert",
    "fake_logit",
    "has_bfloat16",
    "installed",
    "weight_dedup",
]
