"""Fuzzing: whatever bytes come in, out comes a sound object or an error in words, and no process dies of it.

`make test` runs a few examples of every target, always the same ones. `FUZZ_MINUTES=30 python -m pytest -m slow
tests/security/test_fuzz.py` goes on with new ones for so long, in equal shares, does not stop at the first finding,
and tells at the end how many examples there were (in the file `FUZZ_OUT` too; findings lie beside it). What is tested
runs in a process of its own, so that a crash of a library is a finding and not the end. A finding is run again by
`python -m tests.security.test_fuzz TARGET FILE`.
"""

import ast
import contextlib
import faulthandler
import functools
import io
import itertools
import json
import math
import multiprocessing
import os
import random
import re
import string
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import unicodedata
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.icc import profile
from tests.security.hostile_zips import archive, traps

MINUTES = float(os.environ.get("FUZZ_MINUTES", "0"))
_OUT = os.environ.get("FUZZ_OUT")
# In fuzz mode; a few more than it takes to find and shrink within one round.
_ROUND = 300
# Of processor time for one example, and of patience with one that does nothing.
_CPU_SECONDS, _PATIENCE = 30, 120
_MEMORY = 6 * 2**30
_LONGEST_TEXT = 3000
# For making an example smaller that fails.
_SHRINK_SECONDS = 60 if MINUTES else 15

pytestmark = [
    pytest.mark.timeout(600 + 240 * MINUTES),
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
]


# === The process in which everything is tried ===


class Finding(AssertionError):  # noqa: N818  (no error of a program, but what a test found)
    """Something that must not be.

    Attributes:
        origin: kind of error and line, by which findings are told apart.
    """

    origin = ""


@functools.cache
def _finding(origin: str) -> type[Finding]:
    """A class of its own for every origin, since Hypothesis tells failures apart by their classes."""
    return type(f"Finding_{re.sub(r'[^0-9A-Za-z]+', '_', origin)}", (Finding,), {"origin": origin})


class Lab:
    """A child process that runs checks; started anew when one kills it."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._process: Any = None
        self._pipe: Any = None

    def run(self, target: str, payload: Any) -> Any:
        """Runs one check.

        Raises:
            Finding: when it does not hold, or the process died or fell silent.
        """
        if self._process is None or not self._process.is_alive():
            self._start()
        code: int | None = None
        try:
            self._pipe.send((target, payload))
            if self._pipe.poll(_PATIENCE):
                kind, *message = self._pipe.recv()
                if kind == "value":
                    return message[0]
                origin, text = message
                raise _finding(f"{target}: {origin}")(f"{target}: {text}")
        except (EOFError, OSError):
            self._process.join(10)
            code = self._process.exitcode
        message = (self._folder / "crash.txt").read_text(errors="replace")
        self.close()
        frames = re.findall(r'File "([^"]+)", line (\d+)', message)
        where = next((f"{Path(file).name}:{line}" for file, line in frames), "")
        origin = f"{target}: silent for {_PATIENCE} s" if code is None else f"{target}: died, code {code} at {where}"
        raise _finding(origin)(f"{origin}\n{message[:3000]}")

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
        self._process = None

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, other = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(other, self._folder), daemon=True)
        self._process.start()
        other.close()


def _serve(pipe: Connection, folder: Path) -> None:
    """What the child process does."""
    from dfcore.utils.processes import limit_memory

    limit_memory(_MEMORY)
    with open(folder / "crash.txt", "w") as crash, contextlib.suppress(EOFError):
        faulthandler.enable(crash)
        _set_up(folder)
        while True:
            target, payload = pipe.recv()
            _limit_time()
            pipe.send(_tried(target, payload))


def _set_up(folder: Path) -> None:
    from dfcore.imaging import decoder

    (folder / "work").mkdir(exist_ok=True)
    tempfile.tempdir = str(folder / "work")
    for name in ("runs", "models", "data", "cache", "logs"):
        os.environ[f"DFCORE_{name.upper()}"] = str(folder / "workspace" / name)
    os.environ.pop("DFCORE_ROOTS", None)
    decoder.MAX_PIXELS = 1_000_000
    warnings.simplefilter("ignore", RuntimeWarning)


def _limit_time() -> None:
    with contextlib.suppress(ImportError):  # Windows has no such limits.
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime) + _CPU_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _tried(target: str, payload: Any) -> tuple[Any, ...]:
    try:
        return "value", _CHECKS[target](payload)
    except BaseException as error:  # All that gets out of a check is a finding, exits too.
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "/dfcore/" in frame.filename] or frames
        last = ours[-1]
        where = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
        if frames[-1].filename == __file__:  # A property that does not hold: the line of the check tells which.
            where += f" (test_fuzz.py:{frames[-1].lineno})"
        return "finding", where, "".join(traceback.format_exception(error, limit=-8))[-4000:]


_CHECKS: dict[str, Callable[[Any], Any]] = {}


def _check(target: str) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Enters a check; it gets an example, runs in the child process, and raises what is wrong."""

    def enter(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
        _CHECKS[target] = check
        return check

    return enter


def _message(error: BaseException, *, shown: bool = True) -> str:
    """An error's text, which must be one that people can read, or at least one that can be written down."""
    text = str(error)
    text.encode()
    assert text.strip(), "an error without a word"
    if shown:
        assert len(text) <= _LONGEST_TEXT, f"{len(text)} characters of error: {text[:300]!r}"
        assert all(c.isprintable() or c == "\n" for c in text), f"unprintable: {text[:1000]!r}"
    return text


# === Bytes, bent ===

_EXTREMES = tuple(sorted({0, 1, 2, 100, 257, *(2**n + d for n in (7, 8, 15, 16, 24, 31, 32, 63, 64) for d in (-1, 0))}))
_WIDTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}
_HEADER = 64
Cuts = Callable[[bytes], list[int]]


def _place(draw: st.DrawFn, data: bytearray) -> int:
    """Somewhere in the bytes, in the header as often as in all the rest."""
    return draw(st.integers(0, min(len(data), _HEADER)) | st.integers(0, len(data)))


def _bend(draw: st.DrawFn, data: bytearray, others: list[bytes]) -> None:
    """Does one thing to the bytes."""
    kinds = ("flip", "set", "field", "field", "field", "insert", "delete", "repeat", "splice", "graft", "cut", "fill")
    kind = draw(st.sampled_from(kinds))
    at = _place(draw, data)
    if kind == "flip" and at < len(data):
        data[at] ^= 1 << draw(st.integers(0, 7))
    elif kind == "set" and at < len(data):
        data[at] = draw(st.integers(0, 255))
    elif kind == "field":
        width = draw(st.sampled_from(tuple(_WIDTHS)))
        form = draw(st.sampled_from("<>")) + _WIDTHS[width]
        number = draw(st.sampled_from(_EXTREMES) | st.integers(0, 2**64 - 1)) % 256**width
        data[at : at + width] = struct.pack(form, number)
    elif kind == "insert":
        data[at:at] = draw(st.binary(min_size=1, max_size=12))
    elif kind == "delete":
        del data[at : at + draw(st.integers(1, 64))]
    elif kind == "repeat":
        data[at:at] = data[at : at + draw(st.integers(1, 64))] * draw(st.sampled_from((1, 2, 50)))
    elif kind == "splice":
        other = draw(st.sampled_from(others))
        data[at:] = other[draw(st.integers(0, len(other))) :]
    elif kind == "graft":
        other = draw(st.sampled_from(others))
        start = draw(st.integers(0, len(other)))
        data[at:at] = other[start : start + draw(st.integers(1, 200))]
    elif kind == "cut":
        del data[at:]
    elif kind == "fill":
        length = draw(st.integers(1, 40))
        data[at : at + length] = bytes([draw(st.sampled_from((0, 255, 0x20, 0x80)))]) * length


def _shuffle(draw: st.DrawFn, data: bytes, cuts: Cuts, others: list[bytes]) -> bytes:
    """Swaps, drops, repeats or takes in whole pieces of a file."""

    def pieces(of: bytes) -> list[bytes]:
        at = [0, *cuts(of), len(of)]
        return [of[start:end] for start, end in itertools.pairwise(at)]

    result = pieces(data)
    first, second = (draw(st.integers(0, len(result) - 1)) for _ in range(2))
    kind = draw(st.sampled_from(("swap", "drop", "repeat", "take")))
    if kind == "swap":
        result[first], result[second] = result[second], result[first]
    elif kind == "drop":
        del result[first]
    elif kind == "repeat":
        result[second:second] = [result[first]] * draw(st.sampled_from((1, 2, 20)))
    else:
        result.insert(first, draw(st.sampled_from(pieces(draw(st.sampled_from(others))))))
    return b"".join(result)


@st.composite
def _bent(draw: st.DrawFn, seeds: Callable[[], list[bytes]], cuts: Cuts | None = None, most: int = 6) -> bytes:
    """Sound files with something done to them, a few times over."""
    sound = seeds()
    data = draw(st.sampled_from(sound))
    if cuts is not None and draw(st.integers(0, 2)) == 0:
        data = _shuffle(draw, data, cuts, sound)
    changed = bytearray(data)
    for _ in range(draw(st.integers(0 if cuts else 1, most))):
        _bend(draw, changed, sound)
    return bytes(changed)


# === Text and values as strangers choose them ===

