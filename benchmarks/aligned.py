"""Aligned fakes: what TAEF2 changes and costs, and whether anything but traces tells the sides of a pair apart.

    python -m benchmarks.aligned --photos ../shared/data/photos_train --out benchmarks/results/aligned.txt

For each kind of self-made fakes three probes are trained on pairs of one half of the photographs and measured on those
of the other half (five folds by photograph; logistic regression, ROC AUC with a bootstrap interval over photographs):

- files: size in pixels, bytes by pixel, JPEG quality;
- thumbnails: the picture shrunk to 32 x 32;
- residuals: covariances of neighbouring pixels in what two high-pass filters leave, and their spectrum.

Thumbnails and files must not tell the sides apart; residuals may. A pair without a decoder is the control.
"""

import argparse
import io
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import convolve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dfcore.engines.openvino_engine import has_bfloat16
from dfcore.imaging import decoder
from dfcore.synthesis import KINDS
from dfcore.synthesis.pairs import make_pair
from dfcore.synthesis.taef2 import Precision, taef2

_FILTERS = (np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]) / 4, np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]]) / 4)
_BANDS = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=80)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    files = sorted(path for path in options.photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    chosen = np.random.default_rng(0).permutation(len(files))[: options.limit]
    pictures = [decoder.decode(files[i]) for i in sorted(chosen)]
    lines = [f"{len(pictures)} photographs of {options.photos.name}", *network(pictures[:30]), "", *probes(pictures)]
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def network(pictures: list[np.ndarray]) -> list[str]:
    """Difference that TAEF2 makes, and its time."""
    lines, exact = [], None
    precisions: list[Precision] = ["float32", "bfloat16"] if has_bfloat16() else ["float32"]
    for precision in precisions:
        began = time.perf_counter()
        net = taef2(precision)
        net.reconstruct(np.zeros((64, 64, 3), np.uint8))
        built = time.perf_counter() - began
        began = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            made = list(pool.map(net.reconstruct, pictures))
        seconds = time.perf_counter() - began
        area = sum(rgb.shape[0] * rgb.shape[1] for rgb in pictures) / 1e6
        differences = [np.abs(rgb.astype(int) - other).mean() for rgb, other in zip(pictures, made, strict=True)]
        low, middle, high = np.percentile(differences, [25, 50, 75])
        lines.append(
            f"TAEF2 in {precision}: mean absolute difference {np.mean(differences):.2f} grey levels (median "
            f"{middle:.2f}, quartiles {low:.2f} to {high:.2f}); {seconds / area:.1f} s a megapixel, two "
            f"at a time; built in {built:.1f} s"
        )
        if exact is None:
            exact = made
        else:
            worst = np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(exact, made, strict=True)])
            lines[-1] += f"; differs from float32 by {worst:.2f} grey levels"
    return lines


def probes(pictures: list[np.ndarray]) -> list[str]:
    """AUC of each probe by kind."""
    lines = [f"{'kind':<12}{'difference':>11}  {'files':<22}{'thumbnails':<22}{'residuals':<22}seconds a pair"]
    for kind in ("control", *KINDS):
        began = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            pairs = list(pool.map(partial(_pair, kind), enumerate(pictures)))
        seconds = (time.perf_counter() - began) / len(pairs)
        sides = [decoded(data) for pair in pairs for data in pair]
        data = [data for pair in pairs for data in pair]
        differences = [np.abs(sides[i].astype(int) - sides[i + 1]).mean() for i in range(0, len(sides), 2)]
        features = {
            "files": [[*rgb.shape[:2], len(raw) / rgb.size] for rgb, raw in zip(sides, data, strict=True)],
            "thumbnails": [thumbnail(rgb) for rgb in sides],
            "residuals": [residuals(rgb) for rgb in sides],
        }
        labels, groups = np.tile([0, 1], len(pairs)), np.repeat(np.arange(len(pairs)), 2)
        cells = [f"{auc(np.array(rows, float), labels, groups):<22}" for rows in features.values()]
        lines.append(f"{kind:<12}{np.mean(differences):>11.2f}  {''.join(cells)}{seconds:.2f}")
        print(lines[-1], flush=True)
    return lines


def _pair(kind: str, item: tuple[int, np.ndarray]) -> tuple[bytes, bytes]:
    seed, rgb = item
    if kind == "control":  # Two treatments of the same picture, by the same draw.
        made = make_pair(rgb, "drawn", seed)
        return made.real, made.real
    made = make_pair(rgb, kind, seed)
    return made.real, made.fake


def decoded(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def thumbnail(rgb: np.ndarray) -> np.ndarray:
    small = Image.fromarray(rgb).resize((32, 32), Image.Resampling.BOX)
    return np.asarray(small, float).ravel()


def residuals(rgb: np.ndarray) -> np.ndarray:
    """Of luma: covariances within 4 pixels of two residuals over their variance, and the radial spectrum of one."""
    luma = rgb.astype(float) @ [0.299, 0.587, 0.114]
    result: list[float] = []
    for kernel in _FILTERS:
        left = np.clip(convolve(luma, kernel, mode="reflect"), -8, 8)
        variance = left.var() + 1e-6
        result.append(np.log(variance))
        for down, right in [(0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (2, 2), (0, 4), (4, 0), (0, 3), (3, 0)]:
            part = left[: left.shape[0] - down, : left.shape[1] - right] * left[down:, right:]
            result.append(part.mean() / variance)
    left = convolve(luma, _FILTERS[1], mode="reflect")
    power = np.log(np.abs(np.fft.fft2(left * np.outer(np.hanning(left.shape[0]), np.hanning(left.shape[1])))) + 1e-3)
    radius = np.hypot(np.fft.fftfreq(left.shape[0])[:, None], np.fft.fftfreq(left.shape[1])[None])
    band = np.minimum((radius * 2 * _BANDS).astype(int), _BANDS - 1)
    mean = np.bincount(band.ravel(), power.ravel(), _BANDS) / np.maximum(np.bincount(band.ravel(), None, _BANDS), 1)
    return np.array([*result, *(mean - mean.mean())])


def auc(features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> str:
    """Cross-validated by photograph, with a 95% interval."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    folds = GroupKFold(5, shuffle=True, random_state=0)
    scores = cross_val_predict(probe, features, labels, groups=groups, cv=folds, method="decision_function")
    random, count = np.random.default_rng(0), groups.max() + 1
    drawn = []
    for _ in range(500):
        some = random.integers(count, size=count)
        rows = np.concatenate([2 * some, 2 * some + 1])
        drawn.append(roc_auc_score(labels[rows], scores[rows]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{roc_auc_score(labels, scores):.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
