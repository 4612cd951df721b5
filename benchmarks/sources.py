"""Brings the sources of photographs in ../shared/data into one data set, a source a group, as `photographs` learns it.

Run from the project's root: `python -m benchmarks.sources OUT`. Images are linked or copied, not changed; `photos` is
left out: nothing is trained on it.
"""

import argparse
import csv
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

# Folders of each source, with the class of the images where the folder does not tell it.
SOURCES: dict[str, tuple[tuple[str, str], ...]] = {
    "photo_generators": (("photo_generators", ""),),
    "generators": (("generators", ""),),
    "street": (("modern/street_city", ""), ("modern/street_people", "")),
    "objects": (("modern/objects", ""),),
    "gan_scenes": (("modern/gan_scenes", ""),),
    "photos_train": (("photos_train", "real"),),
}
_CLASSES = {"0_real": "real", "real": "real", "1_fake": "fake", "fake": "fake"}
_ENDINGS = {".jpg", ".jpeg", ".png", ".webp"}


def images(data: Path) -> Iterator[tuple[str, str, Path]]:
    """Source, class and path of every image."""
    for source, folders in SOURCES.items():
        for folder, label in folders:
            for path in sorted((data / folder).rglob("*")):
                if path.suffix.lower() in _ENDINGS:
                    yield source, label or _CLASSES[path.parent.name], path


def gather(data: Path, out: Path) -> Path:
    """Links the images into a folder with a manifest; returns the folder."""
    rows = []
    for source, label, path in images(data):
        name = "-".join(path.relative_to(data).parts).replace(" ", "_")
        target = out / source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            try:
                os.link(path, target)
            except OSError:
                shutil.copyfile(path, target)
        rows.append({"path": f"{source}/{name}", "label": label, "group": source})
    with open(out / "manifest.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["path", "label", "group"])
        writer.writeheader()
        writer.writerows(rows)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    print(gather(options.data, options.out))


if __name__ == "__main__":
    main()
