"""Metadata are read in a process of their own, which opens nothing; hostile ones cost bounded time and memory."""

import contextlib
import random
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from dfcore.errors import ImageError
from dfcore.imaging.sandbox import pool
from dfcore.provenance import Evidence, read_evidence, reader
from dfcore.provenance.parse import parse
from dfcore.utils.texts import printable
from tests.certificates import EMPTY, action, certificates, signed
from tests.security import hostile_images, hostile_metadata
from tests.unit import test_provenance as files
from tests.unit.test_credentials import picture

ROOT = Path(__file__).parents[2]
MB = 2**20
linux = pytest.mark.skipif(sys.platform != "linux", reason="the limits of processes are Linux's")


@pytest.fixture
def own_pool(monkeypatch) -> Iterator[Callable[..., pool.Pool]]:
    """A pool of the test's own; `changes` are to its service."""
    made: list[pool.Pool] = []

    def make(**changes) -> pool.Pool:
        made.append(pool.Pool(1, replace(reader._SERVICE, **changes)))
        monkeypatch.setattr(reader, "_pool", lambda: made[-1])
        return made[-1]

    yield make
    for one in made:
        for process in one._started:
            process.end()


@pytest.fixture
def changed(own_pool, monkeypatch, tmp_path) -> Callable[[str], pool.Pool]:
    """Puts `provenance.child` with something changed in its place."""

    def put(change: str) -> pool.Pool:
        text = f"from dfcore.provenance import child\n{change}\nif __name__ == '__main__':\n    child.main()\n"
        (tmp_path / "changed_metadata_child.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return own_pool(module="changed_metadata_child")

    return put


def process_of(one: pool.Pool) -> psutil.Process:
    return psutil.Process(one._idle.queue[-1]._process.pid)


def outcome(data: bytes) -> Evidence | str:
    try:
        return read_evidence(data)
    except ImageError as error:
        return str(error)


# === Nothing is fetched, nothing is opened ===


@linux
def test_the_process_can_open_nothing_and_has_no_connection(own_pool):
    one = own_pool()
    remote = signed(picture(), certificates(), [action("c2pa.created", EMPTY)], remote="http://127.0.0.1:9/x.c2pa")
    for data in (picture(), picture("PNG"), remote):
        read_evidence(data)
        process = process_of(one)
        soft, hard = process.rlimit(psutil.RLIMIT_NOFILE)
        assert soft == hard == process.num_fds(), "every number below the limit is taken"
        assert process.net_connections() == []
        assert process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
        assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)


OPENINGS = {
    "socket": "import socket\nopen_it = lambda: socket.socket()",
    "native socket": "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\ndef open_it():\n"
    "    if libc.socket(2, 1, 0) < 0: raise OSError(ctypes.get_errno(), 'refused')",
    "file": "open_it = lambda: open('/etc/passwd')",
    "pipe": "import os\nopen_it = os.pipe",
    "process": "import subprocess\nopen_it = lambda: subprocess.run(['true'])",
}


@linux
@pytest.mark.parametrize("what", OPENINGS)
def test_whoever_takes_the_process_over_can_open_nothing(what):
    code = f"""
from dfcore.utils.processes import forbid_opening
{OPENINGS[what]}
try: open_it()
except OSError: raise SystemExit("refused before")
forbid_opening()
try: open_it()
except OSError as error: print("refused:", error)
else: print("opened")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("refused"), done.stdout + done.stderr


def test_a_listener_hears_nothing_of_a_credential_that_is_kept_elsewhere():
    """By default c2pa-python would fetch it: here nobody calls."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x.c2pa"
        data = signed(picture(), certificates(), [action("c2pa.created", EMPTY)], remote=address)
        assert "not fetched" in read_evidence(data).summary
        with pytest.raises(TimeoutError):
            server.accept()


