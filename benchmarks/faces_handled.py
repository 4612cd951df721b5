"""What a face detector is worth after handling, and on faces of diffusion models, with and without its gate.

Run from the project's root: `python -m benchmarks.faces_handled > benchmarks/results/faces_handled.txt`; `--detector`
names another one than `faces`.

Two tables: how many images lie outside the two thresholds and are not refused (whatever is said below the lower one),
how many real ones are false alarms, and how many fakes pass below the lower threshold. First faces of `faces/valid` as
they are and after what happens to pictures on their way (`imaging.handling`). Then faces of `modern/street_people`,
photographs and fakes of unnamed generators, cut out by the face finder, judged by the face detector and by
`photographs`. Nothing is fitted or chosen on them.
"""

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from dfcore.datasets import scan
from dfcore.detectors.detector import Detector
from dfcore.detectors.verdict import Verdict
from dfcore.faces import crop, find_faces
from dfcore.imaging import PreparedImage, decoder, sandbox
from dfcore.imaging.facts import ImageFacts
from dfcore.imaging.handling import get
from dfcore.labels import FAKE, REAL

HANDLINGS = ("jpeg_40", "enlarged_1024", "phone")
# Faces below this are left out of the second table, in pixels.
SMALLEST = 40
# What differs from image to image in the reasons of the gate.
NUMBERS = re.compile(r" \(.*?\)")
BATCH = 16
Case = tuple[int, np.ndarray, int | None]


def pictures(folder: Path) -> Iterator[Case]:
    """Label, pixels and JPEG quality of every picture of a data set."""
    for row in scan(folder).table.itertuples():
        data = decoder.read_bytes(folder / row.path)
        yield row.label, sandbox.decode(data), decoder.describe(data).jpeg_quality


def prepared(rgb: np.ndarray, quality: int | None, detector: Detector) -> PreparedImage:
    height, width = rgb.shape[:2]
    facts = ImageFacts("JPEG" if quality else "PNG", width, height, "RGB", 0, "", jpeg_quality=quality)
    return replace(PreparedImage.from_pixels(rgb, [detector.spec]), facts=facts)


def judged(detector: Detector, cases: Sequence[Case]) -> list[Verdict]:
    return [
        verdict
        for start in range(0, len(cases), BATCH)
        for verdict in detector.judge([prepared(rgb, q, detector) for _, rgb, q in cases[start : start + BATCH]])
    ]


def tell(title: str, labels: Sequence[int], verdicts: Sequence[Verdict]) -> None:
    y, scores = np.array(labels), np.array([verdict.score for verdict in verdicts])
    auc = roc_auc_score(y, scores)
    print(f"{title}: {len(y)} images ({(y == FAKE).sum()} fake), ROC AUC {auc:.3f}", end="")
    for how, ignored in (("gate on", False), ("gate ignored", True)):
        found = np.array([replace(verdict, ignore_ood=ignored).finding for verdict in verdicts])
        outside, low = (found != "inconclusive").mean(), np.isin(found, ("real", "no_sign"))
        alarms, passed = (found[y == REAL] == "fake").mean(), low[y == FAKE].mean()
        print(
            f"; {how}: outside the thresholds {outside:.0%}, false alarms {alarms:.1%}, fakes passed {passed:.1%}",
            end="",
        )
    reasons = Counter(NUMBERS.sub("", text) for verdict in verdicts for text in verdict.ood.reasons)
    print("".join(f"; {number} x {text}" for text, number in reasons.most_common(3)), flush=True)


def cut_out(cases: Sequence[Case]) -> list[Case]:
    """Crops of the faces in pictures, with the label and quality of their picture."""
    result: list[Case] = []
    for label, rgb, quality in cases:
        result += [(label, crop(rgb, face), quality) for face in find_faces(rgb) if face.side >= SMALLEST]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--detector", default="faces")
    options = parser.parse_args()
    detector = Detector.load(options.detector)
    valid = list(pictures(options.data / "faces/valid"))
    labels = [label for label, _, _ in valid]
    print(f"faces/valid, {options.detector}")
    tell("as it is", labels, judged(detector, valid))
    for name in HANDLINGS:
        handling = get(name)
        cases = [(label, *handling.handle(rgb)) for label, rgb, _ in valid]
        tell(handling.title, labels, judged(detector, cases))
    people = list(pictures(options.data / "modern/street_people"))
    faces = cut_out(people)
    sides = np.array([rgb.shape[0] for _, rgb, _ in faces])
    sizes = f"crops of {sides.min()} to {sides.max()} px, median {np.median(sides):.0f}"
    print(f"street_people: {len(faces)} faces of {SMALLEST} px or more in {len(people)} pictures; {sizes}")
    for name, cases in ((options.detector, faces), ("photographs", faces), ("photographs", people)):
        what = "the faces" if cases is faces else "the whole pictures"
        tell(f"{what}, {name}", [label for label, _, _ in cases], judged(Detector.load(name), cases))


if __name__ == "__main__":
    main()
