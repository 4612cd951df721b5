"""Engines: how a detector's forward pass runs."""

from dfcore.engines.base import Engine
from dfcore.engines.keras_engine import KerasEngine, fake_logit

__all__ = ["Engine", "KerasEngine", "fake_logit"]