@linux
def test_the_process_knows_no_secret_and_no_tensorflow(own_pool, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    one = own_pool()
    read_evidence(picture())
    process = process_of(one)
    assert "s3cr3t" not in str(process.environ())
    loaded = {Path(result.path).as_posix() for result in process.memory_maps()}
    assert not [path for path in loaded if any(name in path for name in ("tensorflow", "keras", "h5py", "pyarrow"))]


# === One process, on demand ===


def test_one_process_serves_all_and_ends_when_idle(own_pool):
    one = own_pool(idle_seconds=0.5)
    assert one._started == []
    read_evidence(picture())
    first = process_of(one)
    read_evidence(picture("PNG"))
    assert process_of(one).pid == first.pid
    gone, _ = psutil.wait_procs([first], timeout=60)
    assert gone
    assert read_evidence(picture()).summary


def test_all_that_wait_too_long_are_ended_and_the_order_stays():
    several, ended = pool.Pool(3, pool._DECODING), []
    some = [
        SimpleNamespace(last_used=time.monotonic() - ago, end=lambda ago=ago: ended.append(ago)) for ago in (100, 0, 99)
    ]
    several._idle.queue[:] = some
    several._end_idle(60)
    assert sorted(ended) == [99, 100]
    assert several._idle.queue == [None, some[1], None]


def test_decoding_processes_are_not_ended_when_idle():
    assert pool._DECODING.idle_seconds is None


# === Failures are told ===


@linux
@pytest.mark.slow
def test_too_much_time_and_memory_are_told_and_the_next_file_is_read(changed):
    one = changed(
        "child.CPU_SECONDS = 1\nreal = child.parse\n"
        "def slow(data, trust=''):\n"
        "    if data[-1:] == b's':\n"
        "        while True: pass\n"
        "    if data[-1:] == b'm': bytearray(2**31)\n"
        "    if data[-1:] == b'e': raise KeyError('odd')\n"
        "    return real(data, trust)\n"
        "child.parse = slow"
    )
    slow = outcome(picture() + b"s")
    assert slow == "Reading the metadata took more processor time than an image may take; it was given up."
    assert outcome(picture() + b"m") == "There was not enough memory to read the file's metadata."
    assert "its process ended" in str(outcome(picture() + b"e"))
    assert isinstance(outcome(picture()), Evidence)
    assert len([process for process in one._started if process.alive]) == 1


ANSWERS = {
    "no-text": "{}, b''",
    "no-json": "{'text': 3}, b'abc'",
    "other-shape": "{'text': 2}, b'[]'",
    "unknown-state": "{'text': len(bad)}, bad",
    "thumbnail-lies": "{'text': len(small)}, small",
    "length-lies": "{'text': 10**9}, b'{}'",
}


@linux
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_process_that_was_taken_over_can_at_most_fail_its_file(changed, answer):
    changed(f"""
import os, sys
from dfcore.imaging.sandbox.protocol import receive, send
def main():
    answers = os.fdopen(os.dup(1), "wb")
    bad = b'{{"credentials": {{"state": "certainly"}}}}'
    small = b'{{"thumbnail": {{"width": 100, "height": 100}}}}'
    while True:
        receive(sys.stdin.buffer)
        send(answers, {ANSWERS[answer]})
child.main = main
""")
    assert "wrong answer" in str(outcome(picture()))


# === Hostile metadata ===


@pytest.mark.slow
def test_every_hostile_file_is_read_or_refused_in_bounded_time_and_memory(own_pool):
    one = own_pool()
    files = most = 0
    for item in hostile_metadata.corpus():
        began = time.monotonic()
        result = outcome(item.data)
        # Six seconds of processor time are allowed; the machine may be busy with others.
        assert time.monotonic() - began < 30, item.name
        files += 1
        if isinstance(result, str):
            assert printable(result) == result, item.name
            assert "its process ended" not in result, item.name
            continue
        most = max(most, process_of(one).memory_info().rss)
        texts = [
            result.summary,
            *result.unreadable,
            *(text for entries in result.metadata.values() for pair in entries.items() for text in pair),
        ]
        assert all(printable(text) == text for text in texts), item.name
        assert len(str(result.to_dict())) < 2 * MB, item.name
        if item.kind != "generator":
            assert result.declares_generated is None, item.name
    assert files > 100
    assert most < 500 * MB


def _mutated(data: bytes, generator: random.Random) -> bytes:
    """The file with a few bytes changed, removed or added, more often near its start, where metadata stand."""
    result = bytearray(data)
    for _ in range(generator.choice((1, 1, 2, 5, 20))):
        place = generator.randrange(min(len(result), generator.choice((60, 600, 10**6))))
        match generator.randrange(5):
            case 0:
                del result[place : place + generator.randrange(1, 30)]
            case 1:
                result[place:place] = generator.randbytes(generator.randrange(1, 20))
            case _:
                result[place] = generator.choice((0, 1, 127, 128, 255, generator.randrange(256)))
        if not result:
            break
    return bytes(result) or b"x"


def test_damaged_files_are_read_or_refused_and_nothing_else():
    """In this process, so that an exception that nobody foresaw shows itself."""
    generator, own = random.Random(0), certificates()
    tags = files.exif({0x010F: "C"}, {0x9286: b"ASCII\0\0\0" + files.A1111.encode()}, {1: "N", 2: (1.0, 2.0, 3.0)})
    packet = files.xmp(files.source_type("digitalCapture"))
    sound = [
        files.png({"parameters": files.A1111}), files.png(files.PROMPTS["ComfyUI"][0]), files.png(files.NOVELAI),
        files.encoded("JPEG", exif=tags, xmp=packet), files.with_thumbnail(files.drawn(64, 48), files.drawn(160, 120)),
        files.with_iptc({110: "x", 120: "yy"}), files.encoded("WEBP", exif=tags, xmp=packet),
        files.encoded("TIFF", tiffinfo={700: packet}), files.encoded("GIF", comment=b"x"),
        files.encoded("AVIF", exif=tags), files.stealth(files.A1111, "alpha", True),
        signed(picture(), own, [action("c2pa.created", EMPTY)]),
        signed(picture("PNG"), own, [action("c2pa.created", EMPTY)], "image/png"),
    ]  # fmt: skip
    read = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # As in a process that is no test.
        for _ in range(1_500):
            with contextlib.suppress(ImageError):
                read += isinstance(parse(_mutated(generator.choice(sound), generator)), Evidence)
    assert read > 700


@pytest.mark.slow
def test_images_made_for_decoders_harm_no_reader_of_metadata(own_pool):
    own_pool()
    ended = [item.name for item in hostile_images.corpus()
             if len(item.data) <= 100_000 and "its process ended" in str(outcome(item.data))]  # fmt: skip
    assert not ended
