"""Archives of strangers: whatever they are called and hold, nothing is written outside of their folder."""

import io
import os
import stat
import tarfile
import tempfile
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfcore.errors import ArchiveError, StorageError
from dfcore.hub import unpack
from dfcore.utils import space
from tests.standins.kaggle import packed
from tests.unit.fetching import nothing

_PARTS = st.sampled_from(
    ["..", ".", "", "a", "b.png", "C:", "x\\..\\..\\y", "\0", "con", "é", "n" * 300, " ", "/", "~"]
)
_NAMES = st.lists(_PARTS, min_size=1, max_size=5).map("/".join)


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_NAMES, st.binary(max_size=20)), max_size=8), st.booleans())
def test_nothing_leaves_the_folder_and_nothing_vanishes_in_silence(members, as_tar):
    with tempfile.TemporaryDirectory() as place:
        archive, inside = Path(place) / "a.archive", Path(place) / "in"
        names = []
        if as_tar:
            with tarfile.open(archive, "w") as tar:
                for name, data in members:
                    one = tarfile.TarInfo(name.replace("\0", ""))
                    one.size = len(data)
                    tar.addfile(one, io.BytesIO(data))
                    names.append(one.name)
        else:
            with zipfile.ZipFile(archive, "w") as file, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Names that occur twice.
                for name, data in members:
                    one = zipfile.ZipInfo("x")
                    one.filename = name
                    file.writestr(one, data)
                    names += [name] if data or "\0" in name or not name.endswith("/") else []
        left_out = unpack.unpack(archive, inside, nothing)
        assert {path.name for path in Path(place).iterdir()} <= {"a.archive", "in"}
        written = tree(inside)
        assert not any(path.is_symlink() for path in inside.rglob("*"))
        assert set(written.values()) <= {data for _, data in members}
        assert len(written) + len(left_out) <= len(names)
        if not as_tar:
            assert len(written) + len(left_out) == len(names)


def test_links_devices_and_encrypted_entries_are_left_out_with_their_reasons(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        link = zipfile.ZipInfo("link.png")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("real/1.png", b"one")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    (tmp_path / "a.zip").write_bytes(data)
    assert unpack.unpack(tmp_path / "a.zip", tmp_path / "zip", nothing) == [
        ("link.png", "A link or a device, not a file.")
    ]
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as tar:
        for kind, name in (
            (tarfile.SYMTYPE, "s"),
            (tarfile.LNKTYPE, "h"),
            (tarfile.FIFOTYPE, "f"),
            (tarfile.CHRTYPE, "c"),
        ):
            one = tarfile.TarInfo(name)
            one.type, one.linkname = kind, "../../etc/passwd"
            tar.addfile(one)
        one = tarfile.TarInfo("1.png")
        one.size = 3
        tar.addfile(one, io.BytesIO(b"two"))
    left_out = unpack.unpack(tmp_path / "a.tgz", tmp_path / "tar", nothing)
    assert [name for name, _ in left_out] == ["s", "h", "f", "c"]
    assert (tree(tmp_path / "zip"), tree(tmp_path / "tar")) == ({"real/1.png": b"one"}, {"1.png": b"two"})


def test_a_bomb_is_refused_before_a_byte_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "_FREE_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros.png", bytes(10**6))
    with pytest.raises(ArchiveError, match="made to do harm"):
        unpack.unpack(tmp_path / "a.zip", tmp_path / "in", nothing)
    assert tree(tmp_path / "in") == {}


