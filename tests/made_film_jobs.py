"""Judged films as their process leaves them, of any length and in any state, without judging anything."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dfcore.batch.thumbnails import Thumbnails
from dfcore.films import Sampling, open_film
from dfcore.films.job import FilmJob, FilmRequest, FilmStatus
from dfcore.films.rows import JudgedSample, Row
from dfcore.films.sample_log import SampleLog
from dfcore.runs import State
from dfcore.runs.process import identity, place
from dfcore.utils.files import sha256_file, write_json

AT = {"real_below": 0.2, "fake_from": 0.8, "images": 100}
# Of whole frames; the sample of the last one is refused.
_SCORES = (0.1, 0.3, 0.5, 0.9, 0.95, 0.7)


def make_film(
    films: Path,
    file: Path,
    samples: int = 12,
    *,
    number: int = 1,
    state: State = State.COMPLETED,
    title: str = "Holiday *film*",
    detectors: tuple[str, ...] = ("auto",),
    judge: str = "small",
    version: str = "",
    faces: int = 2,
    copied: bool = False,
    total: int | None = None,
    reason: str = "",
    notes: tuple[str, ...] = (),
) -> FilmJob:
    """Writes a judged film.

    Args:
        films: Folder of films.
        file: The film's file, with at least so many frames.
        samples: Number of its first frames that are judged.
        number: Tells one film from another; a higher one is newer.
        state: What it is doing.
        title: Its name.
        detectors: What was asked for.
        judge: The detector that judged whole frames.
        version: Hash of its card.
        faces: Number of faces; the first is there from the beginning, each further one three samples later.
        copied: Whether it was handed over.
        total: Number of samples that there will be; by default as many as there are.
        reason: Why it came to rest.
        notes: What is said of how it was read.
    """
    folder = films / f"20260101-0000{number:02d}-000-film"
    folder.mkdir(parents=True)
    with open_film(file) as film:
        facts = film.facts
        found = [one for one, _ in zip(film.frames(Sampling("frames", 1)), range(samples), strict=False)]
    if copied:
        (folder / "film").write_bytes(file.read_bytes())
    request = FilmRequest(
        title, "ada@example.org", f"2026-01-01T00:00:{number:02d}+00:00", file.name, "" if copied else str(file),
        sha256_file(file), facts.bytes, Sampling("frames", 1), detectors, bool(faces),
    )  # fmt: skip
    write_json(folder / "film.json", request.to_dict())
    write_json(folder / "facts.json", facts.to_dict())
    write_json(folder / "ending.json", {"notes": list(notes)})
    judged = {name: {"title": name, "thresholds": AT, "rates": None} for name in (judge, "faces")}
    write_json(
        folder / "detectors.json", {"chosen": judge, "why": "", "face": "faces" if faces else None, "judges": judged}
    )
    job = FilmJob(folder)
    with SampleLog(job.rows_path) as log, Thumbnails(job.thumbnails) as thumbnails:
        for one in found:
            height, width = one.rgb.shape[:2]
            rows = tuple(_rows(one.position, judge, version, faces, width, height))
            thumbnail = thumbnails.add(np.full((48, 64, 3), 120, np.uint8))
            thumbnails.flush()
            log.add([JudgedSample(one.position, width, height, False, rows, thumbnail)])
    owner: dict[str, Any] = identity() | {"place": place()} if state.active else {}
    status = FilmStatus(
        state, heartbeat=time.time(), phase="judging", done=samples, total=samples if total is None else total,
        reached=found[-1].position.seconds if found else 0.0, length=facts.seconds or 0.0, images_per_second=8.25,
        seconds_left=70.0, reason=reason, ended=None if state.active else time.time(), **owner,
    )  # fmt: skip
    write_json(folder / "status.json", asdict(status))
    return job


def _rows(position: Any, judge: str, version: str, faces: int, width: int, height: int) -> list[Row]:
    score, used = _SCORES[position.index % len(_SCORES)], position.index % len(_SCORES) != len(_SCORES) - 1
    rows = [_row(position, None, None, judge, version, score, used)]
    for track in range(1, faces + 1):
        if position.index >= 3 * (track - 1) and position.index != 7:
            left = 0.1 + 0.25 * (track - 1)
            box = (left * width, 0.2 * height, (left + 0.2) * width, 0.6 * height)
            rows.append(_row(position, track, box, "faces", "", 0.85 if position.index % 4 == 2 else 0.15, True))
    return rows


def _row(position: Any, track: int | None, box: Any, judge: str, version: str, score: float, used: bool) -> Row:
    finding = "inconclusive" if not used or 0.2 <= score < 0.8 else "fake" if score >= 0.8 else "no_sign"
    reason = {"inconclusive": "The score lies between the two thresholds.", "no_sign": "The score is low."}.get(finding)
    if not used:
        reason = "The picture is unlike those that the detector was trained on."
    return Row(
        position.index, position.frame, position.seconds, track, box, judge, version, score, 0.0, not used, used,
        finding, reason,  # type: ignore[arg-type]
    )  # fmt: skip
