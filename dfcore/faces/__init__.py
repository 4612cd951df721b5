"""Faces in pictures: where they are, and crops of them as face detectors expect."""

from dfcore.faces.finder import MIN_SIDE, MOST, Face, find_faces, smallest_side
from dfcore.faces.framing import crop, frame

__all__ = ["MIN_SIDE", "MOST", "Face", "crop", "find_faces", "frame", "smallest_side"]
