"""The decoding processes: a few, started when first needed, replaced when they die, shared by all threads."""

import atexit
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from dfcore.errors import DfcoreError, ImageError
from dfcore.imaging import decoder
from dfcore.imaging.decoder import ImageFacts
from dfcore.imaging.prepared import PreparedImage
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.imaging.sandbox.protocol import receive, send
from dfcore.utils.files import sha256_bytes
from dfcore.utils.processes import cores, environment
from dfcore.utils.texts import printable

_MOST_PROCESSES = 8
# Processor time is limited in the process itself; this only ends one that does nothing at all.
_PATIENCE_SECONDS = 60.0
_MAX_WORDS = 500
_CHILD = "dfcore.imaging.sandbox.child"
# Before the pixels of `prepare`: height and width of the picture.
_HEADER = 8


def check(data: bytes) -> ImageFacts:
    """Decodes a file's bytes to see whether they are sound, and tells what the file says of itself.

    Raises:
        ImageError: as `dfcore.imaging.decoder.decode` does, and when decoding takes too long or too much memory.
    """
    return _ask(data, {"want": "check"})[0]


def prepare(data: bytes, specs: Sequence[PreprocessSpec], preview_side: int = 0) -> PreparedImage:
    """Decodes a file's bytes once, for several models and for showing.

    Args:
        data: the file's content.
        specs: of the models.
        preview_side: the preview has at most so many pixels a side; 0 for none.

    Raises:
        ImageError: as `check` does.
    """
    specs = list(dict.fromkeys(specs))
    request = {"want": "all", "specs": [spec.to_dict() for spec in specs], "most": preview_side}
    facts, content = _ask(data, request)
    height, width = content[:_HEADER].view(np.uint32).tolist() if len(content) >= _HEADER else (0, 0)
    ends = np.cumsum([_HEADER, *(3 * spec.size**2 for spec in specs), 3 * height * width])
    if len(content) != ends[-1] or max(height, width) > preview_side:
        raise ImageError("The decoding process gave a wrong answer (another number of pixels).")
    _, *parts, picture, _ = np.split(content, ends)
    inputs = {spec: part.reshape(spec.size, spec.size, 3) for spec, part in zip(specs, parts, strict=True)}
    preview = picture.reshape(height, width, 3) if preview_side else None
    return PreparedImage(facts.width, facts.height, inputs, facts, preview)


def decode(data: bytes, max_side: int | None = None) -> np.ndarray:
    """Decodes a file's bytes to RGB uint8 (H, W, 3), shrunk where a side has more than `max_side` pixels.

    Raises:
        ImageError: as `check` does.
    """
    return _ask(data, {"want": "picture", "most": max_side})[1]


def _ask(data: bytes, request: dict[str, Any]) -> tuple[ImageFacts, np.ndarray]:
    data = decoder.read_bytes(data)
    return _pool().ask(request, data)


def _understood(answer: dict[str, Any], content: bytes, data: bytes) -> tuple[ImageFacts, np.ndarray]:
    """What an answer says; what is known here is not taken from a process that hostile bytes may have got hold of."""
    if "error" in answer:
        raise ImageError(printable(answer["error"])[:_MAX_WORDS] or "The image cannot be decoded.")
    facts = ImageFacts(**(answer["facts"] | {"bytes": len(data), "sha256": sha256_bytes(data)}))
    return facts, np.frombuffer(content, np.uint8).reshape(answer["shape"] or (0,))


class _Pool:
    """Processes that wait for images. A thread borrows one, and gives it back."""

    def __init__(self, size: int):
        self._idle: queue.LifoQueue[_Process | None] = queue.LifoQueue()
        self._room = _Room()
        for _ in range(size):
            self._idle.put(None)  # A place for one, started when first borrowed.
        self._started: list[_Process] = []
        self._list = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def ask(self, request: dict[str, Any], data: bytes) -> tuple[ImageFacts, np.ndarray]:
        """Lets one process answer."""
        process = self._idle.get()
        try:
            if process is not None and not process.alive:
                process.end()  # It was ended from outside; its pipes are closed here.
            if process is None or not process.alive:
                process = _Process()
                with self._list:
                    self._started = [*(other for other in self._started if other.alive), process]
            return process.ask(request, data, self._room)
        finally:
            self._idle.put(process if process is not None and process.alive else None)

    def _watch(self) -> None:
        while True:
            time.sleep(1)
            for process in self._started:
                process.watch()

    def close(self) -> None:
        """Ends all."""
        for process in self._started:
            process.kill()


class _Room:
    """The memory that decoding may take: for some small images together, or one large one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._small, self._large, self._large_waiting = 0, False, 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Waits until no large image is decoded, and none waits, for small ones may never end."""
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
        """Waits until nothing is decoded."""
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
    """One decoding process."""

    def __init__(self) -> None:
        alone = environment(bare=True, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MALLOC_ARENA_MAX="1")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=alone,
                start_new_session=True,
            )
        except OSError as error:
            raise DfcoreError(f"No process to decode images in could be started: {error}.") from error
        self.deadline: float | None = None
        self._overdue = False

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, request: dict[str, Any], data: bytes, room: "_Room") -> tuple[ImageFacts, np.ndarray]:
        """Sends one request and waits for its answer; ends the process where it does not come.

        Raises:
            ImageError: when the process died or was silent for too long.
        """
        try:
            with room.shared():
                answer, content = self._exchange(request, data)
            if answer.get("large"):
                with room.alone():
                    answer, content = self._exchange({})
            return _understood(answer, content, data)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self.end()
            raise ImageError(f"The decoding process gave a wrong answer ({printable(error)[:100]}).") from None
        except (EOFError, OSError):
            self.end()
            raise ImageError(self._why()) from None

    def kill(self) -> None:
        """Ends it, whatever it does."""
        self._process.kill()

    def end(self) -> None:
        """Ends it and waits until it is gone."""
        self.kill()
        self._process.communicate()

    def watch(self) -> None:
        """Kills it when it is silent for too long; whoever waits for it is told."""
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
            self.deadline = None

    def _why(self) -> str:
        code = self._process.returncode
        if self._overdue:
            return f"Decoding gave no result within {_PATIENCE_SECONDS:.0f} s; it was given up."
        if code in (-getattr(signal, "SIGXCPU", 0), -getattr(signal, "SIGPROF", 0)):
            return "Decoding took more processor time than an image may take; it was given up."
        return f"Decoding failed so badly that its process ended (code {code}). The file may be made to do harm."


def processes() -> int:
    """How many images can be decoded at once."""
    return min(cores(), _MOST_PROCESSES)


_shared: _Pool | None = None
_making = threading.Lock()


def _pool() -> _Pool:
    """The one pool of this process, whichever threads ask for it first."""
    global _shared
    with _making:
        if _shared is None:
            _shared = _Pool(processes())
            atexit.register(_shared.close)
        return _shared
