"""How many planted copies `near_duplicates.find` finds, how many pairs of distinct images it takes for copies, and how
long that takes.

    python benchmarks/near_duplicates.py DATA [--development] [--size 100000] [--pairs FOLDER]

DATA holds the development images (`../shared/data`). Limits were chosen with `--development`, on other images.
"""

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from dfcore.datasets import near_duplicates
from dfcore.imaging import decoder
from dfcore.imaging.signature import SIZE, Signature, perceptual_hashes, signature

DEVELOPMENT = ("photos_train", "faces/train")
REPORTED = ("photos", "faces/valid", "faces_stylegan2", "modern", "generators", "photo_generators", "cifake")
PLANTED = 150
DISTANCE = 10
FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BOX)
EDGES = [(0.1, 0, 0.1, 0), (0, 0.1, 0, 0.1), (0.1, 0, 0, 0.1), (0.1, 0.1, 0, 0), (0, 0, 0.1, 0.1), (0.1, 0, 0, 0)]
Edit = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def coded(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=int(rng.integers(30, 96)), subsampling=int(rng.integers(3)))
    return decoder.decode(file.getvalue())


def resized(rgb: np.ndarray, rng: np.random.Generator, low: float = 0.25, high: float = 2) -> np.ndarray:
    scale = np.exp(rng.uniform(np.log(low), np.log(high)))
    size = tuple(max(1, round(side * scale)) for side in rgb.shape[1::-1])
    return np.array(Image.fromarray(rgb).resize(size, FILTERS[rng.integers(len(FILTERS))]))


def cropped(rgb: np.ndarray, left: float, right: float, top: float, bottom: float) -> np.ndarray:
    height, width = rgb.shape[:2]
    rows = slice(round(top * height), height - round(bottom * height))
    return np.ascontiguousarray(rgb[rows, round(left * width) : width - round(right * width)])


