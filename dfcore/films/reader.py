"""Opens films: each is read by a process of its own, which can be ended at any moment without harm to this one."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import psutil

from dfcore.errors import DfcoreError, FilmError
from dfcore.films.facts import FilmFacts
from dfcore.films.sampling import Position, Sample, Sampling
from dfcore.imaging.decoder import MAX_PIXELS
from dfcore.imaging.sandbox.protocol import receive, send
from dfcore.utils import extras
from dfcore.utils.processes import environment
from dfcore.utils.texts import counted, duration, printable

# Seconds without a frame after which a film is given up, and those in which the process has to start.
PATIENCE_SECONDS = 10.0
_START_SECONDS = 60.0
# How much longer it may take while it waits for a processor.
_STARVED_SECONDS = 50.0
_PARTING_SECONDS = 2.0
_MOST_WORDS = 500
# A film that ends this much before the length that it states is said to be cut off.
_CUT_SHARE, _CUT_SECONDS = 0.05, 1.0


@dataclass(frozen=True)
class Ending:
    """How reading a film to its end went.

    Attributes:
        frames: Number of frames up to its end.
        seconds: Time of the last one; None if there was none.
        damaged: Number of parts that could not be read, or not whole, since reading began.
        irregular: Number of frames since then without a sound time of their own.
        notes: What a person should know of it, in sentences.
    """

    frames: int
    seconds: float | None
    damaged: int
    irregular: int
    notes: tuple[str, ...] = ()


class Film:
    """An open film, see `open_film`. For one thread at a time.

    Attributes:
        path: Its file.
        facts: What its file says of it.
        ending: How reading went, once `frames` came to the film's end; None before.
    """

    def __init__(self, path: Path, process: "_Process", size: int):
        self.path = path
        self._process = process
        self._stream = 0
        self.ending: Ending | None = None
        try:
            told, _ = process.ask({"want": "facts"})
            self.facts = FilmFacts.understood(told["facts"], size)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise process.wrong(error) from None

    def frames(self, sampling: Sampling, after: Position | None = None) -> Iterator[Sample]:
        """The samples of the film, one at a time; while one is used, the next is decoded.

        Args:
            sampling: Which frames are samples.
            after: Where the last sample lies that is known already: the same ones follow as without the break.

        Raises:
            FilmError: If it cannot be read any further: what came before stays true. Also if it shows no progress for
                `PATIENCE_SECONDS`, or another call of this method or of `frame` has come in between.
        """
        self._stream += 1
        mine = self._stream
        self._process.ask({"want": "frames", "sampling": asdict(sampling), "after": after and asdict(after)})
        index = after.index + 1 if after else 0
        while True:
            if self._stream != mine:
                raise FilmError("The film was asked for other frames meanwhile; open it once for each series.")
            answer, content = self._process.ask({"want": "next"})
            try:
                if "end" in answer:
                    self.ending = self._ended(answer["end"])
                    return
                sample = _sample(answer, content)
                if sample.position.index != index:
                    raise ValueError("a sample out of turn")
            except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
                raise self._process.wrong(error) from None
            yield sample
            index += 1

    def frame(self, position: Position) -> Sample:
        """One frame again.

        Args:
            position: Where it lies, as a sample told it.

        Raises:
            FilmError: If it cannot be read, or is not there any more.
        """
        self._stream += 1
        answer, content = self._process.ask({"want": "frame", "position": asdict(position)})
        try:
            return _sample(answer, content)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise self._process.wrong(error) from None

    def _ended(self, told: dict[str, Any]) -> Ending:
        frames, damaged, irregular = (told[name] for name in ("frames", "damaged", "irregular"))
        seconds = None if told["seconds"] is None else float(told["seconds"])
        if not all(type(number) is int and number >= 0 for number in (frames, damaged, irregular)):
            raise ValueError("an ending without numbers")
        notes = []
        if damaged:
            parts = counted(damaged, "part of it was", "parts of it were")
            notes.append(f"{parts} damaged or unreadable and passed over.".capitalize())
        if irregular:
            frames_text = counted(irregular, "frame has", "frames have")
            notes.append(f"{frames_text} no sound time; it was reckoned from the frames before.".capitalize())
        if told["between"] is not None and not irregular:
            shortest, longest = map(float, told["between"])
            notes.append(f"The time between its frames varies, from {shortest:.3g} to {longest:.3g} s.")
        stated = self.facts.seconds
        if stated and seconds is not None and stated - seconds > max(_CUT_SECONDS, _CUT_SHARE * stated):
            notes.append(
                f"Its last frame is at {duration(seconds)} of {duration(stated)} that it states: its end may be "
                "missing."
            )
        return Ending(frames, seconds, damaged, irregular, tuple(notes))


@contextmanager
def open_film(path: str | Path) -> Iterator[Film]:
    """Opens a film in a process of its own.

    Args:
        path: A file; addresses and playlists are not opened.

    Raises:
        FilmError: If there is no such file, or it is no film that can be read; says what it is instead.
        MissingExtraError: If PyAV is not installed.
        DfcoreError: If no process can be started.
    """
    extras.require("av", "films", "Reading films")
    path = Path(path)
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise FilmError(f"Expected a film. Received: {path.name}, an empty file (0 bytes).")
        process = _Process(path, file)
        try:
            yield Film(path, process, size)
        finally:
            process.end()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        # A named pipe would block, and a device has no end.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise FilmError(f"There is no file {path}. A film is read from a file, not from an address.") from None
    except IsADirectoryError:
        raise FilmError(f"{path} is a folder, not a film.") from None
    except (OSError, ValueError) as error:
        raise FilmError(f"{path} could not be read: {getattr(error, 'strerror', None) or error}.") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise FilmError(f"{path} is {'a folder, not a film' if stat.S_ISDIR(mode) else 'no regular file'}.")
    with open(descriptor, "rb", buffering=0) as file:
        yield file


def _sample(answer: dict[str, Any], content: bytes) -> Sample:
    """Reads an answer that hostile bytes may have forged."""
    told = answer["sample"]
    height, width, channels = told["shape"]
    if channels != 3 or not all(type(side) is int and side > 0 for side in (height, width)):
        raise ValueError("no picture")
    if height * width > MAX_PIXELS or height * width * 3 != len(content):
        raise ValueError("another number of pixels")
    rgb = np.frombuffer(content, np.uint8).reshape(height, width, 3)
    return Sample(Position.from_dict(told["position"]), rgb, bool(told["damaged"]))


class _Process:
    """The process of one film."""

    def __init__(self, path: Path, file: BinaryIO):
        memory = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(2**20), "MALLOC_TRIM_THRESHOLD_": str(2**20)}
        handed_on = os.name == "posix"
        name = f"fd:{file.fileno()}" if handed_on else str(path.resolve())
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dfcore.films.child", name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment(bare=True, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", **memory),
                pass_fds=(file.fileno(),) if handed_on else (),
                start_new_session=True,
            )
        except OSError as error:
            raise DfcoreError(f"No process that reads films could be started: {error}.") from error
        self._deadline: float | None = None
        # When it was asked, and the processor time that it had had by then.
        self._asked, self._before = time.monotonic(), 0.0
        self._overdue = False
        self._over, self._turn = threading.Event(), threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()
        try:
            self._exchange(None, _START_SECONDS)
        except BaseException:
            self.end()
            raise

    def ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Sends a request and waits for its answer.

        Raises:
            FilmError: If the process told an error, died, showed no progress, or sent an invalid answer.
        """
        with self._turn:
            answer, content = self._exchange(request, PATIENCE_SECONDS)
        if "error" in answer:
            raise FilmError(printable(answer["error"])[:_MOST_WORDS] or "The film cannot be read.")
        return answer, content

    def wrong(self, error: Exception) -> FilmError:
        """Ends the process because of an answer that no sound one gives."""
        self.end()
        return FilmError(f"The process that reads the film gave a wrong answer ({printable(error)[:100]}).")

    def end(self) -> None:
        """Kills the process and waits until it has exited."""
        self._over.set()
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._process.wait()

    def _exchange(self, request: dict[str, Any] | None, patience: float) -> tuple[dict[str, Any], bytes]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._begin(patience)
            if request is not None:
                send(self._process.stdin, request)
            while True:
                answer, content = receive(self._process.stdout)
                if "alive" not in answer:
                    return answer, content
                self._begin(patience)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self.wrong(error) from None
        except (EOFError, OSError):
            # A process that is ending by itself has closed its pipes, and is to tell its own code.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_PARTING_SECONDS)
            self.end()
            raise self._why() from None
        finally:
            self._deadline = None

    def _watch(self) -> None:
        """Kills the process once it has been silent for too long; the waiting thread gets an error."""
        last: float | None = None
        while not self._over.wait(0.25):
            deadline = self._deadline
            if deadline is None or time.monotonic() <= deadline:
                last = None
                continue
            # Where others take the processor it is no fault of the film; for so long it may wait for it.
            if (last is None or time.monotonic() < last) and self._is_starved():
                last = last or time.monotonic() + _STARVED_SECONDS
                continue
            self._overdue = True
            self._process.kill()
            return

    def _is_starved(self) -> bool:
        """Whether the process would compute, and got less than half of the processor since it was asked."""
        try:
            process = psutil.Process(self._process.pid)
            got = sum(process.cpu_times()[:2]) - self._before
            return process.status() == psutil.STATUS_RUNNING and got < (time.monotonic() - self._asked) / 2
        except psutil.Error:
            return False

    def _begin(self, patience: float) -> None:
        with suppress(psutil.Error):
            self._before = sum(psutil.Process(self._process.pid).cpu_times()[:2])
        self._asked = time.monotonic()
        self._deadline = self._asked + patience

    def _why(self) -> FilmError:
        code = self._process.returncode
        if self._overdue:
            return FilmError(f"The film gave no further frame within {PATIENCE_SECONDS:.0f} s; it was given up.")
        if code in (-getattr(signal, "SIGXCPU", 0), -getattr(signal, "SIGPROF", 0)):
            return FilmError("The film took more processor time for one frame than it may take; it was given up.")
        if code == -getattr(signal, "SIGKILL", 0):
            return FilmError("The process that reads the film was killed, perhaps because memory ran out.")
        return FilmError(
            f"Reading the film failed so badly that its process ended (code {code}). The file may be made to do harm."
        )
