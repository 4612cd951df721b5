"""Damaged and hostile films: each with its reason, none with a crash, a hang, or a way out."""

import os
import signal
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from dfcore.errors import FilmError
from dfcore.films import Sampling, open_film, reader
from dfcore.films.facts import FilmFacts
from tests.made_films import film, write
from tests.security import hostile_films
from tests.security.hostile_films import moov_first, odd, refused, truncated

# Longer than a second only where another process has both cores.
_SECONDS = 10
_ALL = Sampling("frames", 1)


def _told(path: Path) -> tuple[str, int]:
    """The reason, or the notes; and how many frames were read. Checks that it took no longer than allowed."""
    began, frames = time.monotonic(), 0
    try:
        with open_film(path) as one:
            frames = sum(1 for _ in one.frames(_ALL))
            assert one.ending is not None
            words = " ".join(one.ending.notes)
    except FilmError as error:
        words = str(error)
        assert words.endswith(".") and "process ended" not in words and "wrong answer" not in words, words
    assert time.monotonic() - began < _SECONDS
    return words, frames


def test_hostile_films_are_refused_with_their_reason_and_reach_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        for name, content, reason in refused(f"http://127.0.0.1:{server.getsockname()[1]}/film.ts"):
            with pytest.raises(FilmError, match=reason), open_film(write(tmp_path, content)) as one:
                list(one.frames(_ALL))
                pytest.fail(name)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.slow
def test_absurd_statements_harm_nothing(tmp_path: Path) -> None:
    read = {name: _told(write(tmp_path, content)) for name, content in odd()}
    # What is absurd in a header that nothing depends on is passed over.
    assert read["absurd rate of an AVI"] == ("", 20) and read["AVI of absurd size"] == ("", 20)
    assert "passed over" in read["noise among the frames"][0] and 0 < read["noise among the frames"][1] < 20
    assert "cinepak" in read["codec out of use"][0]
    assert all(words or frames == 20 for words, frames in read.values())


def test_a_film_cut_off_among_its_frames_is_read_up_to_there(tmp_path: Path) -> None:
    content = moov_first(film(40))
    whole = _told(write(tmp_path, content))
    words, frames = _told(write(tmp_path, content[: -len(content) // 3]))
    assert whole == ("", 40) and 10 < frames < 40 and "its end may be missing" in words


@pytest.mark.slow
@pytest.mark.parametrize("arranged", [bytes, moov_first])
def test_films_cut_off_anywhere(tmp_path: Path, arranged) -> None:
    for name, content in truncated(arranged(film())):
        words, frames = _told(write(tmp_path, content))
        assert words or frames == 20, name


@pytest.mark.slow
@pytest.mark.parametrize("container", ["mp4", "matroska", "avi", "mpegts", "flv", "asf", "mpeg", "mxf"])
def test_films_with_random_damage(tmp_path: Path, container: str) -> None:
    codec = {"mp4": "libx264", "matroska": "libx264", "flv": "libx264", "asf": "msmpeg4"}.get(container, "mpeg2video")
    sound = np.frombuffer(film(container=container, codec=codec, rate=25), np.uint8)
    for seed in range(12):
        draw = np.random.default_rng(seed)
        damaged = sound.copy()
        places = draw.integers(0, len(sound) if seed % 2 else min(len(sound), 2000), int(draw.integers(1, 60)))
        damaged[places] = draw.integers(0, 256, len(places), np.uint8)
        _told(write(tmp_path, damaged.tobytes()))


def _interfere(number: int) -> None:
    """Sends a signal to the process of the film that is open."""
    (child,) = [int(pid.name) for pid in Path("/proc").iterdir() if pid.name.isdigit() and _is_ours(pid)]
    os.kill(child, number)


def _is_ours(pid: Path) -> bool:
    try:
        mine = f"\nPPid:\t{os.getpid()}\n" in (pid / "status").read_text()
        return mine and b"dfcore.films.child" in (pid / "cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="finds the process in /proc")
def test_a_process_that_hangs_or_dies_ends_the_film_and_keeps_what_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, film(60))
    ends = {signal.SIGSTOP: "no further frame within", signal.SIGKILL: "was killed", signal.SIGSEGV: "so badly"}
    for number, reason in ends.items():
        with open_film(path) as one:
            frames = one.frames(_ALL)
            read = [next(frames) for _ in range(3)]
            monkeypatch.setattr(reader, "PATIENCE_SECONDS", 1.0)
            _interfere(number)
            with pytest.raises(FilmError, match=reason):
                read += list(frames)
        assert len(read) >= 3
        monkeypatch.undo()


def test_the_process_may_open_nothing_and_ends_with_its_film(tmp_path: Path) -> None:
    with open_film(write(tmp_path, film(3))) as one:
        (child,) = [pid for pid in Path("/proc").iterdir() if pid.name.isdigit() and _is_ours(pid)]
        limits = (child / "limits").read_text()
        most_open = int(limits.split("Max open files")[1].split()[0])
        assert most_open <= 8 and "Max file size             0 " in limits
        assert (child / "environ").read_bytes().count(b"TOKEN") == 0
        names = {str(link.readlink()) for link in (child / "fd").iterdir()}
        assert str(one.path.resolve()) in names
    assert not child.exists()


@pytest.mark.parametrize(
    "forged",
    [
        {"shape": [96, 128, 4]},
        {"shape": [96, 129, 3]},
        {"shape": [-96, -128, 3]},
        {"shape": [96, 128]},
        {"position": {"index": 0, "frame": 0, "seconds": float("nan"), "pts": 0, "exact": True}},
        {"position": {"index": 5, "frame": 0, "seconds": 0.0, "pts": 0, "exact": True}},
        {"position": {"index": 0, "frame": -1, "seconds": 0.0, "pts": 0, "exact": True}},
        {"position": [0]},
    ],
)
def test_forged_answers_are_refused(tmp_path: Path, forged: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_film(write(tmp_path, film(3))) as one:
        honest = one._process.ask

        def ask(request: dict) -> tuple[dict, bytes]:
            answer, content = honest(request)
            return ({"sample": answer["sample"] | forged} if "sample" in answer else answer), content

        monkeypatch.setattr(one._process, "ask", ask)
        with pytest.raises(FilmError, match="wrong answer"):
            next(one.frames(_ALL))


def test_forged_facts_are_refused(tmp_path: Path) -> None:
    with open_film(write(tmp_path, film(3))) as one:
        told = one.facts.to_dict()
    for name, value in (
        ("width", 0), ("width", 1.5), ("frames", -1), ("seconds", float("inf")), ("rate", "25"), ("hdr", "<b>"),
        ("rotation", 45), ("notes", 5), ("bit_depth", True),
    ):  # fmt: skip
        with pytest.raises((KeyError, TypeError, ValueError)):
            FilmFacts.understood(told | {name: value}, 1)
    notes = FilmFacts.understood(told | {"notes": ["a\x1b[31m" * 200] * 90}, 1).notes
    assert len(notes) == 20 and all(len(note) <= 300 and "\x1b" not in note for note in notes)


def test_many_films_at_once_do_not_hinder_each_other(tmp_path: Path) -> None:
    path, found = write(tmp_path, film(30)), []

    def read() -> None:
        with open_film(path) as one:
            found.append(sum(1 for _ in one.frames(_ALL)))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [30] * 4


def test_deep_boxes_are_made_as_meant() -> None:
    assert hostile_films.deep(2)[16:] == b"\0\0\0\x10moov\0\0\0\x08moov"
