"""Figures for whole films: means of their frames' scores, intervals over films, and the way from a folder to them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from streamlit.testing.v1 import AppTest

from dfcore.cli import main
from dfcore.confidence import DecisionThresholds
from dfcore.datasets import scan
from dfcore.detectors import detector as detectors
from dfcore.evaluation import by_film, film_scores, measure, mostly_refused, read_predictions, write_predictions
from dfcore.evaluation.bootstrap import auc, interval
from dfcore.evaluation.by_film import in_words, why_none
from tests.bright_detectors import bright, grey
from tests.made_film_sets import face_forensics
from tests.made_films import film


def table(*films: tuple[str, int, list[float]], refused: tuple[str, ...] = ()) -> pd.DataFrame:
    """Predictions of the frames of films: name, label, scores."""
    rows = [
        {"path": f"{name}/{n}.png", "sha256": f"{name} {n}", "label": label, "group": None, "logit": 0.0}
        | {"score": score, "is_ood": name in refused, "film": name}
        for name, label, scores in films
        for n, score in enumerate(scores)
    ]
    return pd.DataFrame(rows)


FILMS = table(
    ("a", 0, [0.1, 0.3]), ("b", 0, [0.9, 0.2, 0.1]), ("c", 0, [0.6]), ("d", 1, [0.9, 0.7]), ("e", 1, [0.2, 0.8, 0.5]),
    ("f", 1, [0.3, 0.3]),
)  # fmt: skip


def test_the_score_of_a_film_is_the_mean_of_its_frames() -> None:
    films = film_scores(FILMS)
    assert films.film.tolist() == list("abcdef") and films.frames.tolist() == [2, 3, 1, 2, 3, 2]
    assert np.allclose(films.score, [0.2, 0.4, 0.6, 0.8, 0.5, 0.3])
    result = by_film(FILMS, 0.45, DecisionThresholds(real_below=0.25, fake_from=0.75))
    assert result is not None
    assert result["roc_auc"] == pytest.approx(6 / 9) == roc_auc_score([0, 0, 0, 1, 1, 1], films.score)
    assert result["balanced_accuracy"] == pytest.approx(2 / 3)
    assert (result["films"], result["real"], result["fake"], result["frames"]) == (6, 3, 3, 13)
    assert (result["fewest"], result["most"], result["mixed"], result["refused"]) == (1, 3, 0, 0)
    assert result["three_way"]["fpr"] == 0.0 and result["three_way"]["passed"] == 0.0
    assert json.loads(json.dumps(result)) == result


def test_intervals_are_of_films_and_not_of_frames() -> None:
    random = np.random.default_rng(0)
    films = []
    for label in (0, 1):
        for n in range(30):
            scores = random.normal(0.4 + 0.2 * label, 0.2) + random.normal(0, 0.01, 50)
            films.append((f"{label}{n}", label, scores.clip(0, 1).tolist()))
    result = by_film(table(*films), 0.5)
    assert result is not None
    low, high = result["intervals"]["roc_auc"]
    # By the formula of Hanley and McNeil (1982) for 30 and 30.
    a = result["roc_auc"]
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    error = np.sqrt((a * (1 - a) + 29 * (q1 - a * a) + 29 * (q2 - a * a)) / 900)
    assert low < a < high and high - low == pytest.approx(2 * 1.96 * error, rel=0.15)
    few = interval(np.array([0, 1]), np.array([0.2, 0.8]), auc)
    assert few == (1.0, 1.0) and interval(np.zeros(3, int), np.zeros(3), auc) is None


def test_films_with_both_classes_are_left_out_and_told() -> None:
    only = pd.concat([table(("d", 0, [0.1])), table(("d", 1, [0.9]))])
    assert by_film(only, 0.5) is None and why_none(only).startswith("1 film has real and fake frames")
    assert why_none(FILMS) == why_none(only.assign(film="")) == ""
    mixed = pd.concat([FILMS, table(("d", 0, [0.1]))])
    result = by_film(mixed, 0.5)
    assert result is not None and result["films"] == 5 and result["mixed"] == 1
    assert "1 more have real and fake frames" in " ".join(in_words(result))


def test_frames_that_would_be_refused_count_and_are_told() -> None:
    refused = table(("a", 0, [0.1]), ("b", 1, [0.9]), refused=("b",))
    result = by_film(refused, 0.5)
    assert result is not None and result["roc_auc"] == 1.0 and result["refused"] == 1


def test_without_films_there_is_nothing_to_tell() -> None:
    assert by_film(FILMS.drop(columns="film"), 0.5) is None
    assert by_film(FILMS.assign(film=None), 0.5) is None
    one_class = by_film(FILMS[FILMS.label == 0], 0.5)
    assert one_class is not None and one_class["roc_auc"] is None and one_class["intervals"]["roc_auc"] is None


def test_films_outlast_the_file_of_predictions(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.parquet", FILMS.assign(film=[None, *FILMS.film[1:]]))
    assert read_predictions(tmp_path / "p.parquet").film.tolist()[1:] == FILMS.film.tolist()[1:]


def _page_with_refusals(file: str) -> None:
    from pathlib import Path

    from dashboard import panels, prediction_sources

    panels.show_refused(prediction_sources.table(prediction_sources.Source("all", "All", Path(file), None, "all", {})))


@pytest.mark.parametrize(("films", "told"), [
    ("abcdef", "The detector refuses every one of these 13 images, since they are unlike those"),
    ("abcd", "The detector refuses 8 of these 13 images"), ("ab", ""), ("", ""),
])  # fmt: skip
def test_evaluate_says_first_of_all_that_most_images_were_refused(films: str, told: str, tmp_path: Path) -> None:
    refused = FILMS.assign(is_ood=FILMS.film.isin([*films]))
    write_predictions(tmp_path / "p.parquet", refused)
    app = AppTest.from_function(_page_with_refusals, kwargs={"file": str(tmp_path / "p.parquet")}).run()
    assert not app.exception and [one.value.startswith(told) for one in app.warning] == [True] * bool(told)
    assert mostly_refused(13, float(refused.is_ood.mean())).startswith(told) and mostly_refused(13, None) == ""


def _page(file: str) -> None:
    from pathlib import Path

    from dashboard import film_evaluation, prediction_sources

    source = prediction_sources.Source("all", "Films", Path(file), None, "all", {})
    film_evaluation.show(prediction_sources.table(source), source, 0.45)


@pytest.mark.parametrize("shown", ["both", "one class", "no films"])
def test_evaluate_shows_the_curve_of_films_beside_that_of_images(shown: str, tmp_path: Path) -> None:
    predictions = {"both": FILMS, "one class": FILMS[FILMS.label == 0], "no films": FILMS.drop(columns="film")}[shown]
    write_predictions(tmp_path / f"{shown}.parquet", predictions)
    app = AppTest.from_function(_page, kwargs={"file": str(tmp_path / f"{shown}.parquet")}, default_timeout=120).run()
    assert not app.exception and [one.value for one in app.subheader] == ["By film"] * (shown != "no films")
    charts = app.get("plotly_chart")
    assert len(charts) == (shown == "both")
    assert all(
        f"{FILMS.film.nunique()} films" in chart.proto.spec and "images" not in chart.proto.spec for chart in charts
    )
    assert [one.value for one in app.warning] == ["The curve needs both classes; these films have only one."] * (
        shown == "one class"
    )


@pytest.fixture
def ff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """FaceForensics++ of grey films: fakes are lighter, but for one of each."""
    root = face_forensics(tmp_path / "ff", videos=4, splits=False)
    for number, path in enumerate(sorted(root.glob("*_sequences/*/c23/videos/*.mp4"))):
        fake = "manipulated" in str(path)
        light = (200 if fake else 60) if number % 4 else 128
        path.write_bytes(film([grey(light + n, 72, 96) for n in range(12)], rate=6))
    monkeypatch.setattr(detectors.Detector, "load", classmethod(lambda cls, *_, **__: bright()))
    return root


def test_from_a_folder_of_films_to_their_roc_in_one_command(ff: Path, capsys: pytest.CaptureFixture) -> None:
    call = ["evaluate", "bright", "--data-root", str(ff), "--split", "all", "--every", "0.5s"]
    assert main([*call, "--json"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    films = result["by_film"]
    assert result["images"] == 32 and films["films"] == 8 and films["frames"] == 32 and films["fewest"] == 4
    assert films["roc_auc"] == pytest.approx(15 / 16, abs=0.04) and films["intervals"]["roc_auc"][1] == 1.0
    assert "ff holds 8 films" in err and "32 pictures of 8 films." in err and result["dataset"] == "ff"
    assert main(call) == 0
    out, err = capsys.readouterr()
    assert "which were there" in err
    assert "By film: 8 films (4 real, 4 fake) with 4 frames each" in out and "95% interval over films" in out


def test_faces_are_of_films_alone(ff: Path, small_dataset: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["evaluate", "bright", "--data-root", str(small_dataset), "--faces"]) == 2
    assert "Expected a folder of films with --faces" in capsys.readouterr().err
    assert ff.is_dir()


def test_measuring_keeps_the_film_of_each_frame(ff: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["data", "frames", str(ff), str(tmp_path / "out"), "--per-film", "1"]) == 0
    metrics, predictions = measure(bright(), scan(tmp_path / "out"), cache_dir=tmp_path / "cache")
    assert predictions.film.nunique() == 8 and metrics["by_film"]["films"] == 8
    assert "by_film" not in measure(bright(), scan(_without_films(tmp_path / "out")), cache_dir=tmp_path / "cache")[0]
    capsys.readouterr()


def _without_films(folder: Path) -> Path:
    manifest = folder / "manifest.csv"
    pd.read_csv(manifest).drop(columns="film").to_csv(manifest, index=False)
    return folder
