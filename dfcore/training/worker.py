"""The process that trains one run: `python -m dfcore.training.worker RUN_FOLDER`.

It waits for its turn without importing TensorFlow, then imports TensorFlow before other heavy packages. The outcome is
recorded in `status.json`, details in `log.txt`.
"""

import sys
from functools import partial
from pathlib import Path

from dfcore.errors import DfcoreError
from dfcore.runs.detached import take_over
from dfcore.runs.run import Run
from dfcore.training.session import conduct
from dfcore.training.watcher import RunWatcher


def main(folder: str) -> int:
    """Trains the run in `folder`; returns the exit code of the process."""
    run = Run(Path(folder))
    if not take_over(run):
        return 1
    try:
        conduct(run, RunWatcher(run, partial(print, flush=True)))
        return 0
    except DfcoreError as error:
        print(f"Ended: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
