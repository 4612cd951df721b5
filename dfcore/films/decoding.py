"""Decodes a film with PyAV, one frame at a time; runs in the process that reads films, see `dfcore.films.child`."""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any, BinaryIO

import av
import av.error
import av.logging

from dfcore.errors import FilmError
from dfcore.films.containers import CODECS, CONTAINERS, HEAD, recognised
from dfcore.films.facts import MOST_FRAMES, MOST_RATE, MOST_SECONDS
from dfcore.films.sampling import Position
from dfcore.films.upright import require_size, turn_of
from dfcore.imaging.decoder import MAX_PIXELS
from dfcore.utils.texts import counted, printable

MAX_STREAMS = 256
# Bytes that are read at once, and errors of the container in a row after which a film is over.
_BUFFER, _MOST_ERRORS = 2**17, 100
_HDR = {16: "PQ", 18: "HLG"}
# Seconds between frames that have no time of their own, where the film states no rate.
_STEP = 0.04
# Frames shown for longer vary in time, or state a rate that they do not have, by this share.
_UNEVEN = 0.01
_ABSURD = re.compile(r"Picture size (\d{1,10})x(\d{1,10}) is invalid")
_CUT = "the file may be cut off"


class Reading:
    """A film, opened at its beginning.

    Attributes:
        damaged: Number of packets that could not be read or decoded, and of frames of which parts are missing.
        irregular: Number of frames without a sound time of their own.
        number: Number of the next frame.
    """

    # Rounding of timestamps in seconds: times between frames that differ by more vary.
    _ROUNDING = 2e-3

    def __init__(self, file: BinaryIO, tick: Callable[[], None] = lambda: None):
        """Opens it.

        Args:
            file: Its bytes; may be sought in.
            tick: Called for each frame that was decoded.

        Raises:
            FilmError: If it is no film that can be read.
        """
        file.seek(0)
        self.kind = recognised(file.read(HEAD))
        self.damaged = self.irregular = self.number = self._before_key = 0
        self._tick = tick
        self._last: float | None = None
        self._shortest, self._longest = math.inf, 0.0
        self._log: list[str] = []
        self._container = self._opened(file)
        self._stream = self._best()
        self._check_codec()
        context = self._stream.codec_context
        context.thread_count, context.thread_type = 1, "NONE"
        context.options = {"max_pixels": str(MAX_PIXELS)}
        self._base = self._stream.time_base or Fraction(1, 1000)
        self._start = self._beginning()

    def end(self) -> dict[str, Any]:
        """How reading went, for `dfcore.films.reader.Ending`."""
        varies = self._longest - self._shortest > max(self._ROUNDING, _UNEVEN * self._longest)
        return {
            "frames": self.number, "seconds": self._last, "damaged": self.damaged, "irregular": self.irregular,
            "between": [self._shortest, self._longest] if self._longest and varies else None,
        }  # fmt: skip

    # === Facts ===

    def facts(self) -> dict[str, Any]:
        """What `FilmFacts.understood` reads; decodes the first frame.

        Raises:
            FilmError: If no frame can be decoded.
        """
        stream, container = self._stream, self._container
        first = next(self._decoded(), None)
        if first is None:
            raise FilmError(self._no_frame())
        turn, mirrored, odd = turn_of(first)
        require_size(first.width, first.height)
        notes = []
        width, height = (first.width, first.height) if turn % 180 == 0 else (first.height, first.width)
        seconds = self._stated_seconds()
        frames = stream.frames if 0 < stream.frames <= MOST_FRAMES else None
        rate = _rate(stream.average_rate)
        if rate is None and stream.average_rate:
            notes.append("The rate that it states is no camera's; its timestamps alone are gone by.")
        if seconds is None:
            notes.append("How long it is cannot be told from its header.")
        base = _rate(stream.base_rate)
        uneven = bool(rate and base and abs(rate - base) > _UNEVEN * base)
        if uneven:
            notes.append("The time between its frames varies; times are those of the frames themselves.")
        hdr = _HDR.get(int(first.color_trc or 0))
        depth = max((part.bits for part in first.format.components), default=8)
        if hdr:
            notes.append(
                f"Its tones are meant for displays of high dynamic range ({hdr}); here they are read as they are, and "
                "look flatter. Detectors did not learn from such pictures."
            )
        elif depth > 8:
            notes.append(f"Its samples have {depth} bits, of which the upper 8 are used.")
        shape = stream.sample_aspect_ratio
        if shape and abs(float(shape) - 1) > _UNEVEN:
            notes.append(
                f"Its pixels are not square ({shape.numerator}:{shape.denominator}); frames are used as they are "
                "stored, so things look narrower or wider than in a player."
            )
        if first.interlaced_frame:
            notes.append("It is interlaced: moving edges are combed, which detectors did not learn from.")
        if mirrored:
            notes.append("Its frames are mirrored as the file asks.")
        if odd:
            notes.append("It asks for a turn that is no multiple of 90 degrees; its frames are not turned.")
        kinds = [one.type for one in container.streams]
        pictures = sum(_is_attached(one) for one in container.streams.video)
        if (others := len(container.streams.video) - pictures - 1) > 0:
            notes.append(f"It has {counted(others, 'further stream', 'further streams')} of pictures, not looked at.")
        return {
            "container": CONTAINERS[self.kind], "codec": _codec(stream), "width": width, "height": height,
            "rotation": turn, "seconds": seconds, "frames": frames, "rate": rate, "variable_rate": uneven,
            "bit_depth": depth, "hdr": hdr, "audio": kinds.count("audio"), "subtitles": kinds.count("subtitle"),
            "pictures": pictures, "notes": notes,
        }  # fmt: skip

    def _stated_seconds(self) -> float | None:
        stream, container = self._stream, self._container
        stated = stream.duration * self._base if stream.duration else None
        if stated is None and container.duration:
            stated = Fraction(container.duration, av.time_base)
        return float(stated) if stated is not None and 0 < stated <= MOST_SECONDS else None

    # === Frames ===

    def frames(self) -> Iterator[tuple[Any, Position]]:
        """Frames in the order in which they are shown, each with its place; `index` is left at 0."""
        for frame in self._decoded():
            seconds = self._time(frame)
            exact = not self.damaged and not self.irregular and frame.pts is not None
            yield frame, Position(0, self.number, seconds, frame.pts, exact)
            self.number += 1

    def is_damaged(self) -> bool:
        """Whether parts of the frame that was read last are missing, or of one that it builds on."""
        return self.damaged > self._before_key

    def go_to(self, position: Position, back: float) -> Any:
        """Goes on after a frame; only for positions that are exact.

        Args:
            position: Where the frame lies.
            back: Seconds before it at which reading begins.

        Returns:
            The frame; None if it was not found, and this reading is spent.
        """
        assert position.pts is not None
        key = False
        with suppress(av.error.FFmpegError, OverflowError, ValueError):
            self._container.seek(position.pts - int(back / self._base), stream=self._stream, backward=True)
            for frame in self._decoded():
                key |= frame.key_frame
                if frame.pts is None or frame.pts > position.pts or self.damaged:
                    return None
                if frame.pts == position.pts:
                    self.number, self._last = position.frame + 1, position.seconds
                    return frame if key else None
        return None

    def _decoded(self) -> Iterator[Any]:
        """Frames as they are decoded; what cannot be read is counted and passed over."""
        errors = 0
        while errors < _MOST_ERRORS:
            try:
                for packet in self._container.demux(self._stream):
                    for frame in self._of(packet):
                        errors = 0
                        self._tick()
                        if frame.key_frame:
                            self._before_key = self.damaged
                        if frame.is_corrupt:  # And so are those that build on it, up to the next key frame.
                            self.damaged += 1
                        yield frame
                return
            except av.error.EOFError:
                return
            except MemoryError:
                raise
            except av.error.FFmpegError:
                errors += 1
                self.damaged += 1

    def _of(self, packet: Any) -> list[Any]:
        if packet.has_sidedata("encryption_info"):
            raise FilmError("The film is encrypted, so that only players with its key can show it.")
        try:
            return packet.decode()
        except (av.error.EOFError, MemoryError):
            raise
        except av.error.FFmpegError:
            self.damaged += 1
            return []

    def _time(self, frame: Any) -> float:
        """Time of a frame in seconds; it always rises."""
        last = self._last
        seconds = None if frame.pts is None else float((frame.pts * self._base) - self._start)
        if seconds is not None and seconds > MOST_SECONDS:
            seconds = None
        if seconds is None or seconds < 0 or (last is not None and seconds <= last):
            if seconds is None or last is not None:
                self.irregular += 1
            rate = _rate(self._stream.average_rate)
            seconds = 0.0 if last is None else last + (1 / rate if rate else _STEP)
        if last is not None:
            self._shortest, self._longest = min(self._shortest, seconds - last), max(self._longest, seconds - last)
        self._last = seconds
        return seconds

    def _beginning(self) -> Fraction:
        """Time that counts as the film's beginning: that of its first stream, as players have it."""
        first = self._stream.start_time
        own = Fraction(0) if first is None else first * self._base
        whole = self._container.start_time
        everything = own if whole is None else Fraction(whole, av.time_base)
        return everything if 0 <= own - everything <= 10 else own

    # === Opening ===

    def _opened(self, file: BinaryIO) -> Any:
        file.seek(0)
        options = {
            "protocol_whitelist": "none", "codec_whitelist": ",".join(sorted(CODECS | {"libdav1d"})),
            "max_streams": str(MAX_STREAMS), "max_pixels": str(MAX_PIXELS),
        }  # fmt: skip
        av.logging.set_level(av.logging.WARNING)
        try:
            with av.logging.Capture() as log:
                return av.open(
                    file, format=self.kind, options=options, metadata_errors="replace", buffer_size=_BUFFER,
                    io_open=_refuse,
                )  # fmt: skip
        except MemoryError:
            if any("max_streams" in text for *_, text in log):
                raise FilmError(
                    f"Expected a film of at most {MAX_STREAMS} streams. Received: one that states more."
                ) from None
            raise
        except FilmError:
            raise
        except Exception as error:  # PyAV raises many types on damaged headers.
            raise FilmError(_damage(error, [text for *_, text in log])) from error
        finally:
            self._log = [text for *_, text in log[:100]]
            av.logging.set_level(None)

    def _best(self) -> Any:
        """The stream of moving pictures that is meant to be seen: the default one, then the largest."""
        streams = list(self._container.streams)
        ordinary = [one for one in self._container.streams.video if not _is_attached(one)]
        if ordinary:
            return max(ordinary, key=_rank)
        others = [one.type for one in streams]
        sound = counted(others.count("audio"), "stream", "streams")
        if any(one.type == "video" for one in streams):
            raise FilmError(
                f"Expected a film. Received: a file with {sound} of sound and an attached picture, such as a cover."
            )
        if "audio" in others:
            raise FilmError(f"Expected a film. Received: a file of sound alone ({sound}).")
        raise FilmError(
            "Expected a film. Received: a file that holds no moving pictures; it may be cut off or damaged."
        )

    def _check_codec(self) -> None:
        name = _codec(self._stream)
        outside = next((text for text in self._log if "external track" in text or "external reference" in text), None)
        if outside:
            raise FilmError("The film's pictures lie in another file that it names; no other file is opened.")
        if name not in CODECS:
            raise FilmError(
                f"Expected pictures in a usual codec, as H.264, HEVC, VP9 or AV1. Received: {printable(name)[:40]}."
            )
        require_size(self._stream.codec_context.width, self._stream.codec_context.height)
        # The decoder keeps no size that it does not accept.
        absurd = next((found for text in self._log if (found := _ABSURD.search(text))), None)
        if absurd and not self._stream.codec_context.width:
            require_size(*map(int, absurd.groups()))

    def _no_frame(self) -> str:
        if self.damaged:
            parts = counted(self.damaged, "part of it was", "parts of it were")
            return (
                f"No frame of the film can be decoded: {parts} damaged or unreadable. It may be cut off or encrypted."
            )
        return "The film holds no frame: it states moving pictures, and none are there. It may be cut off."


