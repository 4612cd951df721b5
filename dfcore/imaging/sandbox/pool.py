"""Pools of processes that read untrusted bytes: started on demand, replaced when they die, shared by all threads.

The decoding processes are one pool; `Pool` serves any other `Service` as well.
"""

import atexit
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from dfcore.errors import DfcoreError, ImageError, TransientImageError
from dfcore.imaging import decoder
from dfcore.imaging.decoder import ImageFacts
from dfcore.imaging.prepared import PreparedImage
from dfcore.imaging.preprocess import PreprocessSpec, Region
from dfcore.imaging.sandbox.protocol import receive, send
from dfcore.imaging.signature import SIZE, Signature
from dfcore.utils.files import sha256_bytes
from dfcore.utils.processes import cores, environment
from dfcore.utils.texts import printable

_MOST_PROCESSES = 8
# CPU time is limited in the process itself; this timeout ends a process that hangs.
_PATIENCE_SECONDS = 60.0
_PARTING_SECONDS = 2.0
_MAX_WORDS = 500
# Bytes before the pixels of `prepare`: height and width of the preview, uint32.
_HEADER = 8
WRONG_PIXELS = "The decoding process gave a wrong answer (another number of pixels)."
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Service(Generic[_Answer]):
    """What the processes of a pool do, and how their failures are told.

    Attributes:
        module: Module that is run as the process; it speaks `protocol`.
        title: What the processes do, as the beginning of a sentence: "Decoding".
        name: Their name before "process": "decoding".
        understood: Checks and reads an answer. Gets the answer's line, its content and the bytes that were sent; raises
            AttributeError, KeyError, TypeError or ValueError for what no sound process says, or the error that the
            process told.
        idle_seconds: Seconds after which a process that has nothing to do is ended; None for never.
    """

    module: str
    title: str
    name: str
    understood: Callable[[dict[str, Any], bytes, bytes], _Answer]
    idle_seconds: float | None = None


def check(data: bytes) -> ImageFacts:
    """Decodes an image completely to check that it is valid, and returns its properties.

    Raises:
        ImageError: See `dfcore.imaging.decoder.decode`; also if decoding takes too much time or memory.
    """
    return ask(data, {"want": "check"})[0]


def look(data: bytes) -> tuple[ImageFacts, Signature]:
    """Decodes an image completely and returns its properties and the signature of its pixels.

    Raises:
        ImageError: See `check`.
    """
    facts, content = ask(data, {"want": "look"})
    return facts, _signature(content)


def prepare(
    data: bytes, specs: Sequence[PreprocessSpec], preview_side: int = 0, *, signed: bool = False
) -> PreparedImage:
    """Decodes an image once, for display and for several models.

    Args:
        data: Content of the file.
        specs: Preprocessing of the models.
        preview_side: Maximum side of the preview in pixels; 0 for no preview.
        signed: Whether to make the signature of its pixels as well.

    Raises:
        ImageError: See `check`.
    """
    specs = list(dict.fromkeys(specs))
    request = {"want": "all", "specs": [spec.to_dict() for spec in specs], "most": preview_side, "look": signed}
    facts, content = ask(data, request)
    height, width = content[:_HEADER].view(np.uint32).tolist() if len(content) >= _HEADER else (0, 0)
    of_signature = SIZE if signed else 0
    ends = np.cumsum([_HEADER, of_signature, *(spec.input_bytes for spec in specs), 3 * height * width])
    if len(content) != ends[-1] or max(height, width) > preview_side:
        raise ImageError(WRONG_PIXELS)
    _, looks, *parts, picture, _ = np.split(content, ends)
    inputs = {spec: part.reshape(spec.input_shape) for spec, part in zip(specs, parts, strict=True)}
    preview = picture.reshape(height, width, 3) if preview_side else None
    signature = _signature(looks) if signed else None
    return PreparedImage(facts.width, facts.height, inputs, facts, preview, signature)


def decode(data: bytes, max_side: int | None = None) -> np.ndarray:
    """Decodes an image to RGB uint8 (H, W, 3), downscaled if a side exceeds `max_side` pixels.

    Raises:
        ImageError: See `check`.
    """
    return opened(data, max_side)[1]


