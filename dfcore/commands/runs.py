"""`dfcore runs`: list, show, stop, resume, delete, relocate and mirror training runs."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dfcore import workspace
from dfcore.commands import mirror
from dfcore.commands.base import INCOMPLETE, INCOMPLETE_HELP, add_runs_dir, command, subcommands
from dfcore.commands.terminal import print_figures, print_json
from dfcore.errors import RunError
from dfcore.utils.texts import printable


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    commands = subcommands(parser)
    for name, call, text in (
        ("list", _list, "list runs, newest first"),
        ("show", _show, "show state, settings and metrics of a run"),
        ("stop", _stop, "stop a run after its current step; progress is saved"),
        ("resume", _resume, "resume a stopped, failed or interrupted run"),
        ("delete", _delete, "delete a run permanently"),
    ):
        one = command(commands, name, call, text)
        add_runs_dir(one)
        if name != "list":
            one.add_argument("run", metavar="RUN", help="run id, as listed by 'dfcore runs list'")
        if name == "delete":
            one.add_argument("--cited", action="store_true", help="also if verdicts in cases are its detector's")
    mirror.add(commands)
    moved = command(commands, "relocate", _relocate, "tell runs where their data set is now; its content is checked")
    add_runs_dir(moved)
    moved.add_argument("what", metavar="RUN", help="run id; with --all, the folder where the data were")
    moved.add_argument("root", metavar="NEW_ROOT", help="folder or manifest where they are now")
    moved.add_argument("--all", action="store_true", help="all runs, and registered data sets, whose data were in OLD")
    moved.usage = "%(prog)s [-h] [--json] [--runs-dir DIR] (RUN NEW_ROOT | --all OLD NEW)"
    moved.epilog = INCOMPLETE_HELP.format("all were relocated", "with --all, some were not")


def _store(options: argparse.Namespace) -> Any:
    from dfcore.runs import RunStore

    return RunStore(options.runs_dir or workspace.runs_dir())


def _list(options: argparse.Namespace) -> None:
    from dfcore.runs import DAMAGED, summaries

    rows = summaries(_store(options))
    if options.json:
        print_json(rows)
        return
    if not rows:
        print("No runs yet. Start one with: dfcore train --data-root ROOT")
    for row in rows:
        damage = f"  {row['reason']}" if row["state"] == DAMAGED else ""
        print(f"{row['id']}  {row['state']:<11}  epoch {row['epoch']}/{row['epochs']}  {row['name']}{damage}")


def shown(run: Any) -> dict[str, Any]:
    """Everything known about a run, as JSON-serialisable data; unreadable parts are None."""
    from dfcore.runs import readable, summary

    return summary(run) | {
        "folder": str(run.folder),
        "config": readable(run.config),
        "notes": run.notes(),
        "metrics": readable(run.metrics),
    }


def _show(options: argparse.Namespace) -> None:
    run = _store(options).get(options.run)
    text = shown(run)
    if options.json:
        print_json(text)
        return
    for name in ("id", "name", "state", "reason", "epoch", "epochs", "folder"):
        if text[name] not in ("", None):
            print(f"{name}: {text[name]}")
    print_figures(text["metrics"] or {})


def _stop(options: argparse.Namespace) -> None:
    run = _store(options).get(options.run)
    _tell(options, run, f"{run.request_stop().state}")


def _resume(options: argparse.Namespace) -> None:
    from dfcore.runs import require_data, resume

    run = _store(options).get(options.run)
    if not run.status().state.active:
        require_data(run)
    resume(run)
    _tell(options, run, "queued")


def _delete(options: argparse.Namespace) -> None:
    from dfcore.detectors.remembered import cited

    store = _store(options)
    run = store.get(options.run)
    if not options.cited and (told := cited(run.bundle)):
        raise RunError(f"Run {run.id} was not deleted: {told} Delete it all the same with --cited.")
    store.delete(options.run)
    _tell(options, run, "deleted")


def _relocate(options: argparse.Namespace) -> int:
    from dfcore.datasets import registry
    from dfcore.training.relocate import relocate, relocate_all

    store = _store(options)
    if not options.all:
        done = [relocate(store.get(options.what), options.root)]
        registered = []
    else:
        workspace.require_readable(Path(options.root))
        done = relocate_all(store, options.what, options.root)
        registered = [str(path) for path in registry.relocate(options.what, options.root)]
    if options.json:
        print_json({"runs": [asdict(one) | {"root": str(one.root)} for one in done], "registered": registered})
    else:
        for one in done:
            added = f", {one.added:,} others are there too" if one.added else ""
            text = one.problem or f"its {one.images:,} images are in {one.root}{added}"
            print(printable(f"{one.run}: {text}"))
        for path in registered:
            print(printable(f"registered: {path}"))
        if not done and not registered:
            print(printable(f"No run and no registered data set has its data in {options.what}."))
    return INCOMPLETE if any(one.problem for one in done) else 0


def _tell(options: argparse.Namespace, run: Any, state: str) -> None:
    print_json({"run": run.id, "state": state}) if options.json else print(f"{run.id}: {state}")
