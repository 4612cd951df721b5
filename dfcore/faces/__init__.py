"""Faces in pictures: where they are, and crops of them as face detectors expect."""

from dfcore.faces.finder import MIN_SIDE, MOST, Face, check_options, find_faces, smallest_side
from dfcore.faces.framing import check_margin, crop, frame
from dfcore.faces.networks import shipped_networks
from dfcore.faces.portrait import is_portrait

__all__ = [
    "MIN_SIDE",
    "MOST",
    "Face",
    "check_margin",
    "check_options",
    "crop",
    "find_faces",
    "frame",
    "is_portrait",
    "shipped_networks",
    "smallest_side",
]
