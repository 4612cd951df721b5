"""False alarms on hard real pictures, by kind: collections of photographs, and imitations of what is done to them.

Run from the project's root: `python -m benchmarks.hard_real > benchmarks/results/hard_real.txt`. All pictures are real.
The imitations are made here of photographs and portraits by plain operations, seeded: they stand for a kind of
processing, and are no pictures of that kind. For each kind and detector: how many pictures it was taught (by its list
of training images), how many it calls likely fake, with a 95% interval of the share (Wilson), and what else it says; at
last how many it would call likely fake if what it refuses were decided as well. A kind marked * is a source that the
detector learned from: its scores are those of cross-validation that held the source out (refusals are not known then,
and the thresholds were chosen on these scores).
"""

import argparse
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter, median_filter, uniform_filter

from benchmarks.refusals import own_images
from benchmarks.sources import images
from dfcore.datasets.listing import list_images
from dfcore.detectors.detector import Detector
from dfcore.detectors.verdict import Verdict
from dfcore.evaluation import predictions_path, read_predictions
from dfcore.imaging import decoder

DETECTORS = ("faces", "small", "photographs")
KINDS = {
    "ImageNet (photos)": "photos",
    "ImageNet (photos_train)": "photos_train",
    "streets, city": "modern/street_city/0_real",
    "streets, people": "modern/street_people/0_real",
    "screenshots of photographs (objects)": "modern/objects/0_real",
    "stock photographs (gan_scenes)": "modern/gan_scenes/0_real",
    "web (photo_generators)": "photo_generators/*/0_real",
    "large photographs (generators)": "generators/real",
    "portraits, FFHQ (faces/valid)": "faces/valid/real",
    "portraits, Unsplash (faces_stylegan2)": "faces_stylegan2/real",
}
BASES = ("photos", "faces/valid/real")
Step = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, int]]


def luma(x: np.ndarray) -> np.ndarray:
    return (x @ np.array([0.299, 0.587, 0.114]))[..., None]


def smoothed(x: np.ndarray, radius: float, edge: float) -> np.ndarray:
    """Guided filter of each channel by itself: smooth within surfaces, sharp at edges stronger than `edge`."""
    size = (2 * round(radius) + 1, 2 * round(radius) + 1, 1)
    mean = uniform_filter(x, size)
    variance = np.maximum(uniform_filter(x * x, size) - mean**2, 0)
    slope = variance / (variance + edge**2)
    return uniform_filter(slope, size) * x + uniform_filter(mean * (1 - slope), size)


def saturated(x: np.ndarray, factor: float) -> np.ndarray:
    return luma(x) + factor * (x - luma(x))


def night(x: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, int]:
    """A sixteenth of the light, shot noise, read out brighter again, denoised."""
    photons = random.poisson(x**2.2 / 16 * 2000) / 2000
    return smoothed(median_filter((photons * 4) ** (1 / 2.2), (3, 3, 1)), 2, 0.08), 90


def phone(x: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, int]:
    """Strong denoising, local contrast, sharpening, colour."""
    clean = smoothed(x, 2, 0.06)
    broad = clean + 0.35 * (clean - gaussian_filter(clean, (0.03 * min(x.shape[:2]),) * 2 + (0,)))
    return saturated(broad + 1.2 * (broad - gaussian_filter(broad, (1, 1, 0))), 1.2), 85


def retouched(x: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, int]:
    """Smooth skin (everywhere), more colour, a vignette."""
    down, right = (np.linspace(-1, 1, length) for length in x.shape[:2])
    vignette = 1 - 0.25 * (down[:, None, None] ** 2 + right[None, :, None] ** 2)
    return saturated(smoothed(x, 4, 0.09), 1.35) * vignette, 92


def press(x: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, int]:
    """A crop of 80% of the sides, an unsharp mask, 1,024 pixels wide."""
    tall, wide = (round(0.8 * length) for length in x.shape[:2])
    top, left = random.integers(x.shape[0] - tall + 1), random.integers(x.shape[1] - wide + 1)
    image = Image.fromarray(pixels(x[top : top + tall, left : left + wide]))
    image = image.filter(ImageFilter.UnsharpMask(1.5, 120, 2))
    return np.asarray(image.resize((1024, round(1024 * tall / wide)), Image.Resampling.LANCZOS)) / 255, 80


def hdr(x: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, int]:
    """Broad differences of light compressed, fine ones enhanced, more colour."""
    light = np.log(luma(x) + 0.02)
    base = smoothed(light, 0.05 * min(x.shape[:2]), 0.5)
    mapped = np.exp(0.5 * (base - np.log(0.4)) + np.log(0.4) + 1.5 * (light - base))
    return saturated(x * mapped / (luma(x) + 0.02), 1.3), 90


