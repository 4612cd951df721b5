"""How well a detector recognises the images that it was trained on; and the lists of those that ship.

Run from the project's root: `python -m benchmarks.trained_on`. For every shipped detector: how many of its training
and validation images it finds, as they are, saved anew, resized and mirrored; and how many other images it wrongly says
to look like one of them. Then the same for one list of all images here: each is asked for in a list of all the others.

`python -m benchmarks.trained_on --add NAME ROOT` writes the list of a shipped detector that was made before there were
lists, if the images in ROOT are those of its card: their fingerprint decides.
"""

import argparse
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dfcore import workspace
from dfcore.datasets import TEST, TRAIN, VALIDATION, scan
from dfcore.datasets.dataset import Dataset
from dfcore.datasets.listing import list_images
from dfcore.datasets.looks import looks
from dfcore.detectors.bundle import read_card, read_trained_on, write_trained_on
from dfcore.detectors.library import find_bundle, list_bundles
from dfcore.detectors.trained_on import Seen, TrainedOn
from dfcore.evaluation import CROSS_VALIDATION, predictions_path, read_predictions
from dfcore.imaging import sandbox
from dfcore.imaging.decoder import pixels_digest
from dfcore.imaging.signature import Signature, signature
from dfcore.utils.files import sha256_bytes

SAMPLE = 300


def saved(quality: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(pixels: np.ndarray) -> np.ndarray:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer).convert("RGB"))

    return change


def resized(factor: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(pixels: np.ndarray) -> np.ndarray:
        size = [max(1, round(factor * side)) for side in pixels.shape[1::-1]]
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))

    return change


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    **{f"JPEG quality {quality}": saved(quality) for quality in (95, 85, 75, 60, 50, 30)},
    **{f"{factor:g} times the size": resized(factor) for factor in (2, 1.5, 0.75, 0.5)},
    "mirrored": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "half the size, mirrored, quality 75": lambda pixels: saved(75)(resized(0.5)(pixels)[:, ::-1]),
    "border of 5% cut off": lambda pixels: pixels[
        pixels.shape[0] // 20 : -pixels.shape[0] // 20, pixels.shape[1] // 20 : -pixels.shape[1] // 20
    ],
}


def original_splits(name: str, dataset: Dataset) -> pd.DataFrame:
    """The usable rows with the splits of the detector's training, from the predictions in its bundle."""
    folder = find_bundle(name)
    rows = dataset.usable.assign(split=TEST)
    for split, stored in ((TRAIN, CROSS_VALIDATION), (VALIDATION, VALIDATION)):
        known = set(read_predictions(predictions_path(folder, stored)).sha256)
        rows.loc[rows.sha256.isin(known), "split"] = split
    return rows


def fingerprint(rows: pd.DataFrame) -> str:
    """`Dataset.fingerprint` as in version 0.5 and earlier, which the cards of the shipped detectors hold."""
    lines = rows[["sha256", "label", "split"]].astype(object).map(str).agg(" ".join, axis=1)
    return sha256_bytes("\n".join(sorted(lines)).encode())


def add(name: str, root: Path) -> None:
    """Writes the list of a shipped detector."""
    folder, dataset = find_bundle(name), scan(root)
    card, rows = read_card(folder), original_splits(name, dataset)
    if fingerprint(rows) != card.training.fingerprint:
        raise SystemExit(f"{root} does not hold the images that {name} was trained on: another fingerprint.")
    rows = rows[rows.split != TEST]
    known = TrainedOn.of(
        rows.pixels_sha256.tolist(), rows.sha256.tolist(),
        looks(dataset.root, rows.path.tolist(), rows.sha256.tolist(), workspace.cache_dir()),
        (rows.split == VALIDATION).tolist(),
    )  # fmt: skip
    record = write_trained_on(folder, card, known).trained_on
    print(f"{name}: {record}, {len(known.to_bytes()):,} bytes")


def find(known: TrainedOn, signatures: Sequence[Signature | None]) -> list[Seen]:
    """By looks alone."""
    nothing = [None] * len(signatures)
    return known.find(nothing, nothing, lambda rest: [signatures[position] for position in rest])


def everything(data: Path) -> pd.DataFrame:
    """All images under a folder: path, data set, hashes and signature."""

    def look(path: Path) -> dict[str, object]:
        facts, seen = sandbox.look(path.read_bytes())
        name = path.relative_to(data).parts
        return {"path": path, "set": "/".join(name[: 2 if name[0] in ("modern", "faces") else 1]),
                "pixels": facts.pixels_sha256, "file": facts.sha256, "signature": seen}  # fmt: skip

    with ThreadPoolExecutor(4) as pool:
        return pd.DataFrame(pool.map(look, list_images([data])))


def copies(known: TrainedOn, images: pd.DataFrame) -> None:
    """How many changed copies of a sample of its images a list finds."""
    of_list = images[images.pixels.isin(set(images.pixels)) & images.listed]
    sample = of_list.sample(min(SAMPLE, len(of_list)), random_state=0)
    pixels = [sandbox.decode(path.read_bytes()) for path in sample.path]
    for title, change in CHANGES.items():
        changed = [change(each) for each in pixels]
        by_pixels = known.find(
            [pixels_digest(np.ascontiguousarray(each)) for each in changed], [None] * len(changed),
            lambda rest, changed=changed: [signature(changed[position]) for position in rest],
        )  # fmt: skip
        print(f"  {title:<38} found {np.mean([seen.found for seen in by_pixels]):6.1%}")


def shipped(images: pd.DataFrame) -> None:
    for folder in list_bundles():
        known = read_trained_on(folder, read_card(folder))
        if known is None:
            print(f"{folder.name}: its training images are unknown")
            continue
        exact = known.find(images.pixels.tolist(), images.file.tolist(), lambda rest: [None] * len(rest))
        images["listed"] = [seen.found for seen in exact]
        print(f"{folder.name}: {len(known):,} images listed, {images.listed.sum():,} files here are among them")
        copies(known, images)
        others = images[~images.listed]
        alike = np.array([seen.found for seen in find(known, others.signature.tolist())])
        print(f"  of {len(others):,} other images, said to look like one: {alike.sum()}")
        for path in others.path[alike]:
            print(f"    {'/'.join(path.parts[-3:])}")


def all_in_one(images: pd.DataFrame) -> None:
    """Each image is asked for in a list of all the others: the hardest question that these data can put."""
    everything = TrainedOn.of(images.pixels, images.file, images.signature, [False] * len(images))
    alike = []
    for number, row in enumerate(images.itertuples()):
        others = everything.pixels != everything.pixels[number]
        # Only candidates matter, and leaving one out of a list is dear.
        near = np.bitwise_count(everything.looks ^ everything.looks[number]) <= 8
        mirrored = np.bitwise_count(everything.looks ^ np.uint64(row.signature.hashes[1])) <= 8
        chosen = others & (near | mirrored)
        if chosen.any():
            columns = (everything.pixels, everything.files, everything.looks, everything.colours, everything.held)
            if find(TrainedOn(*(column[chosen] for column in columns)), [row.signature])[0].found:
                alike.append(row)
    print(f"all {len(images):,} images, each in a list of the others: said to look like one: {len(alike)}")
    for row in alike:
        print(f"    {'/'.join(row.path.parts[-4:])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--add", nargs=2, metavar=("NAME", "ROOT"), help="write the list of a shipped detector")
    options = parser.parse_args()
    if options.add:
        add(options.add[0], Path(options.add[1]))
        return
    images = everything(options.data)
    shipped(images)
    all_in_one(images)


if __name__ == "__main__":
    main()
