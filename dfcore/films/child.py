"""The process that reads a film, `python -m dfcore.films.child FILE`: requests on stdin, answers on stdout.

Before it reads untrusted bytes it limits itself: memory, processor time between two frames, no file writes, no core
dumps, and no opening of anything, so no other file and no network either. One film is read by one process, which ends
with it. `FILE` is "fd:NUMBER", an open descriptor, or a path where descriptors cannot be handed on.

Requests are {"want": "facts"}, {"want": "frames", "sampling", "after"}, {"want": "next"} and {"want": "frame",
"position"}. While it decodes it says that it is alive, only if there were frames since. After a sample it decodes the
next one before it is asked, so that both sides work at once.
"""

import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np

from dfcore.errors import FilmError, InputError
from dfcore.films import walking
from dfcore.films.decoding import Reading
from dfcore.films.sampling import Position, Sample, Sampling
from dfcore.imaging.sandbox.protocol import receive, send
from dfcore.utils.processes import forbid_files, forbid_opening, limit_memory, limit_time

# In addition to what the interpreter and its libraries use: a film of 4K needs some 300 MB, of 8K some 800.
MEMORY_BYTES = 1000 * 2**20
CPU_SECONDS = 10
_ALIVE_SECONDS = 0.5
_NO_MEMORY = "There was not enough memory to decode the film."
_Told = tuple[dict[str, Any], np.ndarray | None]


def main(name: str) -> None:
    """Answers requests until stdin is closed."""
    # Output printed by libraries goes to stderr, not between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    number = name.removeprefix("fd:")
    source: Any = int(number) if number != name else Path(name)
    with open(source, "rb", buffering=0) as file:
        _load_all()
        limit_memory(MEMORY_BYTES)
        forbid_files()
        forbid_opening()
        send(answers, {"ready": True})
        _Answers(file, answers).serve()


class _Answers:
    """Answers the requests for one film."""

    def __init__(self, file: BinaryIO, answers: BinaryIO):
        self._file, self._answers = file, answers
        self._told = time.monotonic()
        self._coming: Iterator[Sample | dict[str, Any]] = iter(())
        self._ahead: _Told | None = None

    def serve(self) -> None:
        """Answers requests until stdin is closed."""
        while True:
            try:
                request, _ = receive(sys.stdin.buffer)
            except EOFError:
                return
            limit_time(CPU_SECONDS)
            answer, content = self._careful(request)
            send(self._answers, answer, b"" if content is None else content.data.cast("B"))
            content = None
            if "sample" in answer and request["want"] == "next":
                limit_time(CPU_SECONDS)
                self._ahead = self._careful({"want": "next"})

    def _careful(self, request: dict[str, Any]) -> _Told:
        try:
            return self._answered(request)
        except InputError as error:
            return {"error": str(error)}, None
        except MemoryError:
            return {"error": _NO_MEMORY}, None

    def _answered(self, request: dict[str, Any]) -> _Told:
        want = request["want"]
        if want == "facts":
            return {"facts": Reading(self._file, self._tick).facts()}, None
        if want == "frame":
            # Both would move in the same file.
            self._coming, self._ahead = iter(()), None
            return _told(walking.at(self._file, Position.from_dict(request["position"]), self._tick))
        if want == "frames":
            after = request["after"] and Position.from_dict(request["after"])
            sampling = Sampling.from_dict(request["sampling"])
            self._coming, self._ahead = walking.samples(self._file, sampling, after, self._tick), None
            return {}, None
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            return ahead
        found = next(self._coming, None)
        if found is None:
            raise FilmError("There are no further frames to read.")
        return _told(found)

    def _tick(self) -> None:
        """Says that there was a frame, at most twice a second."""
        now = time.monotonic()
        if now - self._told >= _ALIVE_SECONDS:
            self._told = now
            limit_time(CPU_SECONDS)
            send(self._answers, {"alive": True})


def _told(found: Sample | dict[str, Any]) -> _Told:
    if isinstance(found, dict):
        return {"end": found}, None
    sample = {"position": asdict(found.position), "damaged": found.damaged, "shape": found.rgb.shape}
    return {"sample": sample}, found.rgb


def _load_all() -> None:
    """Uses all that is imported when first needed: later nothing can be opened."""
    content = io.BytesIO()
    with av.open(content, "w", format="avi") as made:
        stream = made.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        for _ in range(3):
            made.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        made.mux(stream.encode())
    scenes = walking.samples(content, Sampling("scenes", 1), None, lambda: None)
    assert len(list(scenes)) == 2
    Reading(content).facts()
    with suppress(FilmError):
        Reading(io.BytesIO(b"RIFF\0\0\0\0AVI " + bytes(5000)))


if __name__ == "__main__":
    main(sys.argv[1])
