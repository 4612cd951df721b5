"""Every file of a folder is found or told: links, hidden things, odd suffixes, what cannot be read."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dfcore import workspace
from dfcore.datasets import kinds
from dfcore.datasets.dataset import LeftOut
from dfcore.datasets.kinds import Kind
from dfcore.datasets.listing import iter_found
from dfcore.datasets.walk import VIDEO, pictures, walk
from tests.conftest import make_image

posix = pytest.mark.skipif(os.name != "posix", reason="links and modes are Unix's")
ROOT = Path(__file__).parents[2]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def seen(root: Path) -> tuple[list[str], dict[str, str]]:
    """The pictures by their names below `root`, and {what is left out: why}."""
    found = list(pictures(root))
    images = [one.relative_to(root).as_posix() for one in found if isinstance(one, Path)]
    left = [one for one in found if isinstance(one, LeftOut)]
    told = {Path(one.path).relative_to(root).as_posix(): one.reason for one in left}
    assert len(told) == len(left), "each thing is told once"
    return images, told


def missed(root: Path) -> set[str]:
    found = [one for one in pictures(root) if isinstance(one, LeftOut) and one.missed]
    return {Path(one.path).relative_to(root).as_posix() for one in found}


# === Links ===


@posix
@pytest.mark.parametrize("where", ["outside", "beside", "absolute", "through a link"])
def test_a_linked_class_folder_is_followed(where, tmp_path):
    root = tmp_path / "set"
    touch(root, "fake/1.png")
    touch(tmp_path, "outside/camera/1.png", "outside/camera/in/2.png")
    target = tmp_path / "outside" / "camera"
    if where == "beside":
        target = Path("..") / "outside" / "camera"
    elif where == "through a link":
        (tmp_path / "hop").symlink_to(target)
        target = tmp_path / "hop"
    (root / "real").symlink_to(target)
    assert seen(root) == (["fake/1.png", "real/1.png", "real/in/2.png"], {})


@posix
def test_links_to_files_are_files(tmp_path):
    touch(tmp_path, "set/a/1.png", "store/ab12", "store/x.png")
    make_image(tmp_path / "store" / "raw.png").rename(tmp_path / "store" / "ab12")
    for name, target in {"a/2.png": "store/ab12", "a/no_suffix": "store/ab12", "b.png": "set/a/1.png"}.items():
        (tmp_path / "set" / name).symlink_to(tmp_path / target)
    assert seen(tmp_path / "set") == (["b.png", "a/no_suffix", "a/1.png", "a/2.png"], {})


@posix
@pytest.mark.parametrize(
    ("name", "target", "why"),
    [
        ("up", "..", "read once"),
        ("in/loop", "../in", "read there"),
        ("in/top", "../../set", "read once"),
        ("self", "self", "round in a circle"),
        ("gone", "nowhere", "There is no file or folder nowhere"),
        ("gone.png", "../nowhere/1.png", "There is no file"),
        ("in/deep", "/proc/self/nothing", "There is no file"),
    ],
)
def test_a_link_that_is_not_followed_is_told_and_nothing_is_read_twice(name, target, why, tmp_path):
    touch(tmp_path, "set/in/1.png", "set/2.png", "other.png")
    (tmp_path / "set" / name).symlink_to(target)
    images, told = seen(tmp_path / "set")
    assert images == ["2.png", "in/1.png"]
    assert list(told) == [name]
    assert why in told[name]
    assert (missed(tmp_path / "set") == {name}) == ("There is no" in why or "circle" in why)


@posix
def test_circles_outside_and_folders_reached_twice_end(tmp_path):
    touch(tmp_path, "set/a/1.png", "outside/2.png", "outside/in/3.png")
    (tmp_path / "outside" / "back").symlink_to(tmp_path / "outside")
    (tmp_path / "outside" / "in" / "home").symlink_to(tmp_path / "set")
    for name in ("x", "y"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "outside")
    images, told = seen(tmp_path / "set")
    assert images == ["a/1.png", "x/2.png", "x/in/3.png"]
    assert set(told) == {"x/back", "x/in/home", "y"}
    assert missed(tmp_path / "set") == set()


@posix
def test_links_out_of_the_roots_are_told(tmp_path, monkeypatch):
    touch(tmp_path, "set/1.png", "secret/2.png", "shared/3.png")
    for name, target in {"a": "secret", "b.png": "secret/2.png", "c": "shared"}.items():
        (tmp_path / "set" / name).symlink_to(tmp_path / target)
    monkeypatch.setenv(workspace.ROOTS, f"{tmp_path / 'set'}{os.pathsep}{tmp_path / 'shared'}")
    images, told = seen(tmp_path / "set")
    assert images == ["1.png", "c/3.png"]
    assert set(told) == missed(tmp_path / "set") == {"a", "b.png"}
    assert all("outside of the folders that may be read" in why for why in told.values())


def test_a_link_that_was_copied_as_a_text_is_told(tmp_path):
    touch(tmp_path, "elsewhere/camera/1.png", "set/fake/1.png")
    (tmp_path / "set" / "real").write_text("../elsewhere/camera")
    (tmp_path / "set" / "LICENSE").write_text("../elsewhere/nothing")
    images, told = seen(tmp_path / "set")
    assert images == ["fake/1.png"]
    assert "names ../elsewhere/camera: a link was copied" in told["real"]
    assert missed(tmp_path / "set") == {"real"}


# === What is no regular folder or file, and what cannot be read ===


@posix
def test_special_files_are_told_and_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
    images, told = seen(tmp_path)
    assert images == []
    assert {name: why.split()[-1] for name, why in told.items()} == {
        "pipe.png": "pipe.",
        "pipe": "pipe.",
        "socket": "socket.",
    }
    assert missed(tmp_path) == {"pipe.png"}


UNREADABLE = """
import os, sys
from pathlib import Path
from dfcore.datasets.dataset import LeftOut; from dfcore.datasets.walk import pictures
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(4321); os.setuid(4321)
for one in pictures(Path(sys.argv[1])):
    print(f"left: {one.path}: {one.missed}: {one.reason}" if isinstance(one, LeftOut) else one)
