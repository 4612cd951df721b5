"""What killed processes left of what they made goes by its age, and nothing else does."""

import os
import time

import pytest

from dfcore.detectors import library
from dfcore.detectors.bundle import write_bundle
from dfcore.utils.unfinished import made_aside, sweep_unfinished
from tests.conftest import make_card, untrained

DAY = 24 * 3600


def left(folder, name: str, days: float):
    """A folder with a file in it, last changed so many days ago."""
    made = folder / name
    made.mkdir(parents=True)
    (made / "model.keras").write_bytes(b"weights")
    then = time.time() - days * DAY
    for path in (made / "model.keras", made):
        os.utime(path, (then, then))
    return made


@pytest.mark.parametrize(
    ("prefix", "days"),
    [(".adapt-", 1), (".adopt-", 1), (".bundle-", 1), (".export-", 1), (".recalibrate-", 1), (".pull-", 14)],
)
def test_it_is_kept_for_a_while_after_the_last_change(tmp_path, prefix, days):
    old, young = left(tmp_path, f"{prefix}old", days + 0.1), left(tmp_path, f"{prefix}young", days - 0.1)
    (in_use := left(tmp_path, f"{prefix}in-use", days + 0.1) / "model.keras").touch()
    sweep_unfinished(tmp_path)
    assert not old.exists() and young.exists() and in_use.exists()


def test_what_is_gone_on_with_its_lock_and_everything_else_stay(tmp_path):
    spared, lock = left(tmp_path, ".pull-a--b-1", 99), tmp_path / ".pull-a--b-1.lock"
    other, hidden = left(tmp_path, "bundle-mine", 99), left(tmp_path, ".mine", 99)
    old = tmp_path / ".pull-a--b-2.lock"
    for path in (lock, old):
        path.touch()
        os.utime(path, (0, 0))
    sweep_unfinished(tmp_path, spare=spared.name)
    assert all(path.exists() for path in (spared, lock, other, hidden)) and not old.exists()


def test_a_folder_aside_is_gone_afterwards_whatever_happens(tmp_path):
    with pytest.raises(ValueError, match="half way"), made_aside(tmp_path, ".adopt-") as aside:
        assert aside.parent == tmp_path and aside.name.startswith(".adopt-")
        raise ValueError("half way")
    assert not list(tmp_path.iterdir())


def test_the_next_detector_removes_what_was_left(tmp_path):
    write_bundle(tmp_path / "made", untrained(1), make_card())
    models = tmp_path / "models"
    gone = [left(models, name, 2) for name in (".adopt-x1", ".bundle-x1")]
    library.promote(tmp_path / "made", models, "mine")
    assert (models / "mine").is_dir() and not any(path.exists() for path in gone)