_NASTY = (
    *("", " ", ".", "..", "~", "/", "\\", "a/b", "../x", "con", "nul", "-rf", "None", "nan", "inf", "-0", "1e999"),
    *("\x00", "a\x00b", "\n", "\r\n", "\t", "\x1b[31m", "\x7f", "\x85", "\u2028", "\ufeff", "\u200b", "\u202egnp."),
    *("\u0130", "ß", "\u212a", "\uff21", "e\u0301", "é", "\ud800", "\udcff", "\U0001f600", "٣", "²", "１"),
    *("'; --", '"', "%s%n", "{0.__class__}", "${HOME}", "<b>", "=1+1", "a" * 300, "\u0301" * 50),
)
_text = st.sampled_from(_NASTY) | st.text(max_size=12)
_sound_text = _text.filter(lambda text: not re.search("[\ud800-\udfff]", text))
_integers = st.sampled_from(_EXTREMES).flatmap(lambda n: st.sampled_from((n, -n))) | st.integers()
# Put into the text when it is written, for what `json.dumps` cannot or will not write.
_TOKENS = {
    "@deep-list": "[" * 50_000 + "]" * 50_000,
    "@deep": "[" * 500 + "1" + "]" * 500,
    "@deep-object": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "@digits": "9" * 5_000,
    "@many-digits": "9" * 4_000,
    "@exponent": "1e400",
    "@small": "1e-400",
    "@long": '"' + "x" * 200_000 + '"',
    "@wide": "[" + "0," * 20_000 + "0]",
    "@nothing": "",
}
_json_leaf = (
    st.none()
    | st.booleans()
    | _integers
    | st.floats()
    | _text
    | st.sampled_from(tuple(_TOKENS))
    | st.sampled_from(([], {}, [[]], [{}], [None], {"": None})).map(deepcopy)
)
_json_value = st.recursive(
    _json_leaf, lambda part: st.lists(part, max_size=4) | st.dictionaries(_text, part, max_size=4), max_leaves=6
)


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """All places in a JSON value, each as what holds it and its key there."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _spots(value[key])


def _written(value: Any, ascii_only: bool = True) -> bytes:
    text = json.dumps(value, ensure_ascii=ascii_only)
    for token, instead in _TOKENS.items():
        text = text.replace(json.dumps(token), instead)
    return text.encode("utf-8", "surrogatepass")


@st.composite
def _bent_json(draw: st.DrawFn, base: Any, words: tuple[Any, ...] = (), most: int = 4) -> bytes:
    """A JSON file of which parts were replaced, moved, dropped or added; now and then its bytes are bent too."""
    whole = {"": deepcopy(base)}
    for _ in range(draw(st.integers(1, most))):
        spots = list(_spots(whole))
        holder, key = draw(st.sampled_from(spots)) if len(spots) > 1 else spots[0]
        kind = draw(st.sampled_from(("replace", "replace", "word", "word", "copy", "drop", "add")))
        if kind == "replace":
            holder[key] = draw(_json_value)
        elif kind == "word" and words:
            holder[key] = deepcopy(draw(st.sampled_from(words)))
        elif kind == "copy":
            other, at = draw(st.sampled_from(spots))
            holder[key] = deepcopy(other[at])
        elif kind == "drop" and holder is not whole:
            del holder[key]
        elif kind == "add" and isinstance(holder[key], list):
            holder[key].insert(0, draw(_json_value))
        elif kind == "add" and isinstance(holder[key], dict):
            names = {str(at) for _, at in spots} | {str(word) for word in words if isinstance(word, str)}
            holder[key][draw(_text | st.sampled_from(sorted(names)))] = draw(_json_value)
    data = _written(whole[""], draw(st.booleans()))
    if draw(st.integers(0, 9)) == 0:
        changed = bytearray(data)
        _bend(draw, changed, [data])
        data = bytes(changed)
    return data


# === Images ===


@functools.cache
def _image_seeds() -> list[bytes]:
    """Every format and mode in a few hundred bytes each."""
    from tests.security import hostile_images as hostile

    result = [file.data for file in hostile.sound() if len(file.data) < 8000]
    small = Image.fromarray(np.random.default_rng(1).integers(0, 256, (7, 10, 3)).astype(np.uint8))
    text = Image.Exif()
    text[0x0112], text[0x010F] = 6, "maker"
    text.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    text.get_ifd(0x8825)[2] = (1.0, 2.0, 3.0)

    def add(mode: str, kind: str, **options: Any) -> None:
        buffer = io.BytesIO()
        quick = {"speed": 10} if kind == "AVIF" else {}
        small.convert(mode).save(buffer, kind, **options, **quick)
        result.append(buffer.getvalue())

    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        add("RGB", kind, exif=text)
    for kind, mode in (("PNG", "P"), ("GIF", "P"), ("TIFF", "P"), ("WEBP", "RGBA"), ("AVIF", "RGB")):
        add(mode, kind, save_all=True, append_images=[small.convert(mode)] * 2)
    add("P", "PNG", transparency=bytes(range(200)))
    add("L", "PNG", transparency=5)
    add("RGB", "PNG", transparency=(1, 2, 3))
    add("P", "GIF", transparency=3, comment=b"hello", interlace=1)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"):
        add("RGB", "TIFF", compression=compression)
    for compression in ("group3", "group4", "tiff_ccitt"):
        add("1", "TIFF", compression=compression)
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F", "I;16"):
        add(mode, "TIFF")
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        add(mode, "BMP")
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        add("RGB", kind, icc_profile=profile("Display P3"))
    return result + [one.data for one in hostile.later_seeds()]


def _image_cuts(data: bytes) -> list[int]:
    """Where the pieces of an image file begin."""
    at, result = 0, []
    if data[:4] == b"\x89PNG":
        at = 8
        while at + 8 <= len(data) and len(result) < 100:
            result.append(at)
            at += 12 + int.from_bytes(data[at : at + 4], "big")
    elif data[:4] == b"RIFF":
        at = 12
        while at + 8 <= len(data) and len(result) < 100:
            result.append(at)
            size = int.from_bytes(data[at + 4 : at + 8], "little")
            at += 8 + size + size % 2
    elif data[4:8] == b"ftyp":
        while at + 8 <= len(data) and len(result) < 100:
            result.append(at)
            at += max(int.from_bytes(data[at : at + 4], "big"), 8)
    elif data[:2] in (b"II", b"MM"):  # The entries of the directory.
        order = "little" if data[:2] == b"II" else "big"
        start = int.from_bytes(data[4:8], order)
        entries = int.from_bytes(data[start : start + 2], order)
        result = [start + 2 + 12 * number for number in range(min(entries, 30) + 1)]
    else:
        result = [match.start() for match in re.finditer(rb"\xff[\xc0-\xfe]|[,!]", data)][:60]
    return [at for at in result if at <= len(data)]


def _mended_png(data: bytes) -> bytes:
    """The checksums made right, so that more than the first check is reached."""
    changed, at = bytearray(data), 8
    while at + 12 <= len(changed):
        length = int.from_bytes(changed[at : at + 4], "big")
        end = min(at + 8 + length, len(changed) - 4)
        changed[end : end + 4] = struct.pack(">I", zlib.crc32(changed[at + 4 : end]))
        at = end + 4
    return bytes(changed)


@st.composite
def _images(draw: st.DrawFn) -> tuple[bytes, bool]:
    if draw(st.integers(0, 9)) == 0:
        starts = (
            b"",
            b"\x89PNG\r\n\x1a\n",
            b"\xff\xd8\xff",
            b"II*\0",
            b"MM\0*",
            b"GIF89a",
            b"BM",
            b"RIFF....WEBPVP8 ",
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        )
        data = draw(st.sampled_from(starts)) + draw(st.binary(max_size=200))
    else:
        data = draw(_bent(_image_seeds, _image_cuts))
    if data[:4] == b"\x89PNG" and draw(st.integers(0, 3)):
        data = _mended_png(data)
    return data, draw(st.integers(0, 5)) == 0


def _came_of(action: Callable[[Any], Any], data: Any) -> tuple[Any, str]:
    from dfcore.errors import ImageError

    try:
        return action(data), ""
    except ImageError as error:
        return None, _message(error)


@_check("images")
def _check_image(payload: tuple[bytes, bool]) -> str:
    from dfcore.imaging import decoder
    from dfcore.utils.files import sha256_bytes

    data, apart = payload
    facts, _ = _came_of(decoder.describe, data)
    pixels, wrong = _came_of(decoder.decode, data)
    again, wrong_again = _came_of(decoder.decode, io.BytesIO(data))
    assert (pixels is None) == (again is None), f"once {wrong!r}, then {wrong_again!r}"
    if pixels is not None:
        assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size
        assert pixels.flags.c_contiguous
        assert np.array_equal(pixels, again), "decoded differently the second time"
    if facts is not None:
        assert facts.format in decoder.FORMATS
        assert (facts.bytes, facts.sha256) == (len(data), sha256_bytes(data))
        assert type(facts.width) is int and type(facts.height) is int and min(facts.width, facts.height) > 0
        assert facts.jpeg_quality is None or 1 <= facts.jpeg_quality <= 100
        assert isinstance(facts.animated, bool) and isinstance(facts.mode, str)
        assert all(len(value) <= 200 and value.isprintable() for value in facts.exif.values())
        json.dumps(facts.exif).encode()
    if facts is not None and pixels is not None:
        assert (facts.height, facts.width) == pixels.shape[:2], f"told {facts.width} x {facts.height}, {pixels.shape}"
    if apart and "megapixels" not in wrong:  # The decoding processes have the limit that they always have.
        _check_apart(data, facts, pixels)
    return "refused" if pixels is None else "decoded"


def _check_apart(data: bytes, facts: Any, pixels: np.ndarray | None) -> None:
    from dfcore.imaging import sandbox
    from dfcore.imaging.preprocess import PreprocessSpec

    spec = PreprocessSpec(32, "fit_crop")
    text, wrong = _came_of(sandbox.check, data)
    if re.search("memory|processor time|megapixels", wrong):
        return
    assert "its process ended" not in wrong, f"a decoding process died: {wrong}"
    assert (text is not None) == (facts is not None and pixels is not None), wrong
    if text is not None:
        assert pixels is not None
        assert text == facts
        assert np.array_equal(sandbox.decode(data), pixels)
        assert np.array_equal(sandbox.prepare(data, [spec]).inputs[spec], spec.apply(pixels))


# === Archives ===


class Member(NamedTuple):
    """One member of an archive as it is written; what is None is told truly."""

    name: bytes
    content: bytes
    method: int = 0
    deflated: bool = False
    flags: int = 0
    attributes: int = 0
    other_name: bytes | None = None
    crc: int | None = None
    size: int | None = None
    stored: int | None = None
    offset: int | None = None
    extra: bytes = b""
    comment: bytes = b""


_MEMBER_NAMES = (b"a.txt", b"b.txt", b"c.json", b"A.TXT", b"\xef\xbd\x81.txt", b"a.txt\0", b"./a.txt", b"a.txt/")
_name_bytes = st.sampled_from(_MEMBER_NAMES) | _text.map(lambda text: text.encode("utf-8", "surrogatepass"))
_MOST_MEMBERS = 4


def _limit(name: str) -> int:
    """How large a member may be in these tests."""
    return 0 if "/" in name or name.startswith(".") else 200 if name.casefold().endswith(".txt") else 20


def _zip_of(members: list[Member], before: bytes, comment: bytes, counts: tuple[int | None, int | None]) -> bytes:
    body, directory = bytearray(before), bytearray()
    for member in members:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = packer.compress(member.content) + packer.flush() if member.deflated else member.content
        crc = zlib.crc32(member.content) if member.crc is None else member.crc
        size = len(member.content) if member.size is None else member.size
        stored = len(data) if member.stored is None else member.stored
        offset = len(body) if member.offset is None else member.offset
        other = member.name if member.other_name is None else member.other_name
        common = (20, member.flags, member.method, 0, 33, crc, stored, size)
        body += struct.pack("<4s5H3I2H", b"PK\3\4", *common, len(other), len(member.extra)) + other + member.extra
        body += data
        lengths = (len(member.name), len(member.extra), len(member.comment), 0, 0)
        directory += struct.pack("<4sH5H3I5H2I", b"PK\1\2", 20, *common, *lengths, member.attributes, offset)
        directory += member.name + member.extra + member.comment
    there = len(members) if counts[0] is None else counts[0]
    start = len(body) if counts[1] is None else counts[1]
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, there, there, len(directory), start, len(comment))
    return bytes(body + directory + end + comment)


_lie = st.none() | st.none() | st.none() | st.sampled_from([n for n in _EXTREMES if n < 2**32]) | st.integers(0, 400)
_members = st.builds(
    Member,
    name=_name_bytes,
    content=st.binary(max_size=30) | st.sampled_from((0, 150, 201, 2**21)).map(bytes),
    method=st.sampled_from((0, 0, 8, 8, 8, 1, 6, 9, 12, 14, 93, 99)),
    deflated=st.booleans(),
    flags=st.sampled_from((0, 0, 0, 0x800, 1, 8, 0x40, 0x2000, 0xFFFF)),
    attributes=st.sampled_from((0, 0, 0o100644 << 16, 0o120777 << 16, 0o040755 << 16, 0o020666 << 16, 0x10, 2**32 - 1)),
    other_name=st.none() | st.none() | _name_bytes,
    crc=_lie,
    size=_lie,
    stored=_lie,
    offset=_lie,
    extra=st.sampled_from((b"", b"", b"\1\0\x10\0" + b"\xff" * 16, b"\1\0\0\0", b"\x75\x70\5\0\1....", b"\1\0\x40\0"))
    | st.binary(max_size=20),
    comment=st.just(b"") | st.binary(max_size=5),
)
_made_zips = st.builds(
    _zip_of,
    st.lists(_members, max_size=6),
    st.sampled_from((b"", b"", b"MZ", b"PK\5\6" + bytes(18))) | st.binary(max_size=30),
    st.sampled_from((b"", b"", b"comment", b"PK\5\6" + bytes(18))) | st.just(2**16 - 1).map(bytes),
    st.tuples(_lie.map(lambda n: None if n is None else n % 2**16), _lie),
)


@functools.cache
def _zip_seeds() -> list[bytes]:
    result = []
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", kind) as archive:
            archive.comment = b"a comment"
            for name, content in (("a.txt", b"some text " * 15), ("b.txt", b""), ("c.json", b"{}")):
                info = zipfile.ZipInfo(name)
                info.compress_type = kind
                with archive.open(info, "w", force_zip64=name == "c.json") as file:
                    file.write(content)
        result.append(buffer.getvalue())
    return result


def _zip_cuts(data: bytes) -> list[int]:
    return [match.start() for match in re.finditer(rb"PK[\1-\10]", data)]


@_check("archives")
def _check_archive(data: bytes) -> str:
    from dfcore.errors import ArchiveError
    from dfcore.utils.archives import read_zip

    path = Path(tempfile.gettempdir()) / "some.zip"
    path.write_bytes(data)
    text = []
    for source in (data, path):
        try:
            result = read_zip(source, limit=_limit, most_members=_MOST_MEMBERS)
        except ArchiveError as error:
            text.append(_message(error))
            continue
        text.append(result)
        assert type(result) is dict and len(result) <= _MOST_MEMBERS
        assert all(type(name) is str and type(content) is bytes for name, content in result.items())
        assert all(len(content) <= _limit(name) and _limit(name) for name, content in result.items())
        assert len({unicodedata.normalize("NFKC", name).casefold() for name in result}) == len(result)
    refused = [isinstance(one, str) for one in text]
    assert all(refused) or text[0] == text[1], f"from memory {text[0]!r:.300}, from a file {text[1]!r:.300}"
    return "refused" if refused[0] else "read"


# === Archives of pictures ===

_PNG = b"\x89PNG\r\n\x1a\n"
_picture_members = st.builds(lambda member: member._replace(content=_PNG + member.content), _members)
_picture_zips = st.builds(
    _zip_of,
    st.lists(_picture_members | _members, max_size=6),
    st.sampled_from((b"", b"", b"MZ")),
    st.sampled_from((b"", b"", b"comment", b"PK\5\6" + bytes(18))),
    st.tuples(_lie.map(lambda n: None if n is None else n % 2**16), _lie),
)


@functools.cache
def _picture_zip_seeds() -> list[bytes]:
    made = [one for one in traps(0) if len(one.data) < 4000 and len(one.name) < 100]
    return [archive(made[start : start + 6]) for start in range(0, len(made), 6)]


@_check("archives of pictures")
def _check_pictures_in_archive(data: bytes) -> str:
    from dfcore.batch.entries import Entry
    from dfcore.batch.zip_directory import MOST_ENTRIES
    from dfcore.batch.zip_reader import entries, read_entry
    from dfcore.errors import ImageError

    path = Path(tempfile.gettempdir()) / "pictures.zip"
    path.write_bytes(data)
    found = list(entries(path, "shown.zip"))
    assert 0 < len(found) <= min(MOST_ENTRIES, len(data)) + 2
    names = [one.name if isinstance(one, Entry) else one.path for one in found]
    assert all(name.isprintable() and len(name) < 300 for name in names)
    read = 0
    for one in found:
        if not isinstance(one, Entry):
            _message(ImageError(one.reason))
            continue
        try:
            content = one.read()
        except ImageError as error:
            _message(error)
            continue
        kind, _, offset, digest = one.origin
        assert kind == "zip" and content and len(content) <= 2**26
        assert read_entry(path, int(offset), str(digest)) == one.read() == content
        read += 1
    return "read" if read else "refused"


# === Folders of images ===

_FOLDER_NAMES = (
    *(b"train", b"valid", b"test", b"real", b"real", b"fake", b"fake", b"REAL", b"0_real", b"1_fake", b"nature"),
    *(b"gan", b"sd 1.5", b"real_cifake_images", b"fake_cifake_images", b"training_fake", b".hidden", b"__MACOSX"),
    *(b"a.png", b"x" * 200, b"\xff\xfe", "é".encode(), "e\u0301".encode(), b"a\nb", b" ", b"\\", b"\\udcff"),
)
_SUFFIX_BYTES = (b".png", b".png", b".png", b".jpg", b".JPEG", b".txt", b".json", b".png\n", b".", b"")
_STEMS = (b"1", b"2", b"10", b"a", b".a", b"-1", "²".encode(), "٣".encode(), b"DEMONSTRATION", b"\xe9", b"\\udce9")
_NUMBERED = (b"real_cifake_preds.json", b"fake_cifake_preds.json", b"x_cifake_preds.json", b"\xff_cifake_preds.json")
_random_name = (
    _text.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.binary(min_size=1, max_size=6)
    | st.text(string.ascii_letters + "0123456789", max_size=3).map(str.encode)
).map(lambda name: name.replace(b"\0", b"").replace(b"/", b"")[:200])
_folder_name = st.sampled_from(_FOLDER_NAMES) | st.sampled_from(_FOLDER_NAMES) | _random_name
_suffixed = st.tuples(st.sampled_from(_STEMS) | _random_name, st.sampled_from(_SUFFIX_BYTES)).map(b"".join)
_file_name = _suffixed | st.sampled_from(_NUMBERED) | _random_name
_LINKS = (
    *(b"1.png", b"2.png", b".", b"..", b"../..", b"nowhere", b"real", b"../real/1.png", b"/proc/self/mem"),
    *(b"@OUTSIDE/1.png", b"@OUTSIDE", b"@ROOT", b"@ROOT/real/1.png", b"@SELF", b"@OUTSIDE/link.png", b"x" * 300),
)
_told_labels = st.fixed_dictionaries({}, optional={"index": _json_value, "prediction": st.just("fake") | _json_value})
_content = st.one_of(
    st.sampled_from(("png", "png", "png", "jpg", "cut", "empty", "text", "folder")).map(lambda kind: (kind, b"")),
    st.sampled_from(_LINKS).map(lambda target: ("link", target)),
    st.binary(max_size=30).map(lambda data: ("bytes", data)),
    st.lists(_told_labels, max_size=3).map(lambda told: ("bytes", _written(told))),
)
_entries = st.lists(
    st.tuples(st.lists(_folder_name, max_size=3), _file_name, _content).map(lambda e: ([*e[0], e[1]], *e[2])),
    max_size=12,
)
_AMONG = (
    ([b"real", b"1.png"], "png", b""),
    ([b"real", b"2.png"], "link", b"@SELF"),
    ([b"real", b"2.png"], "link", b"@OUTSIDE/1.png"),
    ([b"fake", b"1.png"], "png", b""),
    ([b"fake", b"2.png"], "jpg", b""),
    ([b"fake_cifake_preds.json"], "bytes", b'[{"index": 1, "prediction": "fake"}]'),
    ([b"fake_cifake_preds.json"], "bytes", _TOKENS["@deep-list"].encode()),
    ([b"real", b"3.png"], "pipe", b""),
)
_trees = st.tuples(
    st.builds(lambda some, more: [*some, *more], st.lists(st.sampled_from(_AMONG), max_size=3, unique_by=id), _entries),
    st.sampled_from(("none", "root", "both", "outside")),
    st.booleans(),
)


@functools.cache
def _contents() -> dict[str, bytes]:
    result = {"empty": b"", "text": b"no image"}
    pixels = Image.fromarray(np.random.default_rng(2).integers(0, 256, (6, 9, 3)).astype(np.uint8))
    for kind, name in (("PNG", "png"), ("JPEG", "jpg")):
        buffer = io.BytesIO()
        pixels.save(buffer, kind)
        result[name] = buffer.getvalue()
    return result | {"cut": result["png"][:60]}


def _plant(root: Path, outside: Path, entries: list[tuple[list[bytes], str, bytes]]) -> None:
    """Makes files as told, as far as the system lets us."""
    for parts, kind, text in entries:
        path = root.joinpath(*(os.fsdecode(part) if part not in (b"", b".", b"..") else "_" for part in parts))
        with contextlib.suppress(OSError, ValueError, AttributeError):  # Windows has no pipes of this kind.
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "folder":
                path.mkdir()
            elif kind == "link":
                places = {b"@OUTSIDE": outside, b"@ROOT": root, b"@SELF": path}
                for word, place in places.items():
                    text = text.replace(word, os.fsencode(place))
                path.symlink_to(os.fsdecode(text))
            elif kind == "pipe":
                os.mkfifo(path)
            elif not path.is_symlink():
                path.write_bytes(text if kind == "bytes" else _contents()[kind])


def _suffix(name: str) -> str:
    at = name.rfind(".")
    return name[at:].lower() if 0 < at < len(name) - 1 else ""


def _image_names(root: str) -> Counter[str]:
    """What a scan must list, found without its help."""
    from dfcore.imaging.decoder import SUFFIXES

    result: Counter[str] = Counter()
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        for name in files:
            if not name.startswith(".") and _suffix(name) in SUFFIXES:
                path = os.path.relpath(os.path.join(folder, name), root)
                result[path.encode("utf-8", "backslashreplace").decode()] += 1
    return result


@contextlib.contextmanager
def _playground(entries: list[tuple[list[bytes], str, bytes]], roots: str) -> Iterator[tuple[Path, Path]]:
    """A tree of files with something outside of it, and the folders that may be read."""
    with tempfile.TemporaryDirectory() as text:
        top = Path(text).resolve()
        root, outside = top / "root", top / "outside"
        _plant(outside, outside, [([b"1.png"], "png", b""), ([b"link.png"], "link", b"1.png")])
        root.mkdir()
        _plant(root, outside, entries)
        allowed = {"root": [root], "both": [root, outside], "outside": [outside]}.get(roots)
        if allowed is not None:
            os.environ["DFCORE_ROOTS"] = os.pathsep.join(map(str, allowed))
        try:
            yield root, top
        finally:
            os.environ.pop("DFCORE_ROOTS", None)


def _scanned(given: Path, top: Path, folder: Path, roots: str) -> Any:
    """Scans twice from one memory and once without; the data set, or None where it is refused in words."""
    from dfcore.datasets import scan
    from dfcore.datasets.scan import image_side
    from dfcore.errors import InputError

    result, refused = [], []
    for cache in ("first", "first", "second"):
        try:
            result.append(scan(given, cache=top / cache, workers=2))
        except InputError as error:  # Of layout, data set or access.
            refused.append(_message(error, shown=False))
    assert not (result and refused), refused
    if refused:
        assert len(set(refused)) == 1, refused
        return None
    for other in result[1:]:
        pd.testing.assert_frame_equal(result[0].table, other.table)
        assert (result[0].layout, result[0].notes) == (other.layout, other.notes)
    dataset = result[0]
    "\n".join((*dataset.notes, dataset.layout, *dataset.table.path)).encode()
    assert re.fullmatch("[0-9a-f]{64}", dataset.fingerprint)
    assert dataset.counts().to_numpy().sum() == len(dataset.usable)
    if len(dataset.usable):
        assert image_side(dataset) > 0
    _check_rows(dataset.table, folder, roots)
    return dataset


def _check_rows(table: pd.DataFrame, folder: Path, roots: str) -> None:
    from dfcore.utils.files import sha256_bytes

    for row in table.to_dict("records"):
        label, split, error = row["label"], row["split"], row["error"]
        assert pd.isna(label) or label in (0, 1)
        assert pd.isna(split) or split in ("train", "validation", "test", "unlabelled")
        assert pd.isna(error) or str(error).strip()
        if pd.isna(row["sha256"]):
            assert not pd.isna(error), f"neither read nor refused: {row}"
            continue
        real = os.path.realpath(folder / row["path"])
        inside = real == str(folder) or real.startswith(f"{folder}{os.sep}")
        assert inside or roots in ("none", "both"), f"read from outside: {row}"
        data = Path(real).read_bytes()
        assert (row["sha256"], row["bytes"]) == (sha256_bytes(data), len(data))
        if pd.isna(error):
            assert (row["width"], row["height"]) == (9, 6) and data in _contents().values()


@_check("folders")
def _check_folder(payload: tuple[list[tuple[list[bytes], str, bytes]], str, bool]) -> str:
    from dfcore.datasets import kinds

    entries, roots, linked = payload
    with _playground(entries, roots) as (root, top):
        given = root
        if linked:
            given = top / "link to it"
            given.symlink_to(root)
        expected = _image_names(str(root))
        dataset = _scanned(given, top, root, roots)
        if dataset is None:
            return "refused"
        assert roots != "outside"
        found = Counter(dataset.table.path)
        assert not expected - found, expected - found
        for path in found - expected:  # Named otherwise, and a picture by its first bytes.
            named = (root / path).is_file()  # Names that are no UTF-8 are listed in another spelling.
            assert not named or kinds.of_file(root / path) is kinds.Kind.PICTURE, path
        assert found
    return "read"


# === Manifests ===

_MANIFEST_TREE: list[tuple[list[bytes], str, bytes]] = [
    ([b"real", b"1.png"], "png", b""),
    ([b"fake", b"2.jpg"], "jpg", b""),
    ([b"fake", b"cut.png"], "cut", b""),
    ([b"loop.png"], "link", b"loop.png"),
    ([b"outside.png"], "link", b"@OUTSIDE/1.png"),
    ([b"out"], "link", b"@OUTSIDE"),
    ([b"dangling.png"], "link", b"nowhere"),
    (["ü.png".encode()], "png", b""),
]
_PATHS = (
    *("real/1.png", "real/1.png", "fake/2.jpg", "fake/cut.png", "loop.png", "outside.png", "out/1.png", "dangling.png"),
    *("ü.png", "u\u0308.png", "real", "real\\1.png", "./real/1.png", "real/../real/1.png", "../outside/1.png"),
    *("out/..",),
    *("/etc/passwd", "~/x", "file:///etc/passwd", "C:\\x", "real/1.png/x", "a/" * 3000, "x" * 300, "loop.png/x"),
)
_LABELS = ("real", "fake", "0", "1", "REAL", "1.0", "2", "gan", "unknown")
_cells = {
    "path": st.sampled_from(_PATHS) | st.sampled_from(_PATHS) | _sound_text,
    "label": st.sampled_from(_LABELS) | st.sampled_from(_LABELS) | _sound_text,
    "split": st.sampled_from(("train", "val", "test", "", "x")) | _sound_text,
    "group": st.sampled_from(("", "a", "b")) | _sound_text,
}
_column_sets = st.sampled_from(
    (
        *(("path", "label"), ("path", "label"), ("path", "label", "split"), ("path", "label", "split", "group")),
        *(("Path", " LABEL "), ("path",), ("label", "path"), ("path", "label", "path"), ("path", "label", ""), ()),
        *(("path", "label", "split", "split"), ("path", "label", "index", "__index_level_0__")),
    )
)


@st.composite
def _csv_manifests(draw: st.DrawFn) -> tuple[str, bytes, int | None]:
    columns = draw(_column_sets)
    rows = draw(st.lists(st.tuples(*(_cells.get(name.strip().lower(), _sound_text) for name in columns)), max_size=8))
    quoted = [[f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row] for row in (columns, *rows)]
    data = "".join(",".join(row) + "\n" for row in quoted).encode()
    if draw(st.booleans()):
        wide = len(columns) == len({name.strip().lower() for name in columns}) > 1
        return "manifest.csv", data, len(rows) if wide else None
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        _bend(draw, changed, [data])
    return "manifest.csv", bytes(changed), None


@functools.cache
def _value_kinds() -> list[tuple[Any, Any]]:
    import pyarrow as pa

    return [
        (pa.string(), _sound_text),
        (pa.string(), st.none() | _sound_text),
        (pa.large_string(), _sound_text),
        (pa.int8(), st.integers(0, 1)),
        (pa.int64(), st.none() | st.integers(-(2**63), 2**63 - 1)),
        (pa.uint64(), st.integers(0, 2**64 - 1)),
        (pa.float32(), st.floats(width=32)),
        (pa.float64(), st.none() | st.floats()),
        (pa.bool_(), st.none() | st.booleans()),
        (pa.binary(), st.binary(max_size=5)),
        (pa.null(), st.none()),
        (pa.date32(), st.integers(-(2**31), 2**31 - 1)),
        (pa.timestamp("ns"), st.integers(-(2**63), 2**63 - 1)),
        (pa.timestamp("s", tz="UTC"), st.integers(-(2**52), 2**52)),
        (pa.duration("us"), st.integers(-(2**62), 2**62)),
        (pa.time32("s"), st.integers(0, 86399)),
        (pa.decimal128(38, 2), st.decimals(-1000, 1000, places=2)),
        (pa.list_(pa.int32()), st.lists(st.integers(0, 3), max_size=3)),
        (pa.list_(pa.string()), st.none() | st.lists(_sound_text, max_size=2)),
        (pa.struct([("a", pa.int32())]), st.fixed_dictionaries({"a": st.integers(0, 3)})),
        (pa.map_(pa.string(), pa.int32()), st.lists(st.tuples(_sound_text, st.integers(0, 3)), max_size=2)),
        (pa.dictionary(pa.int32(), pa.string()), st.sampled_from(("real", "fake"))),
    ]


@st.composite
def _parquets(draw: st.DrawFn, columns: tuple[str, ...], cells: dict[str, Any]) -> tuple[bytes, int]:
    """A table of which some columns are of another kind than they should be."""
    import pyarrow as pa
    from pyarrow import parquet

    count = draw(st.integers(0, 6))
    arrays = []
    for name in columns:
        odd = name not in cells or draw(st.integers(0, 3)) == 0
        kind, value = draw(st.sampled_from(_value_kinds())) if odd else (None, cells[name])
        values = draw(st.lists(value, min_size=count, max_size=count))
        try:
            arrays.append(pa.array(values, kind) if kind is not None else pa.array(values))
        except pa.ArrowException:
            hypothesis.reject()
    table = pa.Table.from_arrays(arrays, list(columns))
    if draw(st.integers(0, 5)) == 0:
        text = {"index_columns": [columns[0]] if columns else [], "columns": [], "column_indexes": []}
        table = table.replace_schema_metadata({"pandas": draw(_bent_json(text) | st.just(json.dumps(text).encode()))})
    buffer = io.BytesIO()
    options: dict[str, Any] = {"compression": draw(st.sampled_from(("none", "snappy", "zstd", "gzip", "brotli")))}
    parquet.write_table(table, buffer, use_dictionary=draw(st.booleans()), **options)
    return buffer.getvalue(), count


@st.composite
def _parquet_manifests(draw: st.DrawFn) -> tuple[str, bytes, int | None]:
    columns = draw(_column_sets)
    data, count = draw(_parquets(columns, _cells))
    if draw(st.integers(0, 2)):
        return "manifest.parquet", data, count if len({*columns}) == len(columns) > 1 else None
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        _bend_parquet(draw, changed, [data])
    return "manifest.parquet", bytes(changed), None


def _bend_parquet(draw: st.DrawFn, data: bytearray, others: list[bytes]) -> None:
    """As `_bend`, half of the time in the footer, which tells everything."""
    if len(data) < 100 or draw(st.booleans()):
        _bend(draw, data, others)
        return
    length = int.from_bytes(data[-8:-4], "little") % max(len(data) - 8, 1)
    footer = data[-8 - length : -8]
    _bend(draw, footer, others)
    data[-8 - length :] = footer + struct.pack("<I", len(footer)) + b"PAR1"


_manifests = st.tuples(
    _csv_manifests() | _parquet_manifests(), st.sampled_from(("none", "root", "both")), st.booleans()
)


@_check("manifests")
def _check_manifest(payload: tuple[tuple[str, bytes, int | None], str, bool]) -> str:
    (name, data, rows), roots, by_file = payload
    with _playground([*_MANIFEST_TREE, ([name.encode()], "bytes", data)], roots) as (root, top):
        dataset = _scanned(root / name if by_file else root, top, root, roots)
        if dataset is None:
            return "refused"
        # A table that names nothing here is foreign: the folders are read.
        if dataset.layout.startswith("manifest"):
            # Whatever the folders that may be read: a manifest's paths stay in its own.
            _check_rows(dataset.table, root, "root")
            assert rows is None or len(dataset.table) == rows
    return "read"


# === Cards ===


@functools.cache
def _cards() -> list[Any]:
    """A card with everything in it; in fuzz mode those that ship too, cut short."""
    shipped = sorted(Path(__file__).parents[2].glob("models/*/card.json")) if MINUTES else []
    result = [json.loads(path.read_text()) for path in shipped]
    for card in result:
        for key in ("measured", "robustness", "limits"):
            card[key] = card.get(key, [])[:2]
    knots = {"method": "isotonic", "knots": [[-1.0, 0.1], [2.0, 0.9]], "images": 6000}
    base: dict[str, Any] = {
        "title": "A card",
        "created": "2026-01-01T00:00:00+00:00",
        "arch": "cnn",
        "loss": "binary",
        "preprocess": {"size": 32, "resize": "stretch"},
        "threshold": {"value": 0.5, "chosen_on": "nothing", "criterion": "none"},
        "calibration": knots,
        "thresholds": {"real_below": 0.2, "fake_from": 0.7},
        "known": {"files": {"sides": [32, 64], "qualities": [50, 90]}, "sha256": "0" * 64},
        "cam_layer": "conv_last",
        "training": {"dataset": "none", "counts": {"train": {"real": 5, "fake": 5}}, "config": {"seed": 1}},
        "results": {"test": {"roc_auc": 0.9}},
        "measured": [{"dataset": "x", "roc_auc": None}],
    }
    return [base, *result]


_CARD_WORDS = (
    *("isotonic", "platt", "none", "categorical", "fit_crop", "32", 32, 0, 1e308, -1e308, 5e-324, 10**400),
    *([[1, 5], [0, -5]], [[1, 1]], [0, 0]),
)
_bent_cards = st.deferred(lambda: st.sampled_from(_cards()).flatmap(lambda card: _bent_json(card, _CARD_WORDS)))


@_check("cards")
def _check_card(data: bytes) -> str:
    from dfcore.confidence import decide
    from dfcore.detectors.bundle import CARD, read_card, write_card
    from dfcore.errors import BundleError

    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / CARD).write_bytes(data)
        try:
            card = read_card(folder)
        except BundleError as error:
            _message(error)
            return "refused"
        assert card.spec.size == card.preprocess.size
        assert decide(0.5, card.thresholds) in ("real", "inconclusive", "fake")
        assert isinstance(card.record[1], dict)
        scores = card.calibration.apply(np.linspace(-50, 50, 101))
        assert np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1, f"scores {scores[:3]} …"
        assert card.calibration.description
        if card.ood is not None:
            list(card.ood.limits.misfits(100, 80.0, 0.1, 0.5))
        write_card(folder, card)
        assert read_card(folder) == card
    return "read"


# === Networks ===

_ARCHITECTURES = ("cnn", "spectral_cnn", "vit", "resnet18") if MINUTES else ("cnn", "spectral_cnn")
_NAMES = """os builtins posix subprocess keras keras.layers keras.src.layers keras.ops keras.saving keras.utils numpy
    tensorflow dfcore.utils.files dfcore.architectures.layers keras.src.models.functional Lambda eval system Functional
    TorchModuleWrapper TFSMLayer StringLookup Sequential Model function get_file load_model __lambda__ __numpy__ Add
    __keras_tensor__ __tensor__ __ellipsis__ __bytes__ __slice__ __typespec__ dfcore>MeanStdPooling dfcore>Nothing Dense
    Normalization float64 string object resource softmax channels_first same full causal auto adam"""
_NETWORK_WORDS = (
    *_NAMES.split(),
    *(0, -1, 1, 2, 3, 7, 64, 1024, 2**16, 2**26, 2**31, 2**31 + 1, 2**63, 1e30, 0.0, -1.0, None, True, [], {}),
    *([None, 2**31, 2**31, 3], [None, 8192, 8192, 3], [None, None, None, 3], [0, 0], [1, 1], [2**20] * 2),
    [[1, 2], [3]],
    {"class_name": "Lambda", "module": "keras.layers", "registered_name": None, "config": {"function": "eval"}},
    {"class_name": "function", "module": "os", "registered_name": "function", "config": "system"},
    {"class_name": "DTypePolicy", "module": "keras", "registered_name": None, "config": {"name": "float16"}},
    {"class_name": "L2", "module": "keras.regularizers", "registered_name": None, "config": {"l2": 1e308}},
    {"class_name": "__lambda__", "config": {"value": "4wAAAA=="}},
    {"class_name": "__tensor__", "config": {"value": [1.0], "dtype": "float32"}},
    {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": "object"}},
)


@functools.cache
def _networks() -> dict[str, bytes]:
    """Sound models, made once in the child process: their architecture's name and their bytes."""
    from dfcore.architectures import build_model

    result = {}
    for name in _ARCHITECTURES:
        path = Path(tempfile.gettempdir()) / f"{name}.keras"
        if not path.exists():
            build_model(name, size=32).save(path)
        result[name] = path.read_bytes()
    return result


