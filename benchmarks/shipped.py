"""What the shipped detectors do on images that they were not made for: calls, abstentions, false alarms.

Run from the project's root: `python -m benchmarks.shipped`. Each shipped detector judges each kind of image: every data
set that it was not trained on, the 100 real photographs, noise, and drawn screenshots. For each: how many it marks as
unlike its training images, of how many of the rest it says likely fake, no sign of a fake, or likely real, and of how
many it would if somebody insisted. At the end, which detector the automatic choice takes for each kind of image.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from dfcore.confidence import DecisionThresholds, find
from dfcore.datasets import scan
from dfcore.datasets.listing import list_images
from dfcore.detectors.detector import Detector
from dfcore.detectors.library import list_bundles
from dfcore.detectors.selection import select_detector
from dfcore.detectors.verdict import Verdict
from dfcore.imaging import decoder

COUNT = 100
SETS = {
    "CIFAKE": "cifake", "FFHQ and StyleGAN": "faces/valid", "StyleGAN2 and Unsplash": "faces_stylegan2",
    "six generators": "photo_generators", "GAN and diffusion": "generators",
}  # fmt: skip


def noise(random: np.random.Generator) -> np.ndarray:
    return random.integers(0, 256, (256, 256, 3)).astype(np.uint8)


def screenshot(random: np.random.Generator) -> np.ndarray:
    """A window with a title bar, panels and lines of text."""
    width, height = random.choice([(1280, 720), (1440, 900), (800, 600)])
    ground = tuple(int(v) for v in random.integers(225, 256, 3))
    picture = Image.new("RGB", (int(width), int(height)), ground)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width, 40), fill=tuple(int(v) for v in random.integers(20, 120, 3)))
    for _ in range(6):
        x, y = int(random.integers(0, width - 220)), int(random.integers(50, height - 160))
        draw.rectangle(
            (x, y, x + 200, y + 140), fill=tuple(int(v) for v in random.integers(200, 256, 3)), outline=(90, 90, 90)
        )
        for line in range(6):
            letters = "".join(chr(int(c)) for c in random.integers(97, 123, 24))
            draw.text((x + 8, y + 8 + 20 * line), letters, fill=(30, 30, 30))
    return np.asarray(picture)


def kinds(data: Path) -> dict[str, list[decoder.Source]]:
    """Up to `COUNT` images of each kind, drawn by seed."""
    random = np.random.default_rng(0)
    result: dict[str, list[decoder.Source]] = {}
    for title, folder in SETS.items():
        table = scan(data / folder)
        rows = table.usable
        rows = rows.sample(min(COUNT, len(rows)), random_state=0).sort_index()
        for label, name in ((0, "real"), (1, "fake")):
            result[f"{title}, {name}"] = [table.root / path for path in rows.path[rows.label == label]]
    result["photographs, real"] = list(list_images([data / "photos"]))
    result["noise"] = [noise(random) for _ in range(COUNT // 2)]
    result["screenshots, drawn"] = [screenshot(random) for _ in range(COUNT // 2)]
    return result


def row(name: str, kind: str, verdicts: Sequence[Verdict], thresholds: DecisionThresholds) -> dict[str, object]:
    judged = [v for v in verdicts if v.score is not None]
    forced = find([v.score for v in judged], thresholds).tolist()
    return {
        "detector": name,
        "images": kind,
        "count": len(judged),
        "unlike": sum(v.ood.is_ood for v in judged),
        "likely fake": sum(v.finding == "fake" for v in judged),
        "no sign": sum(v.finding == "no_sign" for v in judged),
        "likely real": sum(v.finding == "real" for v in judged),
        "fake if insisted": forced.count("fake"),
        "no sign if insisted": forced.count("no_sign"),
        "real if insisted": forced.count("real"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("detectors", nargs="*", help="default: all that ship")
    options = parser.parse_args()
    names = options.detectors or [path.name for path in list_bundles()]
    detectors = {name: Detector.load(name) for name in names}
    rows, choices = [], []
    for kind, sources in kinds(options.data).items():
        verdicts = {name: detector.predict(sources) for name, detector in detectors.items()}
        rows += [row(name, kind, result, detectors[name].card.thresholds) for name, result in verdicts.items()]
        records = {name: detector.card.record[1].get("roc_auc") for name, detector in detectors.items()}
        picks = [
            select_detector({n: result[i].ood for n, result in verdicts.items()}, records) for i in range(len(sources))
        ]
        chosen = {f"{n}": sum(p.name == n and p.fits for p in picks) for n in names}
        calls = [verdicts[p.name][i].finding for i, p in enumerate(picks)]
        choices.append({"images": kind, "count": len(sources), **chosen, "none fits": sum(not p.fits for p in picks),
                        "likely fake": calls.count("fake"), "no sign": calls.count("no_sign"),
                        "likely real": calls.count("real"), "inconclusive": calls.count("inconclusive")})  # fmt: skip
    print(pd.DataFrame(rows).sort_values("detector", kind="stable").to_string(index=False))
    print("\nThe automatic choice, and what it calls them:")
    print(pd.DataFrame(choices).to_string(index=False))


if __name__ == "__main__":
    main()
