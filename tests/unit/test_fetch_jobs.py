"""Fetches in processes of their own: they go on without a page, can be stopped and killed, and keep no secret."""

import os
import signal
import time

import pytest

from dfcore import workspace
from dfcore.datasets import registry
from dfcore.errors import BusyError, InputError
from dfcore.hub import fetch
from dfcore.hub.credentials import redacted
from dfcore.hub.fetch_jobs import Fetch, FetchStore
from dfcore.runs import State
from tests.standins import kaggle as standin
from tests.unit.fetching import no_credentials, set_of

pytest.importorskip("kagglehub")
pytestmark = pytest.mark.slow
FILES = set_of(["real", "fake"], each=60)


@pytest.fixture
def service(monkeypatch, tmp_path):
    no_credentials(monkeypatch, tmp_path / "home")
    with standin.running() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        running.add("owner/faces", FILES)
        yield running


def at_rest(job: Fetch, seconds: float = 120) -> Fetch:
    return when(job, lambda: not job.status().state.active, seconds)


def when(job: Fetch, true, seconds: float = 120) -> Fetch:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, job.log_tail()
        time.sleep(0.05)
    return job


def test_a_fetch_goes_on_after_it_was_killed_and_loads_nothing_twice(service):
    size = len(service.sets["owner/faces"].archives[1])
    service.cut("/archive/", after=150_000)
    service.cut("/archive/", after=0, times=99)  # Further attempts bring nothing.
    store = FetchStore()
    job = store.start("kaggle:owner/faces", by="somebody")
    with pytest.raises(BusyError):
        store.start("kaggle:owner/faces")
    half = job.wanted.half
    when(job, lambda: half.is_dir() and any(one.stat().st_size > 60_000 for one in half.rglob("*.archive")))
    os.kill(job.status().pid, signal.SIGKILL)
    at_rest(job)
    assert job.status().state is State.INTERRUPTED and "What it had is kept" in job.status().reason
    kept = next(half.rglob("*.archive")).stat().st_size
    service.faults.clear()
    store.resume(job.id)
    assert at_rest(job).status().state is State.COMPLETED, job.log_tail()
    begin = int(service.asked("GET", "/archive/")[-1].range.removeprefix("bytes=").split("-")[0])
    assert kept == begin and 60_000 < begin < size
    outcome = job.outcome()
    assert (outcome["counts"]["real"], outcome["counts"]["fake"], outcome["fetched"]["files"]) == (60, 60, 120)
    assert registry.registered() == [job.wanted.folder]
    assert not half.exists()


def test_a_fetch_is_stopped_while_the_service_hangs_and_goes_on(service):
    service.cut("/archive/", after=150_000)
    service.cut("/archive/", after=0, times=99)  # No attempt brings anything; the pauses between them can be left.
    store = FetchStore()
    job = store.start("kaggle:owner/faces")
    when(job, lambda: job.status().done > 0)
    job.request_stop()
    assert at_rest(job).status().state is State.STOPPED, job.log_tail()
    assert "kept" in job.status().reason
    service.faults.clear()
    store.resume(job.id)
    assert at_rest(job).status().state is State.COMPLETED, job.log_tail()


def test_no_secret_is_in_any_file_that_a_failed_fetch_leaves(service, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", standin.USER)
    monkeypatch.setenv("KAGGLE_KEY", standin.KEY)
    monkeypatch.setenv("HF_TOKEN", "hf_SecretThatIsNotToBeWritten")
    service.fail("/archive/", 418, times=99)
    job = at_rest(FetchStore().start("kaggle:owner/faces"))
    assert job.status().state is State.FAILED and "418" in job.status().reason
    text = "".join(path.read_text(errors="replace") for path in workspace.data_dir().rglob("*") if path.is_file())
    assert "418" in text
    for secret in (standin.KEY, "hf_SecretThatIsNotToBeWritten", "X-Goog-Signature", "Basic "):
        assert secret not in text


def test_what_cannot_be_loaded_starts_no_process(tmp_path):
    for text in ("faceforensics", "kaggle:nothing", "kaggle:a/b@x"):
        with pytest.raises(InputError):
            FetchStore().start(text)
    assert list(FetchStore()) == []


def test_a_text_is_told_without_credentials_and_signatures(monkeypatch, tmp_path):
    no_credentials(monkeypatch, tmp_path)
    monkeypatch.setenv("KAGGLE_API_TOKEN", standin.TOKEN)
    (tmp_path / ".kaggle").mkdir()
    (tmp_path / ".kaggle/kaggle.json").write_text(f'{{"username": "u", "key": "{standin.KEY}"}}')
    told = redacted(f"{standin.TOKEN} {standin.KEY} https://u:p@x.test/a?X-Goog-Signature=5ecre7 'https://y.test/?t=1'")
    assert told == "… … https://x.test/a?… 'https://y.test/?…'"


def test_what_is_half_fetched_is_listed_and_can_be_deleted(tmp_path):
    half = workspace.data_dir() / fetch.HALF / "faces"
    half.mkdir(parents=True)
    (half / "1.archive").write_bytes(bytes(1000))
    assert fetch.half_fetched() == {"faces": 1000}
    fetch.discard("faces")
    assert fetch.half_fetched() == {}
    with pytest.raises(InputError, match="none"):
        fetch.discard("faces")