def _zip_members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@_check("networks, sound")
def _sound_networks(_: None) -> dict[str, str]:
    return {name: _zip_members(data)["config.json"].decode() for name, data in _networks().items()}


def _bent_networks(lab: Lab) -> st.SearchStrategy[Any]:
    configs = {name: json.loads(text) for name, text in lab.run("networks, sound", None).items()}
    bent = {name: _bent_json(config, _NETWORK_WORDS, most=3) for name, config in configs.items()}
    return st.sampled_from(sorted(bent)).flatmap(lambda name: st.tuples(st.just(name), bent[name]))


# What nothing may do that only looks at a file.
_DEEDS = ("subprocess.", "socket.", "shutil.", "urllib.", "ctypes.", "pickle.find_class", "os.system", "os.exec")
_DEEDS += ("os.posix_spawn", "os.spawn", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.link")
_deeds: list[str] = []
_watching = threading.local()


@functools.cache
def _watch() -> None:
    def note(event: str, text: tuple[Any, ...]) -> None:
        if getattr(_watching, "on", False) and (
            event.startswith(_DEEDS) or (event == "open" and isinstance(text[1], str) and set(text[1]) & set("wax+"))
        ):
            _deeds.append(f"{event} {text!r:.200}")

    sys.addaudithook(note)


@_check("networks")
def _check_network(payload: tuple[str, bytes]) -> str:
    from dfcore.detectors.model_validation import check_model
    from dfcore.errors import BundleError

    name, config = payload
    _watch()
    members = _zip_members(_networks()[name]) | {"config.json": config}
    with tempfile.TemporaryDirectory() as text:
        path = Path(text) / "model.keras"
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        refused = ""
        _deeds.clear()
        _watching.on = True
        try:
            check_model(path)
        except BundleError as error:
            refused = _message(error)
        finally:
            _watching.on = False
        assert not _deeds, f"while it looked at a file: {_deeds[:5]}"
        if not refused and MINUTES:
            return _loaded(path, name)
    return "refused" if refused else "passed"


def _loaded(model: Path, arch: str) -> str:
    """A network that the gate lets pass is loaded as any other is, and judges an image."""
    from dfcore.detectors.bundle import write_card
    from dfcore.detectors.detector import Detector
    from dfcore.errors import DfcoreError
    from dfcore.utils.files import sha256_bytes
    from tests.conftest import make_card

    write_card(model.parent, make_card(arch=arch, model_sha256=sha256_bytes(model.read_bytes())))
    try:
        verdict = Detector.load(model.parent).predict([np.full((64, 64, 3), 128, np.uint8)])[0]
    except DfcoreError as error:
        _message(error)
        return "not loaded"
    assert verdict.error or verdict.score is not None
    return "judged"


# === Networks made elsewhere ===


@functools.cache
def _foreign() -> dict[str, bytes]:
    """Sound models as other programs make them: their file's name and their bytes."""
    import keras

    layers = keras.layers
    base = keras.Sequential([layers.Conv2D(4, 3), layers.BatchNormalization()])
    image = keras.Input((16, 16, 3))
    x = base(layers.RandomFlip()(image) / 127.5 - 1.0)
    x = layers.Add()([x, layers.Activation("relu")(x)])
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    nested = keras.Model(image, layers.Dense(2, activation="softmax")(x))
    plain = [
        layers.Input((16, 16, 3)),
        layers.Rescaling(1 / 255),
        layers.Normalization(mean=[0.5] * 3, variance=[1] * 3),
    ]
    plain += [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(1, activation="sigmoid")]
    result = {}
    for name, model in (("nested", nested), ("sequential", keras.Sequential(plain))):
        for ending in ("keras", "h5"):
            path = Path(tempfile.gettempdir()) / f"{name}.{ending}"
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.save(path)
            result[path.name] = path.read_bytes()
    return result


def _foreign_config(name: str, data: bytes) -> str:
    import h5py

    if name.endswith(".keras"):
        return _zip_members(data)["config.json"].decode()
    with h5py.File(io.BytesIO(data), "r") as file:
        return str(file.attrs["model_config"])


@_check("foreign networks, sound")
def _sound_foreign(_: None) -> dict[str, str]:
    return {name: _foreign_config(name, data) for name, data in _foreign().items()}


def _bent_foreign(lab: Lab) -> st.SearchStrategy[Any]:
    configs = {name: json.loads(text) for name, text in lab.run("foreign networks, sound", None).items()}
    bent = {name: _bent_json(config, _NETWORK_WORDS, most=3) for name, config in configs.items()}
    return st.sampled_from(sorted(bent)).flatmap(lambda name: st.tuples(st.just(name), bent[name]))


def _with_config(name: str, data: bytes, config: bytes) -> bytes:
    import h5py

    buffer = io.BytesIO()
    if name.endswith(".keras"):
        with zipfile.ZipFile(buffer, "w") as archive:
            for member, content in (_zip_members(data) | {"config.json": config}).items():
                archive.writestr(member, content)
        return buffer.getvalue()
    buffer.write(data)
    with h5py.File(buffer, "r+") as file:
        file.attrs["model_config"] = np.bytes_(config.rstrip(b"\0") or b"{")
    return buffer.getvalue()


@_check("foreign networks")
def _check_foreign(payload: tuple[str, bytes]) -> str:
    from dfcore.detectors.untrusted import Refused
    from dfcore.errors import ArchiveError
    from dfcore.foreign import child, read

    name, config = payload
    if name.endswith(".h5") and len(config) > 60_000:  # More than an attribute holds.
        return "too long"
    data = _with_config(name, _foreign()[name], config)
    _watch()
    _deeds.clear()
    _watching.on = True
    try:
        flat, keras, form = child._read(name, data)
    except (Refused, ArchiveError) as error:
        _message(error, shown=False)
        return "refused"
    finally:
        _watching.on = False
        assert not _deeds, f"while it looked at a file: {_deeds[:5]}"
    with tempfile.TemporaryDirectory() as text:
        facts, weights = Path(text) / "facts", Path(text) / "weights"
        with facts.open("w") as first, weights.open("wb") as second:
            child._write(flat, keras, form, first, second)
        network = read._checked(facts, weights, name, "")  # Whoever reads it finds nothing else in it.
    return "built" if MINUTES and _built(network) else "passed"


def _built(network: Any) -> bool:
    from dfcore.errors import InputError
    from dfcore.foreign.build import build

    try:
        return build(network, network.side or 16, fake_first=False) is not None
    except InputError as error:
        _message(error)
        return False


# === Weights ===


@functools.cache
def _weight_seeds() -> list[bytes]:
    import h5py

    result = []
    for version in ("earliest", "latest"):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w", libver=version) as file:
            for layer in ("dense", "batch_normalization"):
                group = file.create_group(f"layers/{layer}/vars")
                group["0"] = np.arange(6, dtype=np.float32).reshape(2, 3)
                group["1"] = np.zeros((), np.float16)
            file["layers"].attrs["name"] = "x"
        result.append(buffer.getvalue())
    return result


def _weight_cuts(data: bytes) -> list[int]:
    marks = rb"TREE|SNOD|HEAP|OHDR|FRHP|FHDB|BTHD|BTLF|OCHK|\x89HDF"
    return [match.start() for match in re.finditer(marks, data)][:100]


@_check("weights")
def _check_weights(data: bytes) -> str:
    import h5py

    from dfcore.detectors import model_validation, untrusted

    try:
        model_validation._check_weights(data)
    except untrusted.Refused as error:
        _message(error, shown=False)
        return "refused"
    # What passes is read by Keras; whatever error that raises, the process must outlive it.
    with contextlib.suppress(Exception), h5py.File(io.BytesIO(data), "r") as file:
        groups: list[Any] = [file]
        while groups:
            group = groups.pop()
            for part in group.values():
                if isinstance(part, h5py.Group):
                    groups.append(part)
                else:
                    part.attrs.get("dtype")
                    np.asarray(part)
    return "passed"


# === Records of known images ===

_DTYPES = ("<f2", "<f4", "<f8", ">f4", "<i4", "?", "<c8", "U3", "S3", "M8[s]", "V4", "longdouble", "f2,i4", "O")
_NPY_HEADERS = (
    *("{", "", "(" * 200, "[" * 5000, "1L", "'''", "\\", "a\n b", "__import__('os')"),
    "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
    "{'descr': '<f4', 'fortran_order': 1, 'shape': 3}",
    "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
    "{'descr': [('a', '<f4')] * 3}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2147483648,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (3L,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 1.0), }",
    "{'descr': ('<f4', (2, 2)), 'fortran_order': True, 'shape': (), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'more': 1}",
)


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def _npy_with(header: str, data: bytes) -> bytes:
    text = header.encode("utf-8", "surrogatepass")
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text + data


@st.composite
def _arrays(draw: st.DrawFn, sound: np.ndarray) -> bytes:
    """One member: sound, of another shape or kind, with odd values, or with its bytes bent."""
    kind = draw(st.sampled_from(("sound", "sound", "values", "shape", "kind", "header", "bent")))
    if kind == "values":
        array = np.array(sound, float)
        array[...] = draw(st.sampled_from((0.0, -1.0, math.nan, math.inf, -math.inf, 1e-300, 1e300, 65_504.0)))
        with np.errstate(all="ignore"):
            return _npy(array.astype(draw(st.sampled_from((sound.dtype, np.float64)))))
    if kind == "shape":
        shapes = ((), (1,), (0,), (2,), (3,), (3, 2), (0, 2), (3, 0), (2, 3), (1, 1, 1), (1,) * 64)
        shape = draw(st.sampled_from(shapes))
        return _npy(np.resize(sound, shape))
    if kind == "kind":
        with np.errstate(all="ignore"):
            return _npy(np.zeros(sound.shape, draw(st.sampled_from(_DTYPES))))
    if kind == "header":
        return _npy_with(draw(st.sampled_from(_NPY_HEADERS) | _text), draw(st.binary(max_size=16)))
    data = bytearray(_npy(sound))
    if kind == "bent":
        _bend(draw, data, [bytes(data)])
    return bytes(data)


def _domains() -> st.SearchStrategy[bytes]:
    rng = np.random.default_rng(3)
    return _array_files(
        {
            "mean": rng.normal(size=3).astype(np.float32),
            "basis": rng.normal(size=(3, 2)).astype(np.float32),
            "references": rng.normal(size=(6, 2)).astype(np.float16),
            "limit": np.array(1.5),
        }
    )


def _lists() -> st.SearchStrategy[bytes]:
    hashes = np.random.default_rng(3).integers(0, 2**64, (4, 3), np.uint64)
    columns = dict(zip(("pixels", "files", "looks", "colours"), hashes, strict=True))
    return _array_files(columns | {"held": np.array([False, True, False]), "version": np.array(1)})


@st.composite
def _array_files(draw: st.DrawFn, sound: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Names that stand twice are meant.
        with zipfile.ZipFile(buffer, "w", draw(st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))) as archive:
            for name, array in sound.items():
                if draw(st.integers(0, 30)):
                    archive.writestr(zipfile.ZipInfo(f"{name}.npy"), draw(_arrays(array)), archive.compression)
            if not draw(st.integers(0, 15)):
                first = next(iter(sound))
                other = draw(st.sampled_from((first, f"{first}.npy", "x.npy", f"{first.capitalize()}.npy")))
                archive.writestr(zipfile.ZipInfo(other), _npy(np.zeros(3)))
    data = bytearray(buffer.getvalue())
    odd = draw(st.integers(0, 9))
    if odd == 0:
        _bend(draw, data, [bytes(data)])
    elif odd == 1:  # Two kinds of file in one: what stands first, and an archive behind it.
        data[:0] = draw(st.sampled_from((_npy(np.zeros(3)), b"\x93NUMPY", b"\x80\x04.", b"MZ", bytes(5))))
    return bytes(data)


@_check("domains")
def _check_domain(data: bytes) -> str:
    from dfcore.confidence import FileRange
    from dfcore.detectors.bundle import OOD_FILE, read_ood_detector
    from dfcore.detectors.card import OODRecord
    from dfcore.errors import BundleError
    from dfcore.utils.files import sha256_bytes
    from tests.conftest import make_card

    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / OOD_FILE).write_bytes(data)
        card = make_card(ood=OODRecord(files=FileRange(sides=(32, 32)), sha256=sha256_bytes(data)))
        try:
            domain = read_ood_detector(folder, card)
        except BundleError as error:
            _message(error)
            return "refused"
    assert domain is not None and domain.limit > 0 and math.isfinite(domain.limit)
    message = domain.relative(np.zeros((2, len(domain.mean)), np.float32))
    assert message.shape == (2,)
    assert not np.isnan(message).any(), message
    return "read"


