"""Portraits: pictures that one face fills, as detectors of faces are trained on."""

import numpy as np

from dfcore.faces.finder import Face, find_faces

# Least side of the face as a share of the picture's shorter side, and its least score. Of 150 photographs of FFHQ all
# were portraits by this rule, of 150 faces of StyleGAN2 97%, of 100 photographs of other things 2%.
_LEAST_SIDE, _LEAST_SCORE = 0.35, 0.9
# Side of the smallest face that is looked for: at coarser scales alone, some are missed.
_LOOKED_FOR = 0.25
# Below this side in pixels faces are too small to be found, and nothing is said.
MIN_SIDE = 48


def is_portrait(rgb: np.ndarray) -> bool:
    """Whether a face fills much of a picture; see `portrayed`."""
    return portrayed(rgb) is not None


def portrayed(rgb: np.ndarray) -> Face | None:
    """The face that fills much of a picture, the largest if there are several; None if there is none.

    Args:
        rgb: uint8 (H, W, 3), each side at least `MIN_SIDE`.

    Raises:
        MissingExtraError: If OpenVINO is not installed.
        BundleError: If the weights of the finder are missing or altered.
    """
    side = min(rgb.shape[:2])
    found = find_faces(rgb, min_side=_LOOKED_FOR * side, most=8)
    large = [face for face in found if face.side >= _LEAST_SIDE * side and face.score >= _LEAST_SCORE]
    return max(large, key=lambda face: face.side, default=None)
