"""Puts several data sets into one, as a folder of links and a manifest, each set's folders kept as groups.

Run from the project's root: `python -m benchmarks.photos_manifest ../shared/data/photo_generators
../shared/data/generators --out data/photographs`. Used for the photograph detector, whose training images come
from two sources.
"""

import argparse
from pathlib import Path

import pandas as pd

from dfcore.datasets import scan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("roots", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rows = []
    for root in options.roots:
        found = scan(root)
        target = options.out / found.name
        for row in found.usable.itertuples():
            file = target / row.path
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                file.write_bytes((found.root / row.path).read_bytes())
            group = found.name if pd.isna(row.group) else row.group
            rows.append({"path": f"{found.name}/{row.path}", "label": int(row.label), "group": group})
    pd.DataFrame(rows).to_csv(options.out / "manifest.csv", index=False)
    print(f"{len(rows)} images in {options.out}")


if __name__ == "__main__":
    main()
