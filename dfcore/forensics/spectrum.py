"""Log spectrum and its azimuthal average, compared with that of known photographs."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import fft, ndimage

from dfcore.forensics.view import Chart, Curve, Picture, Subject, View, grey
from dfcore.utils.files import read_json

REFERENCE = Path(__file__).with_name("spectrum_reference.json")
TILE, BINS = 256, 64
_LEAST_SIDE = 32
_NO_CURVE = "The picture is too small or too flat for an azimuthal average."
# Only the upper half of the frequencies is compared; the lower one sets the level.
_LEVEL, _COMPARED = slice(4, BINS // 2), slice(BINS // 2, BINS)


@dataclass(frozen=True)
class Reference:
    """Azimuthal averages of photographs.

    Attributes:
        text: Which photographs, in words.
        images: How many.
        sides: 5th and 95th percentile of their shorter side in pixels.
        qualities: 5th and 95th percentile of their JPEG quality.
        mean, low, high: Mean, 5th and 95th percentile in dB, `BINS` each.
    """

    text: str
    images: int
    sides: tuple[int, int]
    qualities: tuple[int, int]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@cache
def reference() -> Reference:
    """The reference that ships; made by `benchmarks/forensics_reference.py`."""
    stored = read_json(REFERENCE)
    return Reference(
        stored["text"],
        stored["images"],
        *((int(low), int(high)) for low, high in (stored["sides"], stored["qualities"])),
        *(tuple(map(float, stored[name])) for name in ("mean", "low", "high")),
    )


def frequencies() -> np.ndarray:
    """Middles of the bins in cycles per pixel, (BINS,), up to 0.5."""
    return (np.arange(BINS) + 0.5) / (2 * BINS)


def power(light: np.ndarray) -> np.ndarray:
    """Mean power spectrum of a picture's tiles, (side, side), zero frequency in the middle.

    Tiles have 256 pixels, or the shorter side if that is less, and overlap by half at most (P. Welch, 1967); each is
    windowed, so that edges leave no cross.
    """
    side = min(TILE, *light.shape)
    window = np.outer(*2 * [np.hanning(side + 2)[1:-1]]).astype(np.float32)
    total, count = np.zeros((side, side)), 0
    for y in _starts(light.shape[0], side):
        for x in _starts(light.shape[1], side):
            tile = light[y : y + side, x : x + side]
            total += np.abs(fft.fft2((tile - tile.mean()) * window)) ** 2
            count += 1
    return fft.fftshift(total / count)


def _starts(length: int, side: int) -> list[int]:
    count = min(-(-(length - side) // (side // 2 or 1)) + 1, 16)
    return sorted({round(start) for start in np.linspace(0, length - side, count)})


def azimuthal(spectrum: np.ndarray) -> np.ndarray | None:
    """Azimuthal average in dB over `BINS` frequencies, relative to its mean from 0.03 to 0.25 cycles per pixel.

    Source: R. Durall, M. Keuper, J. Keuper, "Watch your Up-Convolution", CVPR 2020. None for spectra of fewer than 32
    pixels a side, and for flat pictures.
    """
    side = len(spectrum)
    if side < _LEAST_SIDE or spectrum.sum() <= 1e-9:
        return None
    axis = (np.arange(side) - side // 2) / side
    radius = np.hypot(axis[:, None], axis)
    place = (radius * 2 * BINS).astype(int)
    inside = place < BINS
    sums = np.bincount(place[inside], spectrum[inside], BINS)
    counts = np.bincount(place[inside], minlength=BINS)
    known = counts > 0
    means = np.interp(np.arange(BINS), np.flatnonzero(known), sums[known] / counts[known])
    curve = 10 * np.log10(np.maximum(means, 1e-6))
    return curve - curve[_LEVEL].mean()


def log_spectrum(subject: Subject) -> View:
    """Log spectrum of the luminance, its strongest peak, and its azimuthal average beside that of photographs.

    Sources: `azimuthal`; for peaks R. Corvi et al., "Intriguing Properties of Synthetic Images", CVPR Workshops 2023.
    """
    spectrum = power(subject.luminance)
    log = 10 * np.log10(np.maximum(spectrum, 1e-6))
    low, high = np.percentile(log, [1, 99.9])
    picture = grey((log - low) * (255 / (high - low) if high > low else 0))
    curve = azimuthal(spectrum)
    title = f"Log spectrum of tiles of {len(spectrum)} pixels; the middle is frequency 0"
    if curve is None:
        figures: dict[str, Any] = {"peak_db": None, "peak_frequency": None, "outside_band": None, "comparable": False}
        return View("log_spectrum", (Picture(title, picture, aligned=False),), figures, (_NO_CURVE,))
    peak, place = _peak(log)
    compared, why = _comparable(subject)
    known = reference()
    outside = float(np.mean((curve < known.low)[_COMPARED] | (curve > known.high)[_COMPARED]))
    figures = {
        "peak_db": round(peak, 1),
        "peak_frequency": [round(float(value), 3) for value in place],
        "outside_band": round(outside, 2) if compared else None,
        "comparable": compared,
    }
    words = [
        f"Strongest single peak: {peak:.0f} dB above its surroundings, at {place[0]:.3f} cycles per pixel across and "
        f"{place[1]:.3f} down."
    ]
    words.append(
        f"Of the upper half of the frequencies, {outside:.0%} lie outside the band of {known.text}."
        if compared else f"Not compared with the photographs: {why}."
    )  # fmt: skip
    return View(
        "log_spectrum", (Picture(title, picture, aligned=False),), figures, tuple(words), (_chart(curve, known),)
    )


def _chart(curve: np.ndarray, known: Reference) -> Chart:
    x = [round(float(value), 4) for value in frequencies()]
    curves = (
        Curve("this picture", x, [round(float(value), 2) for value in curve]),
        Curve(f"mean of {known.images} photographs", x, list(known.mean)),
    )
    return Chart(
        "Azimuthal average of the spectrum", "Spatial frequency, cycles per pixel", "Power, dB", curves,
        ("5th to 95th percentile of the photographs", x, list(known.low), list(known.high)),
    )  # fmt: skip


def _comparable(subject: Subject) -> tuple[bool, str]:
    """Whether size and coding are those of the reference's photographs; else why not."""
    known = reference()
    side, quality = min(subject.size), subject.jpeg_quality
    if not known.sides[0] <= side <= known.sides[1]:
        return False, f"theirs measure {known.sides[0]} to {known.sides[1]} pixels at the shorter side, this one {side}"
    least, most = known.qualities
    if quality is None:
        return False, f"they are JPEG files of quality {least} to {most}, and this is none"
    if not least <= quality <= most:
        return False, f"they are JPEG files of quality {least} to {most}, and this one has quality {quality}"
    return True, ""


def _peak(log: np.ndarray) -> tuple[float, tuple[float, float]]:
    """How far the strongest peak rises above the median around it, in dB, and its frequency (across, down)."""
    above = log - ndimage.median_filter(log, 15, mode="wrap")
    side = len(log)
    axis = np.abs(np.arange(side) - side // 2) / side
    # Close to zero the spectrum is steep, and no peak stands out.
    above[np.hypot(axis[:, None], axis) < 0.06] = 0
    y, x = np.unravel_index(int(above.argmax()), above.shape)
    return float(above[y, x]), (float(axis[x]), float(axis[y]))
