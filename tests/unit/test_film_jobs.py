"""Films as jobs: each sample is judged once in a process of its own, whatever happens to it."""

import io
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dfcore import workspace
from dfcore.batch.sources import FromPath, Upload
from dfcore.errors import AccessError, FilmError, FilmJobError, InputError
from dfcore.films import Sampling, conduct, open_film
from dfcore.films.job import FilmJob, FilmStatus
from dfcore.films.judges import judges_of
from dfcore.films.judging import Judging
from dfcore.films.rows import JudgedSample
from dfcore.films.sample_log import SampleLog, read_samples
from dfcore.films.store import FilmStore
from dfcore.films.timeline import stretches
from dfcore.runs import State
from tests.bright_detectors import bright, grey
from tests.made_films import film, write

MODELS = Path(__file__).parents[2] / "models"
EACH = Sampling("frames", 1)
PATIENCE = 60


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DFCORE_MODELS", str(MODELS))
    monkeypatch.setattr(FilmStore, "worker", "tests.film_worker")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path, film([grey(60 if n % 30 < 20 else 230) for n in range(80)]))


def until(job: FilmJob, reached: Callable[[FilmStatus], bool]) -> FilmStatus:
    end = time.monotonic() + PATIENCE
    while not reached(status := job.status()):
        assert time.monotonic() < end, f"{status}\n{job.log_tail()}"
        time.sleep(0.02)
    return status


def at_rest(job: FilmJob) -> FilmStatus:
    return until(job, lambda status: not status.state.active)


def lines(job: FilmJob) -> int:
    return job.rows_path.read_bytes().count(b"\n") if job.rows_path.exists() else 0


def whole(path: Path) -> list[JudgedSample]:
    """All samples as they are judged without a break."""
    with open_film(path) as one:
        return [sample for sample, _ in Judging(one, EACH, judges=judges_of({"bright": bright()}, {}))]


def test_a_film_is_judged_and_its_results_are_kept(path: Path) -> None:
    films = FilmStore()
    job = films.start(FromPath(path), EACH, by="ada")
    assert job.facts() is not None and job.status().total == 80 and job.by == "ada" and job.title == "film.mp4"
    status = at_rest(job)
    assert (status.state, status.done, status.total, status.fraction) == (State.COMPLETED, 80, 80, 1.0), job.log_tail()
    assert status.images_per_second and status.ended and not status.reason
    samples = job.samples()
    assert [replace(one, thumbnail=None) for one in samples] == whole(path)
    assert all((job.thumbnail(one) or b"").startswith(b"\xff\xd8") for one in samples)
    assert job.judges()["chosen"] == "bright" and job.judges()["judges"]["bright"]["rates"] is None
    assert job.verdict().sentences()[0].startswith("20 of 80 sampled frames are called likely fake")
    assert stretches(job.rows())[0].track is None and job.notes() == []
    assert [one.id for one in films] == [job.id]
    with pytest.raises(FilmJobError, match="only a stopped"):
        films.resume(job.id)
    films.close(job.id)
    assert job.status().closed == "by request" and job.thumbnail(samples[0]) is None and len(job.samples()) == 80
    films.delete(job.id)
    assert not list(films) and path.exists()


def test_kills_at_any_moment_lose_and_double_nothing(path: Path) -> None:
    films = FilmStore()
    job = films.start(FromPath(path), EACH)
    for number, wanted in enumerate((1, 30, 50)):
        until(job, lambda status, wanted=wanted: lines(job) >= wanted and status.state is State.RUNNING)
        os.kill(job.status().pid or 0, signal.SIGKILL)
        assert at_rest(job).state is State.INTERRUPTED
        if number == 0:  # A line that was cut off.
            content = job.rows_path.read_bytes()
            job.rows_path.write_bytes(content[:-7])
        if number == 1:  # One that was begun.
            with open(job.rows_path, "ab") as file:
                file.write(b'{"position": {"ind')
        films.resume(job.id)
    assert at_rest(job).state is State.COMPLETED, job.log_tail()
    samples = job.samples()
    assert [one.position.index for one in samples] == list(range(80))
    assert [replace(one, thumbnail=None) for one in samples] == whole(path)


def test_a_film_stops_and_goes_on(path: Path) -> None:
    films = FilmStore()
    job = films.start(Upload("a/b/holiday.mp4", io.BytesIO(path.read_bytes())), EACH, title=" Holiday ")
    assert job.title == "Holiday" and job.request.name == "holiday.mp4" and job.film == job.copy
    until(job, lambda _: lines(job) >= 5)
    films.stop(job.id)
    status = at_rest(job)
    assert status.state is State.STOPPED and "is kept" in status.reason and 5 <= len(job.samples()) < 80
    with pytest.raises(FilmJobError, match="only a queued"):
        films.stop(job.id)
    # Not with another content.
    content = job.copy.read_bytes()
    job.copy.write_bytes(content + b"more")
    films.resume(job.id)
    status = at_rest(job)
    assert status.state is State.FAILED and "content has changed" in status.reason
    job.copy.write_bytes(content)
    films.resume(job.id)
    assert at_rest(job).state is State.COMPLETED
    assert [one.position.index for one in job.samples()] == list(range(80))


