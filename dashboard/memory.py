"""What Inspect judged is remembered by itself: every verdict once, without a verdict having to wait for it.

Verdicts are handed over right after judging and written in a thread. What cannot be written is told on the page, and
tried again after a while. What was known of a picture before this session judged it is read just before that.
"""

import time
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import case_actions, detectors, memory_writer, uploads
from dashboard.memory_writer import Known, Told
from dfcore import workspace
from dfcore.detectors.verdict import Verdict
from dfcore.errors import DfcoreError

if TYPE_CHECKING:
    from dfcore.cases import Decision, Seen

_JOBS = "memory_jobs"
# Pages run often, and each attempt may take its time.
_AGAIN_SECONDS = 30.0
_Key = tuple[str, Hashable]


@dataclass(frozen=True)
class _Job:
    """A verdict that was handed over, and when."""

    future: "Future[Known]"
    at: float = field(default_factory=time.monotonic)

    @property
    def failed(self) -> bool:
        return self.future.done() and self.future.exception() is not None

    @property
    def written(self) -> bool:
        return self.future.done() and self.future.exception() is None

    @property
    def is_to_come_again(self) -> bool:
        return self.failed and time.monotonic() - self.at > _AGAIN_SECONDS


def warm() -> None:
    """Opens the store in the background, before the first verdict is written."""
    if workspace.keeps_cases():
        memory_writer.warm()


def remember(
    pictures: Sequence[uploads.Picture], judged: Sequence[tuple[detectors.Entry, str, Verdict]], shown: int
) -> None:
    """Hands over the verdicts that this session has not handed over yet; returns at once.

    Args:
        pictures: The pictures.
        judged: Detector, why it was chosen, and verdict of each.
        shown: Number of the picture in sight, which goes first.
    """
    if not workspace.keeps_cases():
        return
    jobs = _jobs()
    new: dict[_Key, Told] = {}
    for picture, (entry, _, verdict) in zip(pictures, judged, strict=True):
        key = _key(picture, entry, verdict)
        if (key not in jobs or jobs[key].is_to_come_again) and key not in new:
            new[key] = Told(picture, entry, verdict, detectors.detector(entry).engine.name)
    first = {key: one for key, one in new.items() if one.picture.id == pictures[shown].id}
    for some in (first, {key: one for key, one in new.items() if key not in first}):
        if some:
            jobs.update(dict.fromkeys(some, _Job(case_actions.remember(list(some.values())))))


def settle(picture: str, seconds: float) -> bool:
    """Waits until what was handed over of a picture is written, or has failed; whether it came to that in time."""
    until = time.monotonic() + seconds
    for job in _of(picture):
        with suppress(Exception):  # `problem` tells it.
            job.future.result(max(0.0, until - time.monotonic()))
    return is_settled(picture)


def is_settled(picture: str) -> bool:
    """Whether nothing that was handed over of a picture is still on its way."""
    return all(job.future.done() for job in _of(picture))


def problem(picture: str) -> DfcoreError | None:
    """Why a verdict on a picture could not be written; None if all were, or are on their way."""
    for job in _of(picture):
        if job.failed:
            error = job.future.exception()
            return error if isinstance(error, DfcoreError) else DfcoreError(f"{type(error).__name__}: {error}")
    return None


def seen(picture: str) -> "list[Seen]":
    """Pictures like one that had been judged when this session first judged it; empty while that is not known."""
    job = next((job for job in _of(picture) if job.written), None)
    return job.future.result().get(picture, []) if job is not None else []


def is_written(picture: str) -> bool:
    """Whether a verdict on a picture was written in this session."""
    return any(job.written for job in _of(picture))


def decisions(pictures: Sequence[uploads.Picture]) -> "Mapping[str, Decision]":
    """The newest decision on each of the pictures that has one, by their hashes; none while nothing is written."""
    from dfcore.cases import open_store

    known = [picture.id for picture in pictures if is_written(picture.id)]
    if not known:
        return {}
    try:
        return {row.picture.sha256: row.decision for row in open_store().rows(known) if row.decision is not None}
    except DfcoreError:  # Told by whatever is written next.
        return {}


def _jobs() -> dict[_Key, _Job]:
    result: dict[_Key, _Job] = st.session_state.setdefault(_JOBS, {})
    return result


def _of(picture: str) -> list[_Job]:
    return [job for (image, _), job in _jobs().items() if image == picture]


def _key(picture: uploads.Picture, entry: detectors.Entry, verdict: Verdict) -> _Key:
    at = verdict.thresholds.model_dump_json() if verdict.thresholds else ""
    return picture.id, (entry.key, entry.version, at, verdict.ignore_ood)
