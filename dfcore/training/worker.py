"""The process that trains one run: `python -m dfcore.training.worker RUN_FOLDER`.

It waits for its turn without importing TensorFlow, then imports TensorFlow before other heavy packages. The outcome is
recorded in `status.json`, details in `log.txt`.
"""

import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

from dfcore.errors import DfcoreError
from dfcore.runs.process import identity
from dfcore.runs.run import Run
from dfcore.training.session import conduct
from dfcore.training.watcher import RunWatcher
from dfcore.utils.files import share_all_made


def main(folder: str) -> int:
    """Trains the run in `folder`; returns the exit code of the process."""
    run = Run(Path(folder))
    if not _is_mine(run):
        print("Another process has this run; this one leaves it alone.")
        return 1
    share_all_made(run.folder)
    run.owner = (mine := identity())["pid"], mine["started"]
    # In a separate thread, since the handler may interrupt a write that holds the lock of the run.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=run.request_stop, daemon=True).start())
    try:
        conduct(run, RunWatcher(run, partial(print, flush=True)))
        return 0
    except DfcoreError as error:
        print(f"Ended: {error}")
        return 1


def _is_mine(run: Run, patience: float = 30.0) -> bool:
    """Waits up to `patience` seconds until the launcher has recorded this process in the status."""
    who = identity()
    mine = (who["pid"], who["started"])
    until = time.monotonic() + patience
    while time.monotonic() < until:
        status = run.status()
        if (status.pid, status.started) == mine:
            return True
        # Until the launcher has updated the status, it may still name the process of an earlier attempt.
        if status.state.active and status.pid is not None:
            return False
        time.sleep(0.05)
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
