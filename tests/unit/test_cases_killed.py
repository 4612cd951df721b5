"""The store of cases when its writers are killed, and when several processes write at once."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dfcore.cases import Store
from dfcore.errors import InputError
from dfcore.utils.files import sha256_bytes
from tests.unit.cases_writer import data_of

ROOT = Path(__file__).parents[2]
_EACH = 10_000


def writer(address: str, folder: Path, first: int, most: int | None = None) -> subprocess.Popen:
    """A process that writes."""
    command = [sys.executable, "-m", "tests.unit.cases_writer", address, str(folder), str(first)]
    command += [] if most is None else [str(most)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def killed(address: str, folder: Path, first: int, writes: int, seconds: float) -> list[tuple[str, int]]:
    """Kills a writer so long after so many writes, or while it opens the store; what it had said was done.

    With no writes it is killed at any moment from its start on.
    """
    process = writer(address, folder, first)
    said = "".join(process.stdout.readline() for _ in range(writes and writes + 1))
    time.sleep(seconds)
    process.kill()
    said += process.stdout.read()
    process.stdout.close()
    process.wait()
    whole = said[: said.rfind("\n") + 1].splitlines()
    return [(what, int(number)) for what, number in (line.split() for line in whole if line != "opened ")]


def check(store: Store, confirmed: list[tuple[str, int]]) -> None:
    """That all which was confirmed is there, and nothing is there by half."""
    forgotten = {number for what, number in confirmed if what == "forgotten"}
    for what, number in confirmed:
        sha256 = sha256_bytes(data_of(number))
        try:
            history = store.history(sha256)
        except InputError:
            # It was being deleted when the writer was killed, at the latest.
            assert number in forgotten or (number % 5 == 4 and (what, number) in confirmed[-2:])
            continue
        assert number not in forgotten and history.judgements[0].record == {"text": "x" * 20_000}
        assert what != "kept" or store.image(sha256) == data_of(number)
        assert what != "filed" or history.cases
        assert what != "decided" or (history.notes and history.decisions)


def kill_often(address: str, folder: Path, times: int) -> None:
    """Kills writers at random moments."""
    chance, written = random.Random(17), 0
    for number in range(times):
        early = number % 10 == 0
        moment = chance.uniform(0, 2) if early else chance.uniform(0, 0.02)
        confirmed = killed(address, folder, number * _EACH, 0 if early else chance.randrange(1, 16), moment)
        written += len(confirmed)
        with Store(address, folder) as store:
            check(store, confirmed)
            if number % 10 == 9 or number + 1 == times:  # What is broken in the log stays so.
                found = store.verify()
                assert found.holds, found.problems
                assert all(row.judgement is not None for row in store.search(limit=None).rows)
    assert written > times


def test_killed_at_any_moment_nothing_is_lost_or_half_written(address, tmp_path):
    kill_often(address, tmp_path / "images", 3)


@pytest.mark.slow
def test_killed_many_times(tmp_path):
    # CASES_KILLS=100 kills as often as was done once; most of the time goes into starting writers.
    kill_often(f"sqlite:///{tmp_path / 'cases.db'}", tmp_path / "images", int(os.environ.get("CASES_KILLS", 30)))


def test_two_processes_write_at_once(address, tmp_path):
    both = [writer(address, tmp_path / "images", number * _EACH, 30) for number in range(2)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    with Store(address, tmp_path / "images") as store:
        for text in said:
            lines = (line.split() for line in text.splitlines()[1:])
            check(store, [(what, int(number)) for what, number in lines])
        assert store.verify().holds and store.search().total == 2 * 24
        assert all(row.judgement is not None for row in store.search(limit=None).rows)
        assert store.cases().total == 12 and len({one.id for one in store.cases().rows}) == 12
