"""Makes small films for tests: moving patterns, with what goes wrong in films of strangers."""

import io
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorTrc

# Number of a frame in bits of light and dark squares along its lower edge, so that any frame can be told.
_BITS = 8


def picture(number: int, width: int = 128, height: int = 96) -> np.ndarray:
    """Frame `number` of a film: red at the upper left, blue at the right, and its number in bits."""
    rgb = np.full((height, width, 3), 90, np.uint8)
    rgb[: height // 3, : width // 3] = (255, 0, 0)
    rgb[height // 3 : 2 * height // 3, 2 * width // 3 :] = (0, 0, 255)
    side = width // _BITS
    for bit in range(_BITS):
        rgb[-(height // 4) :, bit * side : (bit + 1) * side] = 255 if number >> bit & 1 else 0
    return rgb


def number_of(rgb: np.ndarray) -> int:
    """The number that a frame of `picture` shows."""
    height, width = rgb.shape[:2]
    row = rgb[height - height // 8].mean(1)
    return sum(int(row[int((bit + 0.5) * width / _BITS)] > 128) << bit for bit in range(_BITS))


def film(
    frames: int | Iterable[np.ndarray] = 20,
    *,
    container: str = "mp4",
    codec: str = "libx264",
    rate: int = 10,
    pts: Sequence[int] | None = None,
    turn: int = 0,
    hdr: bool = False,
    sound: bool = False,
    cover: bool = False,
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> bytes:
    """A film as bytes.

    Args:
        frames: Their number, or the frames themselves, all of one size.
        container: FFmpeg's name of it.
        codec: FFmpeg's name of the encoder.
        rate: Frames a second.
        pixel_format: FFmpeg's name of it.
        pts: Times of the frames in units of a 1000th of a second; else by the rate.
        turn: Degrees counterclockwise by which a player turns it.
        hdr: Whether it is tagged as PQ.
        sound: Whether there is a stream of sound.
        cover: Whether there is an attached picture.
        options: Of the encoder.
        container_options: Of the container.
    """
    pictures = [picture(n) for n in range(frames)] if isinstance(frames, int) else list(frames)
    made = io.BytesIO()
    with av.open(made, "w", format=container, options=container_options or {}) as file:
        stream: Any = file.add_stream(codec, rate=rate)
        stream.height, stream.width = pictures[0].shape[:2] if pictures else (96, 128)
        stream.pix_fmt = pixel_format
        stream.options = (
            {"g": "5", "preset": "ultrafast", "crf": "10"} if codec == "libx264" else {"g": "5", "b": "900000"}
        )
        stream.options |= options or {}
        if pts is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if turn:
            stream.set_display_rotation(turn)
        if hdr:
            stream.codec_context.color_trc = ColorTrc.SMPTE2084
        noise = _sound(file) if sound else None
        still: Any = None
        if cover:
            still = file.add_stream("mjpeg", rate=1)
            still.width, still.height, still.pix_fmt = 64, 64, "yuvj420p"
            still.disposition = av.stream.Disposition.attached_pic
        if noise:
            file.mux(noise)
        if still:
            file.mux(still.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), 200, np.uint8))))
            file.mux(still.encode())
        for number, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(rgb)
            if pts is not None:
                frame.pts, frame.time_base = pts[number], Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return made.getvalue()


def sound_alone() -> bytes:
    """A file of sound in the container of films."""
    made = io.BytesIO()
    with av.open(made, "w", format="mp4") as file:
        file.mux(_sound(file))
    return made.getvalue()


def _sound(file: Any) -> list[Any]:
    stream = file.add_stream("aac", rate=16000, layout="mono")
    packets = []
    for n in range(20):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, n * 1024
        packets += stream.encode(frame)
    return packets + stream.encode()


def write(folder: Path, content: bytes, name: str = "film.mp4") -> Path:
    """Writes a film to a file."""
    path = folder / name
    path.write_bytes(content)
    return path


# === Boxes of MP4 ===

_NESTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf", b"edts", b"udta", b"mvex"}


def boxes(data: bytes, start: int = 0, end: int | None = None, path: str = "") -> Iterator[tuple[str, int, int]]:
    """All boxes of a film with those inside of others: path, first byte, and byte after the last."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8]
        size = size or end - start
        name = f"{path}/{kind.decode('latin-1')}"
        yield name, start, start + size
        if kind in _NESTS:
            yield from boxes(data, start + 8, start + size, name)
        start += size


def box(data: bytes, name: str) -> tuple[int, int]:
    """First byte of the first box of a path's end, and the byte after its last."""
    return next((start, end) for path, start, end in boxes(data) if path.endswith(name))


def patched(data: bytes, name: str, offset: int, value: bytes) -> bytes:
    """A film with bytes of a box replaced.

    Args:
        data: The film.
        name: Of the box, see `box`.
        offset: Where in the box, from its header on.
        value: The new bytes.
    """
    start = box(data, name)[0] + offset
    return data[:start] + value + data[start + len(value) :]