def test_other_detectors_do_not_go_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FilmStore, "launch", lambda store, job: None)
    job = FilmStore().start(FromPath(path), EACH)
    detector, changed = bright(), bright(description="Another one.")
    monkeypatch.setattr(conduct, "ready_judges", lambda *_, **__: judges_of({"bright": detector}, {}))
    seen = []

    def stop() -> None:
        seen.append(1)
        if len(seen) == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        conduct.conduct(job, stop)
    assert len(job.samples()) == 8
    monkeypatch.setattr(conduct, "ready_judges", lambda *_, **__: judges_of({"bright": changed}, {}))
    with pytest.raises(InputError, match="other detectors"):
        conduct.conduct(job, lambda: None)
    monkeypatch.setattr(conduct, "ready_judges", lambda *_, **__: judges_of({"bright": detector}, {}))
    conduct.conduct(job, lambda: None)
    assert [one.position.index for one in job.samples()] == list(range(80))


def test_what_is_no_film_starts_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    films = FilmStore()
    (tmp_path / "text.mp4").write_text("no film" * 99)
    with pytest.raises(FilmError, match="Expected a film"):
        films.start(FromPath(tmp_path / "text.mp4"))
    with pytest.raises(InputError):
        films.start(FromPath(tmp_path / "text.mp4"), detectors=("nobody",))
    monkeypatch.setenv("DFCORE_ROOTS", str(tmp_path / "elsewhere"))
    with pytest.raises(AccessError):
        films.start(FromPath(tmp_path / "text.mp4"))
    assert not list(films) and not list(films.folder.glob(".new-*"))


def test_damage_in_the_log_is_cut_off(tmp_path: Path, path: Path) -> None:
    samples = whole(path)[:6]
    log_path = tmp_path / "rows.jsonl"
    with SampleLog(log_path) as log:
        log.add(samples)
        with pytest.raises(InputError, match="another process"), SampleLog(log_path):
            pass
    content = log_path.read_bytes().splitlines(keepends=True)
    swapped = json.loads(content[3]) | {"width": "wide"}
    for damage in (
        b"".join(content[:3]) + content[3][:40],
        b"".join(content[:3]) + b"[]\n" + b"".join(content[4:]),
        b"".join(content[:3]) + json.dumps(swapped).encode() + b"\n" + b"".join(content[4:]),
        b"".join(content[:3]) + b"".join(content[4:]),
        b"".join(content[:3]) + b"".join(content[2:]),
    ):
        log_path.write_bytes(damage)
        assert list(read_samples(log_path)) == samples[:3]
        with SampleLog(log_path) as log:
            assert log.number == 3 and log.last == samples[2]
            log.add(samples[3:])
        assert log_path.read_bytes() == b"".join(content)
    assert list(read_samples(tmp_path / "none")) == []


def test_damaged_files_are_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FilmStore, "launch", lambda store, job: None)
    job = FilmStore().start(FromPath(path), EACH)
    for name, call in (("film.json", lambda: job.request), ("facts.json", job.facts), ("status.json", job.status)):
        content = (job.folder / name).read_text()
        for damage in ("", "[]", content.replace('"', "", 1), "{}"):
            (job.folder / name).write_text(damage)
            if damage == "{}" and name == "facts.json":
                assert call() is None
                continue
            with pytest.raises(FilmJobError, match=name):
                call()
        (job.folder / name).write_text(content)


def test_shares_and_times_of_a_status() -> None:
    assert FilmStatus(State.RUNNING, reached=5.0, length=20.0).fraction == 0.25
    assert FilmStatus(State.RUNNING, done=5, total=20).fraction == 0.25
    assert FilmStatus(State.RUNNING).fraction == 0.0 and FilmStatus(State.COMPLETED).fraction == 1.0


def test_a_damaged_bundle_keeps_no_film_from_being_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("small", "faces"):
        shutil.copytree(workspace.shipped_models_dir() / name, tmp_path / "library" / name)
    (tmp_path / "library" / "broken").mkdir()
    (tmp_path / "library" / "broken" / "card.json").write_text("{")
    monkeypatch.setenv("DFCORE_MODELS", str(tmp_path / "library"))
    judges = conduct.ready_judges(("small",), lambda _: None)
    assert list(judges.whole) == ["small"] and judges.face is not None and judges.face.name == "faces"


def test_the_library_judges_faces_unless_a_detector_for_them_is_named() -> None:
    judges = conduct.ready_judges(("small",), lambda _: None)
    assert list(judges.whole) == ["small"] and judges.face is not None and judges.face.name == "faces"
    assert conduct.ready_judges(("small",), lambda _: None, faces=False).face is None
    alone = conduct.ready_judges(("faces",), lambda _: None)
    assert not alone.whole and alone.face is not None
