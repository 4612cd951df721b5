"""What the pages keep: bounded; failures of a file, not of the machine; each under all that it depends on."""

import gc
import io
import threading
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dashboard import decode_cache, file_evidence, filmstrip, inference, memory_writer
from dashboard import recent as recent_module
from dashboard.recent import Recent
from dfcore import evaluation
from dfcore.confidence import DecisionThresholds, ErrorBudget
from dfcore.errors import ConfigError, ImageError, StorageError, TransientImageError
from dfcore.utils.files import sha256_bytes


def made_file() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(7).integers(0, 256, (200, 300, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_the_least_recently_used_is_dropped():
    recent: Recent[str] = Recent(2)
    for key in "ab":
        recent.keep(key, key.upper())
    assert recent.get("a") == "A"
    recent.keep("c", "C")
    assert [recent.get(key) for key in "abc"] == ["A", None, "C"]


def test_results_are_bounded_by_their_bytes_and_the_latest_stays():
    recent: Recent[bytes] = Recent(9, len, 10)
    recent.keep("a", b"12345")
    recent.keep("b", b"12345")
    recent.keep("b", b"1234")
    assert recent.get("a") == b"12345"
    recent.keep("c", b"12")
    assert [recent.get(key) for key in "abc"] == [b"12345", None, b"12"]
    recent.keep("d", b"1" * 99)
    assert [recent.get(key) for key in "abcd"] == [None, None, None, b"1" * 99]


def test_what_is_read_ahead_is_read_once_and_waited_for(monkeypatch):
    read, begun, go_on = [], threading.Event(), threading.Event()

    def slow(data):
        read.append(data)
        begun.set()
        go_on.wait(10)
        return "of the file"

    monkeypatch.setattr(file_evidence, "_read", slow)
    monkeypatch.setattr(file_evidence, "_cache", Recent(2))
    monkeypatch.setattr(file_evidence.actions, "require_judging", lambda: None)
    for _ in range(2):
        file_evidence.read_ahead(sha256_bytes(b"file"), b"file")
    assert begun.wait(10)
    threading.Timer(0.05, go_on.set).start()
    assert file_evidence.evidence(b"file") == "of the file"
    file_evidence.read_ahead(sha256_bytes(b"file"), b"file")
    assert file_evidence.evidence(b"file") == "of the file" and read == [b"file"]
    assert not file_evidence._ahead


def test_what_cannot_be_read_ahead_fails_where_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(file_evidence, "read_evidence", lambda data: 1 / 0)
    monkeypatch.setattr(file_evidence.actions, "require_judging", lambda: None)
    file_evidence.read_ahead(sha256_bytes(b"other"), b"other")
    with pytest.raises(ZeroDivisionError):
        file_evidence.evidence(b"other")


def test_a_file_is_asked_what_it_says_once_its_picture_is_decoded(monkeypatch):
    steps = []

    def decoded(*_):
        steps.append("decoded")
        raise ImageError("not a picture")

    monkeypatch.setattr(inference.decode_cache, "prepare", decoded)
    monkeypatch.setattr(inference.file_evidence, "read_ahead", lambda *_: steps.append("asked"))
    assert isinstance(inference._prepared(sha256_bytes(b"file"), [], b"file"), ImageError)
    assert steps == ["decoded", "asked"]


def test_a_thumbnail_is_made_of_the_preview_that_is_there(monkeypatch):
    data = made_file()
    decode_cache.prepare(data)
    monkeypatch.setattr(filmstrip.sandbox, "decode", lambda *_: pytest.fail("decoded again"))
    assert filmstrip.thumbnail(sha256_bytes(data), data).startswith("data:image/jpeg;base64,")


class Content:
    """The content of a file, of which one can tell whether anybody keeps it."""


def test_a_failure_that_is_kept_keeps_no_file(monkeypatch):
    kept: list[weakref.ref] = []

    def fail(data, specs, side, **_):
        raise ConfigError(["too small", "too dark"]) from ValueError(data)

    def ask() -> None:
        data = Content()
        kept.append(weakref.ref(data))
        with pytest.raises(ConfigError) as caught:
            prepare(data)
        assert caught.value.problems == ["too small", "too dark"] and str(caught.value) == "too small; too dark"

    def prepare(data):
        found = recent.get("same")
        if found is None:
            try:
                fail(data, [], 900)
            except ConfigError as error:
                recent.keep("same", error)
                raise
        raise found

    recent: Recent[str] = Recent(2)
    for _ in range(3):
        ask()
    gc.collect()
    assert [one() for one in kept] == [None] * 3


def full_disk(verdicts):
    raise StorageError("The disk is full.")


def foreign(verdicts):
    """An error that cannot be made anew from its message, and was caused by another."""
    try:
        raise ValueError(verdicts)
    except ValueError as error:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid") from error


@pytest.mark.parametrize(("raised", "kind"), [(full_disk, StorageError), (foreign, UnicodeDecodeError)])
def test_a_verdict_that_could_not_be_written_keeps_no_picture(raised, kind, monkeypatch):
    def fail(verdicts, by):
        raised(verdicts)

    monkeypatch.setattr(memory_writer, "write", fail)
    data = Content()
    known = weakref.ref(data)
    future = memory_writer.hand_over([data], "ada")
    del data
    with pytest.raises(kind, match=r"disk is full|0xff in position 0: invalid"):
        future.result(10)
    gc.collect()
    assert known() is None and isinstance(future.exception(), kind)


def test_failures_of_the_file_stay_and_those_of_the_machine_for_a_minute(monkeypatch):
    for failure, later, times in (
        (ImageError("no image"), 3600, 1), (TransientImageError("took too long"), 61, 2),
        (TransientImageError("took too long"), 59, 1),
    ):  # fmt: skip
        tried, now = [], [0.0]
        monkeypatch.setattr(recent_module.time, "monotonic", lambda now=now: now[0])

        def fail(data, specs, side, failure=failure, tried=tried, **_):
            tried.append(data)
            raise failure

        monkeypatch.setattr(decode_cache, "_cache", Recent(2))
        monkeypatch.setattr(decode_cache.sandbox, "prepare", fail)
        told = []
        for _ in range(2):
            try:
                decode_cache.prepare(b"same")
            except ImageError as error:
                told.append(error)
            now[0] += later
        assert [(type(one), str(one)) for one in told] == [(type(failure), str(failure))] * 2 and len(tried) == times


def test_a_verdict_that_the_machine_prevented_is_told_and_not_kept(monkeypatch):
    prepared = []

    def prepare(data, specs):
        prepared.append(data)
        raise TransientImageError("took too long")

    entry = SimpleNamespace(version="some version", card=None)
    judging = SimpleNamespace(spec=None, judge=lambda images: [str(image) for image in images])
    monkeypatch.setattr(inference.decode_cache, "prepare", prepare)
    monkeypatch.setattr(inference, "detector", lambda _: judging)
    monkeypatch.setattr(inference.actions, "require_judging", lambda: None)
    for _ in range(2):
        assert inference.verdicts([entry], b"same") == ["took too long"]
    assert len(prepared) == 2


def test_rates_are_those_of_the_error_budget_also_where_the_thresholds_are_the_same(monkeypatch):
    monkeypatch.setattr(evaluation, "measured_rates", lambda folder, card, at: at.budget.max_fpr)
    entry = SimpleNamespace(version="rates of a budget", folder=None, card=None)
    for share in (0.05, 0.2):
        budget = ErrorBudget(max_fpr=share, max_fnr=0.05)
        at = DecisionThresholds(real_below=0.2, fake_from=0.8, images=9, budget=budget)
        assert inference.rates(entry, at) == share
