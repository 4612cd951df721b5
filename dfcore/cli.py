"""The command `dfcore …`, same as `python -m dfcore …`: arguments in, library calls, answers out.

Exit code 0 when it was done, 1 for a failure, 2 for bad input; errors go to stderr in one line.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from dfcore import __version__, workspace
from dfcore.errors import DfcoreError, InputError
from dfcore.terminal import print_figures, print_json, progress_bar

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
        return 0
    except InputError as error:
        print(f"dfcore: {_one_line(error)}", file=sys.stderr)
        return 2
    except (DfcoreError, OSError) as error:
        print(f"dfcore: {_one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dfcore: stopped.", file=sys.stderr)
        return 130


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


# === Arguments ===


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"dfcore: {message}. See '{self.prog} --help'.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="dfcore", description="Tells real images from machine-made ones.")
    parser.add_argument("--version", action="version", version=f"dfcore {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    _add_data(commands.add_parser("data", help="look at a data set, or make the demonstration set"))
    _add_train(commands.add_parser("train", help="train a detector"))
    _add_runs(commands.add_parser("runs", help="list, show, stop, resume and delete training runs"))
    _add_judging(commands)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    scan = _command(commands, "scan", _data_scan, "layout, counts and problems of a data set")
    scan.add_argument("root", metavar="ROOT", help="folder or manifest")
    demo = _command(commands, "demo", _data_demo, "make the demonstration data set")
    demo.add_argument("folder", metavar="DIR", help="a new or empty folder")
    demo.add_argument("--seed", type=int, default=0)


def _add_train(parser: argparse.ArgumentParser) -> None:
    from dfcore.training.config import TrainConfig

    parser.set_defaults(command=_train)
    parser.add_argument("--config", metavar="FILE", help="JSON file with settings; options below overrule it")
    parser.add_argument("--runs-dir", "--runs_dir", metavar="DIR", help="where runs are kept (default: runs)")
    parser.add_argument("--detach", action="store_true", help="return at once; the run goes on by itself")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    for name, field in TrainConfig.model_fields.items():
        if name == "schema_version":
            continue
        flags = list(dict.fromkeys([f"--{name.replace('_', '-')}", f"--{name}"]))
        told = "" if field.is_required() else f" (default: {field.default!r})"
        text = f"{field.description}{told}".replace("%", "%%")
        if isinstance(field.default, bool):
            parser.add_argument(*flags, action=argparse.BooleanOptionalAction, default=None, help=text)
        else:
            parser.add_argument(*flags, dest=name, metavar="X", help=text)


def _add_runs(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    for name, call, text in (
        ("list", _runs_list, "all runs, the latest first"),
        ("show", _runs_show, "state, settings and figures of a run"),
        ("stop", _runs_stop, "stop a run after its current step; what was learned is kept"),
        ("resume", _runs_resume, "go on with a stopped, failed or interrupted run"),
        ("delete", _runs_delete, "delete a run for good"),
    ):
        command = _command(commands, name, call, text)
        command.add_argument("--runs-dir", "--runs_dir", metavar="DIR", help="where runs are kept (default: runs)")
        if name != "list":
            command.add_argument("run", metavar="RUN", help="id of a run, as 'dfcore runs list' prints it")


def _add_judging(commands: Any) -> None:
    bundle = "bundle folder, run folder or id, or a name under models/"
    evaluate = _command(commands, "evaluate", _evaluate, "measure a detector on a data set")
    evaluate.add_argument("bundle", metavar="BUNDLE", help=bundle)
    evaluate.add_argument("--data-root", "--data_root", required=True, metavar="ROOT")
    evaluate.add_argument("--split", default="test", help="train, validation, test or all (default: test)")
    evaluate.add_argument("--out", metavar="FILE.parquet", help="write the per-image predictions too")
    predict = _command(commands, "predict", _predict, "judge images")
    predict.add_argument("bundle", metavar="BUNDLE", help=bundle)
    predict.add_argument("paths", metavar="PATH", nargs="+", help="images, or folders of images")
    predict.add_argument("--out", metavar="FILE", help=".json (competition), .jsonl, .csv or .parquet")
    predict.add_argument("--batch-size", "--batch_size", type=int, default=32)
    explain = _command(commands, "explain", _explain, "draw a heat-map of the evidence in an image")
    explain.add_argument("bundle", metavar="BUNDLE", help=bundle)
    explain.add_argument("image", metavar="IMAGE")
    explain.add_argument("--method", default="gradcam", help="gradcam, gradcam++, scorecam, layercam or saliency")
    explain.add_argument("--target", default="fake", help="evidence of fake or of real")
    explain.add_argument("--layer", help="a convolutional layer (default: the last one)")
    explain.add_argument("--out", required=True, metavar="FILE.png")


def _command(commands: Any, name: str, call: Callable, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=call)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    return parser


# === Data ===


def _data_scan(options: argparse.Namespace) -> None:
    from dfcore.datasets import assign_splits, scan

    found = scan(options.root, progress=progress_bar("reading"))
    dataset = assign_splits(found)
    bad = dataset.unreadable
    drawn = bool(found.usable.split.isna().any())
    if options.json:
        counts = dataset.counts()
        print_json(
            {
                "root": str(dataset.root),
                "layout": dataset.layout,
                "demonstration": dataset.demonstration,
                "counts": {str(k): {n: int(v) for n, v in row.items()} for k, row in counts.iterrows()},
                "splits_drawn": drawn,
                "unlabelled": int((dataset.table.split == "unlabelled").sum()),
                "unreadable": bad[["path", "error"]].to_dict("records"),
                "notes": list(dataset.notes),
                "fingerprint": dataset.fingerprint,
            }
        )
        return
    print(f"{dataset.root}\nLayout: {dataset.layout}")
    if dataset.demonstration:
        print("This is a DEMONSTRATION data set; its fakes are simulated.")
    print(dataset.counts().to_string())
    if drawn:
        print("The splits are drawn automatically, stratified, with seed 0.")
    print(f"Without a label: {int((dataset.table.split == 'unlabelled').sum())}")
    for note in dataset.notes:
        print(f"Note: {note}")
    print(f"Images that cannot be used: {len(bad)}")
    for path, error in bad[["path", "error"]].itertuples(index=False):
        print(f"  {path}: {error}")


def _data_demo(options: argparse.Namespace) -> None:
    from dfcore.datasets.demo import make_demo

    folder = make_demo(options.folder, seed=options.seed, progress=progress_bar("making"))
    if options.json:
        print_json({"root": str(folder.resolve())})
    else:
        print(f"A DEMONSTRATION data set with simulated fakes lies in {folder}.")
        print(f"Train on it with: dfcore train --data-root {folder}")


# === Training ===


def _train(options: argparse.Namespace) -> None:
    from dfcore.datasets import assign_splits, require_trainable, scan
    from dfcore.datasets.scan import image_side
    from dfcore.files import read_json
    from dfcore.runs import RunStore, start
    from dfcore.training.config import TrainConfig, load_config, make_config, suggest

    names = [name for name in TrainConfig.model_fields if name != "schema_version"]
    told = {name: value for name in names if (value := getattr(options, name)) is not None}
    if options.config:
        load_config(options.config)
        told = read_json(Path(options.config)) | told
    if "data_root" not in told:
        raise InputError("Expected --data-root ROOT, or a --config FILE that names it.")
    make_config(told)
    dataset = scan(told["data_root"], progress=progress_bar("reading"))
    told["data_root"] = str(Path(told["data_root"]).expanduser().resolve())
    fitting = suggest(image_side(dataset)) if not {"arch", "image_size"} & set(told) and len(dataset.usable) else {}
    config = make_config(fitting | told)
    require_trainable(assign_splits(dataset, config.split_policy))
    run = start(RunStore(options.runs_dir or workspace.runs_dir()), config.to_dict(), epochs=config.epochs)
    if options.detach:
        print_json({"run": run.id, "folder": str(run.folder)}) if options.json else print(run.id)
        return
    _follow(run, quiet=options.json)
    status = run.status()
    if options.json:
        print_json(_shown(run))
    elif status.state == "completed":
        print_figures(run.metrics() or {})
        print(f"The detector lies in {run.bundle}")
    if status.state == "failed":
        raise DfcoreError(f"Run {run.id} failed: {status.reason}")


def _follow(run: Any, *, quiet: bool) -> None:
    """Shows a run until it ends; Ctrl-C stops it gracefully, keeping what was learned."""
    shown = 0
    bar = progress_bar("training")
    print(f"Run {run.id}", file=sys.stderr)
    while True:
        try:
            status = run.status()
            history = run.history()
            for row in history[shown:]:
                if not quiet:
                    names = ("loss", "accuracy", "val_loss", "val_accuracy", "val_auc")
                    figures = "  ".join(f"{name} {row[name]:.4f}" for name in names)
                    print(f"epoch {int(row['epoch'])}/{status.epochs}  {figures}", flush=True)
            shown = len(history)
            if not status.state.active:
                return
            bar(round(1000 * status.fraction), 1000)
            time.sleep(0.5)
        except KeyboardInterrupt:
            print("\nStopping after the current step; resume with 'dfcore runs resume'.", file=sys.stderr)
            run.request_stop()


# === Runs ===


def _store(options: argparse.Namespace) -> Any:
    from dfcore.runs import RunStore

    return RunStore(options.runs_dir or workspace.runs_dir())


def _runs_list(options: argparse.Namespace) -> None:
    from dfcore.runs import summary

    rows = [summary(run) for run in _store(options)]
    if options.json:
        print_json(rows)
        return
    if not rows:
        print("No runs yet. Start one with: dfcore train --data-root ROOT")
    for row in rows:
        print(f"{row['id']}  {row['state']:<11}  epoch {row['epoch']}/{row['epochs']}  {row['name']}")


def _shown(run: Any) -> dict[str, Any]:
    from dfcore.runs import summary

    return summary(run) | {
        "folder": str(run.folder),
        "config": run.config(),
        "notes": run.notes(),
        "metrics": run.metrics(),
    }


def _runs_show(options: argparse.Namespace) -> None:
    run = _store(options).get(options.run)
    shown = _shown(run)
    if options.json:
        print_json(shown)
        return
    for name in ("id", "name", "state", "reason", "epoch", "epochs", "folder"):
        if shown[name] not in ("", None):
            print(f"{name}: {shown[name]}")
    print_figures(run.metrics() or {})


def _runs_stop(options: argparse.Namespace) -> None:
    run = _store(options).get(options.run)
    _tell(options, run, f"{run.request_stop().state}")


def _runs_resume(options: argparse.Namespace) -> None:
    from dfcore.runs import resume

    run = _store(options).get(options.run)
    resume(run)
    _tell(options, run, "queued")


def _runs_delete(options: argparse.Namespace) -> None:
    store = _store(options)
    run = store.get(options.run)
    store.delete(options.run)
    _tell(options, run, "deleted")


def _tell(options: argparse.Namespace, run: Any, state: str) -> None:
    print_json({"run": run.id, "state": state}) if options.json else print(f"{run.id}: {state}")


# === Judging ===


def _evaluate(options: argparse.Namespace) -> None:
    from dfcore.datasets import SplitPolicy, assign_splits, scan
    from dfcore.detector import Detector
    from dfcore.evaluation import measure, write_predictions

    detector = Detector.load(options.bundle)
    found = scan(options.data_root, progress=progress_bar("reading"))
    config = detector.card.training.config
    # The splits of the training, where it is the same data set: nothing trained on is measured as test.
    policy = SplitPolicy(
        config.get("validation_share", 0.15),
        config.get("test_share", 0.15),
        config.get("valid_as_test", False),
        config.get("seed", 0),
    )
    dataset = assign_splits(found, policy)
    split = None if options.split == "all" else options.split
    metrics, table = measure(
        detector, dataset, split, cache_dir=workspace.cache_dir(), progress=progress_bar("measuring")
    )
    if options.out:
        write_predictions(Path(options.out), table)
    if options.json:
        print_json(metrics)
        return
    print_figures({metrics["split"]: metrics})
    print(metrics["report"])


def _predict(options: argparse.Namespace) -> None:
    from dfcore.datasets.listing import list_images
    from dfcore.detector import Detector
    from dfcore.predictions_out import FORMATS, require_numbers, write_rows

    out = Path(options.out) if options.out else None
    if out and out.suffix.lower() not in FORMATS:
        raise InputError(f"Expected --out FILE ending in {', '.join(FORMATS)}. Received: {options.out}.")
    if options.batch_size < 1:
        raise InputError(f"Expected --batch-size of at least 1. Received: {options.batch_size}.")
    paths = list_images(options.paths)
    if out and out.suffix.lower() == ".json":
        require_numbers(paths)
    detector = Detector.load(options.bundle)
    bar = progress_bar("judging")
    rows = detector.rows(paths, batch_size=options.batch_size, progress=lambda done: bar(done, len(paths)))
    bad = [row for row in rows if row["error"]]
    if out:
        write_rows(out, rows)
    if options.json:
        print_json(rows)
    elif out:
        print(f"{len(rows) - len(bad)} verdicts in {out}")
    else:
        for row in rows:
            print(f"{row['path']}: {row['error'] or '{verdict} (score {score:.4f})'.format(**row)}")
    for row in bad if out else []:
        print(f"dfcore: {row['path']}: {row['error']}", file=sys.stderr)


def _explain(options: argparse.Namespace) -> None:
    from dfcore import images
    from dfcore.detector import Detector
    from dfcore.explain import figure
    from dfcore.files import write_atomic

    if Path(options.out).suffix.lower() != ".png":
        raise InputError(f"Expected --out FILE.png. Received: {options.out}.")
    rgb = images.decode(options.image)
    detector = Detector.load(options.bundle)
    verdict = detector.predict([rgb])[0]
    heatmap = detector.explain(rgb, method=options.method, target=options.target, layer=options.layer)
    write_atomic(Path(options.out), lambda path: figure(rgb, heatmap).save(path, "PNG"))
    answer = {
        "image": options.image,
        "verdict": verdict.label,
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
    print(f"{verdict.label} (score {verdict.score:.4f}, threshold {verdict.threshold:.4f}); heat-map in {options.out}")
    if not heatmap.peak:
        print(f"There is no evidence of {heatmap.target} at this layer: the map is empty.")
