"""`dfcore runs`: list, show, stop, resume and delete training runs."""

import argparse
from typing import Any

from dfcore import workspace
from dfcore.commands.base import add_runs_dir, command, subcommands
from dfcore.commands.terminal import print_figures, print_json


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
    from dfcore.runs import resume

    run = _store(options).get(options.run)
    resume(run)
    _tell(options, run, "queued")


def _delete(options: argparse.Namespace) -> None:
    store = _store(options)
    run = store.get(options.run)
    store.delete(options.run)
    _tell(options, run, "deleted")


def _tell(options: argparse.Namespace, run: Any, state: str) -> None:
    print_json({"run": run.id, "state": state}) if options.json else print(f"{run.id}: {state}")