def opened(data: bytes, max_side: int | None = None) -> tuple[ImageFacts, np.ndarray]:
    """Like `decode`, with the image's properties."""
    return ask(data, {"want": "picture", "most": max_side})


def part(data: bytes, box: Region) -> np.ndarray:
    """Decodes an image and returns a part of it at its own pixels, RGB uint8 (H, W, 3).

    Args:
        data: Content of the file.
        box: Left, top, right and bottom in pixels; what lies outside of the image is cut off.

    Raises:
        ImageError: See `check`.
    """
    left, top, right, bottom = (max(0, edge) for edge in box)
    pixels = ask(data, {"want": "part", "box": (left, top, right, bottom)})[1]
    if pixels.ndim != 3 or pixels.shape[0] > bottom - top or pixels.shape[1] > right - left:
        raise ImageError(WRONG_PIXELS)
    return pixels


def _signature(content: np.ndarray) -> Signature:
    try:
        return Signature.from_bytes(content.tobytes())
    except ValueError as error:
        raise ImageError(f"The decoding process gave a wrong answer ({error}).") from None


def ask(data: bytes, request: dict[str, Any]) -> tuple[ImageFacts, np.ndarray]:
    """The answer of a decoding process to a request: properties of the file, and what was asked for; see `check`."""
    data = decoder.read_bytes(data)
    return _pool().ask(request, data)


def _understood(answer: dict[str, Any], content: bytes, data: bytes) -> tuple[ImageFacts, np.ndarray]:
    """Parses an answer. Size and hash are computed here: hostile bytes may have taken over the process."""
    if "error" in answer:
        raise ImageError(printable(answer["error"])[:_MAX_WORDS] or "The image cannot be decoded.")
    notes = tuple(printable(note) for note in answer["facts"].pop("notes", ()))
    facts = ImageFacts(**(answer["facts"] | {"notes": notes, "bytes": len(data), "sha256": sha256_bytes(data)}))
    return facts, np.frombuffer(content, np.uint8).reshape(answer["shape"] or (0,))


_DECODING = Service("dfcore.imaging.sandbox.child", "Decoding", "decoding", _understood)


class Pool(Generic[_Answer]):
    """Waiting processes of one service; a thread borrows one and returns it."""

    def __init__(self, size: int, service: Service[_Answer]):
        self._service = service
        self._idle: queue.LifoQueue[_Process | None] = queue.LifoQueue()
        self._room = _Room()
        for _ in range(size):
            self._idle.put(None)  # A slot; its process starts when first borrowed.
        self._started: list[_Process] = []
        self._list = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def ask(self, request: dict[str, Any], data: bytes) -> _Answer:
        """Sends the request to one process and returns its answer.

        Raises:
            ImageError: If the process died, timed out, sent an invalid answer, or told an error.
        """
        process = self._idle.get()
        try:
            if process is not None and not process.alive:
                process.end()  # Killed from outside; closes its pipes.
                process = None
            if process is None:
                process = _Process(self._service)
                with self._list:
                    self._started = [*(other for other in self._started if other.alive), process]
            return process.ask(request, data, self._room)
        finally:
            try:
                if process is not None and not process.alive:
                    process.end()  # It may have been killed since its answer.
            finally:
                self._idle.put(process if process is not None and process.alive else None)

    def _watch(self) -> None:
        while True:
            time.sleep(1)
            for process in self._started:
                process.watch()
            if self._service.idle_seconds is not None:
                self._end_idle(self._service.idle_seconds)

    def _end_idle(self, seconds: float) -> None:
        """Ends processes that have waited for long."""
        waiting: list[_Process | None] = []
        # All are taken out before any is put back, since the one put back last is the one that comes next.
        with suppress(queue.Empty):
            while True:
                waiting.append(self._idle.get_nowait())
        for process in reversed(waiting):
            late = process is not None and time.monotonic() - process.last_used > seconds
            self._idle.put(None if late else process)
            if late and process is not None:
                process.end()

    def close(self) -> None:
        """Kills all processes."""
        for process in self._started:
            process.kill()