"""


@posix
def test_what_the_account_may_not_read_is_told(tmp_path_factory):
    base = Path("/tmp") / f"dfcore-walk-{os.getpid()}"
    try:
        touch(base, "1.png", "closed/2.png", "listed/3.png", "odd/IMG_4", "odd/5.png")
        (base / "link").symlink_to(base / "closed" / "in")
        for name, mode in {"closed": 0o000, "listed": 0o644, "odd/IMG_4": 0o000}.items():
            (base / name).chmod(mode)
        command = [sys.executable, "-c", UNREADABLE, str(base)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        lines = done.stdout.replace(f"{base}/", "").splitlines()
        assert {line for line in lines if not line.startswith("left")} == {"1.png", "odd/5.png"}
        told = {line.split(": ")[1]: line.split(": ", 2)[2] for line in lines if line.startswith("left")}
        assert set(told) == {"closed", "listed/3.png", "odd/IMG_4", "link"}
        assert all("True: " in why and "Permission denied" in why for why in told.values())
    finally:
        for path in base.rglob("*"):
            if not path.is_symlink():
                path.chmod(0o755)
        subprocess.run(["rm", "-rf", str(base)], check=True)


def test_a_folder_that_fails_is_told_and_the_others_are_read(tmp_path, monkeypatch):
    touch(tmp_path, "a/1.png", "b/2.png", "c/3.png")
    scandir = os.scandir

    def failing(path):
        if Path(path).name == "b":
            raise OSError(5, "Input/output error")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    images, told = seen(tmp_path)
    assert images == ["a/1.png", "c/3.png"]
    assert "could not be read: Input/output error" in told["b"]
    assert missed(tmp_path) == {"b"}


# === Hidden things ===


def test_hidden_things_are_counted_and_hidden_pictures_missed(tmp_path):
    touch(tmp_path, "1.png", "._1.png", ".DS_Store", "Thumbs.db", ".2.png", "__MACOSX/._1.png", ".git/objects/3.png")
    touch(tmp_path, ".private/4.jpg", ".private/in/5.HEIC", ".private/notes.txt", "in/desktop.ini", "in/6.png")
    images, told = seen(tmp_path)
    assert images == ["1.png", "in/6.png"]
    assert set(told) == {".2.png", ".private", ".*", "in/.*"}
    assert told[".*"].startswith("5 hidden")
    assert "2 pictures" in told[".private"]
    assert missed(tmp_path) == {".2.png", ".private"}


# === By suffix, or by first bytes ===


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> dict[str, bytes]:
    """Content of a small picture in each format that Pillow writes."""
    folder = tmp_path_factory.mktemp("samples")
    result = {}
    for name in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "JPEG2000"):
        Image.new("RGB", (8, 8), (9, 99, 199)).save(folder / name, name)
        result[name] = (folder / name).read_bytes()
    return result


@pytest.mark.parametrize("name", ["IMG_5", "a.jpg_large", "b.jpeg~", "c.png.1", "d.php?id=3", "e.jpg!d", "f.part"])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "JPEG2000"])
def test_a_picture_is_one_whatever_its_suffix(form, name, samples, tmp_path):
    (tmp_path / name).write_bytes(samples[form])
    assert seen(tmp_path) == ([name], {})


FIRST_BYTES = {
    Kind.PICTURE: [
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"\0\0\0\x18ftypmif1\0\0\0\0heicxxxx", b"\0\0\0\x18ftypcrx \0\0\0\1",
        b"\xff\x0a\xff\0", b"\0\0\0\x0cJXL \r\n\x87\n", b"FUJIFILMCCD-RAW 0201", b"IIU\0\x18\0", b"8BPS\0\1",
        b'<?xml version="1.0"?>\n<svg width="9">', bytes(128) + b"DICM",
    ],
    Kind.VIDEO: [b"\0\0\0\x14ftypisom\0\0\2\0", b"\0\0\0\x14ftypqt  \0\0\0\0", b"\x1aE\xdf\xa3\x01",
                 b"RIFF1234AVI LIST"],
    Kind.ARCHIVE: [b"PK\3\4\x14\0", b"\x1f\x8b\x08\0", b"7z\xbc\xaf'\x1c\0", bytes(257) + b"ustar\x0000"],
    Kind.OTHER: [b"hello\n", "naïve – text".encode(), b"%PDF-1.7", b"a," * 300, ("é" * 400).encode()[:512]],
    Kind.UNKNOWN: [b"", bytes(16), bytes(range(256)), b"BM, said the doctor\xff", b"\x03\x04\x05"],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "data"), [(kind, data) for kind, some in FIRST_BYTES.items() for data in some])
def test_first_bytes_tell_the_kind(kind, data):
    assert kinds.of_bytes(data) is kind


def test_pictures_that_are_not_read_are_pictures_all_the_same(tmp_path):
    """The decoder tells of each why it is not."""
    names = ["1.HEIC", "2.heif", "3.dng", "4.CR2", "5.nef", "6.arw", "7.jxl", "8.psd", "9.svg"]
    touch(tmp_path, *names)
    assert seen(tmp_path) == (names, {})


def test_each_of_the_rest_has_its_reason(tmp_path):
    touch(tmp_path, "1.png", "a.zip", "b.MOV", "c.txt", "d.txt", "list.json", "in/e.csv", "x.dat", "y.dat", "empty")
    images, told = seen(tmp_path)
    assert images == ["1.png"]
    assert told == {
        "a.zip": "An archive in a folder is not opened: name it itself if it is a ZIP, or unpack it.",
        "b.MOV": VIDEO,
        "*.txt": "2 files: no picture.",
        "list.json": "no picture.",
        "in/e.csv": "no picture.",
        "*.dat": "2 files: neither name nor first bytes are those of a picture.",
        "empty": "neither name nor first bytes are those of a picture.",
    }
    assert missed(tmp_path) == {"a.zip", "b.MOV", "*.dat", "empty"}


def test_only_files_whose_suffix_tells_nothing_are_opened(tmp_path, monkeypatch):
    touch(tmp_path, "1.png", "2.HEIC", "a.txt", "b.json", "c.zip", "d.mp4", "e.jpg_large", "f")
    opened = []
    of_bytes = kinds.of_bytes
    monkeypatch.setattr(kinds, "of_bytes", lambda first: opened.append(first) or of_bytes(first))
    list(pictures(tmp_path))
    assert len(opened) == 2


def test_nothing_is_lost_whatever_lies_in_a_folder(tmp_path):
    """Files and links are found, told by name, or counted: the numbers add up."""
    touch(tmp_path, *(f"{folder}/{n}{suffix}" for folder in ("a", "a/b", "c") for n in range(7)
                      for suffix in (".png", ".txt", ".zip", "", ".xyz", ".HEIC", ".tar.gz")))  # fmt: skip
    touch(tmp_path, ".hidden.png", "c/.x", "c/Thumbs.db")
    found = list(pictures(tmp_path))
    number = sum(one.files if isinstance(one, LeftOut) else 1 for one in found)
    assert number == sum(path.is_file() for path in tmp_path.rglob("*"))


def test_walk_gives_the_files_alone_and_a_named_file_is_taken_as_it_is(tmp_path):
    touch(tmp_path, "1.png", "a.json", ".x", "in/2")
    (tmp_path / "gone").symlink_to("nowhere")
    assert [path.name for path in walk(tmp_path)] == ["a.json", "1.png", "2"]
    named = [tmp_path / "a.json", tmp_path / ".x", tmp_path / "gone"]
    assert list(iter_found(named)) == named
