"""How the shipped face detector's training images are framed, and what cropping changes on faces in larger scenes.

Run from the project's root: `python -m benchmarks.face_crops > benchmarks/results/face_crops.txt`;
`--ship models/faces` writes the framing onto that detector's card and ends. `--sizes` measures instead from which size
of a face on false alarms stay within the budget (benchmarks/results/face_sizes.txt), and with `--ship` writes that.

First the framing, on faces/train alone: the margin and the offset that turn a found face into the picture that it was
found in, by the face's box and by its eyes and mouth; median and spread. The card gets the one with less spread.

Then the faces of faces/valid, each pasted at several sizes into a photograph of 1024 x 768 pixels in which the finder
finds no face: judged as a whole by the face detector, and by crops of the face that is found where it was pasted.
Nothing is chosen on them. What is pasted is the whole square of the data set, with its hard edge: around a face in a
photograph there is more of the person, so a crop that is too wide is a little worse off here.

The size is chosen on real faces of faces/train that the network did not learn from, its validation split: on those
that it learned from it errs far less. They are few, so the upper bound is told; faces/valid is shown beside them, and
chooses nothing. Each face is pasted into a part of a photograph twice as wide.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from benchmarks.face_finder import CENTRE, HEIGHT, matched
from dfcore.confidence import upper_bound
from dfcore.datasets import scan
from dfcore.detectors import of_faces, subject
from dfcore.detectors.bundle import read_card, write_card
from dfcore.detectors.detector import Detector
from dfcore.detectors.face_records import FaceSizes, MeasuredFaces
from dfcore.detectors.verdict import Verdict
from dfcore.faces import ALIGNMENTS, Face, Framing, find_faces, measured, portrayed
from dfcore.imaging import PreparedImage, decoder
from dfcore.labels import FAKE, REAL
from dfcore.utils.files import sha256_bytes

SIDES = (64, 96, 128, 192, 256)
SIZES = (96, 128, 160, 192, 224, 256)
GROUND = (1024, 768)
BATCH = 16
Cut = Callable[[np.ndarray, Face], np.ndarray]


@dataclass(frozen=True)
class Scene:
    """A photograph with one face pasted into it, and the face that was found there, if it was."""

    label: int
    face: np.ndarray
    rgb: np.ndarray
    found: Face | None
    others: int


def pictures(folder: Path) -> list[tuple[int, np.ndarray]]:
    return [(row.label, decoder.decode(folder / row.path)) for row in scan(folder).table.itertuples()]


def framing(found: Sequence[tuple[Face, int]], count: int) -> None:
    print(f"Framing of faces/train: a face fills {len(found):,} of {count:,} pictures")
    for alignment in ALIGNMENTS:
        one = measured(found, alignment)
        print(
            f"  {ALIGNMENTS[alignment]}: margin {one.framing.margin:.3f}, offset {one.framing.offset:.3f}; "
            f"the side varies by {one.spread:.1%}, the place by {one.apart:.1%} of the side (standard deviations)"
        )


def faceless(folder: Path) -> tuple[list[Image.Image], int]:
    """Photographs in which no face is found, at one size; and how many there are in all."""
    files = sorted(folder.iterdir())
    grounds = [Image.open(path).convert("RGB").resize(GROUND, Image.Resampling.BICUBIC) for path in files]
    return [ground for ground in grounds if not find_faces(np.asarray(ground))], len(files)


def scenes(
    faces: Sequence[tuple[int, np.ndarray]], grounds: Sequence[Image.Image], side: int, random: np.random.Generator
) -> Iterator[Scene]:
    for number, (label, face) in enumerate(faces):
        canvas, small = grounds[number % len(grounds)].copy(), Image.fromarray(face)
        small = small if small.size == (side, side) else small.resize((side, side), Image.Resampling.LANCZOS)
        left, top = (int(random.integers(0, length - side + 1)) for length in canvas.size)
        canvas.paste(small, (left, top))
        rgb = np.asarray(canvas)
        found = find_faces(rgb)
        truth = [(left + side * CENTRE[0], top + side * CENTRE[1], side * HEIGHT)]
        hits, used = matched(np.array([one.box for one in found]).reshape(-1, 4), truth)
        there = found[int(np.flatnonzero(used)[0])] if hits else None
        yield Scene(label, np.asarray(small), rgb, there, len(found) - hits)


def judged(detector: Detector, crops: Sequence[np.ndarray]) -> list[Verdict]:
    verdicts: list[Verdict] = []
    for start in range(0, len(crops), BATCH):
        verdicts += detector.judge(
            [PreparedImage.from_pixels(rgb, [detector.spec]) for rgb in crops[start : start + BATCH]]
        )
    return verdicts


def tell(title: str, labels: Sequence[int], verdicts: Sequence[Verdict]) -> None:
    y, scores = np.array(labels), np.array([verdict.score for verdict in verdicts])
    called = scores >= verdicts[0].threshold
    line = (
        f"  {title}: ROC AUC {roc_auc_score(y, scores):.3f}, balanced accuracy {balanced_accuracy_score(y, called):.3f}"
    )
    for how, insisted in (("with its refusals", False), ("insisted", True)):
        said = np.array([replace(verdict, ignore_ood=insisted).finding for verdict in verdicts])
        alarms, caught = (said[y == REAL] == "fake").mean(), (said[y == FAKE] == "fake").mean()
        passed = np.isin(said[y == FAKE], ("real", "no_sign")).mean()
        line += (
            f"; {how}: decided {(said != 'inconclusive').mean():.0%}, false alarms {alarms:.1%}, "
            f"fakes called likely fake {caught:.0%}, fakes passed {passed:.1%}"
        )
    print(line, flush=True)


def not_learned(folder: Path, detector: Detector) -> list[tuple[int, np.ndarray]]:
    """Real faces of the detector's validation split."""
    held = set(detector.trained_on.files[detector.trained_on.held].tolist())
    files = [path.read_bytes() for path in sorted(folder.iterdir())]
    return [(REAL, decoder.decode(data)) for data in files if int(sha256_bytes(data)[:16], 16) in held]


