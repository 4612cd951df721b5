"""Forensic views of a picture's pixels: what an analyst reads beside a detector's score, and never part of it.

Every view is computed at native pixels, tells how to read it and when it misleads, and hands back pictures, curves and
figures. None of them tells whether a picture is machine-made.
"""

from dfcore.forensics.registry import VIEWS, compute, figures
from dfcore.forensics.view import Chart, Curve, Parameter, Picture, Region, View, ViewKind

__all__ = [
    "VIEWS",
    "Chart",
    "Curve",
    "Parameter",
    "Picture",
    "Region",
    "View",
    "ViewKind",
    "compute",
    "figures",
]