def test_more_than_there_is_room_for_is_refused_before_a_byte_is_written(tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(packed({"1.bin": os.urandom(2000)}))
    monkeypatch.setattr(space, "free_bytes", lambda folder: space.SPARE_BYTES + 1000)
    with pytest.raises(StorageError, match=r"Unpacking a\.zip needs 2 kB"):
        unpack.unpack(tmp_path / "a.zip", tmp_path / "in", nothing)
    assert tree(tmp_path / "in") == {}


def test_a_damaged_entry_is_left_out_and_the_rest_arrives(tmp_path):
    data = bytearray(packed({f"{number}.bin": os.urandom(500) for number in range(3)}))
    at = data.find(b"1.bin") + 100
    data[at] ^= 255
    (tmp_path / "a.zip").write_bytes(data)
    left_out = unpack.unpack(tmp_path / "a.zip", tmp_path / "in", nothing)
    assert [name for name, _ in left_out] == ["1.bin"] and "damaged" in left_out[0][1]
    assert set(tree(tmp_path / "in")) == {"0.bin", "2.bin"}


def test_unpacking_goes_on_and_mends_what_a_killed_process_left(tmp_path):
    files = {f"{number}.bin": os.urandom(500) for number in range(5)}
    (tmp_path / "a.zip").write_bytes(packed(files))

    def killed(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack.unpack(tmp_path / "a.zip", tmp_path / "in", killed)
    there = {path.name: path.stat().st_ino for path in (tmp_path / "in").iterdir()}
    (tmp_path / "in" / "0.bin").write_bytes(bytes(500))
    assert unpack.unpack(tmp_path / "a.zip", tmp_path / "in", nothing) == []
    assert tree(tmp_path / "in") == files
    same = {name for name, inode in there.items() if (tmp_path / "in" / name).stat().st_ino == inode}
    assert same == {"1.bin", "2.bin"}


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_what_archives_hold_never_replaces_another_file(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train/1.png").write_bytes(b"beside")
    (tmp_path / "train.zip").write_bytes(packed({"1.png": b"in the archive", "2.png": b"two"}))
    (tmp_path / "a.zip").write_bytes(packed({"1.png": b"zip"}))
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, data in (("1.png", b"tar"), ("2.png", b"tar 2")):
            one = tarfile.TarInfo(name)
            one.size = len(data)
            tar.addfile(one, io.BytesIO(data))
    archives = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    files = files_in(tmp_path)
    twice = "Its name occurs twice; the first was taken."
    wanted = {"train/1.png": b"beside", "train/2.png": b"two", "a/1.png": b"tar", "a/2.png": b"tar 2"}
    # The second time as after a stop, with what the first has unpacked.
    for _ in range(2):
        for name, data in archives.items():
            (tmp_path / name).write_bytes(data)
        assert unpack.unpack_below(tmp_path, files, nothing) == [("a/1.png", twice), ("train/1.png", twice)]
        assert tree(tmp_path) == wanted


def test_archives_in_archives_in_archives_stay_packed_after_a_stop_too(tmp_path):
    inmost = packed({"1.png": b"one"})
    archive = packed({"inmost.zip": inmost})
    (tmp_path / "a.zip").write_bytes(archive)
    files = files_in(tmp_path)
    for _ in range(2):
        (tmp_path / "a.zip").write_bytes(archive)
        assert unpack.unpack_below(tmp_path, files, nothing) == []
        assert tree(tmp_path) == {"a/inmost.zip": inmost}


def test_a_damaged_archive_in_an_archive_stays_packed_and_the_others_are_unpacked(tmp_path):
    damaged = packed({"1.png": b"one"})[:-30]
    (tmp_path / "a.zip").write_bytes(packed({"2.png": b"two"}))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/b.zip").write_bytes(damaged)
    files = files_in(tmp_path)
    for _ in range(2):
        [(name, reason)] = unpack.unpack_below(tmp_path, files, nothing)
        assert name == "deep/b.zip" and "is no ZIP or tar archive, or is cut off. It stays packed." in reason
        assert tree(tmp_path) == {"a/2.png": b"two", "deep/b.zip": damaged}
        assert not (tmp_path / "deep/b").exists()


@pytest.mark.parametrize("data", [b"", b"<html>no archive</html>", packed({"a": b"b"})[:-30]])
def test_what_is_no_archive_is_refused(tmp_path, data):
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(ArchiveError, match=r"a\.zip"):
        unpack.unpack(tmp_path / "a.zip", tmp_path / "in", nothing)
