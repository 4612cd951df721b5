"""`dfcore app`: starts the dashboard from any folder."""

import argparse
import os
import subprocess
import sys
from typing import Any

from dfcore import workspace
from dfcore.commands.base import port
from dfcore.utils import extras
from dfcore.utils.processes import environment


def add(commands: Any) -> None:
    """Adds the command."""
    text = "start the dashboard on this machine, with the runs, models and data of the current folder"
    parser = commands.add_parser("app", help="start the dashboard", description=text)
    parser.set_defaults(command=_app)
    parser.add_argument("--port", type=port, metavar="N", help="port to listen on (default: 8501)")
    parser.add_argument(
        "--host", metavar="ADDRESS",
        help="address to listen on (default: 127.0.0.1, reachable from this machine only); set up sign-in before "
        "exposing it to others, see docs/security.md",
    )  # fmt: skip


def _app(options: argparse.Namespace) -> None:
    for module in ("streamlit", "plotly"):
        extras.require(module, "app", "The dashboard")
    # -P: files in the current folder must not shadow modules.
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(workspace.app_script())]
    for option, value in (("port", options.port), ("address", options.host)):
        if value is not None:
            command += [f"--server.{option}", str(value)]
    _become(command)


def _become(command: list[str]) -> None:
    """Replaces this process with a command, so that signals reach it directly; on Windows, runs it as a child."""
    sys.stdout.flush()
    if sys.platform != "win32":
        os.execve(command[0], command, environment())  # nosec B606
    else:
        subprocess.run(command, env=environment(), check=False)
