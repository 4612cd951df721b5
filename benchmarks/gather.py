"""Copies several data sets into one folder with a manifest, each with its groups; at a low resolution if wanted.

Run from the project's root, for example: `python -m benchmarks.gather ../shared/data/photo_generators
../shared/data/generators --out data/photographs`, the training images of the photograph detector. With `--shrink 32`
every image is reduced to 32 by 32 pixels first: what a detector learns from those is content, since generators'
traces do not survive it.
"""

import argparse
import io
from pathlib import Path

import pandas as pd
from PIL import Image

from dfcore.datasets import SplitPolicy, assign_splits, scan
from dfcore.imaging.decoder import decode
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.labels import name_of
from dfcore.utils.files import write_bytes, write_text


def shrunk(data: bytes, side: int) -> bytes:
    """The centre square at `side` pixels, as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(PreprocessSpec(side, "fit_crop").apply(decode(data))).save(buffer, "PNG")
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("roots", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shrink", type=int, metavar="N", help="reduce every image to N by N pixels")
    parser.add_argument(
        "--draw", type=float, nargs=2, metavar=("VALIDATION", "TEST"),
        help="draw splits in each data set by itself; folders named valid become test where there is no test folder",
    )  # fmt: skip
    options = parser.parse_args()
    rows = []
    for root in options.roots:
        result = scan(root)
        if options.draw:
            result = assign_splits(result, SplitPolicy(*options.draw, valid_as_test=True))
        for row in result.usable.itertuples():
            data = (result.root / row.path).read_bytes()
            path = f"{result.name}/{row.path}"
            if options.shrink:
                data, path = shrunk(data, options.shrink), str(Path(path).with_suffix(".png"))
            write_bytes(options.out / path, data)
            group = result.name if pd.isna(row.group) else row.group
            split = "" if pd.isna(row.split) else row.split
            rows.append({"path": path, "label": name_of(row.label), "split": split, "group": group})
    write_text(options.out / "manifest.csv", pd.DataFrame(rows).to_csv(index=False))
    print(f"{len(rows)} images in {options.out}")


if __name__ == "__main__":
    main()
