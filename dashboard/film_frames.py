"""Single frames of a judged film, read again from its file, and what is drawn on them."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from dashboard import inference_queue, media
from dfcore import workspace
from dfcore.errors import DfcoreError, FilmError
from dfcore.utils.files import sha256_file
from dfcore.utils.html import data_url

if TYPE_CHECKING:
    from dfcore.detectors.card import Card
    from dfcore.films import Position
    from dfcore.films.job import FilmJob
    from dfcore.films.rows import JudgedSample, Row
    from dfcore.films.tracks import Box

_SIDE = 1280


def frame(film: "FilmJob", sample: "JudgedSample") -> np.ndarray:
    """The pixels of a sample, upright, uint8 (H, W, 3).

    Raises:
        FilmError: If the film is gone, has changed, or cannot be read.
        AccessError: If it may no longer be read.
        BusyError: If too many others are being served.
    """
    path = film.film
    if film.request.path:
        workspace.require_readable(path)
    try:
        there = path.stat()
    except OSError as error:
        gone = "its copy was deleted" if not film.request.path else "it was moved or deleted, or its folder is away"
        raise FilmError(f"The film is not there any more: {gone}.") from error
    if film.request.path and _sha256(str(path), there.st_size, there.st_mtime_ns) != film.request.sha256:
        raise FilmError("The film's file has changed since it was judged. Judge it anew.")
    return _frame(film.request.sha256, sample.position, path)


def crop(film: "FilmJob", sample: "JudgedSample", row: "Row", rgb: np.ndarray, card: "Card") -> np.ndarray:
    """The face of a row as its detector, which has this card, saw it; found again in its frame, `rgb`.

    Raises:
        FilmError: If it is not found.
        BusyError: If too many others are being served.
    """
    return _crop(film.request.sha256, sample.position, row.box, row.version, rgb, card)


# Looking for faces takes a second and more; a crop is that of a face.
@st.cache_data(max_entries=16, show_spinner=False)
def _crop(
    sha256: str, position: "Position", box: "Box | None", version: str | None, _rgb: np.ndarray, _card: "Card"
) -> np.ndarray:  # fmt: skip
    from dfcore.faces.boxes import overlaps
    from dfcore.films import judges

    with inference_queue.faces.take():
        found = judges.find(_rgb)
    if box is not None and found:
        shares = overlaps(np.array(box, float), np.array([one.box for one in found], float))
        if shares.max() > 0.9:
            return judges.crop(_rgb, found[int(shares.argmax())], _card)
    raise FilmError("This face was not found again in its frame.")


def frame_png(film: "FilmJob", sample: "JudgedSample", rgb: np.ndarray) -> bytes:
    """The pixels of a sample, `rgb`, as a PNG file."""
    return _frame_png(film.request.sha256, sample.position, rgb)


# One of 4K takes a second, and some 15 MB.
@st.cache_data(max_entries=4, show_spinner=False)
def _frame_png(sha256: str, position: "Position", _rgb: np.ndarray) -> bytes:
    return media.png(_rgb)


def shown(rgb: np.ndarray) -> str:
    """Pixels as a browser gets them, at most so large, as a data URL."""
    from PIL import Image

    picture = Image.fromarray(rgb)
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    return data_url(np.asarray(picture), "JPEG", quality=90)


# A frame of 1080p takes 6 MB, one of 4K 25 MB, the largest 150.
@st.cache_data(max_entries=3, show_spinner=False)
def _frame(sha256: str, position: "Position", _path: Path) -> np.ndarray:
    from dfcore.films import open_film

    with inference_queue.forensics.take(), open_film(_path) as opened:
        return opened.frame(position).rgb


@st.cache_data(max_entries=64, show_spinner="Looking whether the film is still the same …")
def _sha256(path: str, size: int, changed: int) -> str:
    try:
        return sha256_file(Path(path))
    except OSError as error:
        raise DfcoreError(f"The film could not be read: {error.strerror or error}.") from error
