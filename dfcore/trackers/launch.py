"""Starts the process that mirrors a run; costs the run no more than that, whatever the tracker does."""

import subprocess
import sys
import threading
from collections.abc import Callable

from dfcore.errors import DfcoreError
from dfcore.runs.detached import logging_environment
from dfcore.runs.run import Run
from dfcore.trackers import sent
from dfcore.trackers.address import configured, redacted
from dfcore.utils import extras
from dfcore.utils.files import share

MIRROR = "dfcore.trackers.mirror"


def start_mirror(run: Run, say: Callable[[str], None], *, anew: bool = False) -> bool:
    """Starts mirroring a run to the tracking server that the environment names, in a process of its own.

    It never raises: what hinders is said. The process follows the run to its end, and then sends what other runs in
    the folder still have to send; see `dfcore.trackers.mirror`.

    Args:
        run: The run.
        say: Called with lines for a log.
        anew: Make a new run there, since the one of before was deleted.

    Returns:
        Whether the process was started.
    """
    try:
        tracker = configured()
        if tracker is None:
            return False
        extras.require("mlflow", "mlflow", f"Mirroring runs to MLflow ({tracker.variable} is set)")
        # Before the process: should it never come to anything, the run is known to wait.
        if anew or sent.recall(run, tracker) is None:
            sent.keep(run, tracker, sent.Sent(anew=anew))
        _start(run)
        say(f"mirrored to MLflow at {tracker.shown}, experiment {tracker.experiment}; see {sent.LOG}")
        return True
    except (DfcoreError, OSError) as error:
        say(f"not mirrored to MLflow: {redacted(error)}")
        return False


def _start(run: Run) -> None:
    log = run.folder / sent.LOG
    with open(log, "ab") as file:
        share(log)
        process = subprocess.Popen(
            [sys.executable, "-m", MIRROR, str(run.folder)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=logging_environment(),
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # Else a zombie remains until the run's own end.