@_check("lists")
def _check_list(data: bytes) -> str:
    from dfcore.detectors.trained_on import Seen, TrainedOn
    from dfcore.errors import ArchiveError
    from dfcore.imaging.signature import signature

    try:
        listed = TrainedOn.from_bytes(data)
    except (ValueError, ArchiveError) as error:
        _message(error)
        return "refused"
    look = signature(np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8))
    (seen,) = listed.find(["ab" * 32], [None], lambda _: [look])
    assert isinstance(seen, Seen) and seen is not Seen.UNKNOWN
    return "read"


# === Predictions ===

_PREDICTION_CELLS = {
    "path": _sound_text,
    "sha256": st.sampled_from(("0" * 64, "f" * 64)),
    "label": st.integers(0, 1),
    "group": st.sampled_from(("a", "b")),
    "logit": st.floats(-5, 5, width=32),
    "score": st.floats(0, 1),
    "unlike": st.booleans(),
}


@st.composite
def _prediction_files(draw: st.DrawFn) -> bytes:
    columns = tuple(_PREDICTION_CELLS)
    if not draw(st.integers(0, 5)):
        columns = tuple(draw(st.permutations((*columns, "index", "score")))[: draw(st.integers(0, 9))])
    data, _ = draw(_parquets(columns, _PREDICTION_CELLS))
    if draw(st.integers(0, 2)):
        changed = bytearray(data)
        for _ in range(draw(st.integers(1, 4))):
            _bend_parquet(draw, changed, [data])
        return bytes(changed)
    return data


