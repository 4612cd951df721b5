"""How far the figures of the forensic views can be trusted: found and false alarms on photographs and forgeries of
them.

Run from the project's root: `python -m benchmarks.forensics ../shared/data/photos --also
../shared/data/modern/objects/0_real ../shared/data/modern/street_city/0_real > benchmarks/results/forensics.txt`.
Limits were chosen on `../shared/data/photos_train`; the folders given here must be others. The forgeries
are made with a seed.
"""

import argparse
import io
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from dfcore.forensics import VIEWS, View, compute
from dfcore.forensics.recompression import resaved

Box = tuple[int, int, int, int]


def jpeg(rgb: np.ndarray, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality)
    return file.getvalue()


def png(rgb: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "PNG", compress_level=1)
    return file.getvalue()


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def never_jpeg(rgb: np.ndarray) -> np.ndarray:
    """At 0.45 of its size, where no grid of 8 pixels is left."""
    image = Image.fromarray(rgb)
    return np.asarray(image.resize((int(image.width * 0.45), int(image.height * 0.45)), Image.Resampling.LANCZOS))


def large_enough(paths: Sequence[Path], side: int) -> list[np.ndarray]:
    return [rgb for rgb in map(read, paths) if min(rgb.shape[:2]) >= side]


def overlap(a: Sequence[int], b: Sequence[int]) -> float:
    """Intersection over union of boxes (x, y, width, height)."""
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(wide, 0) * max(high, 0)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def ways(*qualities: int) -> dict[str, Callable[[np.ndarray], bytes]]:
    """Ways to save a forged picture."""
    coded = {f"saved at {quality}": partial(jpeg, quality=quality) for quality in qualities}
    return {"kept as PNG": png, **coded}


def told(name: str, hits: Sequence[bool]) -> None:
    print(f"{name}: {sum(hits)} of {len(hits)} ({np.mean(hits):.0%})" if len(hits) else f"{name}: none")


def grids(pictures: Sequence[np.ndarray]) -> None:
    """The origin of a cropped JPEG's grid; pictures without a grid; a part from another JPEG."""
    random = np.random.default_rng(0)
    for first in (95, 85, 75):
        for then in (None, 98, 95, 90):
            hits = []
            wrong = []
            for rgb in pictures:
                x, y = random.integers(0, 8, 2)
                crop = np.ascontiguousarray(resaved(never_jpeg(rgb), first)[y:, x:])
                figures = compute("block_grid", png(crop) if then is None else jpeg(crop, then)).figures
                wanted = [int(-x % 8), int(-y % 8)]
                if then is None:
                    hits.append(figures["origin"] == wanted)
                    wrong.append(figures["origin"] not in (None, wanted))
                elif wanted != [0, 0]:
                    hits.append(wanted in [figures["origin"], *(part["origin"] for part in figures["parts"])])
            again = "kept as PNG: origin found" if then is None else f"saved again at {then}: older grid found"
            told(f"block grid, JPEG {first}, cropped, {again}", hits)
            if wrong:
                told("  a wrong origin", wrong)
    none = [compute("block_grid", png(never_jpeg(rgb))).figures for rgb in pictures]
    told("block grid, never a JPEG: a grid claimed", [figures["origin"] is not None for figures in none])
    told("  a part claimed", [bool(figures["parts"]) for figures in none])
    for name, save in ways(95, 90).items():
        hits, others = [], []
        for number, rgb in enumerate(pictures):
            forged, box = spliced(rgb, pictures[number - 1], random)
            parts = compute("block_grid", save(forged)).figures["parts"]
            hits.append(any(overlap(part["region"], box) > 0.5 for part in parts))
            others.append(any(overlap(part["region"], box) < 0.1 for part in parts))
        told(f"block grid, a part of 128 pixels from a JPEG 80 with another origin, {name}: framed", hits)
        told("  other parts framed", others)


