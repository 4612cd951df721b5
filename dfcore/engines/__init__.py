"""Engines: how a detector's forward pass runs."""

from dfcore.engines.base import Engine, Outputs
from dfcore.engines.keras_engine import KerasEngine, fake_logit

__all__ = ["Engine", "KerasEngine", "Outputs", "fake_logit"]