@_check("predictions")
def _check_predictions(data: bytes) -> str:
    from dfcore.errors import BundleError
    from dfcore.evaluation import read_predictions

    with tempfile.TemporaryDirectory() as text:
        path = Path(text) / "predictions_test.parquet"
        path.write_bytes(data)
        try:
            table = read_predictions(path)
        except BundleError as error:
            _message(error)
            return "refused"
    assert type(table) is pd.DataFrame
    # As those do who choose thresholds by them.
    assert set(table.label.to_numpy(int).tolist()) <= {0, 1}, "labels that are none"
    scores = table.score.to_numpy(float)
    assert ((scores >= 0) & (scores <= 1)).all(), "scores out of their range"
    assert all(isinstance(name, str) for name in (*table.path, *table.sha256)), "names that are no text"
    return "read"


# === Run folders ===

_STATUS: dict[str, Any] = {
    "state": "running",
    "pid": 4_000_000,
    "started": 12.5,
    "place": "@place",
    "heartbeat": 1.7e9,
    "phase": "epoch 1 of 3",
    "epoch": 1,
    "epochs": 3,
    "step": 2,
    "steps": 10,
    "images_per_second": 5.5,
    "seconds_left": 10.0,
    "reason": "",
}
_STATUS_WORDS = (
    *("queued", "running", "stopping", "completed", "failed", "@place", "elsewhere"),
    *(0, 1, -1, 2**31, 2**64, 1e308, -5),
)
_HISTORY = b"epoch,loss,val_loss\n1,0.5,0.6\n2,0.4,\n"
_STEPS = b"time,epoch,step,loss\n1.5,1,1,0.7\n1.6,1,2,nan\n"
_LOG = "Epoch 1 \u2026\n".encode() * 50


