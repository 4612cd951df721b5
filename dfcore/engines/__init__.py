"""Engines that run a detector's forward pass. Importing this imports neither TensorFlow nor OpenVINO."""

from dfcore.engines import weight_dedup
from dfcore.engines.base import Engine, EngineName, Outputs, as_squares, count_heads, fake_logit, over_views
from dfcore.engines.keras_engine import KerasEngine
from dfcore.engines.openvino_engine import OpenVinoEngine, convert, has_bfloat16, installed

__all__ = [
    "Engine",
    "EngineName",
    "KerasEngine",
    "OpenVinoEngine",
    "Outputs",
    "as_squares",
    "convert",
    "count_heads",
    "fake_logit",
    "has_bfloat16",
    "installed",
    "over_views",
    "weight_dedup",
]
