"""`dfcore watch`: judges what arrives in folders."""

import argparse
import json
import signal
import sys
import threading
from functools import partial
from typing import Any

from dfcore.commands.base import INCOMPLETE, INCOMPLETE_HELP, add_judging, budget_of, command, out_file
from dfcore.utils.texts import printable

_OUT = "verdicts.jsonl"


def add(commands: Any) -> None:
    """Adds the command."""
    watch = command(commands, "watch", _watch, "judge what arrives in folders, until it is stopped")
    watch.epilog = INCOMPLETE_HELP.format("it was stopped, or all is done", "files were not complete (with --once)")
    watch.add_argument("folders", metavar="FOLDER", nargs="+", help="folders; what lies below them is watched too")
    watch.add_argument(
        "--out", default=_OUT, metavar="FILE.jsonl", help=f"a line for each file, which only grows (default: {_OUT})"
    )
    watch.add_argument("--once", action="store_true", help="judge what is there, and end")
    watch.add_argument(
        "--settle", type=_seconds, default=2.0, metavar="SECONDS",
        help="time for which a file must stay as it is before it counts as complete (default: 2)",
    )  # fmt: skip
    watch.add_argument(
        "--interval", type=_seconds, default=1.0, metavar="SECONDS",
        help="time between two looks at least; large folders are looked at less often (default: 1)",
    )  # fmt: skip
    watch.add_argument("--by", metavar="NAME", help="who has it judged, for the cases (default: this account)")
    add_judging(watch)


def _watch(options: argparse.Namespace) -> int:
    from dfcore import workspace
    from dfcore.batch.memory import Memory
    from dfcore.batch.ready import make_ready
    from dfcore.detectors.remembered import card_sha256
    from dfcore.utils.processes import account
    from dfcore.watch import Pace, Stream, Watcher, alone, resolved

    out = out_file(options.out, [".jsonl"]).resolve()
    folders = resolved(options.folders)
    with alone(folders), Stream(out) as stream:
        ready = make_ready(
            [options.detector], partial(budget_of, options), ignore_ood=options.ignore_ood, engine=options.engine
        )
        cards = {card_sha256(detector.card) for detector in ready.detectors.values()}
        if stream.cards - cards:
            _warn(f"{out} holds verdicts of other detectors; files that have one are not judged again.")
        memory = Memory(ready, options.by or account(), "watch") if workspace.keeps_cases() else None
        watcher = Watcher(
            folders, ready, stream, memory, pace=Pace(options.settle, options.interval),
            tell=partial(_tell, options.json), warn=_warn,
        )  # fmt: skip
        complete = watcher.run(_stopped().wait, once=options.once)
        for path in watcher.waiting if options.once else ():
            _warn(f"{path}: it has no verdict: it is still being written, or could not be read or remembered.")
    return 0 if complete or not options.once else INCOMPLETE


def _stopped() -> threading.Event:
    """Set by SIGTERM or Ctrl-C; the picture at hand is finished first. A second one ends at once."""
    event = threading.Event()

    def stop(number: int, _: object) -> None:
        event.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return event


def _tell(as_json: bool, row: dict[str, Any]) -> None:
    from dfcore.confidence import FINDINGS

    if as_json:
        print(json.dumps(row), flush=True)
        return
    said = row["error"] or f"{FINDINGS[row['finding']]} (score {row['score']:.4f}, by {row['detector']})"
    print(printable(f"{row['path']}: {said}"), flush=True)


def _warn(text: str) -> None:
    print(printable(f"dfcore: {text}"), file=sys.stderr, flush=True)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 86_400:
        raise argparse.ArgumentTypeError(f"expected seconds between 0 and 86400. Received: {text}")
    return value