def _bent_lines(data: bytes) -> st.SearchStrategy[bytes]:
    fixed = (b"", b"\n", b"\n\n", b"\r", b'"', b'"\n', b"a,\xff\n", b"a\n" + b"9" * 200_000 + b"\n", b"a\0b\n1\n")
    return st.sampled_from(fixed) | _bent(lambda: [data], most=3) | st.binary(max_size=20)


_run_files = st.fixed_dictionaries(
    {"status.json": _bent_json(_STATUS, _STATUS_WORDS, most=2)},
    optional={
        "config.json": _bent_json({"arch": "cnn", "data_root": "/data/x", "name": "", "epochs": 3}, most=2),
        "created.json": _bent_json({"time": 1.7e9}, (1e300, -1e12, 1e18), most=1),
        "metrics.json": _bent_json({"test": {"roc_auc": 0.9}}, most=2),
        "history.csv": _bent_lines(_HISTORY),
        "steps.csv": _bent_lines(_STEPS),
        "log.txt": _bent_lines(_LOG),
        "notes.txt": _bent_lines(b"some notes\n"),
        "heartbeat": st.just(b""),
    },
)
_run_ids = st.sampled_from(("one", "..", "", "a" * 300, "one\0", "one/../one", "\ud800", ".", "one\n")) | _text
_run_folders = st.tuples(_run_files, _run_ids)


