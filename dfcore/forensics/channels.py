"""Bit planes and statistics of the colour channels."""

from typing import Any

import numpy as np

from dfcore.forensics.view import Chart, Curve, Picture, Subject, View, grey

CHANNELS = {"luminance": "Luminance", "red": "Red", "green": "Green", "blue": "Blue"}
COLOURS = {"saturation": "Saturation", "cb": "Blue difference (Cb)", "cr": "Red difference (Cr)"}
_LEVELS = list(range(256))


def bit_planes(subject: Subject, channel: str, plane: int) -> View:
    """One bit of each pixel; how often bits of a plane equal their right-hand neighbours, which noise does by half.

    Source: R. C. Gonzalez, R. E. Woods, "Digital Image Processing", section on bit-plane slicing.
    """
    values = _channel(subject, channel)
    shown = grey(((values >> plane) & 1) * 255.0)
    agree = None
    if values.shape[1] > 1:
        same = ~(values[:, 1:] ^ values[:, :-1])
        agree = [round(float(((same >> bit) & 1).mean()), 3) for bit in range(8)]
    ones = [round(float(((values >> bit) & 1).mean()), 3) for bit in range(8)]
    words = [f"{ones[plane]:.0%} of the bits of plane {plane} are set."]
    charts: tuple[Chart, ...] = ()
    if agree:
        words.append(f"{agree[plane]:.0%} equal their right-hand neighbour; for noise it would be 50%.")
        curve = Curve(f"{CHANNELS[channel]}", [float(bit) for bit in range(8)], list(agree))
        charts = (Chart("Bits that equal their neighbour", "Bit plane, 0 is the lowest", "Share", (curve,)),)
    return View(
        "bit_planes",
        (Picture(f"{CHANNELS[channel]}, bit {plane}: white is set", shown),),
        {"channel": channel, "ones": ones, "equal_to_neighbour": agree},
        tuple(words),
        charts,
    )


def _channel(subject: Subject, name: str) -> np.ndarray:
    if name == "luminance":
        return np.clip(np.rint(subject.luminance), 0, 255).astype(np.uint8)
    return subject.rgb[..., list(CHANNELS).index(name) - 1]


def colour_channels(subject: Subject, shown: str) -> View:
    """Histograms of the channels, their correlations, saturation, and levels that do not occur.

    Sources: for saturation S. McCloskey, M. Albright, "Detecting GAN-Generated Imagery Using Saturation Cues", ICIP
    2019; for missing levels M. C. Stamm, K. J. R. Liu, "Forensic Detection of Image Manipulation Using Statistical
    Intrinsic Fingerprints", IEEE TIFS 5(3), 2010. None of the figures carries a claim.
    """
    flat = subject.rgb.reshape(-1, 3)
    counts = [np.bincount(flat[:, channel], minlength=256) for channel in range(3)]
    titles = list(CHANNELS.values())[1:]
    saturation = _saturation(subject.rgb)
    gaps = [_gaps(count) for count in counts]
    low, high = subject.rgb.min(-1), subject.rgb.max(-1)
    levels = np.arange(256)
    means = [float(count @ levels) / len(flat) for count in counts]
    deviations = [
        float(count @ (levels - mean) ** 2 / len(flat)) ** 0.5 for count, mean in zip(counts, means, strict=True)
    ]
    figures = {
        "mean": [round(value, 1) for value in means],
        "std": [round(value, 1) for value in deviations],
        "correlation": dict(zip(("red_green", "red_blue", "green_blue"), _correlations(flat), strict=True)),
        "saturation_mean": round(float(saturation.mean()), 3),
        "white_share": round(float((low == 255).mean()), 4),
        "black_share": round(float((high == 0).mean()), 4),
        "missing_levels": gaps,
        "grey": bool((low == high).all()),
    }
    curves = tuple(
        Curve(title, [float(level) for level in _LEVELS], [round(float(n), 6) for n in count / len(flat)])
        for title, count in zip(titles, counts, strict=True)
    )
    return View(
        "colour_channels",
        (Picture(COLOURS[shown] + _SCALES[shown], _colour_picture(subject, shown, saturation)),),
        figures,
        tuple(_colour_words(figures)),
        (Chart("Histogram of the channels", "Level", "Share of the pixels", curves),),
    )


_SCALES = {"saturation": ": black is grey, white is pure colour", "cb": ": grey is none", "cr": ": grey is none"}


def _colour_words(figures: dict[str, Any]) -> list[str]:
    words = ["The picture is grey: its channels are the same."] if figures["grey"] else []
    words.append(
        f"Mean saturation {figures['saturation_mean']:.0%}; {figures['white_share']:.1%} of the pixels are pure white, "
        f"{figures['black_share']:.1%} pure black."
    )
    known = [value for value in figures["correlation"].values() if value is not None]
    if known and not figures["grey"]:
        words.append(f"Correlation of the channels: {min(known):.2f} to {max(known):.2f}.")
    missing = max((gap for gap in figures["missing_levels"] if gap is not None), default=0)
    if missing >= 0.05:
        words.append(
            f"Up to {missing:.0%} of a channel's levels between its darkest and brightest do not occur: a sign that "
            "contrast or colours were stretched, or that there are few colours."
        )
    return words


def _saturation(rgb: np.ndarray) -> np.ndarray:
    """Saturation as in HSV, float32 (h, w), 0 to 1."""
    high = rgb.max(-1).astype(np.float32)
    return np.divide(high - rgb.min(-1), high, out=np.zeros_like(high), where=high > 0)


def _colour_picture(subject: Subject, shown: str, saturation: np.ndarray) -> np.ndarray:
    if shown == "saturation":
        return grey(saturation * 255)
    weights = {"cb": (-0.168736, -0.331264, 0.5), "cr": (0.5, -0.418688, -0.081312)}[shown]
    return grey(128 + subject.rgb @ np.array(weights, np.float32))


def _gaps(counts: np.ndarray) -> float | None:
    """Share of the levels between the 1st and 99th percentile that do not occur; None where too little is known."""
    sums = np.cumsum(counts) / counts.sum()
    low, high = int(np.searchsorted(sums, 0.01)), int(np.searchsorted(sums, 0.99))
    if high - low < 32 or counts.sum() < 20 * (high - low):
        return None
    return round(float((counts[low : high + 1] == 0).mean()), 3)


def _correlations(flat: np.ndarray) -> list[float | None]:
    values = flat.astype(np.float32)
    values -= values.mean(0)
    covariance = values.T @ values
    result: list[float | None] = []
    for a, b in ((0, 1), (0, 2), (1, 2)):
        scale = float(np.sqrt(float(covariance[a, a]) * float(covariance[b, b])))
        result.append(round(float(covariance[a, b]) / scale, 3) if scale > 0 else None)
    return result
