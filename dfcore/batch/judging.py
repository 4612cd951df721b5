"""Judges all that a batch holds, each file once, however often it is interrupted."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from dfcore import workspace
from dfcore.batch.found import Rows
from dfcore.batch.job import Batch, now
from dfcore.batch.memory import Memory
from dfcore.batch.predict import BatchOptions, Judged, judge_files, row_of
from dfcore.batch.ready import Ready, make_ready
from dfcore.batch.resume_log import ResumeLog
from dfcore.batch.sources import iter_sources, require_space
from dfcore.batch.thumbnails import Thumbnails
from dfcore.detectors.remembered import card_sha256
from dfcore.imaging.prepared import PreparedImage
from dfcore.utils.files import write_json

_TELL_SECONDS = 0.5
# Seconds over which the speed is measured.
_WINDOW_SECONDS = 30.0
_SPACE_EVERY = 1000
# Few, so that the first rows are there soon and a stop takes effect; more at once are not judged faster on a CPU.
_AT_ONCE = 16


def judge(batch: Batch, check: Callable[[], None]) -> None:
    """Judges what is left; when it returns, every row is there.

    Args:
        batch: A running batch that this process owns.
        check: Called between pictures; what it raises ends the work, which can go on later.

    Raises:
        DfcoreError: If detectors cannot be loaded, or rows cannot be written.
    """
    request = batch.request
    batch.update(phase="loading detectors")
    ready = make_ready(
        request.detectors, lambda _: request.budget,
        ignore_ood=request.options.ignore_ood, engine=request.options.engine,
    )  # fmt: skip
    write_json(batch.folder / "detectors.json", _judges(ready))
    # What lay with the machine and not with a file is tried once more.
    if _judged_all(batch, ready, check):
        _judged_all(batch, ready, check)


def _judged_all(batch: Batch, ready: Ready, check: Callable[[], None]) -> bool:
    """Judges what is left; returns whether something failed that may succeed another time."""
    request, records = batch.request, batch.sources()
    how = ready.identity() | {"budget": request.to_dict()["budget"], "ignore_ood": request.options.ignore_ood}
    memory = Memory(ready, request.by) if request.options.remember and workspace.keeps_cases() else None
    rows, accident = Rows(lambda: iter_sources(batch.folder, records)), False
    with ResumeLog(batch.out, how) as log, Thumbnails(batch.thumbnails) as thumbnails:
        batch.update(phase="counting", done=log.judged, failed=log.failed)
        batch.index.make(log.placed())
        progress = _Progress(batch, log, total=_counted(rows, check))
        left = (one for one in rows if not log.strike(one))
        options = BatchOptions(_AT_ONCE, policies=ready.policies, signed=True)
        for judged in judge_files(left, ready.detectors, options):
            made = [_row(one, thumbnails) for one in judged]
            accident |= any(row.get("accident") for row in made)
            thumbnails.flush()
            if memory:
                # First: what is judged again after a kill is the same verdict, which is written once.
                memory.add(judged)
            first = log.lines
            places = log.add(made)
            batch.index.add((first + n, place, row) for n, (place, row) in enumerate(zip(places, made, strict=True)))
            progress.tell()
            check()
        log.settle()
        if log.replaced or log.moved:
            batch.index.make(log.placed())
        write_json(batch.folder / "left_out.json", {"left_out": [asdict(one) for one in rows.counted]})
        progress.tell(last=True)
    return accident


class _Progress:
    """Tells how far a batch is, and how long the rest will take."""

    def __init__(self, batch: Batch, log: ResumeLog, total: int):
        self._batch, self._log, self._total = batch, log, total
        self._times = deque([(time.monotonic(), 0)])
        self._told = 0.0
        self._next_look = _SPACE_EVERY
        batch.update(phase="judging", total=total, done=log.judged, failed=log.failed)

    def tell(self, *, last: bool = False) -> None:
        """Writes the status, at most twice a second."""
        log, time_now = self._log, time.monotonic()
        if time_now - self._told < _TELL_SECONDS and not last:
            return
        self._told = time_now
        self._times.append((time_now, log.added))
        while len(self._times) > 2 and time_now - self._times[0][0] > _WINDOW_SECONDS:
            self._times.popleft()
        began, before = self._times[0]
        speed = (log.added - before) / (time_now - began) if log.added > before else None
        # Of files that have changed since, both rows count until all files have been seen.
        done = log.judged if last else min(log.judged, self._total)
        left = (self._total - done) / speed if speed and not last else None
        total = log.judged if last else self._total
        self._batch.update(done=done, total=total, failed=log.failed, images_per_second=speed, seconds_left=left)
        if log.added >= self._next_look:
            self._next_look += _SPACE_EVERY
            require_space(self._batch.folder, 0)


def _counted(rows: Rows[Any], check: Callable[[], None]) -> int:
    total = 0
    for total, _ in enumerate(rows, 1):
        if not total % 1000:
            check()
    return total


def _row(judged: Judged, thumbnails: Thumbnails) -> dict[str, Any]:
    """The row of `predict_files`, with what the page, and who remembers it, need beside it."""
    row, file, verdict = row_of(judged), judged.file, judged.verdict
    name = row["path"].replace("\\", "/").rstrip("/").rpartition("/")[2] or row["path"]
    more: dict[str, Any] = {
        "name": name, "origin": list(file.origin), "at": now(), "is_used": verdict.is_used, "logit": verdict.logit,
    }  # fmt: skip
    if not isinstance(file.image, PreparedImage):
        return row | more
    facts, preview, signature = file.image.facts, file.image.preview, file.image.signature
    assert facts is not None and preview is not None and signature is not None
    hashes = [f"{int(value):016x}" for value in signature.hashes]
    more |= {
        "format": facts.format, "width": facts.width, "height": facts.height, "bytes": facts.bytes,
        "pixels_sha256": facts.pixels_sha256, "phash": hashes[0], "mirrored": hashes[1],
        "thumbnail": list(thumbnails.add(preview)),
    }  # fmt: skip
    return row | more


def _judges(ready: Ready) -> dict[str, Any]:
    """What is kept of the detectors."""
    result = {}
    for name, detector in ready.detectors.items():
        thresholds = ready.policies[name].thresholds or detector.card.thresholds
        result[name] = {
            "title": detector.card.title, "card_sha256": card_sha256(detector.card),
            "model_sha256": detector.card.model_sha256, "engine": detector.engine.name,
            "thresholds": thresholds.model_dump(mode="json"),
        }  # fmt: skip
    return result