@_check("runs")
def _check_run(payload: tuple[dict[str, bytes], str]) -> str:
    from dfcore.errors import RunError, StorageError
    from dfcore.runs.process import place
    from dfcore.runs.store import RunStore, State
    from dfcore.runs.summary import summary

    files, other = payload
    sound = {"config.json": b'{"arch": "cnn", "data_root": "/x"}', "created.json": b'{"time": 1.7e9}'}
    refused = 0

    def tell(action: Callable[[], Any]) -> Any:
        nonlocal refused
        try:
            return action()
        except (RunError, StorageError) as error:
            _message(error, shown=False)
            refused += 1
            return None

    with tempfile.TemporaryDirectory() as text:
        folder = Path(text).resolve() / "one"
        folder.mkdir()
        for name, content in (sound | files).items():
            (folder / name).write_bytes(content.replace(b"@place", place().encode()))
        store = RunStore(folder.parent)
        runs = list(store)
        assert [run.id for run in runs] == ["one"] and store.get("one").folder == folder
        result = tell(lambda: store.get(other))
        assert result is None or result.folder == folder, result.folder
        run = runs[0]
        status = tell(run.status)
        if status is not None:
            assert isinstance(status.state, State)
            assert 0 <= status.fraction <= 1
            assert tell(run.status) is not None
            assert tell(run.silence) >= 0
        for read in (run.history, run.steps):
            rows = tell(read)
            assert rows is None or all(isinstance(value, float) for row in rows for value in row.values())
        assert isinstance(tell(run.log_tail), str)
        for read in (run.config, run.metrics, run.notes, lambda: run.name, lambda: run.created):
            tell(read)
        tell(lambda: summary(run))
        tell(lambda: store.turn_of(run))
    return "refused" if refused else "read"


# === Films ===

_CONTAINERS = {
    "mp4": "libx264", "mov": "mjpeg", "matroska": "libx264", "webm": "libvpx", "avi": "mpeg4", "mpegts": "mpeg2video",
    "flv": "libx264", "asf": "msmpeg4", "mpeg": "mpeg2video", "mxf": "mpeg2video", "ogg": "libtheora",
}  # fmt: skip


@functools.cache
def _film_seeds() -> list[bytes]:
    """Every container that is read, with a few frames; turned, with sound, a cover, odd times."""
    from tests.made_films import film
    from tests.security.hostile_films import moov_first, odd

    result = []
    for container, codec in _CONTAINERS.items():
        pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        with contextlib.suppress(ValueError):  # A codec that this build of FFmpeg cannot write.
            result.append(film(6, container=container, codec=codec, rate=25, pixel_format=pixels))
    result += [film(6, turn=90, sound=True, cover=True), moov_first(film(6)), film(6, pts=[0, 1, 50, 51, 900, 5000])]
    return result + [content for _, content in odd() if len(content) < 100_000]


def _film_cuts(data: bytes) -> list[int]:
    """Where the pieces of a film begin."""
    from tests.made_films import boxes

    if data[4:8] == b"ftyp":
        return [start for _, start, _ in boxes(data)][:100]
    ebml, riff, stream = rb"\x1a\x45\xdf\xa3|\x1f\x43\xb6\x75|[\xa3\xa0]", rb"LIST|movi|00dc", rb"\x47[\x40-\x5f]\x00"
    marks = rb"|".join((ebml, riff, stream, rb"OggS|\x00\x00\x01|\x06\x0e\x2b\x34"))
    return [match.start() for match in re.finditer(marks, data)][:100]


