"""`dfcore predict` on films: a row for each, with counts instead of a score, timelines, and what a stop leaves."""

import argparse
import csv
import json
from pathlib import Path

import pytest

from dfcore.cli import main
from dfcore.commands import predict, predict_films
from dfcore.films import conduct
from dfcore.films.judges import judges_of
from dfcore.films.rows import DAMAGED, Row
from tests.bright_detectors import bright, grey
from tests.conftest import make_image
from tests.made_films import film, write


@pytest.fixture(autouse=True)
def _bright(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Detectors that need no network."""
    monkeypatch.setattr(predict_films, "film_judges", lambda options: judges_of({"bright": bright()}, {}))
    monkeypatch.setattr(predict, "load_detectors", lambda *_: ({"bright": bright()}, {}))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path, film([grey(60)] * 20 + [grey(230)] * 20))


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_film_is_told_without_a_score(path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["predict", "auto", str(path), "--every", "0.5s"]) == 0
    line = capsys.readouterr().out
    assert line.startswith(f"{path}: inconclusive (a film, uncalibrated). 4 of 8 sampled frames are called likely fake")
    assert "no films to calibrate this on" in line and "score 0" not in line
    assert main(["predict", "auto", str(path), "--every", "2", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["score"] is None and told["finding"] == "inconclusive" and told["film"]["series"][0]["share"] == 0.5
    assert told["film"]["facts"]["frames"] == 40


def test_films_and_pictures_are_rows_of_one_file(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    picture, broken = make_image(tmp_path / "a.png"), write(tmp_path, b"#EXTM3U\nhttp://127.0.0.1/", "b.mp4")
    disguised = write(tmp_path, picture.read_bytes(), "picture.mp4")
    out, folder = tmp_path / "rows.csv", tmp_path / "times"
    call = [
        "predict",
        "auto",
        *map(str, (path, picture, broken, disguised)),
        "--out",
        str(out),
        "--timeline",
        str(folder),
    ]
    assert main(call) == 3
    found = {Path(row["path"]).name: row for row in rows(out)}
    assert found["film.mp4"]["score"] == "" and found["film.mp4"]["verdict"] == "inconclusive"
    assert found["a.png"]["score"] and found["picture.mp4"]["score"] and "playlist" in found["b.mp4"]["error"]
    assert [row["seconds"] for row in rows(folder / "film.mp4.csv")] == ["0.0", "1.0", "2.0", "3.0"]
    assert sorted(one.name for one in folder.iterdir()) == ["film.mp4.csv"]
    assert "playlist" in capsys.readouterr().err
    assert main(["predict", "auto", str(path), "--out", str(tmp_path / "rows.json")]) == 2
    assert "holds pictures alone" in capsys.readouterr().err


def test_films_of_one_name_have_timelines_of_their_own(path: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    second = write(tmp_path / "other", film([grey(230)] * 10))
    assert main(["predict", "auto", str(path), str(second), "--timeline", str(tmp_path / "times")]) == 0
    first, other = (rows(tmp_path / "times" / name) for name in ("film.mp4.csv", "film.mp4 (2).csv"))
    assert len(first) == 4 and [row["finding"] for row in other] == ["fake"]


def test_a_stop_keeps_what_is_judged_and_goes_on(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    folder, judged = tmp_path / "times", []
    judge = conduct.judge_logged

    def interrupted(*of, **more):
        for step in judge(*of, **more):
            judged.append(step.number)
            if len(judged) == 9:
                raise KeyboardInterrupt
            yield step

    call = ["predict", "auto", str(path), "--every", "2", "--timeline", str(folder)]
    monkeypatch.setattr(conduct, "judge_logged", interrupted)
    assert main(call) == 130
    assert len(rows(folder / "film.mp4.csv")) == 9 and "9 samples are in" in capsys.readouterr().err
    assert main(call) == 0
    assert judged == list(range(1, 21)) and "going on after 9 samples" in capsys.readouterr().err
    assert [row["frame"] for row in rows(folder / "film.mp4.csv")] == [str(2 * n) for n in range(20)]
    assert [one.name for one in folder.iterdir()] == ["film.mp4.csv"]


def test_going_on_after_a_damaged_frame_the_same_detector_judges() -> None:
    judges = judges_of({"bright": bright(), "other": bright()}, {})
    options = argparse.Namespace(every="1s", timeline=None, max_fpr=None, max_fnr=None, ignore_ood=False)
    known = predict_films.FilmRows(options, judges)
    rest = (None, None, None, "", None, None, False, False, None, DAMAGED)
    damaged = Row(2, 2, 2.0, *rest)
    face = Row(1, 1, 1.0, 1, (0, 0, 9, 9), "faces", "", 0.5, 0.0, False, True, "inconclusive", None)
    whole = Row(0, 0, 0.0, None, None, "other", "", 0.5, 0.0, False, True, "inconclusive", None)
    assert list(known._as_before([whole, face, damaged]).whole) == ["other"]
    assert list(known._as_before([damaged]).whole) == ["bright", "other"]


def test_films_in_folders_are_told(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    make_image(tmp_path / "a.png")
    assert main(["predict", "auto", str(tmp_path)]) == 3
    assert "film.mp4: A film in a folder is not judged: name it itself." in capsys.readouterr().out


def test_wrong_options_are_refused(path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["predict", "auto", str(path), "--every", "often"]) == 2
    assert "Expected which frames" in capsys.readouterr().err
