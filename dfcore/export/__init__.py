"""Detectors in the formats of other runtimes: converted in a process of their own, and checked."""

from dfcore.export.formats import FORMATS, INT8, Format
from dfcore.export.making import Exported, export

__all__ = ["FORMATS", "INT8", "Exported", "Format", "export"]