def spliced(rgb: np.ndarray, other: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, Box]:
    """A picture of JPEG 90 with a part of another of JPEG 80, its blocks beginning elsewhere; and where it is."""
    picture, donor = resaved(rgb, 90).copy(), resaved(never_jpeg(other), 80)
    side = min(128, *donor.shape[:2])
    x, y = (
        int(random.integers(0, (length - side) // 8 + 1)) * 8 + 3 for length in (rgb.shape[1] - 8, rgb.shape[0] - 8)
    )
    picture[y : y + side, x : x + side] = donor[:side, :side]
    return picture, (x, y, side, side)


def ghosts(pictures: Sequence[np.ndarray]) -> None:
    """A part of the picture that was saved at a lower quality before."""
    random = np.random.default_rng(1)
    for side in (96, 160):
        for low, high in ((50, 90), (65, 90), (65, 80), (75, 90)):
            hits, right = [], []
            for rgb in pictures:
                clean = never_jpeg(rgb)
                if min(clean.shape[:2]) < side + 16:
                    continue
                x, y = (int(random.integers(0, (length - side) // 8 + 1)) * 8 for length in clean.shape[1::-1])
                forged = clean.copy()
                forged[y : y + side, x : x + side] = resaved(clean, low)[y : y + side, x : x + side]
                figures = compute("ghosts", jpeg(forged, high)).figures
                region = figures["ghost_region"]
                hits.append(bool(region) and overlap(region, (x, y, side, side)) > 0.4)
                right.append(hits[-1] and abs(figures["ghost_quality"] - low) <= 5)
            told(f"ghosts, a part of {side} pixels of quality {low}, then all at {high}: found", hits)
            told("  with its quality within 5", right)
    once = [compute("ghosts", jpeg(never_jpeg(rgb), 90)).figures for rgb in pictures]
    told("ghosts, saved once at 90: a part claimed", [figures["ghost_region"] is not None for figures in once])
    told("  an earlier quality of the whole claimed", [figures["saved_before_at"] is not None for figures in once])
    for low, high in ((60, 90), (75, 90), (75, 85), (90, 75)):
        twice = [compute("ghosts", jpeg(resaved(never_jpeg(rgb), low), high)).figures for rgb in pictures]
        within = [abs((figures["saved_before_at"] or 0) - low) <= 5 for figures in twice]
        told(f"ghosts, saved at {low} and then at {high}: told within 5", within)


def copies(pictures: Sequence[np.ndarray]) -> None:
    """A part of the picture that was copied elsewhere in it."""
    random = np.random.default_rng(2)
    forgeries = []
    for rgb in pictures:
        for side in (64, 96):
            forged = rgb.copy()
            height, width = rgb.shape[:2]
            a = [int(random.integers(0, length - side)) for length in (height, width)]
            b = [int(random.integers(0, length - side)) for length in (height, width)]
            if max(abs(a[0] - b[0]), abs(a[1] - b[1])) >= side:
                forged[b[0] : b[0] + side, b[1] : b[1] + side] = rgb[a[0] : a[0] + side, a[1] : a[1] + side]
                textured = rgb[a[0] : a[0] + side, a[1] : a[1] + side].mean(-1).std() >= 15
                forgeries.append((forged, (a[1], a[0], side, side), (b[1], b[0], side, side), textured))
    for name, save in ways(90, 75).items():
        for side in (64, 96):
            hits: dict[bool, list[bool]] = {True: [], False: []}
            for forged, a, b, textured in forgeries:
                if a[2] == side:
                    pairs = compute("copy_move", save(forged)).figures["pairs"]
                    hit = any(
                        {overlap(pair["first"], a) > 0.2, overlap(pair["second"], b) > 0.2} == {True}
                        or {overlap(pair["first"], b) > 0.2, overlap(pair["second"], a) > 0.2} == {True}
                        for pair in pairs
                    )
                    hits[bool(textured)].append(hit)
            told(f"copy-move, a textured part of {side} pixels, {name}: found", hits[True])
            told("  a flat part", hits[False])


def untouched(title: str, paths: Sequence[Path]) -> None:
    """What is claimed of real photographs as they are."""
    keys = ("block_grid", "ghosts", "copy_move", "log_spectrum")
    found = [{key: compute(key, path.read_bytes()).figures for key in keys} for path in paths]
    told(f"{title}, as they are: ghosts claims a part", [row["ghosts"]["ghost_region"] is not None for row in found])
    told("  block grid claims a part", [bool(row["block_grid"]["parts"]) for row in found])
    told("  block grid begins elsewhere", [row["block_grid"]["from_corner"] is False for row in found])
    told("  copy-move claims a pair", [bool(row["copy_move"]["pairs"]) for row in found])
    shares = [row["log_spectrum"]["outside_band"] for row in found if row["log_spectrum"]["outside_band"] is not None]
    if shares:
        outside = [share > 0.1 for share in shares]
        told(f"  of {len(shares)} comparable: more than a tenth of the spectrum outside the band", outside)
        print(
            f"  share outside the band: median {np.median(shares):.2f}, 90th percentile {np.percentile(shares, 90):.2f}"
        )


def times() -> None:
    rgb = np.random.default_rng(0).normal(128, 20, (1250, 1600, 3))
    rgb = np.clip(np.cumsum(rgb - 128, 1) / 8 + 128, 0, 255).astype(np.uint8)

    def seconds(make: Callable[[], View]) -> float:
        start = time.perf_counter()
        make()
        return time.perf_counter() - start

    told_times = [f"{key} {min(seconds(lambda key=key: compute(key, rgb)) for _ in range(2)):.2f} s" for key in VIEWS]
    print(f"Time for 2 megapixels: {', '.join(told_times)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="further folders of real photographs")
    parser.add_argument("--only", nargs="*", default=["grids", "ghosts", "copies", "untouched", "times"])
    parser.add_argument("--most", type=int, default=100)
    options = parser.parse_args()
    paths = sorted(options.folder.iterdir())[: options.most]
    pictures = large_enough(paths, 300)
    print(f"{options.folder.name}: {len(pictures)} of {len(paths)} photographs have 300 pixels a side and are forged")
    for name, measure in (("grids", grids), ("ghosts", ghosts), ("copies", copies)):
        if name in options.only:
            measure(pictures)
    if "untouched" in options.only:
        for folder in (options.folder, *options.also):
            files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
            untouched("/".join(folder.parts[-2:]), files[: options.most])
    if "times" in options.only:
        times()


if __name__ == "__main__":
    main()
