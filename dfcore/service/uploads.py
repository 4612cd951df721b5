"""Files of a request, taken from its body as it arrives: on disk beyond a megabyte, never more than is allowed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from dfcore.errors import ImageError
from dfcore.service.problems import Problem, closing
from dfcore.service.settings import Limits
from dfcore.utils.texts import storable

FIELD = "files"
_IN_MEMORY = 2**20
_MOST_NAME = 255
_RAW = "application/octet-stream"


@dataclass
class Upload:
    """A file that was sent.

    Attributes:
        name: As the sender calls it.
        file: Its content.
        size: In bytes.
    """

    name: str
    file: BinaryIO
    size: int

    def read(self) -> bytes:
        """Its content.

        Raises:
            ImageError: If it is not there any more.
        """
        try:
            self.file.seek(0)
            return self.file.read()
        except (OSError, ValueError) as error:
            raise ImageError(f"What was sent cannot be read any more: {error}.") from error


class Spool:
    """Counts the bytes of all bodies that are held at once.

    Args:
        most: Bytes that may be held.
    """

    def __init__(self, most: int):
        self._most, self.held = most, 0

    def add(self, size: int) -> None:
        """Counts further bytes.

        Raises:
            Problem: If they are too many.
        """
        if self.held + size > self._most:
            raise Problem(429, "busy", "Too many files are being sent at once. Try again in a moment.", 5)
        self.held += size


@asynccontextmanager
async def uploads(
    request: Request, limits: Limits, spool: Spool, over: asyncio.Event, name: str, most: int
) -> AsyncIterator[list[Upload]]:
    """The files of a request, closed and uncounted after the `with` block.

    Args:
        request: With a form (multipart/form-data) with files in the field `files`, or a file as its body.
        limits: How much is taken.
        spool: Counts what is held.
        over: Ends what is still arriving, see `Service`.
        name: What to call a file that is the body.
        most: Number of files that are taken.

    Raises:
        Problem: If it is too large, too slow, or of another kind, or the service ends.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    body = _Body(request, limits, spool)
    taken: list[Upload] = []
    try:
        body.check_length(limits.body_bytes if kind == "multipart/form-data" else limits.file_bytes)
        try:
            async with asyncio.timeout(limits.upload_seconds):
                if kind == "multipart/form-data":
                    taken = await _before(over, _form(request, body, limits, most))
                elif kind.startswith("image/") or kind == _RAW:
                    taken = await _before(over, _raw(body, limits, name))
                else:
                    raise Problem(
                        415, "content_type",
                        f"Expected multipart/form-data with files in the field {FIELD!r}, or an image as the body with "
                        f"Content-Type image/… or {_RAW}. Received: {kind or 'no Content-Type'}.",
                    )  # fmt: skip
        except TimeoutError:
            raise Problem(
                408, "slow", f"The body did not arrive within {limits.upload_seconds:.0f} s. Send smaller files.", 1
            ) from None
        yield taken
    finally:
        for upload in taken:
            upload.file.close()
        spool.held -= body.size


async def _before(over: asyncio.Event, reading: Coroutine[Any, Any, list[Upload]]) -> list[Upload]:
    """What is read, unless the service ends before that."""
    read, ended = asyncio.create_task(reading), asyncio.create_task(over.wait())
    try:
        await asyncio.wait({read, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not read.done():
            raise closing()
        return read.result()
    finally:
        read.cancel()
        ended.cancel()
        await asyncio.wait({read})  # It closes its files.


class _Body:
    """The body as it arrives, counted."""

    def __init__(self, request: Request, limits: Limits, spool: Spool):
        self._request, self._limits, self._spool = request, limits, spool
        self.size = 0
        told = request.headers.get("content-length", "")
        # What it tells before it comes.
        self.length = int(told) if told.isascii() and told.isdecimal() else None

    def check_length(self, most: int) -> None:
        """Refuses a body that tells before it comes that it is too large."""
        if self.length is not None and self.length > most:
            raise _too_large("a body", most, _megabytes(self.length))

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Its parts."""
        async for part in self._request.stream():
            self._spool.add(len(part))
            self.size += len(part)
            if self.size > self._limits.body_bytes:
                raise _too_large("a body", self._limits.body_bytes, "a larger one")
            yield part


async def _raw(body: _Body, limits: Limits, name: str) -> list[Upload]:
    file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  (its reader closes it)
    try:
        async for part in body.stream():
            if body.size > limits.file_bytes:
                raise _too_large("a file", limits.file_bytes, "a larger one")
            if body.size > _IN_MEMORY:
                await asyncio.to_thread(file.write, part)
            else:
                file.write(part)
        if not body.size:
            raise Problem(422, "empty", "Expected an image as the body. Received: nothing.")
        return [Upload(_named(name), cast(BinaryIO, file), body.size)]
    except BaseException:
        file.close()
        raise


async def _form(request: Request, body: _Body, limits: Limits, most: int) -> list[Upload]:
    parser = _Parser(request, body, limits, most)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Problem(422, "form", f"The form cannot be read: {error.message}") from None
    except (UnicodeError, ValueError) as error:
        raise Problem(422, "form", f"The form cannot be read: {error}.") from None
    taken = [
        Upload(_named(part.filename or "image"), part.file, part.size or 0)
        for _, part in form.multi_items()
        if not isinstance(part, str)
    ]
    if not taken:
        raise Problem(422, "empty", f"Expected at least one file in the field {FIELD!r}. Received: none.")
    return taken


class _Parser(MultiPartParser):
    """Reads a form; refuses what is too much as soon as it is seen."""

    spool_max_size = _IN_MEMORY

    def __init__(self, request: Request, body: _Body, limits: Limits, most: int):
        # One more file than is taken, so that what is refused can be told.
        super().__init__(request.headers, body.stream(), max_files=most + 1, max_fields=0)
        self._body, self._limits, self._most, self._size = body, limits, most, 0

    def on_part_begin(self) -> None:
        super().on_part_begin()
        self._size = 0

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        name = self._current_part.field_name
        if name != FIELD:
            raise Problem(
                422, "form", f"Expected files in the field {FIELD!r} alone. Received the field {name[:80]!r}."
            )
        if self._current_files > self._most:
            wanted = "one file" if self._most == 1 else f"at most {self._most} files"
            raise Problem(413, "files", f"Expected {wanted} in a request. Received: at least {self._current_files}.")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._size > self._limits.file_bytes:
            raise _too_large("a file", self._limits.file_bytes, self._told())
        super().on_part_data(data, start, end)

    def _told(self) -> str:
        """The file that is too large; its own size is known only once all of it has come."""
        file, whole = self._current_part.file, self._body.length
        name = _named((file and file.filename) or "a file")
        return f"{name}, which is larger" + (f" (the request has {_megabytes(whole)})" if whole else "")


def _named(name: str) -> str:
    return storable(name)[:_MOST_NAME]


def _too_large(what: str, most: int, received: str) -> Problem:
    return Problem(413, "too_large", f"Expected {what} of at most {most / 2**20:g} MB. Received: {received}.")


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.1f} MB"
