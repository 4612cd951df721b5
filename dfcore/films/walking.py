"""Walks through a film from sample to sample, from its beginning or from a sample that is known; runs in the process
that reads films.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, BinaryIO

from dfcore.errors import FilmError
from dfcore.films.decoding import Reading
from dfcore.films.sampling import Position, Sample, Sampler, Sampling
from dfcore.films.upright import pixels, thumbnail

# Seconds before a frame at which reading begins on the way back to it, until it is found.
_STEPS_BACK = (0.0, 5.0, 30.0)


def samples(
    file: BinaryIO, sampling: Sampling, after: Position | None, tick: Callable[[], None]
) -> Iterator[Sample | dict[str, Any]]:
    """The samples of a film, and last what is to be said of its end (see `dfcore.films.reader.Ending`).

    Args:
        file: Its bytes.
        sampling: Which frames are samples.
        after: The last sample that is known already.
        tick: See `Reading`.

    Raises:
        FilmError: If it cannot be read, or a frame is too large.
    """
    index = after.index + 1 if after else 0
    sampler = Sampler(sampling, after)
    reading, found = _resumed(file, after, tick) if after else (Reading(file, tick), None)
    if found is not None:
        sampler.known(lambda: thumbnail(found))
    for frame, position in reading.frames():
        if sampler.takes(position.frame, position.seconds, partial(thumbnail, frame)):
            place = Position(index, position.frame, position.seconds, position.pts, position.exact)
            yield Sample(place, pixels(frame), reading.is_damaged())
            index += 1
    yield reading.end()


def at(file: BinaryIO, position: Position, tick: Callable[[], None]) -> Sample:
    """One frame of a film again.

    Raises:
        FilmError: If it is not found any more.
    """
    reading, frame = _resumed(file, position, tick)
    return Sample(position, pixels(frame), reading.is_damaged())


def _resumed(file: BinaryIO, position: Position, tick: Callable[[], None]) -> tuple[Reading, Any]:
    """A reading that goes on after a frame, and that frame."""
    if position.exact and position.pts is not None:
        for back in _STEPS_BACK:
            reading = Reading(file, tick)
            frame = reading.go_to(position, back)
            if frame is not None:
                return reading, frame
    reading = Reading(file, tick)
    for frame, place in reading.frames():
        if place.frame == position.frame:
            if position.pts not in (None, frame.pts):
                break
            reading.number += 1  # The loop is left before it counts.
            return reading, frame
    raise FilmError(f"The film has no frame {position.frame} any more as it had before; its file may have changed.")