def randomly_cropped(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return cropped(rgb, *rng.uniform(0, 0.1, 4))


def turned(rgb: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rgb[:, ::-1])


def squeezed(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = rgb.shape[:2]
    return np.array(Image.fromarray(rgb).resize((width, max(1, round(height * rng.uniform(0.7, 1.4))))))


EDITS: dict[str, Edit] = {
    "JPEG, q 30 to 95": coded,
    "resized, x0.25 to x2": resized,
    "resized, x0.25": lambda rgb, rng: resized(rgb, rng, 0.25, 0.25),
    "squeezed, x0.7 to x1.4 in height": squeezed,
    "cropped, 0 to 10% of each side": randomly_cropped,
    "cropped, 10% of each side": lambda rgb, rng: cropped(rgb, *[0.1] * 4),
    "cropped, 10% of one or two sides": lambda rgb, rng: cropped(rgb, *EDGES[rng.integers(len(EDGES))]),
    "mirrored": lambda rgb, rng: turned(rgb),
    "cropped, resized, JPEG": lambda rgb, rng: coded(resized(randomly_cropped(rgb, rng), rng), rng),
    "mirrored, JPEG": lambda rgb, rng: coded(turned(rgb), rng),
    "mirrored, cropped, JPEG": lambda rgb, rng: coded(randomly_cropped(turned(rgb), rng), rng),
}


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in decoder.SUFFIXES)


def spread_out(paths: list[Path], most: int) -> list[Path]:
    return [paths[k] for k in np.linspace(0, len(paths) - 1, min(most, len(paths))).astype(int)]


def pictures_of(data: Path, name: str, most: int) -> list[np.ndarray]:
    """Images of a folder; of "NAME at 32 px", made as small as CIFAR's."""
    folder, _, small = name.partition(" at ")
    images = [decoder.decode(path) for path in spread_out(files(data / folder), most)]
    return (
        [np.array(Image.fromarray(rgb).resize((32, 32), Image.Resampling.BICUBIC)) for rgb in images]
        if small
        else images
    )


def recalls(originals: list[np.ndarray], edit: Edit) -> tuple[float, float]:
    """Shares of planted copies found: by `find`, and by pHash alone (of the picture and its mirror image)."""
    rng = np.random.default_rng(0)
    before = [signature(rgb) for rgb in originals]
    after = [signature(edit(rgb, rng)) for rgb in originals]
    pairs = near_duplicates.find(before + after)
    found = set(zip(pairs.i, pairs.j, strict=True))
    hits = [(k, k + len(before)) in found for k in range(len(before))]
    apart = [np.bitwise_count(a.hashes ^ b.hashes[0]).min() <= DISTANCE for a, b in zip(before, after, strict=True)]
    return float(np.mean(hits)), float(np.mean(apart))


def print_recall(data: Path, sources: tuple[str, ...]) -> None:
    pictures = {name: pictures_of(data, name, PLANTED) for name in sources}
    print("Recall of planted copies (in brackets: pHash with a distance of at most 10, mirror image included)")
    print("| copies | " + " | ".join(f"{name} ({len(images)})" for name, images in pictures.items()) + " |")
    for title, edit in EDITS.items():
        cells = ["{:.3f} ({:.2f})".format(*recalls(images, edit)) for images in pictures.values()]
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


def print_distinct(data: Path, sources: tuple[str, ...], shown: Path | None) -> None:
    """Pairs found where nothing was planted."""
    paths = {name: files(data / name) for name in sources}
    started = time.perf_counter()
    pictures = {name: [decoder.decode(path) for path in group] for name, group in paths.items()}
    decoded = time.perf_counter()
    signatures = {name: [signature(rgb) for rgb in group] for name, group in pictures.items()}
    count = sum(map(len, paths.values()))
    print(
        f"\n{1e3 * (decoded - started) / count:.2f} ms to decode an image, {SIZE} bytes and "
        f"{1e3 * (time.perf_counter() - decoded) / count:.2f} ms a signature"
    )
    print("Pairs found where nothing was planted (in brackets: pHash with a distance of at most 10)")
    for name, group in [*signatures.items(), ("all together", [one for some in signatures.values() for one in some])]:
        pairs = near_duplicates.find(group)
        hashes = np.array([item.hashes for item in group])
        close = np.bitwise_count(hashes[:, None, 0] ^ hashes[None, :, 0]) <= DISTANCE
        close |= np.bitwise_count(hashes[:, None, 1] ^ hashes[None, :, 0]) <= DISTANCE
        alone = int(np.triu(close, 1).sum())
        print(
            f"| {name} | {len(group)} images | {len(pairs)} pairs, {1000 * len(pairs) / len(group):.2f} per 1,000 "
            f"({alone}, {1000 * alone / len(group):.1f} per 1,000) |",
            flush=True,
        )
        if name in pictures:
            for pair in pairs.itertuples():
                print(
                    f"    {pair.kind}, {pair.distance:.3f}: {paths[name][pair.i].relative_to(data)} | "
                    f"{paths[name][pair.j].relative_to(data)}"
                )
                if shown:
                    save_pair(
                        shown,
                        f"{name.replace('/', '_')}-{pair.i}-{pair.j}",
                        pictures[name][pair.i],
                        pictures[name][pair.j],
                    )


def save_pair(folder: Path, name: str, *both: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    side = np.hstack([np.array(Image.fromarray(rgb).resize((256, 256))) for rgb in both])
    Image.fromarray(side).save(folder / f"{name}.png")


def made(data: Path, sources: tuple[str, ...], count: int) -> list[Signature]:
    """As many signatures as asked for: real ones, mixed and moved, so that hardly any are alike."""
    rng = np.random.default_rng(0)
    thumbs = np.stack([signature(decoder.decode(path)).thumb for name in sources for path in files(data / name)])
    result = []
    for _ in range(count):
        a, b = thumbs[rng.integers(len(thumbs), size=2)]
        shares = rng.dirichlet((1, 1, 1))
        other = np.roll(thumbs[rng.integers(len(thumbs))], rng.integers(32, size=2), (0, 1))
        thumb = (shares[0] * a + shares[1] * b[:, ::-1] + shares[2] * other).astype(np.uint8)
        result.append(Signature(thumb, perceptual_hashes(thumb), 0.0, thumb.mean((0, 1), dtype=np.float32), 50.0, 256))
    return result


def print_scale(data: Path, sources: tuple[str, ...], count: int) -> None:
    signatures = made(data, sources, count)
    process = psutil.Process()
    most = [0]
    before = process.memory_info().rss
    steps = []

    def progress(done: int, total: int) -> None:
        most[0] = max(most[0], process.memory_info().rss)
        steps.append(done)

    started = time.perf_counter()
    pairs = near_duplicates.find(signatures, progress=progress)
    seconds = time.perf_counter() - started
    size, before, peak = (round(number / 2**20) for number in (count * SIZE, before, most[0]))
    print(
        f"\n{count} signatures ({size} MB): {seconds:.0f} s, {len(pairs)} pairs, {len(steps)} reports of progress; "
        f"memory {before} MB before, at most {peak} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--development", action="store_true", help="the images on which the limits were chosen")
    parser.add_argument("--size", type=int, default=0, help="also time this many signatures")
    parser.add_argument("--pairs", type=Path, help="folder for pictures of the pairs found where nothing was planted")
    arguments = parser.parse_args()
    sources = DEVELOPMENT if arguments.development else REPORTED
    print_recall(arguments.data, (*sources, *[f"{name} at 32 px" for name in DEVELOPMENT if name in sources]))
    print_distinct(arguments.data, sources, arguments.pairs)
    if arguments.size:
        print_scale(arguments.data, sources, arguments.size)


if __name__ == "__main__":
    main()
