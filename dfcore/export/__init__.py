"""Detectors in the formats of other runtimes: converted in a process of their own, and checked."""

from dfcore.export.making import Exported, export
from dfcore.export.formats import FORMATS, INT8, Format

__all__ = ["FORMATS", "INT8", "Exported", "Format", "export"]
