"""Batches as their process leaves them, of any size and in any state, without judging anything."""

import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dfcore.batch.job import Batch, BatchStatus, Options, Request
from dfcore.batch.resume_log import ResumeLog
from dfcore.batch.thumbnails import Thumbnails
from dfcore.confidence import ErrorBudget
from dfcore.runs import State
from dfcore.utils.files import sha256_bytes, write_json

_FINDINGS = ("fake", "no_sign", "inconclusive", "inconclusive", "fake")


def picture(seed: int) -> bytes:
    """A small PNG."""
    pixels = np.random.default_rng(seed).integers(0, 255, (24, 32, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def make_batch(
    batches: Path,
    rows: int = 60,
    *,
    number: int = 1,
    state: State = State.COMPLETED,
    title: str = "Holiday *pictures*",
    detectors: tuple[str, ...] = ("auto",),
    by: tuple[str, ...] = ("small",),
    budget: ErrorBudget | None = None,
    total: int | None = None,
    closed: str = "",
    left_out: tuple[dict[str, Any], ...] = (),
    numbered: bool = False,
    distinct: bool = False,
) -> Batch:
    """Writes a batch.

    Args:
        batches: Folder of batches.
        rows: Number of rows; every tenth is of a file that is no picture, every fifth one is out of distribution.
        number: Tells one batch from another; a higher one is newer.
        state: What it is doing.
        title: Its name.
        detectors: What was asked for.
        by: The detectors that judged, in turn.
        budget: The error budget.
        total: Number of rows that there will be; by default as many as there are.
        closed: Why its files are deleted; "" if they are there.
        left_out: What has no row.
        distinct: Whether each row has a picture of its own, and is judged.
        numbered: Whether names are numbers, as the competition's format needs.
    """
    folder = batches / f"20260101-0000{number:02d}-000-batch"
    spool = folder / "spool"
    spool.mkdir(parents=True)
    created = f"2026-01-01T00:00:{number:02d}+00:00"
    request = Request(title, "ada@example.org", created, detectors, budget, Options(), ("holiday.zip",))
    write_json(folder / "batch.json", request.to_dict())
    write_json(folder / "sources.json", {"sources": []})
    at = {"real_below": 0.2, "fake_from": 0.8, "images": 100}
    write_json(folder / "detectors.json", {name: {"title": name, "thresholds": at} for name in by})
    write_json(folder / "left_out.json", {"left_out": list(left_out)})
    batch = Batch(folder)
    several = rows if distinct else min(rows, 20)
    pictures = [picture(seed) for seed in range(several)]
    for seed, data in enumerate(pictures):
        (spool / f"{seed:06d}").write_bytes(data)
    with ResumeLog(batch.out, {}) as log, Thumbnails(batch.thumbnails) as thumbnails:
        where = thumbnails.add(np.full((40, 60, 3), 120, np.uint8))
        thumbnails.flush()
        made = [_row(n, by[n % len(by)], pictures[n % several], where, f"spool/{n % several:06d}",
                     broken=n % 10 == 9 and not distinct, numbered=numbered) for n in range(rows)]  # fmt: skip
        places = log.add(made) if made else []
        batch.index.make((n, place, row) for n, (place, row) in enumerate(zip(places, made, strict=True)))
    if closed:
        batch.thumbnails.unlink()
    failed = sum(bool(row["error"]) for row in made)
    # A state that needs a process is given this one's, which is there.
    owner = _this_process() if state.active else {}
    status = BatchStatus(
        state, heartbeat=time.time(), phase="judging", done=rows, total=rows if total is None else total, failed=failed,
        ended=None if state.active else time.time(), closed=closed, images_per_second=40.0, seconds_left=70.0, **owner,
    )  # fmt: skip
    write_json(folder / "status.json", status.__dict__)
    return batch


def _this_process() -> dict[str, Any]:
    from dfcore.runs.process import identity, place

    return identity() | {"place": place()}


def _row(
    number: int, detector: str, data: bytes, where: tuple[int, int], spooled: str, *, broken: bool, numbered: bool
) -> dict[str, Any]:  # fmt: skip
    unlike = number % 5 == 3
    finding = None if broken else _FINDINGS[number % 5]
    score = None if broken else [0.97, 0.1, 0.5, 0.9, 0.85][number % 5] - number % 7 / 100
    name = f"{number}.png" if numbered else f"picture {number:05d} <b>.png"
    reasons = {"inconclusive": "The score is between the two thresholds", "no_sign": "The score is low"}
    row = {
        "path": f"holiday.zip/{name}", "sha256": sha256_bytes(data), "score": score, "verdict": finding,
        "finding": finding, "label": None if broken else "fake" if finding == "fake" else "real",
        "reason": "The image is unlike those that the detector was trained on" if unlike else reasons.get(str(finding)),
        "ood_distance": 1.0, "ood_reasons": [], "detector": detector, "error": "Not an image." if broken else None,
        "trained_on": None if broken else "like train" if number == 1 else "not found", "name": name,
        "is_used": not broken and not unlike, "logit": 0.0,
        "origin": ["file", spooled], "at": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    return row if broken else row | {"width": 32, "height": 24, "format": "PNG", "bytes": len(data), "thumbnail": where}


def rows_of(text: str) -> list[dict[str, Any]]:
    """Rows of a JSON Lines file."""
    return [json.loads(line) for line in text.splitlines()]
