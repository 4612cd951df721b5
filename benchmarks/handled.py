"""What JPEG 50, half the size, a screenshot and sharing by phone leave of the detectors that ship, side by side.

Run from the project's root: `python -m benchmarks.handled > benchmarks/results/handled.txt`. Each judges the test split
that its bundle holds, or validation where there is none; nothing is fitted or chosen on them here. Where that is too
small to say anything, what cross-validation held out is shown: each image judged by a network that did not learn from
its fold, with the thresholds and the gate that were fitted on these images. The interval of what an AUC loses comes
from resampling the images.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.faces_handled import Case, judged
from dfcore import workspace
from dfcore.confidence import ORIGINAL, find
from dfcore.datasets import TEST, VALIDATION
from dfcore.datasets.listing import list_images
from dfcore.detectors.detector import Detector
from dfcore.evaluation import HANDLED, predictions_path, read_predictions, stored_splits
from dfcore.imaging import decoder, sandbox
from dfcore.imaging.handling import get
from dfcore.labels import FAKE, REAL
from dfcore.utils.files import sha256_file

HANDLINGS = ("jpeg_50", "resize_half", "screenshot", "phone")
SAMPLES = 1000
# Images of a split that say something.
FEWEST = 60


@dataclass(frozen=True)
class Told:
    """Scores and findings of some images, each (N,)."""

    scores: np.ndarray
    findings: np.ndarray
    refused: np.ndarray

    def row(self, labels: np.ndarray) -> str:
        fake, real = (self.findings[labels == label] == "fake" for label in (FAKE, REAL))
        outside = (self.findings != "inconclusive").mean()
        return (
            f"ROC AUC {roc_auc_score(labels, self.scores):.3f}; outside the thresholds {outside:.0%}, refused "
            f"{self.refused.mean():.0%}; likely fake {fake.mean():.1%} of the fakes, {real.mean():.1%} of the real"
        )


def held_out(detector: Detector, data: Path, most: int) -> tuple[str, list[Case]]:
    """The split, and at most so many of its images of each class, drawn by seed."""
    assert detector.folder is not None
    split = TEST if TEST in stored_splits(detector.folder) else VALIDATION
    table = read_predictions(predictions_path(detector.folder, split)).sample(frac=1, random_state=0)
    wanted = table.groupby("label").head(most).set_index("sha256").label.to_dict()
    return split, list(_read(list_images([data]), wanted))


def _read(paths: list[Path], labels: dict[str, int]) -> Iterator[Case]:
    for path in paths:
        if (label := labels.pop(sha256_file(Path(path)), None)) is not None:
            content = decoder.read_bytes(path)
            yield label, sandbox.decode(content), decoder.describe(content).jpeg_quality


def told(detector: Detector, cases: list[Case]) -> Told:
    verdicts = judged(detector, cases)
    return Told(
        np.array([verdict.score for verdict in verdicts]),
        np.array([verdict.finding for verdict in verdicts]),
        np.array([verdict.ood.is_ood for verdict in verdicts]),
    )


def stored(detector: Detector) -> tuple[np.ndarray, dict[str, Told]]:
    """Labels of the images that its gate was fitted on, and what is made of them after each handling."""
    assert detector.folder is not None
    table = read_predictions(predictions_path(detector.folder, HANDLED))
    parts = {name: part.set_index("sha256") for name, part in table.groupby("group", sort=False)}
    images = sorted(set.intersection(*(set(parts[name].index) for name in (ORIGINAL, *HANDLINGS))))
    found = {}
    for name, part in parts.items():
        if name in (ORIGINAL, *HANDLINGS):
            rows = part.loc[images]
            findings = find(rows.score, detector.card.thresholds, rows.is_ood)
            found[name] = Told(rows.score.to_numpy(float), findings, rows.is_ood.to_numpy(bool))
    return parts[ORIGINAL].loc[images].label.to_numpy(int), found


def told_by_handling(detector: Detector, data: Path, most: int) -> tuple[str, np.ndarray, Iterator[tuple[str, Told]]]:
    """The images in words, their labels, and what is made of them as they are and after each handling."""
    assert detector.folder is not None
    split, cases = held_out(detector, data, most)
    if len(cases) < FEWEST and predictions_path(detector.folder, HANDLED).is_file():
        labels, found = stored(detector)
        return "held out by cross-validation", labels, ((name, found[name]) for name in (ORIGINAL, *HANDLINGS))

    def judge() -> Iterator[tuple[str, Told]]:
        yield ORIGINAL, told(detector, cases)
        for name in HANDLINGS:
            yield name, told(detector, [(label, *get(name).handle(rgb)) for label, rgb, _ in cases])

    return f"of its {split} split", np.array([label for label, _, _ in cases]), judge()


def lost(labels: np.ndarray, before: np.ndarray, after: np.ndarray) -> str:
    """What the AUC loses, with a 95% interval over paired images."""
    random, found = np.random.default_rng(0), list[float]()
    while len(found) < SAMPLES:
        some = random.integers(0, len(labels), len(labels))
        if 0 < labels[some].sum() < len(some):
            found.append(roc_auc_score(labels[some], before[some]) - roc_auc_score(labels[some], after[some]))
    low, high = np.percentile(found, [2.5, 97.5])
    return f"{roc_auc_score(labels, before) - roc_auc_score(labels, after):+.3f} [{low:+.3f}, {high:+.3f}] lost; "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=["small", "faces", "photographs"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--most", type=int, default=150, help="images of each class")
    options = parser.parse_args()
    for name in options.names:
        detector = Detector.load(workspace.shipped_models_dir() / name)
        images, labels, each = told_by_handling(detector, options.data, options.most)
        print(f"{name}: {len(labels)} images {images} ({labels.sum()} fake)")
        _, before = next(each)
        print(f"  {'as they are':11} {before.row(labels)}", flush=True)
        for handling, after in each:
            print(f"  {handling:11} {lost(labels, before.scores, after.scores)}{after.row(labels)}", flush=True)


if __name__ == "__main__":
    main()
