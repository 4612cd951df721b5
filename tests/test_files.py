"""Whole files are written completely or not at all."""

import hashlib
import json

import pytest

from dfcore.errors import StorageError
from dfcore.files import read_json, sha256_bytes, sha256_file, write_atomic, write_bytes, write_json, write_text

FAILURES = [
    pytest.param(ValueError("a writer's own mistake"), ValueError, id="other-errors-stay-what-they-are"),
    pytest.param(OSError(28, "No space left on device"), StorageError, id="full-disk-is-a-storage-error"),
    pytest.param(KeyboardInterrupt(), KeyboardInterrupt, id="ctrl-c"),
]


@pytest.mark.parametrize(("failure", "expected"), FAILURES)
def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, failure, expected):
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def write(temporary):
        temporary.write_text("half of the n")
        raise failure

    with pytest.raises(expected):
        write_atomic(path, write)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_with_the_path_and_the_reason(tmp_path):
    def write(_):
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match=r"file\.txt could not be written: No space left on device"):
        write_atomic(tmp_path / "file.txt", write)


def test_a_reader_never_sees_the_new_file_before_it_is_complete(tmp_path):
    path = tmp_path / "model.keras"
    write_text(path, "old")

    def write(temporary):
        assert temporary.parent == path.parent, "a rename works within one file system only"
        assert temporary.suffix == ".keras", "Keras goes by the ending"
        temporary.write_text("new")
        assert path.read_text() == "old"

    write_atomic(path, write)
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


UNWRITABLE = [
    pytest.param("file.txt/inside.txt", id="a-file-where-a-folder-should-be"),
    pytest.param("folder", id="a-folder-where-the-file-should-be"),
    pytest.param("x" * 300, id="a-name-too-long"),
]


@pytest.mark.parametrize("name", UNWRITABLE)
def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path, name):
    (tmp_path / "file.txt").write_text("in the way")
    (tmp_path / "folder" / "full").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StorageError, match="could not be written"):
        write_text(tmp_path / name, "text")
    assert sorted(tmp_path.rglob("*")) == before


def test_missing_folders_are_made(tmp_path):
    write_bytes(tmp_path / "a" / "b" / "c.bin", b"\x00\xff")
    assert (tmp_path / "a" / "b" / "c.bin").read_bytes() == b"\x00\xff"


def test_json_comes_back_as_it_was(tmp_path):
    value = {"text": "Grüße", "numbers": [1, 2.5, None], "nested": {"yes": True}}
    write_json(tmp_path / "value.json", value)
    assert read_json(tmp_path / "value.json") == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}], ids=["nan", "infinity", "a-set"])
def test_what_is_no_json_is_refused_and_the_old_file_stays(tmp_path, value):
    write_json(tmp_path / "value.json", 1)
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "value.json", value)
    assert json.loads((tmp_path / "value.json").read_text()) == 1


def test_hashes_are_sha256(tmp_path):
    data = bytes(range(256)) * 10_000
    (tmp_path / "data.bin").write_bytes(data)
    assert sha256_bytes(data) == sha256_file(tmp_path / "data.bin") == hashlib.sha256(data).hexdigest()
