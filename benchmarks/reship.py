"""Recalibrates detectors that ship, by held-out images with the handling that images get; their networks stay the same.

Run from the project's root: `python -m benchmarks.reship small faces`. Thresholds and gate are fitted
anew (`dfcore recalibrate`), limits and licences are those of `cards.toml`, figures on other data sets and
robustness are measured again, and what each makes of the fakes of other sources is written on its card: its right to
words. The bundle replaces `models/NAME` when everything is done. With `--replay` nothing is fitted: features of what
each was trained on are added to its bundle, as runs keep them since (`photographs`: from `benchmarks.sources OUT`);
with `--subject` what its training images show.
"""

import argparse
import shutil
import tomllib
from pathlib import Path

import numpy as np

from benchmarks.ship import TEXTS, add_figures
from dfcore import workspace
from dfcore.datasets import TRAIN, scan
from dfcore.detectors import subject
from dfcore.detectors.bundle import read_card, write_card, write_replay
from dfcore.detectors.detector import Detector
from dfcore.exchange.recalibrate import recalibrate
from dfcore.faces.portrait import MIN_SIDE
from dfcore.imaging import decoder
from dfcore.imaging.preprocess import first_view
from dfcore.training import replay

_PORTRAITS = 150
# Data sets with the images that each was trained on; the first has its test split.
ROOTS = {"small": ("cifake",), "faces": ("faces",)}


def add_replay(folder: Path, roots: list[Path]) -> None:
    """Adds features of what a detector was trained on to its bundle."""
    kept = replay.of_datasets(Detector.load(folder), [scan(root) for root in roots])
    card = write_replay(folder, read_card(folder), kept)
    print(f"{folder.name}: {card.replay}, {(folder / 'replay.npz').stat().st_size / 1e6:.1f} MB")


def add_subject(folder: Path, roots: list[Path], portraits: Path) -> None:
    """Writes on a detector's card whether it is for portraits, or errs on them, by real ones of a training split."""
    card = read_card(folder).model_copy(update={"subject": None})
    write_card(folder, card)
    splits = [(data, data.table.split == TRAIN) for data in map(scan, roots)]
    files = [data.root / path for data, train in splits for path in data.table.path[train | ~train.any()]]
    chosen = [files[i] for i in np.random.default_rng(0).permutation(len(files))[:200]]
    shown = subject.of_images(np.stack([first_view(card.spec.apply(decoder.decode(path))[None])[0] for path in chosen]))
    if shown is None and card.preprocess.size >= MIN_SIDE:
        real = sorted(portraits.iterdir())[:_PORTRAITS]
        said = [verdict.finding for verdict in Detector.load(folder).predict(real)]
        shown = subject.of_portraits(said, card.thresholds.budget.max_fpr)
    write_card(folder, card.model_copy(update={"subject": shown}))
    print(f"{folder.name}: {shown}")


def main() -> None:
    texts = tomllib.loads(TEXTS.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=sorted(texts))
    parser.add_argument(
        "--replay", action="store_true", help="add features of what it was trained on, and nothing else"
    )
    parser.add_argument("--subject", action="store_true", help="say what its training images show, and nothing else")
    parser.add_argument("--sources", type=Path, default=Path("data/photographs"), help="made by benchmarks.sources")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    roots = {name: [options.data / root for root in ROOTS[name]] for name in ROOTS} | {"photographs": [options.sources]}
    for name in options.names:
        if options.replay:
            add_replay(workspace.models_dir() / name, roots[name])
            continue
        if options.subject:
            add_subject(workspace.models_dir() / name, roots[name], options.data / "faces" / "train" / "real")
            continue
        if name not in ROOTS:
            parser.error(f"{name} is not fitted anew: it holds out too few images. Expected {', '.join(ROOTS)}.")
        # Beside the others, so that it counts as this workbench's own and OpenVINO runs it.
        made, final = workspace.models_dir() / f"{name}-recalibrated", workspace.models_dir() / name
        shutil.rmtree(made, ignore_errors=True)
        before = read_card(final)
        recalibrate(final, [scan(root) for root in roots[name]], made)
        add_replay(made, roots[name])
        card, text = read_card(made), texts[name]
        own = [
            limit for limit in before.limits if limit not in text["limits"] and limit not in text.get("outdated", [])
        ]
        changes = {"description": text["description"], "limits": text["limits"] + own, "licence": text["licence"]}
        write_card(made, card.model_copy(update=changes))
        print(f"=== {name}")
        root = options.data / ROOTS[name][0] if before.robustness and len(ROOTS[name]) == 1 else None
        add_figures(Detector.load(made), options.data, text, root)
        shutil.rmtree(final)
        made.rename(final)


if __name__ == "__main__":
    main()
