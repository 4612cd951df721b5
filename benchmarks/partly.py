"""Whether detectors see that part of a picture was generated, by the share of its area.

Run from the project's root: `python -m benchmarks.partly > benchmarks/results/partly.txt`. A rectangle with soft edges
at a seeded place comes from elsewhere: from the picture's own reconstruction by TAEF2, as inpainting leaves it, or from
a generated picture of the same set. The picture as it was (its control) and the partly generated ones are coded alike
afterwards. Printed are the ROC AUC of the pictures against their controls with a bootstrap interval, in how many pairs
the picture scores higher, and what is said of them. Nothing is fitted or chosen on these pictures.
"""

import argparse
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from benchmarks.refusals import own_images
from dfcore.datasets.listing import list_images
from dfcore.detectors.detector import Detector
from dfcore.detectors.verdict import Verdict
from dfcore.imaging import decoder
from dfcore.synthesis import reconstruct

SHARES = (1.0, 0.5, 0.25, 0.1, 0.05)
DETECTORS = ("photographs", "faces", "small")
MODERN = ("street_city", "street_people", "objects", "gan_scenes")
SAID = ("likely fake", "low score", "undecided", "refused")
# Standard deviation of the soft border, as a share of the shorter side.
SOFT = 0.006
Pair = tuple[np.ndarray, np.ndarray]


def drawn(folder: Path, most: int, smallest: int = 0) -> list[np.ndarray]:
    """Pictures of a folder, drawn by seed, whose shorter side has at least so many pixels."""
    paths = list(list_images([folder]))
    pictures: list[np.ndarray] = []
    for number in np.random.default_rng(0).permutation(len(paths)):
        rgb = decoder.decode(paths[number])
        if min(rgb.shape[:2]) >= smallest:
            pictures.append(rgb)
        if len(pictures) == most:
            break
    return pictures


def reconstructed(data: Path, folder: str, most: int) -> list[Pair]:
    return [(rgb, reconstruct(rgb)) for rgb in drawn(data / folder, most, 300)]


