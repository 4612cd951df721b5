"""The process that judges one batch: `python -m dfcore.batch.worker BATCH_FOLDER`, see `dfcore.runs.working`."""

import sys
from collections.abc import Callable
from pathlib import Path

from dfcore.batch.job import Batch
from dfcore.batch.store import BatchStore
from dfcore.runs.working import carry_out


def main(folder: str) -> int:
    """Judges the batch in `folder`; returns the exit code of the process."""
    return carry_out(Batch(Path(folder)), BatchStore(Path(folder).parent), work)


def work(batch: Batch, stop_if_asked: Callable[[], None]) -> None:
    """Judges a batch whose turn has come."""
    from dfcore.batch.judging import judge

    judge(batch, stop_if_asked)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
