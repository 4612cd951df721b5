"""`dfcore predict`, `dfcore explain` and `dfcore quicken`: judge images, show where the evidence lies, judge faster."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dfcore.commands.base import BUNDLE_HELP, add_budget, add_engine, at_least_one, budget_of, command
from dfcore.commands.terminal import Progress, print_json, progress_bar
from dfcore.errors import InputError
from dfcore.utils.files import sha256_bytes
from dfcore.utils.texts import printable, storable

# A bundle's name that leaves the choice to the images.
AUTO = "auto"


def add(commands: Any) -> None:
    """Adds the commands."""
    predict = command(commands, "predict", _predict, "judge images")
    predict.add_argument("bundle", metavar="BUNDLE", help=f"{BUNDLE_HELP}; auto takes the one that fits each image")
    predict.add_argument("paths", metavar="PATH", nargs="+", help="images, or folders of images")
    predict.add_argument("--out", metavar="FILE", help=".json (competition), .jsonl, .csv or .parquet")
    predict.add_argument(
        "--batch-size", "--batch_size", type=at_least_one, default="auto", metavar="N",
        help="images a forward pass (default: auto); it changes no score",
    )  # fmt: skip
    predict.add_argument(
        "--workers", type=at_least_one, metavar="N", help="files read and decoded at once (default: by the cores)"
    )
    predict.add_argument("--unordered", action="store_true", help="rows as soon as they are there, in any order")
    add_engine(predict)
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
    quicken = command(commands, "quicken", _quicken, "give a detector its network for the fast engine (OpenVINO)")
    quicken.add_argument("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    quicken.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help="images, or folders, to compare the engines on",
    )


def _predict(options: argparse.Namespace) -> None:
    from dfcore.batch.predict import judge_files
    from dfcore.batch.writers import FORMATS, require_numbers
    from dfcore.datasets.listing import iter_images, list_images

    out = Path(options.out) if options.out else None
    if out and out.suffix.lower() not in FORMATS:
        raise InputError(f"Expected --out FILE ending in {', '.join(FORMATS)}. Received: {options.out}.")
    if out and out.is_dir():
        raise InputError(f"Expected a file after --out. Received a folder: {options.out}.")
    if out and out.suffix.lower() == ".json":
        require_numbers(list_images(options.paths))
    total = sum(1 for _ in iter_images(options.paths))
    if not total:
        list_images(options.paths)  # Says what was expected.
    detectors, how = _detectors(options)
    bar = progress_bar("judging")
    if out is None:
        _print(judge_files(iter_images(options.paths), detectors, how), total, bar, as_json=options.json)
    else:
        _write(out, options, detectors, how, total, bar)


def _print(batches: Iterator[list[dict[str, Any]]], total: int, bar: Progress, *, as_json: bool) -> None:
    """Prints rows as they come, as JSON in one list."""
    done = 0
    for batch in batches:
        for row in batch:
            if as_json:
                print("[" if not done else ",", json.dumps(row, indent=2), sep="\n" if done else "", end="")
            else:
                print(printable(f"{row['path']}: {row['error'] or _in_words(row)}"))
            done += 1
        bar(done, total)
    if as_json:
        print("\n]")


def _write(
    out: Path, options: argparse.Namespace, detectors: dict[str, Any], how: Any, total: int, bar: Progress
) -> None:
    """Writes rows to a file; what a kill left is gone on with."""
    from dfcore.batch.predict import judge_files
    from dfcore.batch.resume_log import Journal
    from dfcore.batch.writers import write_rows
    from dfcore.datasets.listing import iter_images

    with Journal(out, _identity(options, detectors)) as journal:
        if journal.judged:
            print(f"dfcore: going on after {journal.judged} verdicts in {journal.path}", file=sys.stderr)
        left = (path for path in iter_images(options.paths) if not journal.strike(storable(path)))
        for batch in judge_files(left, detectors, how):
            journal.add(batch)
            for row in batch:
                if row["error"]:
                    print(printable(f"dfcore: {row['path']}: {row['error']}"), file=sys.stderr)
            bar(journal.done, total)
        write_rows(out, journal.rows())
        journal.remove()
        answer = {"out": str(out), "verdicts": journal.judged - journal.failed, "errors": journal.failed}
        if options.json:
            print_json(answer)
        else:
            told = f", {journal.failed} files that cannot be judged" if journal.failed else ""
            print(f"{answer['verdicts']} verdicts in {out}{told}")


def _detectors(options: argparse.Namespace) -> tuple[dict[str, Any], Any]:
    """The detectors that judge, by name, and how."""
    from dfcore.batch.predict import Options
    from dfcore.detectors.detector import Detector
    from dfcore.evaluation import operating_for

    names = [options.bundle] if options.bundle != AUTO else _library()
    detectors, operating = {}, {}
    for name in names:
        detector = Detector.load(name, options.engine)
        detectors[Path(name).name] = detector
        fast = detector.card.fast
        if fast and detector.engine.name == "openvino-bf16" and not options.json:
            print(f"{Path(name).name} in bfloat16: on {fast.images} images {fast.bfloat16}.", file=sys.stderr)
        budget = budget_of(options, detector.card)
        if budget:
            operating[Path(name).name] = operating_for(detector.folder, detector.card, budget)
    size, workers = (None if n == "auto" else n for n in (options.batch_size, options.workers))
    return detectors, Options(size, workers, not options.unordered, options.insist, operating)


def _identity(options: argparse.Namespace, detectors: dict[str, Any]) -> dict[str, Any]:
    """What the verdicts depend on."""
    cards = {name: sha256_bytes(detector.card.model_dump_json().encode()) for name, detector in detectors.items()}
    return {
        "detectors": cards,
        "engines": {name: detector.engine.name for name, detector in detectors.items()},
        "false_alarms": options.false_alarms,
        "misses": options.misses,
        "insist": options.insist,
        "paths": [storable(path) for path in options.paths],
        "folder": storable(Path.cwd()),
    }


def _library() -> list[str]:
    """Names of all detectors under the models folder."""
    from dfcore import workspace
    from dfcore.detectors.library import list_bundles

    names = [path.name for path in list_bundles(workspace.models_dir())]
    if not names:
        raise InputError(f"There is no detector in {workspace.models_dir()} to choose from.")
    return names


def _in_words(row: dict[str, Any]) -> str:
    told = f"{row['verdict']} (score {row['score']:.4f}, by {row['detector']})"
    return f"{told}. {row['reason']}." if row["reason"] else told


def _explain(options: argparse.Namespace) -> None:
    from dfcore.detectors.detector import Detector
    from dfcore.explanation import figure
    from dfcore.imaging import decoder, sandbox
    from dfcore.utils.files import write_atomic

    if Path(options.out).suffix.lower() != ".png":
        raise InputError(f"Expected --out FILE.png. Received: {options.out}.")
    data = decoder.read_bytes(options.image)
    rgb = sandbox.pixels(data)
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


def _quicken(options: argparse.Namespace) -> None:
    import numpy as np

    from dfcore.datasets.listing import list_images
    from dfcore.detectors.bundle import read_card
    from dfcore.detectors.library import find_bundle
    from dfcore.exchange.optimize import quicken
    from dfcore.imaging import decoder, sandbox

    folder = find_bundle(options.bundle)
    spec = read_card(folder).spec
    paths = list_images(options.paths) if options.paths else []
    found = [sandbox.prepare(decoder.read_bytes(path), spec).pixels for path in paths]
    fast = quicken(folder, np.stack(found) if found else None).fast
    assert fast is not None
    if options.json:
        print_json(fast.model_dump(mode="json"))
    elif fast.taken:
        maps = "Keras makes its heat-maps" if fast.evidence is None else f"its heat-maps by {fast.evidence:.1g} of 1"
        told = f"its scores on {fast.images} images differ by {fast.difference:.1g}"
        print(f"OpenVINO {fast.version} is taken: {told}, {maps}.")
    else:
        print(f"OpenVINO is not taken: {fast.reason}")
