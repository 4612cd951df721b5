"""`dfcore runs mirror`: sends runs to MLflow, or what an MLflow server lacks of them."""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcore import workspace
from dfcore.commands.base import INCOMPLETE, INCOMPLETE_HELP, add_runs_dir, command
from dfcore.commands.terminal import print_json
from dfcore.errors import DfcoreError, InputError
from dfcore.runs.run import Run
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    from dfcore.trackers import Tracker


def add(commands: Any) -> None:
    """Adds the command."""
    text = "send runs to MLflow; those that wait, if none is named"
    one = command(commands, "mirror", _mirror, text)
    add_runs_dir(one)
    one.add_argument("run", nargs="*", metavar="RUN", help="run id, as listed by 'dfcore runs list'")
    one.add_argument("--all", action="store_true", help="all runs, also those from before a server was named")
    one.add_argument(
        "--anew", action="store_true", help="the runs named as new ones there, because the earlier ones were deleted"
    )
    one.description = (
        f"{text[0].upper()}{text[1:]}. MLFLOW_TRACKING_URI (or DFCORE_MLFLOW) names the server, MLFLOW_EXPERIMENT_NAME "
        "the experiment. What the server has is not sent again."
    )
    one.epilog = INCOMPLETE_HELP.format("the server has all of them", "some could not be sent, or not wholly")


def _mirror(options: argparse.Namespace) -> int:
    from dfcore.runs import RunStore
    from dfcore.trackers import configured, recall, waits
    from dfcore.trackers.mirror import send
    from dfcore.trackers.server import TrackerError

    tracker = configured()
    if tracker is None:
        raise InputError(
            "Expected the address of an MLflow server in MLFLOW_TRACKING_URI or DFCORE_MLFLOW. Received: none, or off."
        )
    if options.all and options.run:
        raise InputError(f"Expected runs or --all. Received: --all and {' '.join(options.run)}.")
    if options.anew and not options.run:
        raise InputError(
            "Expected with --anew the runs that were deleted there, by their ids: each is sent as a new one. "
            f"Received: --anew {'with --all' if options.all else 'without a run'}."
        )
    store = RunStore(Path(options.runs_dir or workspace.runs_dir()))
    runs = list(store) if options.all else [store.get(name) for name in options.run]
    if not runs:
        runs = [run for run in store if waits(run, tracker)]
        if not runs and not options.json:
            print(printable(f"No run waits to be sent to {tracker.shown}."))
        _tell_elsewhere(store, tracker)
    answers = []
    for run in runs:
        problem = ""
        try:
            complete = send(run, tracker, _teller(run, options), anew=options.anew)
        except (DfcoreError, OSError) as error:
            problem, complete = str(error), False
            if isinstance(error, TrackerError) and len(runs) == 1:
                raise
        found = recall(run, tracker)
        there = tracker.page(found.experiment_id, found.run_id) if found else ""
        answers.append({"run": run.id, "complete": complete, "problem": problem, "page": there} | _known(found))
        if not options.json:
            state = problem or ("all of it is there" if complete else "it is at work; what there is so far is there")
            print(printable(f"{run.id}: {state}{f', {there}' if there and not problem else ''}"))
    if options.json:
        print_json(answers)
    return INCOMPLETE if any(one["problem"] for one in answers) else 0


def _tell_elsewhere(store: Iterable[Run], tracker: "Tracker") -> None:
    """Names runs that wait for another server, whose address may have been wrong, and were never to be sent here."""
    from dfcore.trackers import lacking, recall

    waiting: dict[str, list[str]] = {}
    for run in store:
        for address in lacking(run) if recall(run, tracker) is None else ():
            waiting.setdefault(address, []).append(run.id)
    for address, names in waiting.items():
        text = f"dfcore: Waiting to be sent to {address}: {', '.join(names)}. To send them to {tracker.shown} instead, "
        print(printable(f"{text}name them (dfcore runs mirror RUN …), or give --all for all runs."), file=sys.stderr)


def _known(found: Any) -> dict[str, Any]:
    return {name: asdict(found)[name] for name in ("experiment_id", "run_id", "epochs")} if found else {}


def _teller(run: Run, options: argparse.Namespace) -> Any:
    def tell(text: str) -> None:
        if not options.json:
            print(printable(f"{run.id}: {text}"), flush=True)

    return tell
