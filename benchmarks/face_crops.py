"""How the shipped face detector's training images are framed, and what cropping changes on faces in larger scenes.

Run from the project's root: `python -m benchmarks.face_crops > benchmarks/results/face_crops.txt`;
`--ship models/faces` writes the framing onto that detector's card and ends.

First the framing, on faces/train alone: the margin and the offset that turn a found face into the picture that it was
found in, by the face's box and by its eyes and mouth; median and spread. The card gets the one with less spread.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from dfcore.datasets import scan
from dfcore.detectors import subject
from dfcore.detectors.bundle import read_card, write_card
from dfcore.faces import ALIGNMENTS, Face, measured, portrayed
from dfcore.imaging import decoder


def portraits(folder: Path) -> tuple[list[tuple[Face, int]], int]:
    """The face in each portrait of a folder with the portrait's side; and how many pictures there are."""
    pictures = [decoder.decode(folder / path) for path in scan(folder).table.path]
    return [(face, len(rgb)) for rgb in pictures if (face := portrayed(rgb)) is not None], len(pictures)


def framing(found: Sequence[tuple[Face, int]], count: int) -> None:
    print(f"Framing of faces/train: a face fills {len(found):,} of {count:,} pictures")
    for alignment in ALIGNMENTS:
        one = measured(found, alignment)
        print(
            f"  {ALIGNMENTS[alignment]}: margin {one.framing.margin:.3f}, offset {one.framing.offset:.3f}; "
            f"the side varies by {one.spread:.1%}, the place by {one.apart:.1%} of the side (standard deviations)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--ship", type=Path, metavar="BUNDLE")
    options = parser.parse_args()
    found, count = portraits(options.data / "faces/train")
    framing(found, count)
    if options.ship:
        write_card(options.ship, read_card(options.ship).model_copy(update={"framing": subject.framing_of(found)}))
        return


if __name__ == "__main__":
    main()
