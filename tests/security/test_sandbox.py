"""Decoding in processes of their own: the same answers as here, and a hostile file fails alone."""

import io
import itertools
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from dfcore.detectors.detector import Detector
from dfcore.engines import KerasEngine
from dfcore.errors import ImageError
from dfcore.imaging import decoder, sandbox
from dfcore.imaging.preprocess import PreprocessSpec, Resize
from dfcore.imaging.sandbox import pool, protocol
from dfcore.imaging.signature import signature
from tests.conftest import make_card, untrained
from tests.security import hostile_images as hostile

ROOT = Path(__file__).parents[2]
MB = 2**20
linux = pytest.mark.skipif(sys.platform != "linux", reason="the limits of processes are Linux's")
SPECS = [
    PreprocessSpec(32, "stretch"),
    PreprocessSpec(48, "fit_crop"),
    PreprocessSpec(16, "native_crop"),
    PreprocessSpec(16, "stretch", ("native", "native_br")),
]


def picture(width: int = 40, height: int = 30, seed: int = 0, kind: str = "PNG", **options) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def flat(width: int, height: int, colour: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (colour, colour, colour)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@pytest.fixture
def own_pool(monkeypatch) -> Iterator[Callable[[int], pool.Pool]]:
    """Gives a test a pool of its own, whose processes end with it."""
    made: list[pool.Pool] = []

    def make(size: int = 1) -> pool.Pool:
        made.append(pool.Pool(size, pool._DECODING))
        monkeypatch.setattr(pool, "_pool", lambda: made[-1])
        return made[-1]

    yield make
    for one in made:
        for process in {*one._started, *(p for p in one._idle.queue if p is not None)}:
            process.end()


@pytest.fixture
def child(monkeypatch, tmp_path) -> Callable[[str], None]:
    """Puts another module in the place of the decoding process: `sandbox.child` with something changed."""

    def put(change: str) -> None:
        imports = "import time\nfrom dfcore.imaging import decoder\nfrom dfcore.imaging.sandbox import child"
        text = f"{imports}\n{textwrap.dedent(change)}"
        (tmp_path / "changed_child.py").write_text(f"{text}\nif __name__ == '__main__':\n    child.main()\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(pool, "_DECODING", replace(pool._DECODING, module="changed_child"))

    return put


def process_of(one: pool.Pool) -> psutil.Process:
    """The process that will be asked next."""
    return psutil.Process(one._idle.queue[-1]._process.pid)


def facts_here(data):
    """What a decoding process should answer."""
    return replace(decoder.describe(data), pixels_sha256=decoder.pixels_digest(decoder.decode(data)))


# === The same as here ===

SOUND = {item.name: item for item in hostile.sound() if len(item.data) < MB}


@pytest.mark.parametrize("name", SOUND)
def test_every_format_gives_the_same_pixels_and_facts_as_in_this_process(name):
    data = SOUND[name].data
    here = decoder.decode(data)
    np.testing.assert_array_equal(sandbox.decode(data), here)
    facts = facts_here(data)
    assert sandbox.check(data) == facts
    for number, spec in enumerate(SPECS):
        result = sandbox.prepare(data, [spec], 7 * number, signed=bool(number))
        np.testing.assert_array_equal(result.inputs[spec], spec.apply(here))
        assert result.facts == facts
        assert (result.signature.to_bytes() if result.signature else None) == (
            signature(here).to_bytes() if number else None
        )


def test_facts_are_the_same_for_strange_metadata():
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker\x00\u202e\ud83d of <b>cameras</b>".encode("utf-8", "replace").decode(), 6
    exif.get_ifd(0x8825)[1] = "N"
    data = picture(kind="JPEG", exif=exif, quality=31)
    facts = sandbox.check(data)
    assert sandbox.check(data) == facts_here(data)
    assert (facts.width, facts.height) == (30, 40)
    assert facts.exif
    assert facts.jpeg_quality


def outcome(read: Callable[[bytes], object], data: bytes) -> str:
    try:
        read(data)
    except ImageError as error:
        return str(error)
    return "sound"


def in_this_process(data: bytes) -> None:
    with warnings.catch_warnings():
        # As in a process that is no test: only this one is an error.
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
        facts_here(data)
        decoder.decode(data)


@pytest.mark.parametrize("family", ["truncated", "mutated", "foreign", "bmp_headers"])
def test_errors_are_the_same_texts_as_in_this_process(family):
    result = [(item.name, outcome(in_this_process, item.data), outcome(sandbox.check, item.data))
             for item in getattr(hostile, family)()]  # fmt: skip
    assert len(result) > 10
    assert [(name, there) for name, _, there in result] == [(name, here) for name, here, _ in result]


@pytest.mark.parametrize("read", [sandbox.check, sandbox.decode, lambda data: sandbox.prepare(data, SPECS[:1])])
def test_what_is_empty_or_too_large_is_refused_without_a_process(read, monkeypatch):
    monkeypatch.setattr(pool, "_pool", lambda: pytest.fail("a process was asked"))
    assert outcome(read, b"") == "The file is empty (0 bytes)."
    monkeypatch.setattr(decoder, "MAX_BYTES", MB)
    assert "larger than the limit of 1 MB" in outcome(read, bytes(MB + 1))


# === Sizes ===

SIZES = [(1, 1), (33, 17), (17, 33), (100, 99), (101, 3), (3, 101), (257, 255), (640, 1), (1, 640), (199, 300)]


@pytest.mark.parametrize("most", [1, 2, 7, 32, 33, 100, 1000])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_shrunk_picture_keeps_its_proportions(size, most):
    width, height = size
    pixels = sandbox.decode(picture(width, height), most)
    factor = min(1.0, most / max(size))
    assert pixels.shape == (max(1, round(factor * height)), max(1, round(factor * width)), 3)
    assert max(pixels.shape[:2]) == min(most, max(size))


def test_a_picture_that_is_small_enough_is_left_as_it_is():
    data = picture(40, 30)
    for most in (None, 40, 41):
        np.testing.assert_array_equal(sandbox.decode(data, most), decoder.decode(data))


@pytest.fixture(scope="module", params=["stretch", "fit_crop", "native_crop"])
def explaining(request, tmp_path_factory) -> Detector:
    """A detector for each way to fit an image to its square."""
    resize: Resize = request.param
    model = untrained(0)
    return Detector(make_card(preprocess={"size": 32, "resize": resize}), KerasEngine(model), model)


@pytest.mark.parametrize("most", [7, 33, 100, None])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_heat_map_is_as_large_as_the_picture_that_it_lies_over(explaining, size, most):
    data = picture(*size)
    result = explaining.explain(data, max_side=most)
    assert result.values.shape == sandbox.decode(data, most).shape[:2]


# === Its own process ===


def test_one_process_serves_one_image_after_another(own_pool):
    one = own_pool()
    assert one._started == [], "none is started before it is needed"
    sandbox.check(picture())
    first = process_of(one).pid
    for seed in range(5):
        sandbox.check(picture(seed=seed))
    assert outcome(sandbox.check, b"no image") != "sound"
    assert process_of(one).pid == first


# Seconds after which something that never comes is given up; nothing that is as it should be waits so long.
LONG = 120


def wait_until(true: Callable[[], object]) -> None:
    until = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.01)


def ask_while_stopped(one: pool.Pool, then: Callable[[psutil.Process], None]) -> str:
    """What is told of an image whose process stands still, and then something happens."""
    asked, process = one._idle.queue[-1], process_of(one)
    process.suspend()
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(outcome, sandbox.check, picture(seed=1))
        wait_until(lambda: asked.deadline is not None)
        assert not answer.done()
        then(process)
        return answer.result(LONG)


def test_a_process_that_is_killed_in_the_middle_fails_its_image_alone_and_is_replaced(own_pool):
    one = own_pool()
    sandbox.check(picture())
    answer = ask_while_stopped(one, lambda process: process.kill())
    assert answer.startswith("The decoding process was killed")
    before = {process._process.pid for process in one._started}
    assert sandbox.check(picture()) == facts_here(picture())
    assert process_of(one).pid not in before


def test_a_process_that_ends_by_itself_is_not_taken_for_one_that_was_killed(own_pool, child):
    child("decoder._load = lambda image, **options: 1 / 0")
    own_pool()
    assert "its process ended (code 1)" in outcome(sandbox.check, picture())


def test_a_process_that_died_between_two_images_costs_none(own_pool):
    one = own_pool()
    sandbox.check(picture())
    dead = process_of(one)
    dead.kill()
    psutil.wait_procs([dead], timeout=LONG)
    assert sandbox.check(picture()) == facts_here(picture())


def test_a_process_that_is_silent_is_given_up(own_pool, monkeypatch):
    one = own_pool()
    sandbox.check(picture())
    with monkeypatch.context() as patched:
        patched.setattr(pool, "_PATIENCE_SECONDS", 1.0)
        assert "no result within 1 s; it was given up" in ask_while_stopped(one, lambda _: None)
    assert sandbox.check(picture()) == facts_here(picture())


@linux
def test_too_much_processor_time_is_told_and_costs_that_image_alone(own_pool, child):
    child("child.CPU_SECONDS = 0")
    own_pool()
    bomb = next(item.data for item in hostile.jpeg_scans() if "7000-of-3000" in item.name)
    assert outcome(sandbox.check, bomb) == "Decoding took more processor time than an image may take; it was given up."
    assert sandbox.check(picture()) == facts_here(picture())


LONG_LIFE = """
import resource, time
from dfcore.utils.processes import limit_time
told, start = resource.getrusage, resource.getrusage(resource.RUSAGE_SELF)
resource.getrusage = lambda who: start  # It tells less than the kernel counts, as on a busy machine.
for image in range(12):
    limit_time(1)
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
print("alive", flush=True)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import signal
signal.signal(signal.SIGPROF, signal.SIG_IGN)  # As a file that has taken over the process could.
limit_time(1)
while True:
    pass
"""


@linux
def test_processor_time_is_counted_for_each_image_however_many_there_were_before():
    done = subprocess.run([sys.executable, "-c", LONG_LIFE], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.returncode) == ("alive\n", -signal.SIGXCPU), done.stderr


@linux
def test_processor_time_is_counted_for_each_image_anew(own_pool, child):
    """What is left of it, told by the process: it runs down within an image, and is whole again for the next one."""
    child("""
        import resource, signal, struct
        import numpy
        child.CPU_SECONDS = 1000
        def left():
            used = resource.getrusage(resource.RUSAGE_SELF)
            limit = resource.getrlimit(resource.RLIMIT_CPU)[0]
            return signal.getitimer(signal.ITIMER_PROF)[0], limit - used.ru_utime - used.ru_stime
        def slow(image, **options):
            before = left()
            while left()[0] > before[0] - 0.05: pass
            times = struct.pack("dddd", *before, *left()).ljust(33)
            return numpy.frombuffer(times, numpy.uint8).reshape(1, 11, 3)
        decoder._load = slow
    """)
    own_pool()
    answers = [sandbox.decode(picture(seed=seed)).tobytes()[:32] for seed in range(5)]
    of_images = [struct.unpack("dddd", answer) for answer in answers]
    for timer, limit, *_ in of_images:
        assert timer > 0
        assert limit >= 1000, "the limit behind the timer grows with what the images before took"
    for (timer, _, timer_after, _), (timer_of_next, *_) in itertools.pairwise(of_images):
        assert timer_after < timer
        assert timer_of_next > timer_after


@linux
def test_too_much_memory_is_told_and_the_process_goes_on(own_pool, child):
    child(f"child.MEMORY_BYTES = child.LARGE_MEMORY_BYTES = {60 * MB}")
    one = own_pool()
    sandbox.check(picture())
    before = process_of(one).pid
    assert outcome(sandbox.decode, flat(6000, 6000)) == "There was not enough memory to decode the image."
    assert sandbox.check(picture()) == facts_here(picture())
    assert process_of(one).pid == before


def test_the_largest_image_that_is_allowed_fits_into_the_memory_that_is(own_pool):
    own_pool()
    assert sandbox.check(flat(7000, 7000)).width == 7000


@linux
def test_the_process_may_write_no_file_and_leaves_no_core(own_pool):
    one = own_pool()
    sandbox.check(picture())
    process = process_of(one)
    assert process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    soft, hard = process.rlimit(psutil.RLIMIT_AS)
    assert 0 < soft <= hard < 4096 * MB
    assert 0 < process.rlimit(psutil.RLIMIT_CPU)[0] < 60


@linux
def test_a_process_that_may_write_no_file_writes_none(tmp_path):
    code = f"""
from dfcore.utils.processes import forbid_files
forbid_files()
with open({str(tmp_path / "written")!r}, "wb") as file:
    file.write(b"evil")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "File too large" in done.stderr
    assert not (tmp_path / "written").exists() or (tmp_path / "written").stat().st_size == 0


@linux
def test_the_process_knows_no_secret_and_no_tensorflow(own_pool, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    monkeypatch.setenv("DATABASE_URL", "postgres://ada:s3cr3t@host")
    one = own_pool()
    sandbox.decode(picture())
    process = process_of(one)
    assert "s3cr3t" not in str(process.environ())
    loaded = {Path(result.path).as_posix() for result in process.memory_maps()}
    assert any("numpy" in path for path in loaded)
    assert not [path for path in loaded if any(name in path for name in ("tensorflow", "keras", "h5py", "pyarrow"))]
    assert not [file for file in process.open_files() if not file.path.startswith("/dev")]
    assert process.net_connections() == []


@linux
def test_the_process_ends_when_the_workbench_does(tmp_path):
    """However it ends: nobody is left behind."""
    code = f"""
import sys, time
from dfcore.imaging import sandbox
from dfcore.imaging.sandbox import pool
sandbox.check({picture()!r})
print(pool._pool()._idle.queue[-1]._process.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        orphan = psutil.Process(pid)
        parent.send_signal(signal.SIGKILL)
    gone, _ = psutil.wait_procs([orphan], timeout=LONG)
    assert gone


# === Many at once ===


def test_many_threads_get_their_own_answers(own_pool):
    own_pool(3)
    colours = list(range(1, 121))
    pictures = {colour: flat(colour, 5, colour) for colour in colours}
    order = np.random.default_rng(0).permutation(np.repeat(colours, 3)).tolist()

    def right(colour: int) -> bool:
        if colour % 7 == 0:
            return outcome(sandbox.check, pictures[colour][:-40]) != "sound"
        result = sandbox.decode(pictures[colour])
        return result.shape == (5, colour, 3) and bool((result == colour).all())

    with ThreadPoolExecutor(24) as threads:
        assert all(threads.map(right, order))


def test_threads_that_start_together_share_one_pool(monkeypatch):
    """Each pool has processes of its own: two of them would take twice the memory, and one would never end."""
    made, together = [], threading.Barrier(8)

    class Made(pool.Pool):
        def __init__(self, size: int, service: pool.Service):
            made.append(self)
            time.sleep(0.05)  # As on a busy machine.
            super().__init__(size, service)

    monkeypatch.setattr(pool, "Pool", Made)
    monkeypatch.setattr(pool, "_shared", None)
    monkeypatch.setattr(pool.atexit, "register", lambda _: None)

    def first_asked(_) -> pool.Pool:
        together.wait(LONG)
        return pool._pool()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(first_asked, range(8))) == {made[0]}
    assert len(made) == 1


def test_every_process_of_a_pool_is_watched(own_pool, monkeypatch):
    """However many threads start theirs at the same moment."""
    one, together, alive = own_pool(8), threading.Barrier(8), pool._Process.alive

    def slowly(process) -> bool:
        time.sleep(0.02)  # As on a busy machine.
        return alive.fget(process)

    monkeypatch.setattr(pool._Process, "alive", property(slowly))

    def work(seed: int) -> None:
        together.wait(LONG)
        sandbox.check(picture(seed=seed))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    at_hand = {process for process in one._idle.queue if process is not None}
    assert at_hand <= set(one._started)


# A small image waits for a second one to come; a large one looks for a while whether another is at work beside it.
MEETING = """
import os, pathlib
import numpy
child.LARGE_PIXELS = 1000
folder = pathlib.Path({folder!r})
def meet(image, **options):
    large = image.width >= 100
    mark = folder / f"{{image.width}}-{{os.getpid()}}-{{time.monotonic_ns()}}"
    mark.touch()
    until = time.monotonic() + (0.3 if large else {patience})
    while not (met := len(list(folder.glob(f"{{image.width}}-*"))) > 1) and time.monotonic() < until:
        time.sleep(0.01)
    if large:
        mark.unlink()
    return numpy.full((1, 1, 3), met, numpy.uint8)
decoder._load = meet
"""


def met(width: int) -> list[bool]:
    """Whether each of four images of a width met another one while it was decoded."""
    data = [flat(width, 10, colour) for colour in range(4)]
    with ThreadPoolExecutor(4) as threads:
        return [bool(result.max()) for result in threads.map(sandbox.decode, data)]


@linux
def test_large_images_are_decoded_one_at_a_time_and_small_ones_beside_each_other(own_pool, child, tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    child(MEETING.format(folder=str(folder), patience=LONG / 3))
    own_pool(4)
    assert met(99) == [True] * 4
    assert met(100) == [False] * 4


@linux
def test_a_large_image_has_its_turn_while_small_ones_keep_coming(own_pool, child):
    """Somebody's photograph does not wait for the end of somebody else's data set."""
    child("child.LARGE_PIXELS, real = 1000, decoder._load\n"
          "decoder._load = lambda image, **options: (time.sleep(0.05), real(image, **options))[1]")  # fmt: skip
    own_pool(4)
    enough, under_way = threading.Event(), threading.Semaphore(0)

    def keep_coming(seed: int) -> None:
        while not enough.is_set():
            sandbox.check(flat(9, 9, seed))
            under_way.release()

    with ThreadPoolExecutor(4) as threads:
        small = [threads.submit(keep_coming, seed) for seed in range(3)]
        for _ in range(9):
            assert under_way.acquire(timeout=LONG)
        try:
            assert threads.submit(sandbox.check, flat(100, 100)).result(LONG).width == 100
        finally:
            enough.set()
    assert [one.result(LONG) for one in small] == [None] * 3


@linux
def test_a_large_image_that_ends_its_process_lets_the_next_one_in(own_pool, child):
    child("""
        import os
        child.LARGE_PIXELS, real = 1000, decoder._load
        decoder._load = lambda image, **options: os._exit(7) if image.width == 51 else real(image, **options)
    """)
    own_pool(2)
    assert "its process ended (code 7)" in outcome(sandbox.check, flat(51, 50))
    assert sandbox.check(flat(50, 50)).width == 50


# === What they say ===

WRONG = [b"no json\n", b"[]\n", b"3\n", b"null\n", b"{}\n", b'{"bytes": -1}\n', b'{"bytes": "3"}\n',
         b'{"bytes": 1e9}\n', b'{"bytes": 268435457}\n', b"[" * 100_000 + b"\n"]  # fmt: skip


@pytest.mark.parametrize("line", WRONG, ids=lambda line: line[:20].decode().strip())
def test_an_answer_in_another_language_is_told_apart(line):
    with pytest.raises(ValueError):
        protocol.receive(io.BytesIO(line))


BROKEN_OFF = [b"", b"{", b'{"bytes": 3}\nab', b'{"bytes": 1}\n', b"x" * (1 << 20)]


@pytest.mark.parametrize("line", BROKEN_OFF, ids=lambda line: line[:20].decode().strip() or "nothing")
def test_an_answer_that_breaks_off_is_told_apart(line):
    with pytest.raises(EOFError):
        protocol.receive(io.BytesIO(line))


def test_a_message_comes_as_it_was_sent():
    stream = io.BytesIO()
    protocol.send(stream, {"want": "check", "text": "ä\n\u202e"}, b"\n{}\n\0")
    stream.seek(0)
    assert protocol.receive(stream) == ({"want": "check", "text": "ä\n\u202e"}, b"\n{}\n\0")


@pytest.mark.parametrize("boxes", [[], [(0, 0, 40, 30)], [(3, 4, 23, 24), (0, 0, 1, 1), (20, 10, 40, 30)]])
def test_parts_are_prepared_from_their_own_pixels_as_pictures_of_their_own(boxes):
    data = picture(kind="JPEG", quality=70)
    rgb, whole = sandbox.decode(data), sandbox.check(data)
    parts = sandbox.crops(data, boxes, SPECS, 10)
    assert len(parts) == len(boxes)
    for (left, top, right, bottom), part in zip(boxes, parts, strict=True):
        pixels = np.ascontiguousarray(rgb[top:bottom, left:right])
        for spec in SPECS:
            np.testing.assert_array_equal(part.inputs[spec], spec.apply(pixels))
        assert (part.height, part.width) == pixels.shape[:2] and max(part.preview.shape[:2]) <= 10
        assert part.facts.pixels_sha256 == decoder.pixels_digest(pixels) and part.facts.sha256 == ""
        assert part.jpeg_quality == whole.jpeg_quality is not None


@pytest.mark.parametrize("box", [(0, 0, 41, 30), (0, 0, 40, 31), (-1, 0, 4, 4), (4, 4, 4, 8), (9, 9, 8, 12)])
def test_a_part_that_is_not_within_the_picture_is_refused(box):
    with pytest.raises(ImageError, match="Expected a part of 40 x 30 pixels"):
        sandbox.crops(picture(), [(0, 0, 8, 8), box], SPECS, 10)


@linux
@pytest.mark.parametrize("wrong", ["content[:-1]", "content[:20]", "content[:0]", "np.r_[content, content[:1]]",
                                   "np.r_[content[:32], np.full(8, 255, np.uint8), content[40:]]",
                                   "np.r_[content[:32], np.array([20, 20], np.uint32).view(np.uint8), "
                                   "np.zeros(1200, np.uint8), content[232:]]"])  # fmt: skip
def test_a_process_that_was_taken_over_can_tell_no_parts_of_other_sizes(own_pool, child, wrong):
    child(f"""
        import numpy as np
        real = child._answer
        def lying(*arguments):
            facts, content = real(*arguments)
            return facts, np.ascontiguousarray({wrong})
        child._answer = lying
    """)
    own_pool()
    with pytest.raises(ImageError, match="another number of pixels"):
        sandbox.crops(picture(), [(0, 0, 8, 8)], SPECS, 10)


TAKEN_OVER = {
    "no-facts": "{'shape': [1, 1, 3]}, b'abc'",
    "facts-lacking": "{'facts': {'format': 'PNG'}, 'shape': None}, b''",
    "facts-unknown": "{'facts': good | {'evil': 1}, 'shape': None}, b''",
    "other-shape": "{'facts': good, 'shape': [9, 9, 3]}, b'abc'",
    "no-dictionary": None,
    "large-twice": "{'large': True}, b''",
}


@linux
@pytest.mark.parametrize("answer", TAKEN_OVER)
def test_a_process_that_was_taken_over_can_at_most_fail_its_image(own_pool, child, answer):
    said = (
        f"send(answers, {TAKEN_OVER[answer]})" if TAKEN_OVER[answer] else "answers.write(b'[]\\n') and answers.flush()"
    )
    child(f"""
        import dataclasses, os, sys
        from dfcore.imaging.sandbox.protocol import receive, send
        def main():
            answers = os.fdopen(os.dup(1), "wb")
            while True:
                _, data = receive(sys.stdin.buffer)
                good = dataclasses.asdict(facts_here(data)) if data else {{}}
                {said}
        child.main = main
    """)
    own_pool()
    for _ in range(2):
        assert outcome(sandbox.decode, picture()) != "sound"


@linux
def test_what_the_workbench_knows_itself_it_does_not_take_from_a_process(own_pool, child):
    child("""
        real = child._answer
        def lying(*arguments):
            facts, pixels = real(*arguments)
            return facts | {"sha256": "0" * 64, "bytes": 1}, pixels
        child._answer = lying
    """)
    own_pool()
    data = picture()
    facts = sandbox.check(data)
    assert (facts.sha256, facts.bytes) == (facts_here(data).sha256, len(data))


def test_what_a_library_prints_does_not_stand_between_the_answers(own_pool, child):
    child("""
        import os
        real = decoder._load
        def chatty(image, **options):
            print("hello", flush=True)
            os.write(1, b"hello")
            return real(image, **options)
        decoder._load = chatty
    """)
    own_pool()
    assert {outcome(sandbox.check, picture(seed=seed)) for seed in range(3)} == {"sound"}
