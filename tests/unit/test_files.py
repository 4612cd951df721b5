"""Whole files are written completely or not at all."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from dfcore.errors import StorageError
from dfcore.utils.files import (
    is_intact,
    read_json,
    sha256_bytes,
    sha256_file,
    sweep,
    write_atomic,
    write_bytes,
    write_hashed,
    write_json,
    write_text,
)

ROOT = Path(__file__).parents[2]

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


# === Files that are named by their content ===


def write_named(folder, content: bytes = b"content"):
    return write_hashed(folder, "epoch-1", ".npz", lambda temporary: temporary.write_bytes(content))


def test_a_file_is_named_by_its_content(tmp_path):
    path = write_named(tmp_path / "new")
    assert path == tmp_path / "new" / f"epoch-1.{hashlib.sha256(b'content').hexdigest()[:16]}.npz"
    assert path.read_bytes() == b"content"
    assert is_intact(path)
    assert write_named(tmp_path / "new") == path
    other = write_named(tmp_path / "new", b"other content")
    assert sorted((tmp_path / "new").iterdir()) == sorted([path, other])


ALTERED = {
    "a flipped bit": lambda path: path.write_bytes(b"conteot"),
    "cut short": lambda path: path.write_bytes(b"conten"),
    "longer": lambda path: path.write_bytes(b"content\0"),
    "empty": lambda path: path.write_bytes(b""),
    "another name": lambda path: path.rename(path.with_name(f"epoch-1.{'0' * 16}.npz")),
    "a name without a hash": lambda path: path.rename(path.with_name("epoch-1.npz")),
    "a name without an ending": lambda path: path.rename(path.with_suffix("")),
}


@pytest.mark.parametrize("alter", ALTERED.values(), ids=ALTERED)
def test_a_file_that_is_not_what_its_name_tells_is_known(tmp_path, alter):
    alter(write_named(tmp_path))
    (path,) = tmp_path.iterdir()
    assert not is_intact(path)


@pytest.mark.parametrize(("failure", "expected"), FAILURES)
def test_a_writer_that_fails_leaves_no_named_file(tmp_path, failure, expected):
    path = write_named(tmp_path)

    def write(temporary):
        temporary.write_text("half of the n")
        raise failure

    with pytest.raises(expected):
        write_hashed(tmp_path, "epoch-2", ".npz", write)
    assert list(tmp_path.iterdir()) == [path]


# === What a killed process leaves ===

# It is killed when half of the file is written.
KILLED = """
import os, signal, sys
from pathlib import Path
from dfcore.utils.files import write_atomic, write_hashed

def write(temporary):
    temporary.write_text("half of the n")
    os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[1])
"""
WRITES = {
    "a file": "write_atomic(folder / 'file.txt', write)",
    "a file named by its content": "write_hashed(folder, 'file', '.txt', write)",
}


@pytest.mark.parametrize("call", WRITES.values(), ids=WRITES)
def test_what_a_process_wrote_when_it_was_killed_is_swept_and_nothing_else(tmp_path, call):
    write_text(tmp_path / "file.txt", "old")
    (tmp_path / ".hidden").touch()
    (tmp_path / ".aside-folder").mkdir()
    saved = sorted(tmp_path.iterdir())
    done = subprocess.run([sys.executable, "-c", KILLED + call, str(tmp_path)], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert (tmp_path / "file.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == len(saved) + 1
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == saved
    assert (tmp_path / "file.txt").read_text() == "old"


def test_what_somebody_may_be_writing_right_now_is_left_to_him(tmp_path):
    for name in (".aside-notes-x1.txt", ".aside-status-x2.json"):
        (tmp_path / name).touch()
    sweep(tmp_path, spare="notes")
    assert [path.name for path in tmp_path.iterdir()] == [".aside-notes-x1.txt"]


def test_there_is_nothing_to_sweep_where_there_is_no_folder(tmp_path):
    sweep(tmp_path / "gone")
    assert not (tmp_path / "gone").exists()
