"""`dfcore predict` and `dfcore explain`: judge images, and show where the evidence lies."""

import argparse
import sys
from pathlib import Path
from typing import Any

from dfcore.commands.base import BUNDLE_HELP, add_budget, budget_of, command
from dfcore.errors import InputError
from dfcore.terminal import print_json, progress_bar
from dfcore.texts import printable

# A bundle's name that leaves the choice to the images.
AUTO = "auto"


def add(commands: Any) -> None:
    """Adds the commands."""
    predict = command(commands, "predict", _predict, "judge images")
    predict.add_argument("bundle", metavar="BUNDLE", help=f"{BUNDLE_HELP}; auto takes the one that fits each image")
    predict.add_argument("paths", metavar="PATH", nargs="+", help="images, or folders of images")
    predict.add_argument("--out", metavar="FILE", help=".json (competition), .jsonl, .csv or .parquet")
    predict.add_argument("--batch-size", "--batch_size", type=int, default=32)
    add_budget(predict)
    predict.add_argument(
        "--insist", action="store_true", help="give a verdict on images unlike the training images too"
    )
    explain = command(commands, "explain", _explain, "draw a heat-map of the evidence in an image")
    explain.add_argument("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    explain.add_argument("image", metavar="IMAGE")
    explain.add_argument("--method", default="gradcam", help="gradcam, gradcam++, scorecam, layercam or saliency")
    explain.add_argument("--target", default="fake", help="evidence of fake or of real")
    explain.add_argument("--layer", help="a convolutional layer (default: the last one)")
    explain.add_argument("--out", required=True, metavar="FILE.png")


def _predict(options: argparse.Namespace) -> None:
    from dfcore.datasets.listing import list_images
    from dfcore.predictions_out import FORMATS, require_numbers, write_rows

    out = Path(options.out) if options.out else None
    if out and out.suffix.lower() not in FORMATS:
        raise InputError(f"Expected --out FILE ending in {', '.join(FORMATS)}. Received: {options.out}.")
    if options.batch_size < 1:
        raise InputError(f"Expected --batch-size of at least 1. Received: {options.batch_size}.")
    paths = list_images(options.paths)
    if out and out.suffix.lower() == ".json":
        require_numbers(paths)
    names = [options.bundle] if options.bundle != AUTO else _library()
    rows = _best({name: _rows(name, paths, options) for name in names})
    bad = [row for row in rows if row["error"]]
    if out:
        write_rows(out, rows)
    if options.json:
        print_json(rows)
    elif out:
        print(f"{len(rows) - len(bad)} verdicts in {out}")
    else:
        for row in rows:
            print(printable(f"{row['path']}: {row['error'] or _in_words(row)}"))
    for row in bad if out else []:
        print(printable(f"dfcore: {row['path']}: {row['error']}"), file=sys.stderr)


def _library() -> list[str]:
    """Names of all detectors under the models folder."""
    from dfcore import workspace
    from dfcore.bundles import list_bundles

    names = [path.name for path in list_bundles(workspace.models_dir())]
    if not names:
        raise InputError(f"There is no detector in {workspace.models_dir()} to choose from.")
    return names


def _rows(name: str, paths: list[Path], options: argparse.Namespace) -> list[dict[str, Any]]:
    from dfcore.detector import Detector
    from dfcore.evaluation import operating_for

    detector = Detector.load(name)
    budget = budget_of(options, detector.card)
    operating = operating_for(detector.folder, detector.card, budget) if budget else None
    bar = progress_bar(f"judging with {Path(name).name}")
    found = detector.rows(
        paths,
        batch_size=options.batch_size,
        progress=lambda done: bar(done, len(paths)),
        operating=operating,
        insist=options.insist,
    )
    return [row | {"detector": Path(name).name} for row in found]


def _best(by_detector: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Of the rows of several detectors, for each image that of the one which fits best."""
    from dfcore.bundles import find_bundle, read_card
    from dfcore.choice import choose
    from dfcore.confidence import Familiarity

    if len(by_detector) == 1:
        return next(iter(by_detector.values()))
    records = {name: read_card(find_bundle(name)).record[1].get("roc_auc") for name in by_detector}
    best = []
    for rows in zip(*by_detector.values(), strict=True):
        found = dict(zip(by_detector, rows, strict=True))
        known = {name: Familiarity(row["distance"], tuple(row["unlike"])) for name, row in found.items()}
        best.append(found[choose(known, records).name])
    return best


def _in_words(row: dict[str, Any]) -> str:
    told = f"{row['verdict']} (score {row['score']:.4f}, by {row['detector']})"
    return f"{told}. {row['reason']}." if row["reason"] else told


def _explain(options: argparse.Namespace) -> None:
    from dfcore import decoding, images
    from dfcore.detector import Detector
    from dfcore.explain import figure
    from dfcore.files import write_atomic

    if Path(options.out).suffix.lower() != ".png":
        raise InputError(f"Expected --out FILE.png. Received: {options.out}.")
    data = images.read_bytes(options.image)
    rgb = decoding.pixels(data)
    detector = Detector.load(options.bundle)
    verdict = detector.predict([data])[0]
    heatmap = detector.explain(data, method=options.method, target=options.target, layer=options.layer)
    write_atomic(Path(options.out), lambda path: figure(rgb, heatmap).save(path, "PNG"))
    answer = {
        "image": options.image,
        "verdict": verdict.call,
        "reason": verdict.reason,
        "score": verdict.score,
        "threshold": verdict.threshold,
        "method": heatmap.method,
        "target": heatmap.target,
        "layer": heatmap.layer,
        "peak": heatmap.peak,
        "out": options.out,
    }
    if options.json:
        print_json(answer)
        return
    print(f"{verdict.call} (score {verdict.score:.4f}, threshold {verdict.threshold:.4f}); heat-map in {options.out}")
    if not heatmap.peak:
        print(f"There is no evidence of {heatmap.target} at this layer: the map is empty.")
