"""Pictures of films that were only measured: bounded in size and age, and never deleted while they are used."""

import argparse
import json
import os
import time
from pathlib import Path

import pytest

from dfcore import workspace
from dfcore.cli import main
from dfcore.commands import films_in_cache
from dfcore.datasets.films import read_films
from dfcore.datasets.reading import Reading
from dfcore.errors import InputError
from dfcore.films.dataset import FrameSettings, cached
from tests.conftest import make_image
from tests.made_film_sets import put

DAY = 86_400


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("DFCORE_CACHE", str(tmp_path / "cache"))
    return workspace.cache_dir()


def films(root: Path):
    return read_films(put(root, {"real/a.mp4": b"", "fake/b.mp4": b""}))


def kept(root: Path, *, days_ago: float, size: int = 1000) -> Path:
    """Pictures of films in a folder, last used so long ago."""
    with cached.place(films(root), FrameSettings()) as out:
        out.mkdir(parents=True)
        (out / "films.json").write_bytes(b"0" * size)
    when = time.time() - days_ago * DAY
    os.utime(out.parents[1] / "last_use", (when, when))
    return out


def test_what_was_not_used_for_long_is_deleted(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the folder is called: "users" and "lock" are what marks of use are called."""
    young, old = kept(tmp_path / "users", days_ago=29), kept(tmp_path / "lock", days_ago=31)
    cached.make_room(cache)
    assert not old.exists() and young.exists()
    monkeypatch.setenv("DFCORE_CACHE_DAYS", "28")
    cached.make_room(cache)
    assert not young.exists()


def test_no_more_goes_than_must_and_the_least_recently_used_first(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (kept(tmp_path / str(days), days_ago=days) for days in (3, 2, 1))
    monkeypatch.setenv("DFCORE_CACHE_GB", repr(2500 / 2**30))
    with cached.place(films(tmp_path / "4"), FrameSettings()) as fourth:
        assert not first.exists() and second.exists() and third.exists(), "room is made before"
        fourth.mkdir(parents=True)
        (fourth / "films.json").write_bytes(b"0" * 1000)
    assert not second.exists() and third.exists() and fourth.exists(), "and for what was made"


def test_what_is_used_stays_whatever_its_age_and_size(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    used = kept(tmp_path / "one", days_ago=0)
    monkeypatch.setenv("DFCORE_CACHE_GB", "0")
    monkeypatch.setenv("DFCORE_CACHE_DAYS", "0")
    with cached.place(films(tmp_path / "two"), FrameSettings()) as out:
        out.mkdir(parents=True)
        (out / "films.json").write_bytes(b"0" * 10)
        assert not used.exists()
        cached.make_room(cache)
        assert main(["cache", "clear", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["in_use"] == [f"frames/{out.parents[1].name}"]
        assert out.exists()
    assert not out.exists()


def test_what_is_deleted_in_part_is_not_taken_for_whole(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = kept(tmp_path / "one", days_ago=31)
    monkeypatch.setattr(cached.shutil, "rmtree", lambda *_, **__: None)  # As if it were killed there.
    cached.make_room(cache)
    assert not out.exists() and cached.entries(cache)[0].bytes == 1000
    monkeypatch.undo()
    monkeypatch.setenv("DFCORE_CACHE", str(cache))
    cached.make_room(cache)
    assert cached.entries(cache) == []


@pytest.mark.parametrize("text", ["long", "-1", "nan", "inf"])
def test_an_age_that_is_none_is_told(text: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DFCORE_CACHE_DAYS", text)
    with pytest.raises(InputError, match="DFCORE_CACHE_DAYS to be days, 0 or more"):
        cached.make_room(cache)


def test_any_evaluation_deletes_what_is_old(cache: Path, tmp_path: Path) -> None:
    old = kept(tmp_path / "one", days_ago=31)
    make_image(tmp_path / "pictures" / "1.png")
    options = argparse.Namespace(data_root=str(tmp_path / "pictures"), every="1s", per_film="32", faces=False)
    with films_in_cache.pictures_of(options, Reading()) as found:
        assert found is None and not old.exists()


def test_cache_info_tells_what_films_take_and_how_long(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    kept(tmp_path / "one", days_ago=1, size=2**20)
    assert main(["cache", "info"]) == 0
    assert (
        "Pictures of films: 1.0 MB, at most as much again, for 30 days after their last use" in capsys.readouterr().out
    )
