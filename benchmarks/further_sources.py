"""Brings pictures that come with packages into a data set: a source that no shipped detector learned from.

Run from the project's root: `python -m benchmarks.further_sources OUT --templates DIR --wallpapers DIR`. The fakes are
80 samples of some 40 generators of 2024 to 2026, as photographic as such samples get, from the packages
comfyui-workflow-templates-media-image 0.3.160 and comfyui-workflow-templates-media-api 0.3.84 (MIT), unpacked in
`--templates`. The real ones are 35 photographs from packages of wallpapers (lomiri-wallpapers-16.04 and
lomiri-wallpapers-20.04, mate-backgrounds, plasma-workspace-wallpapers), unpacked in `--wallpapers`, and 90 portraits of
Unsplash in the development data. All are cut to a square and reduced to 400 pixels, as most of the samples are, and the
real ones are coded as WebP. Subjects differ by class, portraits and landscapes beside inventions, so that an AUC here
says little by itself, and something beside that of another detector.
"""

import argparse
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from dfcore.utils.files import write_bytes

NAMES = Path(__file__).with_suffix(".json")
SIDE, QUALITY, EVERY, PORTRAITS = 400, 80, 6, 90


def coded(path: Path) -> bytes:
    """The centre square, at most 400 pixels a side, as WebP."""
    with Image.open(path) as image:
        image.draft("RGB", (4 * SIDE, 4 * SIDE))
        pixels = np.asarray(image.convert("RGB"))
    side = min(pixels.shape[:2])
    top, left = ((whole - side) // 2 for whole in pixels.shape[:2])
    square = Image.fromarray(pixels[top : top + side, left : left + side])
    if side > SIDE:
        square = square.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    square.save(file, "WEBP", quality=QUALITY)
    return file.getvalue()


def found(folder: Path, endings: list[str]) -> list[Path]:
    """The file with each ending of a path; the first, where several have it.

    Raises:
        SystemExit: If one is missing.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    result = [next((path for path in files if path.as_posix().endswith(f"/{each}")), None) for each in endings]
    missing = [each for each, path in zip(endings, result, strict=True) if path is None]
    if missing:
        raise SystemExit(f"{folder}: {len(missing)} of {len(endings)} files are missing, such as {missing[0]}.")
    return [path for path in result if path is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--templates", type=Path, required=True, help="where the packages with samples are unpacked")
    parser.add_argument("--wallpapers", type=Path, required=True, help="where those with wallpapers are unpacked")
    parser.add_argument("--portraits", type=Path, default=Path("../shared/data/faces_stylegan2/real"))
    options = parser.parse_args()
    names = json.loads(NAMES.read_text(encoding="utf-8"))
    fakes = found(options.templates, names["fake"])
    real = found(options.wallpapers, names["real"]) + sorted(options.portraits.rglob("*.jpg"))[::EVERY][:PORTRAITS]
    for label, paths in (("fake", fakes), ("real", real)):
        for number, path in enumerate(paths):
            data = path.read_bytes() if label == "fake" else coded(path)
            write_bytes(options.out / label / f"{number:03}-{path.stem}.webp", data)
    print(f"{len(fakes)} fakes and {len(real)} real pictures in {options.out}")


if __name__ == "__main__":
    main()