def modern(data: Path, other: str, most: int) -> list[Pair]:
    """Photographs of `modern`, each with another picture of its set."""
    pairs: list[Pair] = []
    for name in MODERN:
        pairs += with_others(data / "modern" / name, "0_real", other, most // len(MODERN), 448)
    return pairs


def with_others(folder: Path, real: str, other: str, most: int, smallest: int = 0) -> list[Pair]:
    """Real pictures, each with one of another class of the folder, or with the next one of its own."""
    pictures = drawn(folder / real, most, smallest)
    others = drawn(folder / other, most, smallest) if other != real else pictures[1:] + pictures[:1]
    return list(zip(pictures, others, strict=False))


def thumbnails(data: Path, most: int) -> list[Pair]:
    paths, labels = own_images(Detector.load("small"), data / "cifake", most)
    sides = ([decoder.decode(p) for p, label in zip(paths, labels, strict=True) if label == side] for side in (0, 1))
    return list(zip(*sides, strict=True))


# What is pasted into what, how both sides are coded, and what the detectors know of them. A part of another photograph
# tells what the seam and the change of subject do by themselves.
CASES: dict[str, tuple[Callable[[Path, int], list[Pair]], str]] = {
    "TAEF2 in photographs (photos_train, taught to `photographs` as real)": (
        lambda data, most: reconstructed(data, "photos_train", most), "JPEG"),
    "generated in photographs (modern, both taught to `photographs`)": (
        lambda data, most: modern(data, "1_fake", most), "JPEG"),
    "another photograph in photographs (modern; nothing is generated)": (
        lambda data, most: modern(data, "0_real", most), "JPEG"),
    "TAEF2 in portraits (faces_stylegan2, taught to none)": (
        lambda data, most: reconstructed(data, "faces_stylegan2/real", most), "JPEG"),
    "StyleGAN2 in portraits (faces_stylegan2, taught to none)": (
        lambda data, most: with_others(data / "faces_stylegan2", "real", "fake", most), "JPEG"),
    "another portrait in portraits (faces_stylegan2; nothing is generated)": (
        lambda data, most: with_others(data / "faces_stylegan2", "real", "real", most), "JPEG"),
    "Stable Diffusion 1.4 in thumbnails (cifake, its test split; PNG)": (thumbnails, "PNG"),
}  # fmt: skip


def mask(height: int, width: int, share: float, random: np.random.Generator) -> np.ndarray:
    """A rectangle at a random place, of the picture's proportions: float32 (H, W), 1 inside, soft at its border."""
    tall, wide = (round(side * share**0.5) for side in (height, width))
    top, left = random.integers(height - tall + 1), random.integers(width - wide + 1)
    inside = np.zeros((height, width), np.float32)
    inside[top : top + tall, left : left + wide] = 1
    return gaussian_filter(inside, SOFT * min(height, width), mode="nearest")


def pasted(pair: Pair, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The partly generated picture, and its mask."""
    real, made = pair
    inside = mask(*real.shape[:2], share, np.random.default_rng([seed, round(100 * share)]))
    return np.round(inside[..., None] * made + (1 - inside[..., None]) * real).astype(np.uint8), inside


def coded(rgb: np.ndarray, form: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, form, quality=95)
    return file.getvalue()


def interval(values: np.ndarray, controls: np.ndarray) -> tuple[float, float, float]:
    """ROC AUC of scores against those of their controls, and a 95% bootstrap interval over pairs."""

    def auc(rows: np.ndarray) -> float:
        return float(roc_auc_score(np.repeat([0, 1], len(rows)), np.concatenate([controls[rows], values[rows]])))

    random, count = np.random.default_rng(0), len(values)
    low, high = np.quantile([auc(random.integers(0, count, count)) for _ in range(1000)], (0.025, 0.975))
    return auc(np.arange(count)), low, high


def calls(verdicts: Sequence[Verdict]) -> str:
    """Shares of what is said, as in `SAID`; of a low score likely real, or no sign of a fake."""
    said = [verdict.finding if not verdict.ood.is_ood else "refused" for verdict in verdicts]
    low = said.count("real") + said.count("no_sign")
    counts = (said.count("fake"), low, said.count("inconclusive"), said.count("refused"))
    return "".join(f"{count / len(said):>13.0%}" for count in counts)


def logits(verdicts: Sequence[Verdict]) -> np.ndarray:
    return np.array([verdict.logit for verdict in verdicts])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--most", type=int, default=32, help="pictures of each case")
    parser.add_argument("--cases", type=int, nargs="+", default=range(len(CASES)), help="numbers of cases, from 0")
    parser.add_argument("--engine", default="auto", help="of `photographs`; openvino-int8 takes half the time")
    options = parser.parse_args()
    engines = {"photographs": options.engine}
    detectors = {name: Detector.load(name, engines.get(name, "auto")) for name in DETECTORS}
    for title, (make, form) in [list(CASES.items())[number] for number in options.cases]:
        pairs = make(options.data, options.most)
        print(f"\n{title}: {len(pairs)} pictures; `photographs` by engine {options.engine}")
        print(f"{'':<26}{'AUC (95%)':<22}{'higher':>7}{''.join(f'{word:>13}' for word in SAID)}")
        for name, detector in detectors.items():
            controls = detector.predict([coded(real, form) for real, _ in pairs])
            if all(verdict.ood.is_ood for verdict in controls):
                print(f"{name:<12} refuses all controls", flush=True)
                continue
            print(f"{name:<12}{'control':<14}{'':<29}{calls(controls)}")
            for share in SHARES:
                made = detector.predict([coded(pasted(pair, share, seed)[0], form) for seed, pair in enumerate(pairs)])
                auc, low, high = interval(logits(made), logits(controls))
                higher = (logits(made) > logits(controls)).mean()
                text = f"{auc:.2f} ({low:.2f} to {high:.2f})"
                print(f"{name:<12}{f'{share:.0%} of area':<14}{text:<22}{higher:>7.0%}{calls(made)}", flush=True)


if __name__ == "__main__":
    main()
