"""`dfcore data frames`: pictures of films, each once, whatever stops it; what is left out is told."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dfcore.cli import main
from dfcore.datasets import scan
from dfcore.datasets.films import read_films
from dfcore.datasets.registry import registered
from dfcore.errors import DatasetError, FilmError, InputError, StorageError
from dfcore.faces import Face, Framing
from dfcore.films import Sampling, open_film
from dfcore.films.dataset import FrameSettings, frames_of, frames_of_films, make
from dfcore.films.dataset.people import Seen, chosen_tracks
from dfcore.films.dataset.spread import Choice, spread
from dfcore.utils import space
from tests.made_film_sets import put, tiny
from tests.made_films import film, number_of, picture, sound_alone

HALVES = FrameSettings(Sampling("seconds", 0.5))


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A real film, and a fake of other frames."""
    return put(
        tmp_path / "films",
        {"real/a.mp4": None, "fake/b.mp4": film([picture(n + 100, 96, 72) for n in range(16)], rate=8)},
    )


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def taken(root: Path, out: Path, settings: FrameSettings = HALVES, **more):
    return frames_of_films(read_films(root), out, settings, **more)


# === Which samples ===


@given(st.integers(0, 400), st.integers(1, 40))
def test_samples_are_spread_evenly(samples: int, most: int) -> None:
    chosen = sorted(spread(samples, most))
    assert len(chosen) == min(samples, most) and all(0 <= one < samples for one in chosen)
    if 1 < most < samples:
        gaps = np.diff(chosen)
        assert chosen[0] == 0 and chosen[-1] == samples - 1 and gaps.max() - gaps.min() <= 1


@given(st.integers(1, 300), st.integers(1, 40), st.one_of(st.none(), st.integers(1, 400)))
def test_a_wrong_length_leads_to_a_second_reading(samples: int, most: int, expected: int | None) -> None:
    choice = Choice(most, expected)
    count = sum(choice.takes() for _ in range(samples))
    assert count <= most
    if choice.is_right:
        assert count >= 0.9 * min(most, samples)
    second = Choice(most, choice.seen)
    assert sum(second.takes() for _ in range(samples)) == min(most, samples) and second.is_right


@pytest.mark.parametrize("text", ["0", "-1", "many", ""])
def test_a_number_of_frames_must_be_one(text: str, two: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["data", "frames", str(two), str(tmp_path / "out"), "--per-film", text]) == 2
    assert "at least 1 frame" in (err := capsys.readouterr().err) or "Expected --per-film" in err


# === What is made ===


