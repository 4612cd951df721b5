"""Faces in pictures: where they are, and crops of them as face detectors expect."""

from dfcore.faces.finder import MIN_SIDE, MOST, Face, check_options, find_faces, smallest_side
from dfcore.faces.framing import ALIGNMENTS, Framing, Measured, check_margin, crop, frame, measured
from dfcore.faces.networks import shipped_networks
from dfcore.faces.portrait import is_portrait, portrayed

__all__ = [
    "ALIGNMENTS",
    "MIN_SIDE",
    "MOST",
    "Face",
    "Framing",
    "Measured",
    "check_margin",
    "check_options",
    "crop",
    "find_faces",
    "frame",
    "is_portrait",
    "measured",
    "portrayed",
    "shipped_networks",
    "smallest_side",
]
