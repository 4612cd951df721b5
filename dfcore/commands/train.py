"""`dfcore train`: validates the request, starts the run and follows it."""

import argparse
import sys
import time
from typing import Any, Literal, get_args, get_origin

from dfcore import workspace
from dfcore.commands.base import add_runs_dir
from dfcore.commands.reading import add_reading, applied_reading
from dfcore.commands.runs import shown
from dfcore.commands.terminal import print_figures, print_json, print_spread, progress_bar
from dfcore.errors import DfcoreError, InputError
from dfcore.utils.texts import printable


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options: one per field of `TrainConfig`, and those of the command itself."""
    from dfcore.training import presets
    from dfcore.training.config import TrainConfig

    parser.set_defaults(command=_train)
    parser.add_argument("--preset", metavar="NAME", help=f"preset to start from: {', '.join(presets.names())}")
    parser.add_argument("--config", metavar="FILE", help="JSON file with settings; the options below override it")
    add_runs_dir(parser)
    add_reading(parser)
    parser.add_argument("--detach", action="store_true", help="return at once; the run continues in the background")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "--repeat", type=int, default=1, metavar="N", help="train N times, with seeds from --seed on; print the spread"
    )
    for name, field in TrainConfig.model_fields.items():
        if name == "schema_version":
            continue
        flags = list(dict.fromkeys([f"--{name.replace('_', '-')}", f"--{name}"]))
        message = "" if field.is_required() or field.default in (None, "") else f" (default: {field.default!r})"
        values = f" One of {', '.join(get_args(field.annotation))}." if get_origin(field.annotation) is Literal else ""
        text = f"{field.description}{values}{message}".replace("%", "%%")
        if isinstance(field.default, bool):
            parser.add_argument(*flags, action=argparse.BooleanOptionalAction, default=None, help=text)
        else:
            parser.add_argument(*flags, dest=name, metavar="X", help=text)


def _train(options: argparse.Namespace) -> None:
    from dfcore.runs import RunStore, start

    if options.repeat < 1:
        raise InputError(f"Expected --repeat of at least 1. Received: {options.repeat}.")
    config = _requested(options)
    store = RunStore(options.runs_dir or workspace.runs_dir())
    runs = []
    for seed in range(config.seed, config.seed + options.repeat):
        one = config.model_copy(update={"seed": seed})
        runs.append(start(store, one.to_dict(), epochs=one.epochs))
    if options.detach:
        if options.json:
            _print_answers([{"run": run.id, "folder": str(run.folder)} for run in runs])
        else:
            print("\n".join(run.id for run in runs))
        return
    for run in runs:
        _follow(run, quiet=options.json)
        if not options.json:
            _tell(run)
        _tell_tracker(run)
    if options.json:
        _print_answers([shown(run) for run in runs])
    elif options.repeat > 1:
        print_spread([run.metrics() or {} for run in runs])
    for run in runs:
        if run.status().state == "failed":
            raise DfcoreError(f"Run {run.id} failed: {run.status().reason}")


def _requested(options: argparse.Namespace) -> Any:
    """The requested config: options override the config file, which overrides the preset."""
    from dfcore.training.config import TrainConfig, read_values
    from dfcore.training.request import check_request

    names = [name for name in TrainConfig.model_fields if name != "schema_version"]
    asked = read_values(options.config) if options.config else {}
    asked |= {name: value for name in names if (value := getattr(options, name)) is not None}
    if "data_root" not in asked:
        raise InputError("Expected --data-root ROOT, or a --config FILE that names it.")
    with applied_reading(options, asked["data_root"]):
        return check_request(
            asked,
            preset=options.preset,
            progress=progress_bar("reading"),
            note=lambda text: print(f"dfcore: {printable(text)}", file=sys.stderr),
        )


def _print_answers(answers: list[dict[str, Any]]) -> None:
    """Prints one answer as an object, several as a list."""
    print_json(answers[0] if len(answers) == 1 else answers)


def _tell(run: Any) -> None:
    if run.status().state == "completed":
        print_figures(run.metrics() or {})
        print(f"Detector saved in {run.bundle}")


def _tell_tracker(run: Any) -> None:
    """Says so if MLflow, where runs are mirrored to it, has not taken this one; its process goes on trying."""
    from dfcore.trackers import configured, recall

    try:
        tracker = configured()
    except InputError as error:
        print(printable(f"dfcore: Not mirrored to MLflow. {error}"), file=sys.stderr)
        return
    sent = recall(run, tracker) if tracker else None
    if tracker and sent and (sent.problem or not sent.run_id):
        why = sent.problem.rstrip(".") or f"{tracker.shown} has not answered yet"
        text = f"dfcore: MLflow has not got all of the run. {why}. It is asked for some minutes more; then"
        print(printable(f"{text} 'dfcore runs mirror {run.id}' sends the rest."), file=sys.stderr)


def _follow(run: Any, *, quiet: bool) -> None:
    """Shows a run's progress until it ends; Ctrl-C stops it gracefully, with its progress saved."""
    shown, epochs = 0, run.config()["epochs"]
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
                    print(f"epoch {int(row['epoch'])}/{epochs}  {figures}", flush=True)
            shown = len(history)
            if not status.state.active:
                return
            bar(round(1000 * status.fraction), 1000)
            time.sleep(0.5)
        except KeyboardInterrupt:
            print("\nStopping after the current step; resume with 'dfcore runs resume'.", file=sys.stderr)
            run.request_stop()