_films = st.tuples(
    _bent(_film_seeds, _film_cuts),
    st.sampled_from((("frames", 1), ("frames", 3), ("seconds", 0.2), ("seconds", 0.01), ("scenes", 0.5))),
)


@_check("films")
def _check_film(payload: tuple[bytes, tuple[Any, float]]) -> str:
    from dfcore.errors import FilmError
    from dfcore.films import Sampling, open_film

    data, sampling = payload
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film"
        path.write_bytes(data)
        samples: list[Any] = []
        try:
            with open_film(path) as film:
                facts = film.facts.to_dict()
                json.dumps(facts, allow_nan=False)
                assert facts["width"] > 0 and facts["height"] > 0 and facts["bytes"] == len(data)
                for sample in film.frames(Sampling(*sampling)):
                    _check_sample(sample, samples)
                    if len(samples) > 200:
                        return "long"
                assert film.ending is not None
                for note in film.ending.notes:
                    note.encode()
                if samples:
                    _check_again(film, samples)
        except FilmError as error:
            _message(error)
            return "cut off" if samples else "refused"
    return "read" if samples else "empty"


def _check_sample(sample: Any, before: list[Any]) -> None:
    place, rgb = sample.position, sample.rgb
    assert rgb.dtype == np.uint8 and rgb.ndim == 3 and rgb.shape[2] == 3 and 0 < rgb.size <= 3 * 50_000_000
    assert place.index == len(before) and math.isfinite(place.seconds) and place.seconds >= 0
    if before:
        assert place.seconds > before[-1][0].seconds and place.frame > before[-1][0].frame
    before.append((place, rgb.copy()))


def _check_again(film: Any, samples: list[Any]) -> None:
    """A frame is the same when it is asked for again, or it is said that it is not there."""
    from dfcore.errors import FilmError

    for place, rgb in (samples[-1], samples[len(samples) // 2]):
        try:
            again = film.frame(place)
        except FilmError as error:
            _message(error)
            continue
        assert np.array_equal(again.rgb, rgb), f"another frame than before at {place}"


# === What decoding processes say ===

_MESSAGE = {
    "facts": {"format": "PNG", "width": 2, "height": 1, "mode": "RGB", "bytes": 5, "sha256": "x", "exif": {}},
    "shape": [1, 2, 3],
    "bytes": 6,
}
_lines = st.one_of(
    _bent_json(_MESSAGE, (6, 5, 7, [6], [-1], [2**70], [2, 3], [0], True, "large"), most=3),
    _bent_json({"large": True, "bytes": 0}, most=1),
    _bent_json({"error": "damaged", "bytes": 0}, most=1),
    st.binary(max_size=20),
    st.sampled_from((b"[]", b"1", b"null", b"{}", b'{"bytes": null}', b'{"bytes": 1e9}', b"\xff", b"[" * 100_000)),
)
_said = st.tuples(_lines, st.sampled_from((b"\n", b"\n", b"\n", b"")), st.binary(max_size=8))
_messages = st.lists(_said.map(lambda said: said[0].replace(b"\n", b" ") + said[1] + said[2]), max_size=3).map(b"".join)


class _Speaker:
    """Stands in for a decoding process that says what it likes."""

    def __init__(self, said: bytes):
        self.stdin, self.stdout = io.BytesIO(), io.BytesIO(said)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        self.returncode = -9

    def communicate(self) -> None:
        pass

    def wait(self, _: float) -> int | None:
        return self.returncode


@_check("protocol")
def _check_protocol(data: bytes) -> str:
    from dfcore.errors import ImageError
    from dfcore.imaging.decoder import ImageFacts
    from dfcore.imaging.sandbox import pool
    from dfcore.imaging.sandbox.protocol import receive

    stream = io.BytesIO(data)
    with contextlib.suppress(EOFError, ValueError):
        while True:
            message, content = receive(stream)
            assert type(message) is dict and type(content) is bytes

    asked = _pool_of_one()
    started = mock.patch.object(subprocess, "Popen", lambda *_arguments, **_options: _Speaker(data))
    try:
        with started, mock.patch.object(pool, "_pool", _pool_of_one):
            facts, pixels = pool.ask(b"some image", {"want": "picture", "most": None})
    except ImageError as error:
        _message(error)
        return "refused"
    finally:
        asked.close()
    assert isinstance(facts, ImageFacts) and pixels.dtype == np.uint8
    assert facts.bytes == len(b"some image")
    return "believed"


@functools.cache
def _pool_of_one() -> Any:
    from dfcore.imaging.sandbox import pool

    return pool.Pool(1, pool._DECODING)


# === The fuzzing itself ===


class Target(NamedTuple):
    """What is fuzzed: by which examples, and how many of them without `FUZZ_MINUTES`."""

    examples: Callable[[Lab], st.SearchStrategy[Any]]
    few: int


TARGETS: dict[str, Target] = {
    "images": Target(lambda lab: _images(), 250),
    "archives": Target(lambda lab: _made_zips | _bent(_zip_seeds, _zip_cuts), 200),
    "archives of pictures": Target(lambda lab: _picture_zips | _bent(_picture_zip_seeds, _zip_cuts), 200),
    "folders": Target(lambda lab: _trees, 30),
    "manifests": Target(lambda lab: _manifests, 30),
    "cards": Target(lambda lab: _bent_cards, 150),
    "networks": Target(_bent_networks, 40),
    "foreign networks": Target(_bent_foreign, 100),
    "weights": Target(lambda lab: _bent(_weight_seeds, _weight_cuts), 150),
    "domains": Target(lambda lab: _domains(), 120),
    "lists": Target(lambda lab: _lists(), 120),
    "predictions": Target(lambda lab: _prediction_files(), 80),
    "runs": Target(lambda lab: _run_folders, 80),
    "films": Target(lambda lab: _films, 25),
    "protocol": Target(lambda lab: _messages, 200),
}


class Record:
    """What was done, for the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outcomes: dict[str, Counter[str]] = {}
        self.seconds: dict[str, float] = {}
        self.findings: list[str] = []

    def keep(self, target: str, finding: Finding, payload: Any) -> str:
        """Saves an example that must not be; returns what to tell of it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{target}-{len(self.findings) + 1}.txt"
        path.write_text(repr(payload))
        text = f"{finding}\nThe example lies in {path}: {payload!r:.1500}"
        self.findings.append(f"{finding.origin}: {path}")
        return text

    def lines(self) -> list[str]:
        """A line a target."""
        result = []
        for target, outcomes in self.outcomes.items():
            text = ", ".join(f"{count:,} {name}" for name, count in outcomes.most_common())
            minutes = self.seconds.get(target, 0) / 60
            result.append(f"{target}: {outcomes.total():,} examples in {minutes:.1f} minutes ({text})")
        total = sum(outcomes.total() for outcomes in self.outcomes.values())
        result.append(f"In all: {total:,} examples in {sum(self.seconds.values()) / 60:.1f} minutes")
        return [*result, f"Findings: {len(self.findings)}", *self.findings]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Called by pytest."""
        terminalreporter.section("fuzzing")
        for line in self.lines():
            terminalreporter.line(line)


@pytest.fixture(scope="module")
def record(request, tmp_path_factory) -> Iterator[Record]:
    result = Record(Path(f"{_OUT}.findings") if _OUT else tmp_path_factory.mktemp("findings"))
    if MINUTES:
        request.config.pluginmanager.register(result)
    yield result
    if _OUT:
        Path(_OUT).write_text("\n".join(result.lines()) + "\n")


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Lab]:
    result = Lab(tmp_path_factory.mktemp("lab"))
    yield result
    result.close()


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_whatever_comes_in(target: str, lab: Lab, record: Record):
    outcomes = record.outcomes.setdefault(target, Counter())
    examples = TARGETS[target].examples(lab)
    began = time.monotonic()
    until = began + 60 * MINUTES / len(TARGETS)
    known: set[str] = set()
    failed: dict[str, tuple[Finding, Any]] = {}
    enough = math.inf

    def one(payload: Any) -> None:
        nonlocal enough
        now = time.monotonic()
        if now > enough:
            raise _Enough
        if MINUTES and not failed and now > until:
            return
        try:
            outcome = lab.run(target, payload)
        except Finding as finding:
            outcomes["findings"] += 1
            if finding.origin in known:
                return
            enough = min(enough, now + _SHRINK_SECONDS)
            before = failed.get(finding.origin)
            if before is None or len(repr(payload)) <= len(repr(before[1])):
                failed[finding.origin] = (finding, payload)
            if MINUTES and "silent" in finding.origin:  # Making it smaller would take hours.
                return
            raise
        outcomes[outcome] += 1

    text = []
    while True:
        failed.clear()
        enough = math.inf
        try:
            _round(one, examples, TARGETS[target].few)
        except BaseException as error:
            if not failed or isinstance(error, KeyboardInterrupt | pytest.exit.Exception):
                raise
        known |= set(failed)
        text += [record.keep(target, *result) for result in failed.values()]
        if time.monotonic() > until:
            break
    if MINUTES:  # What one target has left behind is not the next one's business.
        lab.close()
    record.seconds[target] = time.monotonic() - began
    if text:
        pytest.fail("\n\n".join(text), pytrace=False)


class _Enough(BaseException):
    """Ends the search for smaller examples; no `Exception`, for Hypothesis would take it for a failure."""


def _round(one: Callable[[Any], None], examples: st.SearchStrategy[Any], few: int) -> None:
    options = settings(
        max_examples=_ROUND if MINUTES else few,
        derandomize=not MINUTES,
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    test = options(given(examples)(one))
    if MINUTES:
        test = hypothesis.seed(random.SystemRandom().getrandbits(64))(test)
    test()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as _text:
        _set_up(Path(_text))
        print(_tried(sys.argv[1], ast.literal_eval(Path(sys.argv[2]).read_text())))
