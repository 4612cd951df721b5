"""Uploads in slices: whole on disk whatever the slices, bounded, and gone with their session."""

import gc
import os
import shutil
from collections import namedtuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from dashboard import upload_spool
from dashboard.upload_spool import Offered, Spool, offered
from dfcore.errors import InputError, StorageError


@pytest.fixture(autouse=True)
def batches(tmp_path, monkeypatch):
    monkeypatch.setenv("DFCORE_BATCHES", str(tmp_path / "batches"))
    return tmp_path / "batches"


def offer(*sizes: int) -> list[Offered]:
    return [Offered(f"{number}.png", size, 0) for number, size in enumerate(sizes)]


def send(spool: Spool, stream: bytes, sizes: list[int]) -> None:
    at = 0
    while at < len(stream):
        length = sizes.pop() if sizes else 7
        spool.add(at, stream[at : at + length])
        at += length


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(some.lists(some.binary(max_size=40), min_size=1, max_size=8), some.lists(some.integers(1, 50)))
def test_files_arrive_whole_whatever_the_slices(contents, sizes):
    spool = Spool(offer(*map(len, contents)))
    send(spool, b"".join(contents), sizes)
    assert spool.complete
    assert [(name, place.read_bytes()) for name, place in spool.paths()] == [
        (f"{number}.png", content) for number, content in enumerate(contents)
    ]


def test_a_slice_that_comes_twice_counts_once_and_one_from_elsewhere_not_at_all():
    spool = Spool(offer(6))
    for at, data in ((0, b"abc"), (0, b"xyz"), (5, b"f"), (3, b"def"), (3, b"def")):
        spool.add(at, data)
    assert [place.read_bytes() for _, place in spool.paths()] == [b"abcdef"]


def test_more_than_was_offered_is_refused():
    with pytest.raises(InputError, match=r"at most 3 further bytes\. Received: 4"):
        Spool(offer(3)).add(0, b"abcd")


def test_what_is_no_picture_or_too_large_is_left_out_with_its_reason():
    listed = [Offered("notes.txt", 5, 0), Offered("huge.png", 65 * 2**20, 0), Offered("a.PNG", 3, 0),
              Offered("many.zip", 2**20, 0), Offered("more.zip", 2**31 + 1, 0)]  # fmt: skip
    spool = Spool(listed)
    assert [file.name for file in spool.files] == ["a.PNG", "many.zip"] and spool.places == [2, 3]
    assert {one.name: one.why for one in spool.refused} == {
        "notes.txt": "neither a picture nor a ZIP", "huge.png": "larger than 64 MB", "more.zip": "larger than 2 GB",
    }  # fmt: skip
    with pytest.raises(InputError, match=r"Received: notes\.txt, which is neither a picture nor a ZIP, and 1 more"):
        Spool(listed[:2])


def test_too_much_together_is_refused():
    with pytest.raises(InputError, match=r"at most 2 GB in one upload. Received: 3\.0 GB"):
        Spool([Offered(f"{number}.zip", 2**30, 0) for number in range(3)])


def test_a_disk_without_room_takes_nothing(monkeypatch, batches):
    usage = namedtuple("usage", "total used free")(2**40, 0, upload_spool.RESERVE + 2 * 2**20 - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match="disk has no room"):
        Spool([Offered("a.zip", 2**20, 0)])
    assert not list(batches.rglob("*"))


def test_a_disk_that_fills_up_meanwhile_takes_no_more(monkeypatch, batches):
    spool = Spool(offer(2**20))
    spool.add(0, bytes(100))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("usage", "total used free")(2**40, 0, 5))
    with pytest.raises(StorageError, match="disk has no room"):
        spool.add(100, bytes(100))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("usage", "total used free")(2**40, 0, 2**40))
    spool.add(100, bytes(100))
    assert spool.received == 200, "it goes on when there is room again"


def test_it_is_gone_with_its_session_and_leftovers_of_killed_servers_as_well(batches):
    spool = Spool(offer(3))
    (folder,) = (batches / ".uploads").iterdir()
    old = batches / ".uploads" / "old"
    old.mkdir()
    os.utime(old, (1, 1))
    kept = Spool(offer(3))
    assert not old.exists() and folder.exists()
    del spool
    gc.collect()
    assert not folder.exists()
    kept.drop()
    assert not list((batches / ".uploads").iterdir())


@pytest.mark.parametrize("value", [None, [], {}, [1], [["a"]], [["a.png", -1, 0]], [["a.png", "x", 0]],
                                   [["a.png", float("nan"), 0]], [["a.png", 1e300, 0]]])  # fmt: skip
def test_offers_that_are_none_are_refused(value):
    with pytest.raises(InputError):
        offered(value)


def test_too_many_files_are_refused():
    with pytest.raises(InputError, match=r"at most 20,000 files in one upload. Received: 20,001"):
        offered([["a.png", 1, 0]] * 20_001)


@pytest.mark.parametrize(("name", "taken"), [
    ("../../etc/x.png", "etc/x.png"), ("/etc/x.png", "etc/x.png"), ("a\\..\\b.png", "a/b.png"), ("..", "unnamed"),
    ("a\nb.png", "a\N{REPLACEMENT CHARACTER}b.png"), ("folder/x.png", "folder/x.png"),
])  # fmt: skip
def test_names_lead_nowhere(name, taken):
    assert [file.name for file in offered([[name, 1, 0]])] == [taken]
