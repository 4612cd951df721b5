"""Recalibrates detectors that ship, by held-out images with the handling that images get; their networks stay the same.

Run from the project's root: `python -m benchmarks.reship small faces`. Thresholds and gate are fitted
anew (`dfcore recalibrate`), limits and licences are those of `cards.toml`, figures on other data sets and
robustness are measured again, and what each makes of the fakes of other sources is written on its card: its right to
words. The bundle replaces `models/NAME` when everything is done. With `--replay` nothing is fitted: features of what
each was trained on are added to its bundle, as runs keep them since (`photographs`: from `benchmarks.sources OUT`);
with `--subject` what its training images show. With `--shorten` a head on the tower loses the blocks above the last
that it looks at, which then need not be computed: the domain, which all blocks had told, is fitted on the rest, with
the images and rules of training, and what the card tells of refusals is measured again; logits stay up to rounding.
"""

import argparse
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.ship import TEXTS, add_figures, add_subject, results
from dfcore import workspace
from dfcore.confidence import OODDetector
from dfcore.datasets import scan
from dfcore.detectors import on_tower
from dfcore.detectors.bundle import read_card, write_bundle, write_card, write_ood_detector, write_replay
from dfcore.detectors.detector import Detector
from dfcore.detectors.trained_on import Seen
from dfcore.engines import TowerEngine
from dfcore.evaluation import predictions_path, read_predictions, write_predictions
from dfcore.exchange.optimize import optimize
from dfcore.exchange.recalibrate import recalibrate
from dfcore.imaging import decoder
from dfcore.towers import clip
from dfcore.training import replay
from dfcore.training.frozen import AS_IT_IS, load_features

# Data sets with the images that each was trained on; the first has its test split.
ROOTS = {"small": ("cifake",), "faces": ("faces",)}


def add_replay(folder: Path, roots: list[Path]) -> None:
    """Adds features of what a detector was trained on to its bundle."""
    kept = replay.of_datasets(Detector.load(folder), [scan(root) for root in roots])
    card = write_replay(folder, read_card(folder), kept)
    print(f"{folder.name}: {card.replay}, {(folder / 'replay.npz').stat().st_size / 1e6:.1f} MB")


def shorten(folder: Path, made: Path, root: Path) -> None:
    """Writes a detector on the tower anew, without the blocks above the last that its head looks at.

    Args:
        folder: The detector.
        made: Folder of the new one.
        root: The data set that it was trained on.
    """
    before, card = Detector.load(folder), read_card(folder)
    kernel, bias = on_tower.head(folder)
    blocks = int(np.flatnonzero(kernel.any(1))[-1]) // clip.WIDTH + 1
    kernel = kernel[: blocks * clip.WIDTH]
    rows, spec = scan(root).usable, card.spec
    assert before.trained_on is not None and card.trained_on is not None and card.ood is not None
    seen = before.trained_on.find(rows.pixels_sha256.tolist(), rows.sha256.tolist(), lambda rest: (None for _ in rest))
    rows = rows.assign(path=[root / path for path in rows.path], seen=[each.value for each in seen])
    learned, held = (rows[rows.seen == each.value] for each in (Seen.TRAIN, Seen.VALIDATION))
    assert (len(learned), len(held)) == (card.trained_on.train, card.trained_on.validation)
    features, errors = load_features(
        learned.path.tolist(), learned.sha256.tolist(), replace(spec, views=()),
        wanted={AS_IT_IS: np.ones(len(learned), bool)}, folder=workspace.cache_dir(), blocks=blocks,
        progress=lambda done, total: print(f"\r{done} of {total}", end="", flush=True),
    )  # fmt: skip
    assert not errors
    pixels = np.stack([spec.apply(decoder.decode(path)) for path in held.path])
    engine = TowerEngine(kernel, bias, views=len(spec.view_titles), loss=card.loss)
    domain = OODDetector.fit(
        features.gather(AS_IT_IS, np.arange(len(learned)))[:, 0].astype(np.float32), engine.outputs(pixels).features
    )
    write_bundle(made, on_tower.head_model(kernel, bias), card)
    for path in folder.iterdir():
        if not (made / path.name).exists():
            shutil.copyfile(path, made / path.name)
    write_ood_detector(made, read_card(made), domain)
    optimize(made, pixels)
    after, by_hash = Detector.load(made), dict(zip(held.sha256, held.path, strict=True))
    table = read_predictions(predictions_path(made, "validation"))
    verdicts = after.predict([by_hash[sha256] for sha256 in table.sha256])
    logits = np.array([verdict.logit for verdict in verdicts], np.float32)
    print(
        f"\n{blocks} blocks; logits of the validation split differ by at most {np.abs(logits - table.logit).max():.2g}"
    )
    scores = [verdict.score for verdict in verdicts]
    refused = [verdict.ood.is_ood for verdict in verdicts]
    write_predictions(predictions_path(made, "validation"), table.assign(logit=logits, score=scores, is_ood=refused))
    card = read_card(made)
    write_card(made, card.model_copy(update={"results": results(made, card)}))


def main() -> None:
    texts = tomllib.loads(TEXTS.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=sorted(texts))
    parser.add_argument(
        "--replay", action="store_true", help="add features of what it was trained on, and nothing else"
    )
    parser.add_argument("--subject", action="store_true", help="say what its training images show, and nothing else")
    parser.add_argument("--shorten", action="store_true", help="leave out blocks of the tower that its head ignores")
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
        if options.shorten:
            final, made = workspace.models_dir() / name, workspace.models_dir() / f"{name}-shortened"
            shutil.rmtree(made, ignore_errors=True)
            shorten(final, made, roots[name][0])
            add_subject(made, roots[name], options.data / "faces" / "train" / "real")
            add_figures(Detector.load(made), options.data, texts[name], roots[name][0])
            shutil.rmtree(final)
            made.rename(final)
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