def _is_attached(stream: Any) -> bool:
    kinds = av.stream.Disposition
    return bool(stream.disposition & (kinds.attached_pic | kinds.timed_thumbnails | kinds.still_image))


def _rank(stream: Any) -> tuple[bool, bool, int, int]:
    context = stream.codec_context
    readable = _codec(stream) in CODECS
    default = bool(stream.disposition & av.stream.Disposition.default)
    area = context.width * context.height if context is not None else 0
    return readable, default, area, -stream.index


def _codec(stream: Any) -> str:
    """FFmpeg's name of a stream's codec, whichever decoder reads it."""
    context = stream.codec_context
    if context is None:
        return "one that is not known here"
    return {"libdav1d": "av1", "libvpx": "vp8", "libvpx-vp9": "vp9"}.get(context.name, context.name)


def _rate(stated: Fraction | None) -> float | None:
    rate = float(stated) if stated else 0.0
    return rate if math.isfinite(rate) and 0 < rate <= MOST_RATE else None


def _refuse(url: str, flags: int, options: dict[str, str]) -> Any:
    raise PermissionError("A film may name no other file.")


def _damage(error: Exception, log: list[str]) -> str:
    said = " ".join(log)
    if "moov atom not found" in said:
        return f"The film lacks the list of its frames (moov), which stands at the end of many files; {_CUT}."
    if isinstance(error, av.error.InvalidDataError):
        return f"The film's header is damaged or incomplete; {_CUT}."
    words = printable(getattr(error, "strerror", None) or error).strip()[:200] or type(error).__name__
    return f"The film's header is damaged or incomplete ({words}); {_CUT}."
