"""`dfcore predict`, `dfcore explain` and `dfcore optimize`: verdicts, heat-maps, faster inference."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from dfcore.commands import predict_films
from dfcore.commands.base import (
    BUNDLE_HELP,
    INCOMPLETE,
    INCOMPLETE_HELP,
    add_arch_file,
    add_budget,
    add_engine,
    at_least_one,
    budget_of,
    command,
    out_file,
)
from dfcore.commands.terminal import Progress, print_json, progress_bar
from dfcore.utils.texts import printable, storable

if TYPE_CHECKING:
    from dfcore.batch.entries import ToJudge
    from dfcore.batch.resume_log import ResumeLog
    from dfcore.commands.found import FoundFiles
    from dfcore.confidence import Policy
    from dfcore.detectors.detector import Detector


def add(commands: Any) -> None:
    """Adds the commands."""
    predict = command(commands, "predict", _predict, "classify images as real, fake or inconclusive")
    predict.epilog = INCOMPLETE_HELP.format("every picture found has a verdict", "a picture has none, or may be missed")
    add_arch_file(predict)
    predict.add_argument("bundle", metavar="BUNDLE", help=f"{BUNDLE_HELP}; auto selects the one that fits each image")
    predict.add_argument("paths", metavar="PATH", nargs="+", help="images, folders of images, ZIP archives, films")
    predict.add_argument("--out", metavar="FILE", help=".json (competition), .jsonl, .csv or .parquet")
    predict.add_argument(
        "--batch-size", "--batch_size", type=at_least_one, default="auto", metavar="N",
        help="images per forward pass (default: auto); does not affect scores",
    )  # fmt: skip
    predict.add_argument(
        "--workers",
        type=at_least_one,
        metavar="N",
        help="files decoded in parallel (default: by the number of cores)",
    )
    predict.add_argument("--unordered", action="store_true", help="output rows as soon as they are ready, in any order")
    add_engine(predict)
    add_budget(predict)
    predict.add_argument("--ignore-ood", action="store_true", help="also decide on out-of-distribution images")
    predict_films.add_options(predict)
    explain = command(commands, "explain", _explain, "draw a heat-map of the evidence in an image")
    add_arch_file(explain)
    explain.add_argument("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    explain.add_argument("image", metavar="IMAGE")
    explain.add_argument(
        "--method", default="gradcam", help="gradcam (default), gradcam++, scorecam, layercam or saliency"
    )
    explain.add_argument("--target", default="fake", help="class to show evidence for: fake (default) or real")
    explain.add_argument("--layer", help="a convolutional layer (default: the last one)")
    explain.add_argument(
        "--view",
        default=0,
        metavar="VIEW",
        help="number or name of the part of the image to explain (default: 0, the first)",
    )
    explain.add_argument("--out", required=True, metavar="FILE.png")
    optimize = command(commands, "optimize", _optimize, "prepare a detector for fast inference with OpenVINO")
    add_arch_file(optimize)
    optimize.add_argument("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    optimize.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help="images or folders to compare the engines on",
    )


def _predict(options: argparse.Namespace) -> int:
    from dfcore.batch.found import iter_to_judge
    from dfcore.batch.predict import predict_files
    from dfcore.batch.writers import FORMATS, require_numbers
    from dfcore.commands.found import FoundFiles
    from dfcore.errors import InputError

    out = out_file(options.out, FORMATS) if options.out else None
    paths, films = predict_films.parted(options.paths)
    if out and out.suffix.lower() == ".json":
        if films:
            raise InputError(
                f"The competition's .json holds pictures alone. Received: the film {films[0]}. Use .jsonl, .csv or "
                ".parquet."
            )
        require_numbers(list(_names(iter_to_judge(paths))))
    found = FoundFiles(paths, lambda named: map(predict_films.hinted, iter_to_judge(named)))
    total = found.count() if paths else 0
    judge_films = predict_films.FilmRows(options, predict_films.film_judges(options)) if films else None
    detectors, how = _detectors(options) if paths else ({}, None)
    bar = progress_bar("judging")
    if out is None:
        pictures = predict_files(found, detectors, how) if paths else iter(())
        rows = chain(pictures, judge_films.rows(films) if judge_films else ())
        failed = _print(rows, total, bar, as_json=options.json)
        found.tell()
    else:
        failed = _write(out, options, found, (detectors, how), (films, judge_films), total, bar)
    return INCOMPLETE if failed or found.missed else 0


def _names(found: "Iterator[ToJudge]") -> "Iterator[PurePath]":
    """Names of the pictures to judge."""
    from dfcore.batch.entries import Entry
    from dfcore.datasets.dataset import LeftOut

    for one in found:
        if not isinstance(one, LeftOut):
            yield PurePath(one.name) if isinstance(one, Entry) else one


def _print(batches: Iterator[list[dict[str, Any]]], total: int, bar: Progress, *, as_json: bool) -> int:
    """Prints rows as they arrive, as text or as one JSON list; returns how many hold no verdict."""
    done = failed = 0
    for batch in batches:
        for row in batch:
            if as_json:
                print("[" if not done else ",", json.dumps(row, indent=2), sep="\n" if done else "", end="")
            else:
                print(printable(f"{row['path']}: {row['error'] or _in_words(row)}"))
            done += 1
            failed += bool(row["error"])
        if done <= total:
            bar(done, total)
    if as_json:
        print("\n]" if done else "[]")
    return failed


def _write(
    out: Path,
    options: argparse.Namespace,
    found: "FoundFiles[ToJudge]",
    ready: tuple[dict[str, Any], Any],
    films: "tuple[list[Path], predict_films.FilmRows | None]",
    total: int,
    bar: Progress,
) -> int:
    """Writes rows to a file; resumes if an earlier attempt was killed. Returns how many hold no verdict."""
    from dfcore.batch.predict import predict_files
    from dfcore.batch.resume_log import ResumeLog
    from dfcore.batch.writers import write_left_out, write_rows

    detectors, how = ready
    named, judge_films = films
    identity = _identity(options, detectors) | (judge_films.identity() if judge_films else {})
    with ResumeLog(out, identity) as log:
        if log.judged:
            print(printable(f"dfcore: going on after {log.judged} verdicts in {log.path}"), file=sys.stderr)
        if log.unstamped:
            print("dfcore: it is of an earlier version: the files judged are hashed to compare them", file=sys.stderr)
        left = (one for one in found if not log.strike(one))
        pictures = predict_files(left, detectors, how) if detectors else iter(())
        of_films = judge_films.rows(named, log.strike) if judge_films else ()
        for batch in chain(pictures, of_films):
            log.add(batch)
            for row in batch:
                if row["error"]:
                    print(printable(f"dfcore: {row['path']}: {row['error']}"), file=sys.stderr)
            if log.done <= total:
                bar(log.done, total)
        log.settle()
        _tell_changes(log)
        found.tell()
        write_rows(out, log.rows())
        beside = write_left_out(out, found.counted, log.rows())
        log.remove()
        answer = {"out": str(out), "verdicts": log.judged - log.failed, "errors": log.failed}
        answer |= {"left_out": [asdict(one) for one in found.counted]} if found.counted else {}
        answer |= {"left_out_file": str(beside)} if beside else {}
        if options.json:
            print_json(answer)
        else:
            text = f", {log.failed} files that cannot be judged" if log.failed else ""
            text += f"; what has no row in it is in {beside}" if beside else ""
            print(printable(f"{answer['verdicts']} verdicts in {out}{text}"))
        return log.failed


def _tell_changes(log: "ResumeLog") -> None:
    for number, text in (
        (log.replaced, "were replaced since and judged again"),
        (log.moved, "have another name now; the rows with the old one were dropped"),
        (log.gone, "are not there any more; their rows stay"),
    ):
        if number:
            print(f"dfcore: {number} of the files judged before {text}", file=sys.stderr)


def _detectors(options: argparse.Namespace) -> tuple[dict[str, Any], Any]:
    """Loads the detectors, {name: detector}, and the batch options."""
    from dfcore.batch.predict import BatchOptions

    detectors, policies = load_detectors(options.bundle, options)
    size, workers = (None if n == "auto" else n for n in (options.batch_size, options.workers))
    return detectors, BatchOptions(size, workers, not options.unordered, policies)


def load_detectors(bundle: str, options: argparse.Namespace) -> "tuple[dict[str, Detector], dict[str, Policy]]":
    """Loads a detector, or for `auto` all that may be chosen, with how their scores become decisions, by name.

    Args:
        bundle: Bundle, run, name in the library, or `auto`.
        options: With engine, error budget, ignore_ood and json.
    """
    from dfcore.batch.ready import make_ready

    ready = make_ready([bundle], partial(budget_of, options), ignore_ood=options.ignore_ood, engine=options.engine)
    for name, detector in ready.detectors.items():
        record = detector.card.openvino
        lower = {"openvino-bf16": "bfloat16", "openvino-int8": "int8"}.get(detector.engine.name)
        if record and lower and not options.json:
            cost = getattr(record, lower)
            print(f"{name} in {lower}: on {record.images} images {cost}.", file=sys.stderr)
    return dict(ready.detectors), dict(ready.policies)


def _identity(options: argparse.Namespace, detectors: dict[str, Any]) -> dict[str, Any]:
    """Everything the verdicts depend on; a resumed batch must match it."""
    from dfcore.batch.ready import Ready

    return {
        **Ready(detectors, {}).identity(),
        "max_fpr": options.max_fpr,
        "max_fnr": options.max_fnr,
        "ignore_ood": options.ignore_ood,
        "paths": [storable(path) for path in options.paths],
        "folder": storable(Path.cwd()),
    }


def _in_words(row: dict[str, Any]) -> str:
    from dfcore.confidence import FINDINGS
    from dfcore.detectors.trained_on import Seen, in_words

    if "film" in row:
        return f"{FINDINGS[row['finding']]} (a film, uncalibrated). {row['reason']}"
    text = f"{FINDINGS[row['finding']]} (score {row['score']:.4f}, by {row['detector']})"
    remarks = [f"{row['reason']}." if row["reason"] else "", in_words(Seen(row["trained_on"]))]
    return ". ".join([text, *filter(None, [" ".join(filter(None, remarks))])])


def _explain(options: argparse.Namespace) -> None:
    from dfcore.confidence import FINDINGS
    from dfcore.detectors.detector import Detector
    from dfcore.explanation import figure
    from dfcore.imaging import decoder, sandbox
    from dfcore.utils.files import write_atomic

    out = out_file(options.out, [".png"])
    data = decoder.read_bytes(options.image)
    detector = Detector.load(options.bundle)
    prepared = sandbox.prepare(data, [detector.spec])
    verdict = detector.judge([prepared])[0]
    heatmap = detector.explain(
        prepared, method=options.method, target=options.target, layer=options.layer, view=options.view
    )
    # Last, since it may take hundreds of megabytes.
    picture = figure(sandbox.decode(data), heatmap)
    write_atomic(out, lambda path: picture.save(path, "PNG"))
    answer = {
        "image": options.image,
        "verdict": verdict.decision,
        "finding": verdict.finding,
        "reason": verdict.reason,
        "score": verdict.score,
        "threshold": verdict.threshold,
        "method": heatmap.method,
        "target": heatmap.target,
        "layer": heatmap.layer,
        "view": detector.spec.view_titles[heatmap.view],
        "region": heatmap.region,
        "peak": heatmap.peak,
        "out": options.out,
    }
    if options.json:
        print_json(answer)
        return
    scores = f"score {verdict.score:.4f}, threshold {verdict.threshold:.4f}"
    words = FINDINGS[verdict.finding] if verdict.finding else "no verdict"
    print(printable(f"{words} ({scores}); heat-map in {options.out}"))
    if not heatmap.peak:
        print(f"There is no evidence of {heatmap.target} at this layer: the map is empty.")


def _optimize(options: argparse.Namespace) -> None:
    import numpy as np

    from dfcore.datasets.listing import list_images
    from dfcore.detectors.bundle import read_card
    from dfcore.detectors.library import find_bundle
    from dfcore.exchange.optimize import optimize
    from dfcore.imaging import decoder, sandbox

    folder = find_bundle(options.bundle)
    spec = read_card(folder).spec
    paths = list_images(options.paths) if options.paths else []
    images = [sandbox.prepare(decoder.read_bytes(path), [spec]).inputs[spec] for path in paths]
    record = optimize(folder, np.stack(images) if images else None).openvino
    assert record is not None
    if options.json:
        print_json(record.model_dump(mode="json"))
    elif record.enabled:
        by = record.gradcam_difference
        maps = "Keras makes its heat-maps" if by is None else f"its heat-maps by {by:.1g} of 1"
        print(
            f"OpenVINO {record.version} is enabled: its scores on {record.images} images differ by "
            f"{record.difference:.1g}, {maps}."
        )
    else:
        print(f"OpenVINO is not enabled: {record.reason}")
