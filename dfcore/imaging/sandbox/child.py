"""The decoding process, `python -m dfcore.imaging.sandbox.child`: requests on stdin, answers on stdout.

Before reading untrusted bytes it limits itself: memory, CPU time per image, no file writes, no core dumps. On systems
without such limits (Windows) only the parent's timeout applies.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, BinaryIO

import numpy as np
from PIL import AvifImagePlugin, Image

from dfcore.errors import ImageError
from dfcore.imaging import decoder
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.imaging.resizing import resized
from dfcore.imaging.sandbox.protocol import receive, send
from dfcore.imaging.signature import signature
from dfcore.utils.processes import forbid_files, limit_memory, limit_time

# In addition to what the interpreter and its libraries use, for images below and from `LARGE_PIXELS`. 50 megapixels
# with transparency need about 400 MB.
MEMORY_BYTES, LARGE_MEMORY_BYTES = 300 * 2**20, 680 * 2**20
CPU_SECONDS = 4
# From this size on, the parent lets only one process decode at a time.
LARGE_PIXELS = 12_000_000


def main() -> None:
    """Answers requests until stdin is closed."""
    # Output printed by libraries goes to stderr, not between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    set_memory = limit_memory(MEMORY_BYTES, LARGE_MEMORY_BYTES)
    forbid_files()
    # The stack of each thread counts towards the memory limit.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    pixels: np.ndarray | None = None
    while True:
        try:
            request, data = receive(sys.stdin.buffer)
        except EOFError:
            return
        limit_time(CPU_SECONDS)
        set_memory(MEMORY_BYTES)
        try:
            facts, pixels = _answer(request, data, answers, set_memory)
        except ImageError as error:
            send(answers, {"error": str(error)})
        except MemoryError:
            send(answers, {"error": "There was not enough memory to decode the image."})
        else:
            shape = None if pixels is None else pixels.shape
            send(answers, {"facts": facts, "shape": shape}, b"" if pixels is None else pixels.data.cast("B"))
        # Waiting must not cost the memory of the last image.
        data, pixels = b"", None


def _answer(
    request: dict[str, Any], data: bytes, answers: BinaryIO, set_memory: Callable[[int], None]
) -> tuple[dict[str, Any], np.ndarray | None]:
    def decode(*, large: bool) -> tuple[dict[str, Any], np.ndarray] | None:
        with decoder.opened(data) as image:
            if image.area >= LARGE_PIXELS and not large:
                return None
            facts, rgb = image.read()
            return asdict(facts), rgb

    try:
        result = decode(large=False)
    except (ImageError, MemoryError):
        # Some decoders allocate memory for the whole image before reporting its size.
        result = None
    if result is None:
        send(answers, {"large": True})
        receive(sys.stdin.buffer)  # Permission from the parent.
        set_memory(LARGE_MEMORY_BYTES)
        result = decode(large=True)
    assert result is not None
    text, rgb = result
    if request["want"] == "check":
        return text, None
    if request["want"] == "look":
        return text, np.frombuffer(signature(rgb).to_bytes(), np.uint8)
    if request["want"] == "part":
        left, top, right, bottom = request["box"]
        return text, np.ascontiguousarray(rgb[top:bottom, left:right])
    if request["want"] == "crops":
        return text, np.concatenate([np.empty(0, np.uint8), *(_crop(rgb, box, request) for box in request["boxes"])])
    picture = _shrunk(rgb, request["most"])
    if request["want"] == "picture":
        return text, picture
    squares = [PreprocessSpec(**spec).apply(rgb) for spec in request["specs"]]
    header = np.array(picture.shape[:2], np.uint32).view(np.uint8)
    looks = np.frombuffer(signature(rgb).to_bytes() if request.get("look") else b"", np.uint8)
    return text, np.concatenate([header, looks, *(part.ravel() for part in (*squares, picture))])


def _crop(rgb: np.ndarray, box: Sequence[int], request: dict[str, Any]) -> np.ndarray:
    """A part of the picture as the models see it: hash of its pixels, preview with height and width before, inputs."""
    left, top, right, bottom = box
    height, width = rgb.shape[:2]
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ImageError(f"Expected a part of {width} x {height} pixels. Received: {left}, {top}, {right}, {bottom}.")
    part = np.ascontiguousarray(rgb[top:bottom, left:right])
    picture = _shrunk(part, request["most"])
    digest = np.frombuffer(bytes.fromhex(decoder.pixels_digest(part)), np.uint8)
    header = np.array(picture.shape[:2], np.uint32).view(np.uint8)
    squares = [PreprocessSpec(**spec).apply(part) for spec in request["specs"]]
    return np.concatenate([digest, header, *(pixels.ravel() for pixels in (picture, *squares))])


def _shrunk(rgb: np.ndarray, most: int | None) -> np.ndarray:
    if most is None or max(rgb.shape[:2]) <= most:
        return rgb
    if not most:
        return np.empty((0, 0, 3), np.uint8)
    factor = most / max(rgb.shape[:2])
    height, width = (max(1, round(factor * side)) for side in rgb.shape[:2])
    return resized(rgb, width, height, Image.Resampling.BOX)


if __name__ == "__main__":
    main()
