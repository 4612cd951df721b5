"""What saving a picture as JPEG once more changes: error level analysis and JPEG ghosts."""

import io
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from dfcore.forensics.drawing import marked
from dfcore.forensics.view import Chart, Curve, Picture, Subject, View, grey, spread

# Side of the windows in which ghosts are looked for, as in the paper.
_WINDOW = 16
# A ghost: saving a step higher than the earlier quality changes this many times as much.
_RISE = 1.3
# Below this mean squared difference nothing can be told: flat parts look alike at every quality.
_FLOOR = 0.3
# A ghost is one part, filled and of at least three windows each way, and the rest shows none.
_LEAST_SHARE, _MOST_SHARE, _MOST_OUTSIDE = 0.01, 0.6, 0.1
_LEAST_WINDOWS, _LEAST_FILLED = 12, 0.5


def resaved(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Pixels, uint8 (h, w) or (h, w, 3), after JPEG at a quality in [1, 100] with libjpeg's tables; the same shape."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def error_level(subject: Subject, quality: int) -> View:
    """Error level analysis: the change of each pixel when the picture is saved as JPEG once more.

    Source: N. Krawetz, "A Picture's Worth: Digital Image Analysis and Forensics", Black Hat, 2007. It carries no claim:
    how much changes depends on texture and contrast first.
    """
    again = resaved(subject.rgb, quality)
    error = np.abs(subject.rgb.astype(np.int16) - again).astype(np.float32)
    shown, factor = spread(error)
    mean, high = float(error.mean()), float(np.percentile(error, 99))
    words = [
        f"Saving it at quality {quality} changes a channel by {mean:.1f} of 255 levels on average, and 1% of the "
        f"values by {high:.0f} or more."
    ]
    if subject.jpeg_quality is not None:
        words.append(
            f"The file is a JPEG of quality {subject.jpeg_quality}: near that quality little changes anywhere."
        )
    pixels = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
    return View(
        "error_level",
        (Picture(f"Change at quality {quality}, {factor:.0f} times as bright", pixels),),
        {"mean": round(mean, 2), "p99": round(high, 1), "jpeg_quality": subject.jpeg_quality},
        tuple(words),
    )


def ghosts(subject: Subject, lowest: int, highest: int, step: int) -> View:
    """JPEG ghosts: regions that were saved at a lower quality than the rest before.

    The picture's luminance is saved at each quality, and its squared difference averaged over windows of 16 pixels.
    What was saved at a quality before changes less there than one step above it. Where that holds in a connected part
    and not in most of the picture, the part has another history.

    Source: H. Farid, "Exposing Digital Forgeries from JPEG Ghosts", IEEE TIFS 4(1), 2009. The measure of a region, the
    rise of the difference from one quality to the next, is our own. As in the paper the part's blocks must lie on the
    picture's grid.
    """
    qualities = list(range(lowest, highest + 1, step))
    pixels = np.clip(np.rint(subject.luminance), 0, 255).astype(np.uint8)
    maps = np.stack([_difference(pixels, quality) for quality in qualities])
    means = maps.mean((1, 2))
    dark = [_dark(maps, number) for number in range(len(qualities))]
    shares = [float(mask[known].mean()) if known.any() else 0.0 for mask, known in dark]
    # The file's own quality leaves such traces all over, wherever there is texture.
    own = subject.jpeg_quality or 101
    masks = [mask if quality + step / 2 < own else None for quality, (mask, _) in zip(qualities, dark, strict=True)]
    found = _part(masks, [known for _, known in dark])
    shown = found[0] if found else int(np.argmin(means))
    figures: dict[str, Any] = {
        "least_difference_at": qualities[int(np.argmin(means))],
        "saved_before_at": _whole(maps, qualities, shares, own - step / 2),
        "ghost_quality": qualities[found[0]] if found else None,
        "ghost_region": None,
        "ghost_share": None,
        "jpeg_quality": subject.jpeg_quality,
    }
    picture = grey(spread(_enlarged(np.sqrt(maps[shown]), pixels.shape))[0])
    if found:
        x, y, w, h = found[1]
        figures["ghost_region"] = _placed(subject, found[1])
        figures["ghost_share"] = round(found[2], 3)
        picture = marked(picture, [(x, y, min(w, picture.shape[1] - x), min(h, picture.shape[0] - y))])
    curve = Curve("mean over the picture", [float(q) for q in qualities], [round(float(m), 3) for m in means])
    return View(
        "ghosts",
        (Picture(f"Difference at quality {qualities[shown]}; dark: changes little", picture),),
        figures,
        tuple(_ghost_words(figures)),
        (Chart("Difference by quality", "JPEG quality", "Mean squared difference, levels²", (curve,)),),
    )


def _ghost_words(figures: dict[str, Any]) -> list[str]:
    words = []
    if figures["ghost_region"]:
        x, y, w, h = figures["ghost_region"]
        words.append(
            f"A part of {figures['ghost_share']:.0%} of the area, {w} x {h} pixels from ({x}, {y}) on, looks as if it "
            f"was saved at about quality {figures['ghost_quality']} before, and the rest not."
        )
    else:
        words.append("No part was found that was saved at a lower quality than the rest.")
    if figures["saved_before_at"]:
        words.append(
            f"Most of the picture looks as if it was saved before at about quality {figures['saved_before_at']}."
        )
    return words


def _placed(subject: Subject, box: tuple[int, int, int, int]) -> list[int]:
    left, top, width, height = subject.region
    x, y, w, h = box
    return [left + x, top + y, min(w, width - x), min(h, height - y)]


def _difference(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Mean squared difference in each window, (ceil(h / 16), ceil(w / 16))."""
    squares = (pixels.astype(np.float32) - resaved(pixels, quality)) ** 2
    starts = [np.arange(0, side, _WINDOW) for side in pixels.shape]
    sums = np.add.reduceat(np.add.reduceat(squares, starts[0], 0), starts[1], 1)
    counts = [np.diff([*start, side]) for start, side in zip(starts, pixels.shape, strict=True)]
    return sums / np.outer(*counts)


def _dark(maps: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows that change less at a quality than a step above and below it; and those of which this can be told."""
    if not 0 < number < len(maps) - 1:
        return np.zeros(maps[0].shape, bool), np.zeros(maps[0].shape, bool)
    below, here, above = maps[number - 1 : number + 2]
    known = above > _FLOOR
    return known & (above > _RISE * here) & (below > here), known


def _whole(maps: np.ndarray, qualities: list[int], shares: list[float], below: float) -> int | None:
    """The quality with the deepest dip, of those below a limit at which most windows have one; None without any."""
    means = maps.mean((1, 2))
    depths = {
        quality: float(means[number + 1] / max(means[number], 1e-6))
        for number, (quality, share) in enumerate(zip(qualities, shares, strict=True))
        if share > _MOST_SHARE and quality < below
    }
    return max(depths, key=depths.__getitem__, default=None)


def _part(
    masks: list[np.ndarray | None], known: list[np.ndarray]
) -> tuple[int, tuple[int, int, int, int], float] | None:
    """The largest part with a ghost: number of the quality, box in pixels, share of the area; None if there is none."""
    best = None
    for number, mask in enumerate(masks):
        if mask is None or not mask.any():
            continue
        labels, count = ndimage.label(ndimage.median_filter(mask.astype(np.uint8), 3))
        if not count:
            continue
        sizes = np.bincount(labels.ravel())[1:]
        place = ndimage.find_objects(labels)[int(sizes.argmax())]
        rows, columns = place
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        share = tall * wide / mask.size
        outside = known[number].copy()
        outside[place] = False
        if (
            sizes.max() >= max(_LEAST_WINDOWS, _LEAST_FILLED * tall * wide)
            and min(tall, wide) >= 3
            and _LEAST_SHARE <= share <= _MOST_SHARE
            and outside.sum() >= _LEAST_WINDOWS
            and mask[outside].mean() <= _MOST_OUTSIDE
            and (best is None or share > best[2])
        ):
            best = number, tuple(_WINDOW * n for n in (columns.start, rows.start, wide, tall)), share
    return best


def _enlarged(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return values.repeat(_WINDOW, 0).repeat(_WINDOW, 1)[: shape[0], : shape[1]]
