"""Data sets: what is on the disk, how it is split, and how it reaches a model."""

from dfcore.datasets.dataset import Dataset, FolderReading, LeftOut
from dfcore.datasets.layouts import KNOWN_LAYOUTS, SPLITS, TEST, TRAIN, UNLABELLED, VALIDATION
from dfcore.datasets.reading import Reading
from dfcore.datasets.scan import scan
from dfcore.datasets.splits import SplitPolicy, assign_splits, require_trainable

__all__ = [
    "KNOWN_LAYOUTS",
    "SPLITS",
    "TEST",
    "TRAIN",
    "UNLABELLED",
    "VALIDATION",
    "Dataset",
    "FolderReading",
    "LeftOut",
    "Reading",
    "SplitPolicy",
    "assign_splits",
    "require_trainable",
    "scan",
]