IMITATIONS: dict[str, Step] = {"night": night, "phone": phone, "retouching": retouched, "press": press, "HDR": hdr}


def pixels(x: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(255 * x), 0, 255).astype(np.uint8)


def imitated(path: Path, step: Step, number: int) -> bytes:
    made, quality = step(decoder.decode(path) / 255, np.random.default_rng([number, 7]))
    file = io.BytesIO()
    Image.fromarray(pixels(made)).save(file, "JPEG", quality=quality)
    return file.getvalue()


def wilson(count: int, total: int, z: float = 1.96) -> tuple[float, float]:
    share, extra = count / total, z**2 / total
    half = z * (share * (1 - share) / total + extra / (4 * total)) ** 0.5
    middle = share + extra / 2
    return (middle - half) / (1 + extra), (middle + half) / (1 + extra)


def held_out(detector: Detector, data: Path) -> dict[Path, Verdict]:
    """What it said of pictures it learned from when their source was held out, where it was trained that way."""
    if not detector.card.by_source or detector.folder is None:
        return {}
    table = read_predictions(predictions_path(detector.folder, "cross-validation"))
    scores = dict(zip(table.path.map(lambda path: Path(path).name), table.score, strict=True))
    names = {path: "-".join(path.relative_to(data).parts).replace(" ", "_") for _, _, path in images(data)}
    thresholds = detector.card.thresholds
    return {
        path: Verdict(float(scores[name]), detector.threshold, thresholds=thresholds)
        for path, name in names.items()
        if name in scores
    }


def row(kind: str, verdicts: Sequence[Verdict]) -> str:
    said = ["refused" if verdict.ood.is_ood else verdict.finding for verdict in verdicts]
    alarms, total = said.count("fake"), len(said)
    low, high = wilson(alarms, total)
    others = "".join(f"{said.count(word):>10}" for word in ("real", "no_sign", "inconclusive", "refused"))
    taught = sum(verdict.seen.found for verdict in verdicts)
    forced = sum(verdict.score >= verdict.thresholds.fake_from for verdict in verdicts)
    share = f"{alarms / total:.1%} ({max(low, 0):.1%} to {high:.1%})"
    return f"{kind:<40}{total:>5}{taught:>8}{alarms:>12}  {share:<22}{others}{forced:>13}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("detectors", nargs="*", default=DETECTORS)
    parser.add_argument("--engine", default="auto", help="openvino-int8 takes half the time (`photographs` alone)")
    parser.add_argument("--kinds", nargs="+", default=[""], help="only kinds whose names hold one of these")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--most", type=int, default=60, help="pictures of each kind, drawn by seed")
    options = parser.parse_args()
    random, most = np.random.default_rng(0), options.most
    files: dict[str, list[Path]] = {}
    for kind, folder in KINDS.items():
        found = list_images(sorted(options.data.glob(folder)))
        files[kind] = [Path(found[k]) for k in random.permutation(len(found))]
    thumbnails = zip(*own_images(Detector.load("small"), options.data / "cifake", most), strict=True)
    files["thumbnails (cifake, its test split)"] = [path for path, label in thumbnails if label == 0]
    made: dict[str, tuple[list[Path], Step]] = {}
    for folder in BASES:
        paths = next(files[kind] for kind, each in KINDS.items() if each == folder)
        made |= {f"imitated {name}, of {folder}": (paths[:most], step) for name, step in IMITATIONS.items()}
    others = "".join(f"{word:>10}" for word in ("real", "no sign", "undecided", "refused"))
    for name in options.detectors:
        detector = Detector.load(name, options.engine)
        known = held_out(detector, options.data)
        print(f"\n{name:<40}{'n':>5}{'taught':>8}{'likely fake':>12}  {'share (95%)':<22}{others}{'if insisted':>13}")
        for kind in [kind for kind in (*files, *made) if any(part in kind for part in options.kinds)]:
            before = [known[path] for path in files.get(kind, ()) if path in known]
            if before:
                print(row(f"{kind} *", before), flush=True)
                continue
            pictures: Sequence[Path | bytes] = files[kind][:most] if kind in files else ()
            if kind in made:
                pictures = [imitated(path, made[kind][1], k) for k, path in enumerate(made[kind][0])]
            print(row(kind, detector.predict(pictures)), flush=True)


if __name__ == "__main__":
    main()
