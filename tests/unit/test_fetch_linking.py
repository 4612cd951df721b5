"""Loaded files in their places: links where the file system has them, else copies; and stops within large files."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from dfcore.hub import fetch, hugging_face_data, kaggle, linking, pieces, record, unpack
from dfcore.hub.record import Fetched
from tests.unit.fetching import nothing


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(pieces, "_PIECE", 100)


@pytest.fixture
def no_links(monkeypatch):
    """A file system without hard links."""

    def refuse(path, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)


@pytest.fixture
def load(tmp_path) -> Path:
    (tmp_path / "load" / "real").mkdir(parents=True)
    for number in range(3):
        (tmp_path / "load" / "real" / f"{number}.bin").write_bytes(bytes([number]) * 1000)
    return tmp_path / "load"


def stop(done: int, _total: int) -> None:
    if 1500 <= done < 2000:
        raise KeyboardInterrupt


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_are_linked_and_take_no_room(load, tmp_path):
    assert linking.links_work(load / "real/0.bin")
    places = linking.lay_out(load, tmp_path / "files", lambda path: path.name != "2.bin", nothing)
    assert places == {tmp_path / "files/real/0.bin", tmp_path / "files/real/1.bin"}
    assert all(place.stat().st_nlink == 2 for place in places)
    assert tree(load).keys() == {"real/0.bin", "real/1.bin", "real/2.bin"}, "the trial leaves nothing"


def test_a_copy_that_was_killed_is_no_file_of_the_data_set(load, tmp_path, no_links, small_pieces):
    files = tmp_path / "files"
    assert not linking.links_work(load / "real/0.bin")
    with pytest.raises(KeyboardInterrupt):
        linking.lay_out(load, files, lambda path: True, stop)
    assert [name for name, data in tree(files).items() if len(data) == 1000] == ["real/0.bin"]
    assert not (files / "real/1.bin").exists()
    linking.lay_out(load, files, lambda path: True, nothing)
    assert tree(files) == tree(load)


# === Stops ===


@pytest.fixture
def large(tmp_path) -> Path:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "large.bin").write_bytes(b"x" * 2000)
    return tmp_path / "set" / "large.bin"


def test_hashing_a_large_file_can_be_stopped(large, small_pieces):
    with pytest.raises(KeyboardInterrupt):
        record.hashes(large.parent, stop)
    (found,) = record.hashes(large.parent, nothing).values()
    assert found == (2000, hashlib.sha256(b"x" * 2000).hexdigest())
    fetched = Fetched("", "", "", "", "", "", {"large.bin": found})
    with pytest.raises(KeyboardInterrupt):
        record.compare(large.parent, fetched, stop)
    assert not record.compare(large.parent, fetched, nothing)


def test_checking_what_a_service_states_can_be_stopped(large, small_pieces):
    class Told:
        lfs, blob_id = None, hashlib.sha1(b"blob 2000\0" + b"x" * 2000, usedforsecurity=False).hexdigest()

    def asked(read: int) -> None:
        stop(read, 0)

    with pytest.raises(KeyboardInterrupt):
        hugging_face_data._is_as_told(large, Told(), asked)
    assert hugging_face_data._is_as_told(large, Told(), lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        kaggle._md5(large, asked)


@pytest.mark.parametrize("again", [False, True])
def test_unpacking_a_large_entry_can_be_stopped(large, tmp_path, small_pieces, again):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(large, "large.bin")
    if again:  # What is there is compared first.
        unpack.unpack(tmp_path / "a.zip", tmp_path / "in", nothing)
    seen = []

    def asked(done: int, total: int) -> None:
        seen.append(done)
        stop(done, total)

    with pytest.raises(KeyboardInterrupt):
        unpack.unpack(tmp_path / "a.zip", tmp_path / "in", asked)
    assert seen == list(range(0, 1501, 100))
    assert unpack.unpack(tmp_path / "a.zip", tmp_path / "in", nothing) == []
    assert tree(tmp_path / "in") == {"large.bin": b"x" * 2000}


# === What is half fetched ===


def test_a_file_that_vanishes_while_it_is_counted_does_no_harm(tmp_path, monkeypatch):
    monkeypatch.setenv("DFCORE_DATA", str(tmp_path))
    half = tmp_path / fetch.HALF / "faces"
    half.mkdir(parents=True)
    (half / "1.archive").write_bytes(bytes(1000))
    (half / "gone").symlink_to(half / "nowhere")
    assert fetch.half_fetched() == {"faces": 1000}
    assert fetch.is_half_fetched("faces") and not fetch.is_half_fetched("others")