def test_pictures_are_the_frames_themselves(two: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "out"
    assert main(["data", "frames", str(two), str(out), "--every", "0.5s"]) == 0
    printed = capsys.readouterr().out
    assert "8 pictures of 2 films" in printed and "Layout: manifest (manifest.csv" in printed
    table = pd.read_csv(out / "manifest.csv")
    assert table.columns.tolist() == ["path", "label", "group", "source_id", "film", "frame", "seconds", "track"]
    assert table.film.tolist() == ["fake/b.mp4"] * 4 + ["real/a.mp4"] * 4
    assert table.frame.tolist() == [0, 4, 8, 12] * 2 and table.seconds.tolist() == [0.0, 0.5, 1.0, 1.5] * 2
    with open_film(two / "real/a.mp4") as opened:
        frames = [sample.rgb for sample in opened.frames(HALVES.sampling)]
    for path, frame in zip(table.path[4:], frames, strict=True):
        assert np.array_equal(np.asarray(Image.open(out / path)), frame)
    data = scan(out)
    assert len(data.usable) == 8 and data.table.film.nunique() == 2 and data.unreadable.empty
    assert data.left_out == () and out.resolve() in registered()
    assert any(
        note.startswith("Pictures of 2 films: one frame every 0.5 s, at most 32 a film, whole") for note in data.notes
    )
    assert {path.name for path in out.iterdir()} == {"real", "fake", "manifest.csv", "films.json"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


def test_at_most_so_many_are_spread_over_the_film(two: Path, tmp_path: Path) -> None:
    taken(two, tmp_path / "out", FrameSettings(Sampling("frames", 1), most=4))
    shown = pd.read_csv(tmp_path / "out" / "manifest.csv")
    assert shown.frame.tolist() == [0, 5, 10, 15] * 2
    numbers = [number_of(np.asarray(Image.open(tmp_path / "out" / path))) for path in shown.path[4:]]
    assert numbers == [0, 5, 10, 15]


def test_a_number_of_scenes_that_nobody_knows_is_counted_first(two: Path, tmp_path: Path) -> None:
    taken(two, tmp_path / "out", FrameSettings(Sampling("scenes", 0.1), most=3))
    assert pd.read_csv(tmp_path / "out" / "manifest.csv").frame.tolist() == [0, 8, 15] * 2
    assert len(list((tmp_path / "out").rglob("*.png"))) == 6


def test_what_there_is_already_is_told(two: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    call = ["data", "frames", str(two), str(tmp_path / "out")]
    assert main(call) == 0
    before = files(tmp_path / "out")
    assert main([*call, "--json"]) == 0
    told = json.loads(capsys.readouterr().out.partition("\n{")[2].join(("{", "")))
    assert told["was_there"] and told["pictures"] == 4 and files(tmp_path / "out") == before
    assert main([*call, "--every", "2"]) == 2
    assert "holds something else" in capsys.readouterr().err
    assert main([*call, "--swap"]) == 2 and files(tmp_path / "out") == before
    assert "other classes, splits or groups" in capsys.readouterr().err
    put(two, {"real/a.mp4": tiny(12), "fake/c.mp4": None})
    assert main(call) == 2
    err = capsys.readouterr().err
    assert (
        "changed since: 1, such as real/a.mp4; new: 1, such as fake/c.mp4" in err and files(tmp_path / "out") == before
    )


# === Left out ===


def test_films_that_cannot_be_read_are_told_one_by_one(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    whole = film([picture(n, 96, 72) for n in range(40)], rate=8, container="matroska")
    root = put(tmp_path / "films", {
        "real/a.mp4": None, "fake/b.mp4": film([picture(n + 100, 96, 72) for n in range(16)], rate=8),
        "real/cut.mp4": tiny()[:400], "fake/sound.mp4": sound_alone(), "fake/empty.mp4": b"",
        "real/half.mkv": whole[: len(whole) // 2],
    })  # fmt: skip
    (root / "real" / "gone.mp4").symlink_to(root / "nowhere.mp4")
    assert main(["data", "frames", str(root), str(tmp_path / "out")]) == 3
    printed = capsys.readouterr().out
    left_out = pd.read_csv(tmp_path / "out" / "left_out.csv").set_index("film")
    assert set(left_out.index) >= {"real/cut.mp4", "fake/sound.mp4", "fake/empty.mp4", "real/gone.mp4"}
    assert left_out.reason.str.len().min() > 10 and left_out.pictures["fake/empty.mp4"] == 0
    for name in left_out.index:
        assert name in printed
    table = pd.read_csv(tmp_path / "out" / "manifest.csv")
    assert {"real/a.mp4", "fake/b.mp4", "real/half.mkv"} == {*table.film}
    data = scan(tmp_path / "out")
    assert any("films or files gave no pictures, or not all" in note for note in data.notes)
    assert data.left_out == ()


def test_no_film_at_all_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root = put(tmp_path / "films", {"real/a.mp4": b"", "fake/b.mp4": sound_alone()})
    with pytest.raises(DatasetError, match=r"No film in .* gave a picture, e.g. Expected a film"):
        taken(root, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert main(["data", "frames", str(root), str(root / "out")]) == 2
    assert "outside of the films" in capsys.readouterr().err


def test_a_film_that_breaks_off_keeps_what_came_before(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = frames_of.open_film

    class Breaking:
        def __init__(self, film):
            self.facts, self.path, self.ending, self._film = film.facts, film.path, film.ending, film

        def frames(self, sampling):
            for sample in self._film.frames(sampling):
                if sample.position.index == 2 and self.path.name == "a.mp4":
                    raise FilmError("It broke.")
                yield sample
            self.ending = self._film.ending

    class Opened:
        def __init__(self, path):
            self._opened = real(path)

        def __enter__(self):
            return Breaking(self._opened.__enter__())

        def __exit__(self, *about):
            return self._opened.__exit__(*about)

    monkeypatch.setattr(frames_of, "open_film", Opened)
    made = taken(two, tmp_path / "out")
    assert made is not None and made.pictures == 6
    (left,) = made.left_out
    assert (left.film, left.pictures) == ("real/a.mp4", 2) and left.reason == "Read up to 0 s: It broke."


# === Stopping, killing, going on ===


def stopping_after(samples: int) -> Callable[[], bool]:
    asked = iter(range(10**6))
    return lambda: next(asked) >= samples


@pytest.mark.parametrize("samples", [1, 4, 9])
def test_a_stop_goes_on_where_it_was(samples: int, two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "cores", lambda: 1)
    whole = tmp_path / "whole"
    taken(two, whole)
    assert taken(two, tmp_path / "out", should_stop=stopping_after(samples)) is None
    assert not (tmp_path / "out").exists()
    opened: list[str] = []
    real = frames_of.open_film
    monkeypatch.setattr(frames_of, "open_film", lambda path: opened.append(path.name) or real(path))
    taken(two, tmp_path / "out")
    assert opened == (["a.mp4"] if samples == 9 else ["b.mp4", "a.mp4"])
    assert files(tmp_path / "out") == files(whole)


def test_other_settings_do_not_mix(two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "cores", lambda: 1)
    assert taken(two, tmp_path / "out", should_stop=stopping_after(9)) is None
    with pytest.raises(InputError, match=r"begun there: whole frames by seconds 0\.5, at most 32"):
        taken(two, tmp_path / "out", FrameSettings(Sampling("seconds", 1.0)))
    made = taken(two, tmp_path / "out", FrameSettings(Sampling("seconds", 1.0)), anew=True)
    assert made is not None and made.pictures == 4


def test_a_film_that_changed_meanwhile_is_taken_anew(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make, "cores", lambda: 1)
    assert taken(two, tmp_path / "out", should_stop=stopping_after(9)) is None
    (two / "fake/b.mp4").write_bytes(film([picture(n + 50, 96, 72) for n in range(8)], rate=8))
    made = taken(two, tmp_path / "out")
    assert made is not None and made.pictures == 6
    assert any("1 film has changed since this was begun" in note for note in made.notes)
    first = Image.open(next((tmp_path / "out").glob("fake/*/000000.png")))
    assert number_of(np.asarray(first)) == 50 and len(list((tmp_path / "out").glob("fake/*/*.png"))) == 2


def test_a_full_disk_is_told_and_what_was_made_stays(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make, "cores", lambda: 1)
    monkeypatch.setattr(space, "free_bytes", lambda folder: space.SPARE_BYTES)
    with pytest.raises(StorageError, match=r"are free in .* Make room, or name a folder on a larger disk"):
        taken(two, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.3, 0.7, 1.2])
def test_a_kill_loses_and_doubles_nothing(seconds: float, tmp_path: Path) -> None:
    names = [f"{name}/{n}.mp4" for name in ("real", "fake") for n in range(6)]
    root = put(tmp_path / "films", dict.fromkeys(names))
    taken(root, tmp_path / "whole")
    call = [sys.executable, "-m", "dfcore", "data", "frames", str(root), str(tmp_path / "out"), "--every", "0.5s"]
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL, env=os.environ.copy(), start_new_session=True)
    hidden = tmp_path / ".out.taking-frames" / ".films"
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None and not (hidden.is_dir() and any(hidden.iterdir())):
        time.sleep(0.05)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert subprocess.run(call, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert files(tmp_path / "out") == files(tmp_path / "whole")


# === Faces ===


def face(x: float, y: float = 30.0, side: float = 40.0) -> Face:
    half = side / 2
    points = tuple(
        (x + dx * side, y + dy * side) for dx, dy in ((-0.2, -0.1), (0.2, -0.1), (0, 0.1), (-0.15, 0.3), (0.15, 0.3))
    )
    return Face((x - half, y - half, x + half, y + half), 0.99, points)


def found(monkeypatch: pytest.MonkeyPatch, *of_frames: list[Face]) -> None:
    """Has the finder find these, by the number that a frame shows."""
    monkeypatch.setattr(frames_of.faces, "find_faces", lambda rgb, **_: of_frames[number_of(rgb) % 100 // 4])


def test_faces_are_cropped_as_detectors_expect(two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, [face(40)], [], [face(42)], [face(80)])
    made = taken(two, tmp_path / "out", FrameSettings(Sampling("seconds", 0.5), faces=True))
    table = pd.read_csv(tmp_path / "out" / "manifest.csv")
    of_real = table[table.label == "real"]
    assert made is not None and of_real.frame.tolist() == [0, 8, 12] and of_real.track.tolist() == [1, 1, 2]
    with open_film(two / "real/a.mp4") as opened:
        first = next(opened.frames(HALVES.sampling)).rgb
    crop = np.asarray(Image.open(tmp_path / "out" / of_real.path.iloc[0]))
    assert np.array_equal(crop, Framing().crop(first, face(40)))


def test_of_fakes_with_several_people_only_the_largest_is_taken(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [face(25, side=30), face(70)]
    found(monkeypatch, both, both, both, [*both, face(48, 60, 20)])
    made = taken(two, tmp_path / "out", FrameSettings(Sampling("seconds", 0.5), faces=True))
    table = pd.read_csv(tmp_path / "out" / "manifest.csv")
    assert table[table.label == "fake"].track.tolist() == [2] * 4
    assert table[table.label == "real"].track.tolist() == [1, 2] * 4
    assert made is not None and any("1 film: It shows several people" in note for note in made.notes)
    assert len(list((tmp_path / "out").rglob("*.png"))) == len(table)


def test_a_film_without_a_face_is_left_out(two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        frames_of.faces, "find_faces", lambda rgb, **_: [face(40)] if number_of(rgb) >= 100 else []
    )  # fmt: skip
    made = taken(two, tmp_path / "out", FrameSettings(Sampling("seconds", 0.5), faces=True))
    assert made is not None and made.films == 1
    (left,) = made.left_out
    assert left.film == "real/a.mp4" and left.reason == "No face of at least 40 pixels was found in 4 samples."


def test_people_are_chosen_by_how_long_and_how_large_they_are_seen() -> None:
    alone = [Seen(n, 1 + n // 3, 50.0) for n in range(9)]
    assert chosen_tracks(alone, 9, 1) == (frozenset({1, 2, 3}), "")
    passing = [*(Seen(n, 1, 50.0) for n in range(9)), Seen(4, 2, 90.0)]
    assert chosen_tracks(passing, 9, 1) == (frozenset({1}), "")
    pieces = [*(Seen(n, 1 + n // 4, 50.0) for n in range(9)), Seen(0, 9, 90.0)]
    chosen, told = chosen_tracks(pieces, 9, 0)
    assert chosen == {1} and told.startswith("No face could be followed")