class _Room:
    """Memory budget of decoding: several small images at once, or a single large one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._small, self._large, self._large_waiting = 0, False, 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Waits until no large image is being decoded or waiting, so that small ones cannot starve it."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._large or self._large_waiting))
            self._small += 1
        try:
            yield
        finally:
            with self._changed:
                self._small -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Waits until nothing is being decoded."""
        with self._changed:
            self._large_waiting += 1
            self._changed.wait_for(lambda: not (self._large or self._small))
            self._large_waiting -= 1
            self._large = True
        try:
            yield
        finally:
            with self._changed:
                self._large = False
                self._changed.notify_all()


class _Process:
    """A process of a service."""

    def __init__(self, service: Service[Any]) -> None:
        self._service = service
        # Freed memory goes back to the system at once, and not only the first time: a process that waits for its turn
        # with a large image would otherwise hold what its first attempt took.
        memory = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(2**20), "MALLOC_TRIM_THRESHOLD_": str(2**20)}
        alone = environment(bare=True, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", **memory)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", service.module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=alone,
                start_new_session=True,
            )
        except OSError as error:
            raise DfcoreError(f"No {service.name} process could be started: {error}.") from error
        self.last_used = time.monotonic()
        self.deadline: float | None = None
        self._overdue = False

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def ask(self, request: dict[str, Any], data: bytes, room: "_Room") -> Any:
        """Sends a request and waits for the answer; ends the process on failure.

        Raises:
            ImageError: If the image cannot be decoded, or the process died, timed out or sent an invalid answer.
        """
        try:
            with room.shared():
                answer, content = self._exchange(request, data)
            if answer.get("large"):
                with room.alone():
                    answer, content = self._exchange({})
            return self._service.understood(answer, content, data)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self.end()
            reason = printable(error)[:100]
            raise ImageError(f"The {self._service.name} process gave a wrong answer ({reason}).") from None
        except (EOFError, OSError):
            # A process that is ending by itself has closed its pipes, and is to tell its own code.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_PARTING_SECONDS)
            self.end()
            raise self._why() from None

    def kill(self) -> None:
        """Kills the process without waiting."""
        self._process.kill()

    def end(self) -> None:
        """Kills the process and waits until it has exited."""
        self.kill()
        self._process.communicate()

    def watch(self) -> None:
        """Kills the process if its deadline has passed; the waiting thread gets an error."""
        deadline = self.deadline
        if deadline is not None and time.monotonic() > deadline:
            self._overdue = True
            self._process.kill()

    def _exchange(self, message: dict[str, Any], data: bytes = b"") -> tuple[dict[str, Any], bytes]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self.deadline = time.monotonic() + _PATIENCE_SECONDS
        try:
            send(self._process.stdin, message, data)
            return receive(self._process.stdout)
        finally:
            self.deadline, self.last_used = None, time.monotonic()

    def _why(self) -> ImageError:
        code, title = self._process.returncode, self._service.title
        if self._overdue:
            return TransientImageError(f"{title} gave no result within {_PATIENCE_SECONDS:.0f} s; it was given up.")
        if code in (-getattr(signal, "SIGXCPU", 0), -getattr(signal, "SIGPROF", 0)):
            return TransientImageError(f"{title} took more processor time than an image may take; it was given up.")
        if code == -getattr(signal, "SIGKILL", 0):
            return TransientImageError(
                f"The {self._service.name} process was killed, perhaps because the machine ran out of memory."
            )
        return ImageError(
            f"{title} failed so badly that its process ended (code {code}). The file may be made to do harm."
        )


def processes() -> int:
    """Number of images that can be decoded at once."""
    return min(cores(), _MOST_PROCESSES)


_shared: Pool[tuple[ImageFacts, np.ndarray]] | None = None
_making = threading.Lock()


def _pool() -> Pool[tuple[ImageFacts, np.ndarray]]:
    """The pool of this process, created once, thread-safe."""
    global _shared
    with _making:
        if _shared is None:
            _shared = Pool(processes(), _DECODING)
            atexit.register(_shared.close)
        return _shared
