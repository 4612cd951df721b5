"""The process that judges one film: `python -m dfcore.films.worker FOLDER`, see `dfcore.runs.working`."""

import sys
from collections.abc import Callable
from pathlib import Path

from dfcore.films.job import FilmJob
from dfcore.films.store import FilmStore
from dfcore.runs.working import carry_out


def main(folder: str) -> int:
    """Judges the film in `folder`; returns the exit code of the process."""
    return carry_out(FilmJob(Path(folder)), FilmStore(Path(folder).parent), work)


def work(job: FilmJob, stop_if_asked: Callable[[], None]) -> None:
    """Judges a film whose turn has come."""
    from dfcore.films.conduct import conduct

    conduct(job, stop_if_asked)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
