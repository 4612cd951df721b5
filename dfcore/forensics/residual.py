"""Noise residual: what is left of the luminance when its smooth part is taken away."""

import numpy as np
from scipy import ndimage

from dfcore.forensics.view import Picture, Subject, View, grey

# SRM's 5 x 5 kernel: J. Fridrich, J. Kodovsky, "Rich Models for Steganalysis of Digital Images", IEEE TIFS 7(3), 2012.
_HIGH_PASS = np.array(
    [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]], np.float32
) / 12  # fmt: skip
_LAPLACE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_BLOCK = 32


def noise_residual(subject: Subject, kind: str) -> View:
    """Noise residual by a median filter of 3 x 3 pixels or by a high-pass filter, and the noise level.

    Source of the noise level: J. Immerkær, "Fast Noise Variance Estimation", CVIU 64(2), 1996. Its spread is over
    blocks of 32 pixels; texture raises it as noise does, so it carries no claim.
    """
    light = subject.luminance
    if kind == "median":
        residual = light - ndimage.median_filter(light, 3, mode="reflect")
    else:
        residual = ndimage.convolve(light, _HIGH_PASS, mode="reflect")
    scale = float(np.percentile(np.abs(residual), 99.5))
    shown = grey(128 + residual * (127 / scale if scale > 0 else 0))
    overall, low, high = noise_levels(light)
    told = "The picture is too small for a noise level."
    if overall is not None:
        told = f"Noise level: {overall:.1f} of 255 levels."
    if low is not None:
        told += f" Blocks of {_BLOCK} pixels lie between {low:.1f} and {high:.1f} (10th and 90th percentile)."
    return View(
        "noise_residual",
        (Picture(f"Residual, grey is none, black and white are {scale:.1f} levels or more", shown),),
        {"noise": overall, "noise_p10": low, "noise_p90": high},
        (told,),
    )


def noise_levels(light: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Immerkær's noise level of luminance (h, w), and its 10th and 90th percentile over blocks; None if too small."""
    height, width = light.shape
    if min(height, width) < 3:
        return None, None, None
    response = np.abs(ndimage.convolve(light, _LAPLACE, mode="reflect"))[1:-1, 1:-1] * (np.pi / 2) ** 0.5 / 6
    rows, columns = (side // _BLOCK for side in response.shape)
    overall = round(float(response.mean()), 2)
    if not rows or not columns:
        return overall, None, None
    blocks = response[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK).mean((1, 3))
    low, high = np.percentile(blocks, [10, 90])
    return overall, round(float(low), 2), round(float(high), 2)
