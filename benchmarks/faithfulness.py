"""How faithful the heat-maps of detectors that ship are, method by method, on their validation images.

Run from the project's root: `python -m benchmarks.faithfulness small faces photographs`. Each map is tested by deletion
and insertion against random orders, and compared with that of the same network with shuffled weights
(`dfcore.evaluation.maps`). Images are found by the hashes in the bundle's predictions on validation. With `--write` the
rows go on the cards; nothing else there changes.
"""

import argparse
import sys
import time
from pathlib import Path

from dfcore import workspace
from dfcore.datasets.listing import list_images
from dfcore.detectors.bundle import read_card, write_card
from dfcore.detectors.detector import Detector
from dfcore.evaluation import predictions_path, read_predictions
from dfcore.evaluation.maps import average_faithfulness
from dfcore.imaging import PreparedImage, sandbox
from dfcore.utils.files import sha256_file

VALIDATION = "validation"
TITLES = ("method", "view", "images", "empty", "deletion", "insertion", "random", "beats random", "sanity")


def held_out(detector: Detector, data: Path, most: int) -> list[PreparedImage]:
    """Validation images, of both classes alike."""
    assert detector.folder is not None
    table = read_predictions(predictions_path(detector.folder, VALIDATION)).sort_values("sha256")
    wanted = set(table.groupby("label").head(most // 2).sha256)
    by_hash = {sha256_file(Path(path)): Path(path) for path in list_images([data])}
    return [sandbox.prepare(by_hash[each].read_bytes(), [detector.spec]) for each in sorted(wanted & set(by_hash))]


def shown(done: int, total: int) -> None:
    if done % 10 == 0 or done == total:
        print(f"{done} of {total} maps", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--write", action="store_true", help="write the rows on the cards")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    for name in options.names:
        detector, began = Detector.load(name), time.monotonic()
        images = held_out(detector, options.data, options.images)
        rows = average_faithfulness(detector, images, VALIDATION, progress=shown)
        seconds = time.monotonic() - began
        print(f"{name}, {detector.card.arch}: {len(images)} validation images, {seconds:.0f} s", flush=True)
        print("  " + "  ".join(f"{title:>12}" for title in TITLES))
        for row in rows:
            cells = [row.method, (row.view or "")[:12], row.images, row.empty]
            cells += [row.deletion, row.insertion, row.random, row.beats_random, row.sanity]
            texts = (f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells)
            print("  " + "  ".join(f"{text:>12}" for text in texts), flush=True)
        if options.write:
            folder = workspace.models_dir() / name
            write_card(folder, read_card(folder).model_copy(update={"faithfulness": tuple(rows)}))


if __name__ == "__main__":
    main()