def sizes(
    detector: Detector, faces: Sequence[tuple[int, np.ndarray]], grounds: Sequence[Image.Image], title: str
) -> list[MeasuredFaces]:
    random, measured_sizes = np.random.default_rng(0), []
    for side in SIZES:
        parts = []
        for ground in grounds:
            left, top = (int(random.integers(0, length - 2 * side + 1)) for length in GROUND)
            parts.append(ground.crop((left, top, left + 2 * side, top + 2 * side)))
        made = [scene for scene in scenes(faces, parts, side, random) if scene.found is not None]
        crops = [of_faces.framing(detector.card).crop(scene.rgb, scene.found) for scene in made]
        verdicts = judged(detector, crops)
        used = [verdict for verdict in verdicts if verdict.is_used]
        alarms = sum(verdict.finding == "fake" for verdict in used)
        insisted = sum(replace(verdict, ignore_ood=True).finding == "fake" for verdict in verdicts)
        print(
            f"{title}, {side} px: {alarms} of {len(used)} real faces whose score is used called likely fake, "
            f"{alarms / len(used):.1%}, at most {upper_bound(alarms, len(used)):.1%} at 95%; insisted, {insisted} of "
            f"{len(verdicts)} found of {len(faces)}",
            flush=True,
        )
        measured_sizes.append(MeasuredFaces(side=side, faces=len(used), alarms=alarms))
    return measured_sizes


def measure_sizes(options: argparse.Namespace) -> None:
    detector = Detector.load(options.detector)
    budget = detector.card.thresholds.budget.max_fpr
    grounds, _ = faceless(options.data / "photos")
    held = not_learned(options.data / "faces/train/real", detector)
    rows = sizes(detector, held, grounds, "faces/train, not learned from")
    text = "real faces of the validation split, pasted into photographs"
    made = FaceSizes(budget=budget, measured=tuple(rows), measured_on=text)
    print(f"Within the budget of {budget:.0%} from {made.least} px on", flush=True)
    if options.ship:
        write_card(options.ship, read_card(options.ship).model_copy(update={"face_sizes": made}))
    valid = [(REAL, decoder.decode(path)) for path in sorted((options.data / "faces/valid/real").iterdir())]
    sizes(detector, valid[: options.count], grounds, "faces/valid, which chooses nothing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--detector", default="faces")
    parser.add_argument("--count", type=int, help="faces of faces/valid (default: all)")
    parser.add_argument("--ship", type=Path, metavar="BUNDLE")
    parser.add_argument("--sizes", action="store_true")
    options = parser.parse_args()
    if options.sizes:
        measure_sizes(options)
        return
    train = pictures(options.data / "faces/train")
    found = [(face, len(rgb)) for _, rgb in train if (face := portrayed(rgb)) is not None]
    framing(found, len(train))
    if options.ship:
        write_card(options.ship, read_card(options.ship).model_copy(update={"framing": subject.framing_of(found)}))
        return
    by_box, detector = measured(found, "box").framing, Detector.load(options.detector)
    trained = detector.card.framing.framing
    ways: dict[str, Cut] = {
        "crop by box without margin": Framing(alignment="box").crop,
        f"crop by box, margin {by_box.margin:.3f} and offset {by_box.offset:.3f} as measured": by_box.crop,
        f"crop as framed in training ({ALIGNMENTS[trained.alignment]})": trained.crop,
    }
    random = np.random.default_rng(0)
    valid = pictures(options.data / "faces/valid")
    valid = [valid[number] for number in sorted(random.permutation(len(valid))[: options.count])]
    grounds, of = faceless(options.data / "photos")
    print(f"\nfaces/valid, {len(valid)} faces, by {detector.card.title}")
    tell("as they are", [label for label, _ in valid], judged(detector, [rgb for _, rgb in valid]))
    print(f"\nEach pasted into one of {len(grounds)} of {of} photographs, those in which no face is found; 1024 x 768")
    for side in SIDES:
        made = list(scenes(valid, grounds, side, random))
        there = [(scene, scene.found) for scene in made if scene.found is not None]
        others = sum(scene.others for scene in made)
        print(f"\n{side} px: {len(there)} of {len(made)} faces found, and {others} other boxes")
        labels = [scene.label for scene in made]
        tell("the square that was pasted, alone", labels, judged(detector, [scene.face for scene in made]))
        tell("the picture as a whole", labels, judged(detector, [scene.rgb for scene in made]))
        for title, cut in ways.items():
            crops = [cut(scene.rgb, face) for scene, face in there]
            tell(f"{title}, of those found", [scene.label for scene, _ in there], judged(detector, crops))


if __name__ == "__main__":
    main()
