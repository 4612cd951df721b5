"""`dfcore tensorboard`: opens TensorBoard on the folder of runs."""

import argparse
import threading
from pathlib import Path
from typing import Any

from dfcore import workspace
from dfcore.commands.base import add_runs_dir, port
from dfcore.errors import DfcoreError
from dfcore.utils.texts import printable

_PORT = 6006


def add(commands: Any) -> None:
    """Adds the command."""
    text = (
        "Opens TensorBoard on the folder of runs, on 127.0.0.1 only, until Ctrl-C. Runs that have no event files, from "
        "other machines for example, get them from their history."
    )
    parser = commands.add_parser("tensorboard", help="open TensorBoard on the runs", description=text)
    parser.set_defaults(command=_tensorboard)
    add_runs_dir(parser)
    parser.add_argument("--port", type=port, default=_PORT, metavar="N", help=f"port to listen on (default: {_PORT})")


def _tensorboard(options: argparse.Namespace) -> None:
    from dfcore.trackers.board import launch

    folder = Path(options.runs_dir or workspace.runs_dir()).resolve()
    try:
        address = launch(folder, options.port)
    except DfcoreError as error:
        raise DfcoreError(f"{error} --port N takes another one.") from error
    print(printable(f"TensorBoard shows the runs in {folder} on {address}/; Ctrl-C ends it."), flush=True)
    threading.Event().wait()
