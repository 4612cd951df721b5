"""The moment of a film that is looked at: its frame with the faces in it, what is said of them, and why."""

import html
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from dashboard import detectors, film_frames, film_timeline, inference, map_layer, media, roles, verdict, widgets
from dashboard.roles import Role
from dfcore import figures
from dfcore.confidence import DecisionThresholds
from dfcore.errors import DfcoreError, InputError
from dfcore.figures import FINDING_COLOURS
from dfcore.utils.html import file_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dfcore.explanation import Heatmap
    from dfcore.films.job import FilmJob
    from dfcore.films.rows import JudgedSample, Row

_MAP, _HEIGHT = "film_map", "var(--film-height, clamp(12rem, 36vh, 26rem))"


def show(film: "FilmJob", samples: "Sequence[JudgedSample]", at: int) -> None:
    """Shows a sample's frame, where in it what was judged lies, and what is said of it."""
    sample = samples[at]
    _show_place(samples, at)
    row = _choose(sample)
    _say(film, row)
    rgb, problem = _pixels(film, sample)
    picture, heatmap = rgb, None
    frame = st.container()
    if rgb is not None:
        picture, heatmap, problem = _explained(film, sample, row, rgb)
    with frame:
        _draw(film, sample, row, picture, heatmap)
        if problem:
            st.caption(f":material/report: {widgets.told(problem)}")
    if rgb is not None:
        _take_away(film, sample, row, rgb)


def _show_place(samples: "Sequence[JudgedSample]", at: int) -> None:
    place = samples[at].position
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{figures.clock(place.seconds)}**, frame {place.frame:,}", width="content",
            help=f"Time since the film's beginning in minutes and seconds; number of the frame in the film, from 0. It "
            f"is sample {at + 1:,} of {len(samples):,}.",
        )  # fmt: skip
        for label, icon, step in (("Previous", "chevron_left", -1), ("Next", "chevron_right", 1)):
            st.button(
                label, icon=f":material/{icon}:", key=f"film_step_{step}", on_click=_step, args=(at + step,),
                disabled=not 0 <= at + step < len(samples), shortcut=label[0],
            )  # fmt: skip


def _step(at: int) -> None:
    film_timeline.look_at(at, st.session_state.get(film_timeline.LOOK) or None)


def _choose(sample: "JudgedSample") -> "Row":
    """The row that is looked at: the whole frame, or a face."""
    by_track = {row.track or 0: row for row in sample.rows}
    if len(by_track) == 1:
        return sample.rows[0]
    key = film_timeline.LOOK
    if st.session_state.get(key) not in by_track:
        st.session_state[key] = 0
    picked = st.segmented_control(
        "Look at", list(by_track), key=key, required=True, persist_state="session", label_visibility="collapsed",
        format_func=lambda track: f"Face {track}" if track else "Whole frame",
    )  # fmt: skip
    return by_track[picked or 0]


def _pixels(film: "FilmJob", sample: "JudgedSample") -> "tuple[np.ndarray | None, str]":
    """The frame, or why it cannot be had."""
    if not roles.may(Role.ANALYST):
        return None, ""
    try:
        with st.spinner("Reading the frame …"):
            return film_frames.frame(film, sample), ""
    except DfcoreError as error:
        return None, str(error)


def _explained(
    film: "FilmJob", sample: "JudgedSample", row: "Row", rgb: np.ndarray
) -> "tuple[np.ndarray, Heatmap | None, str]":  # fmt: skip
    """What is shown of a frame, its heat-map where one is wanted, and why there is none."""
    if row.score is None:
        return rgb, None, ""
    wanted = st.toggle(
        "Show what the detector looked at", key=_MAP, persist_state="session",
        help="A heat-map of the evidence. It shows where the network is sensitive; it is no proof of editing.",
    )  # fmt: skip
    if not wanted:
        return rgb, None, ""
    if not row.is_used:
        return rgb, None, "There is no heat-map, since the score is not used: it would explain nothing."
    entry = _entry(row)
    if entry is None:
        return rgb, None, "There is no heat-map: the detector that judged this is gone, or has changed since."
    try:
        with st.spinner("Computing the heat-map …"):
            part = rgb if row.track is None else film_frames.crop(film, sample, row, rgb, entry.card)
            file = film_frames.frame_png(film, sample, rgb) if row.track is None else media.png(part)
            target: Any = "fake" if row.score >= entry.card.threshold.value else "real"
            found = inference.heatmap(entry, file, "gradcam", target, None)
    except DfcoreError as error:
        return rgb, None, str(error)
    return part, found, "" if found.peak else f"The detector finds no evidence of {target} here: the map is empty."


def _entry(row: "Row") -> detectors.Entry | None:
    """The detector that judged, if it is still the same."""
    from dfcore.films.judges import version_of

    every = (one for one in detectors.detectors() if one.key == row.detector)
    return next((one for one in every if version_of(one.card) == row.version), None)


def _draw(
    film: "FilmJob", sample: "JudgedSample", row: "Row", rgb: "np.ndarray | None", heatmap: "Heatmap | None"
) -> None:  # fmt: skip
    width, height = sample.width, sample.height
    cut_out = heatmap is not None and row.track is not None
    if rgb is not None:
        source = media.address(film_frames.shown(rgb), "film_frame")
        height, width = rgb.shape[:2]
    elif thumbnail := film.thumbnail(sample):
        source = file_url(thumbnail, "JPEG")
    else:
        return
    inside = "" if cut_out else "".join(_box(one, sample, one is row) for one in sample.rows if one.box is not None)
    legend = ""
    if heatmap is not None and heatmap.peak:
        of_map = (film.request.sha256, sample.position, row.track, row.version)
        shade = media.address(map_layer.source(of_map, heatmap), "film_map")
        style = f"position:absolute;inset:0;width:100%;height:100%;opacity:{map_layer.OPACITY}%"
        inside = f'<img src="{shade}" alt="" style="{style}">{inside}'
        legend = map_layer.legend(heatmap)
    told = "; ".join(f"{_name(one).lower()}: {one.says}" for one in sample.rows)
    alt = html.escape(f"Frame at {figures.clock(sample.position.seconds)}. {told}", quote=True)
    st.html(
        f'<div style="position:relative;aspect-ratio:{width}/{height};margin:0 auto;'
        f'width:min(100%, calc({_HEIGHT} * {width / height:.4f}))">'
        f'<img src="{source}" alt="{alt}" style="width:100%;height:100%;display:block">{inside}</div>{legend}'
    )


def _box(row: "Row", sample: "JudgedSample", chosen: bool) -> str:
    left, top, right, bottom = row.box or (0, 0, 0, 0)
    colour, sign = FINDING_COLOURS[row.finding or "inconclusive"], widgets.VERDICT_SIGNS[row.finding]
    place = (
        f"left:{100 * left / sample.width:.2f}%;top:{100 * top / sample.height:.2f}%;"
        f"width:{100 * (right - left) / sample.width:.2f}%;height:{100 * (bottom - top) / sample.height:.2f}%"
    )
    return (
        f'<div style="position:absolute;{place};box-sizing:border-box;border:{4 if chosen else 2}px '
        f'{"solid" if row.is_used else "dashed"} {colour};outline:1px solid rgba(0,0,0,.6)">'
        f'<span style="position:absolute;left:0;top:0;background:rgba(0,0,0,.72);color:#fff;font-size:.75rem;'
        f'line-height:1.2;padding:.1rem .3rem;white-space:nowrap">{sign} {row.track}</span></div>'
    )


def _name(row: "Row") -> str:
    return "Whole frame" if row.track is None else f"Face {row.track}"


def _say(film: "FilmJob", row: "Row") -> None:
    st.markdown(f"**{_name(row)}: {widgets.verdict_words(row.finding)}**")
    if row.score is not None:
        at = (film.judges().get("judges", {}).get(row.detector) or {}).get("thresholds")
        if at:
            found = DecisionThresholds.model_validate(at | {"says_real": row.finding == "real"})
            st.html(verdict.scale(row, found))
        elif row.is_used:
            st.markdown(f"Score {row.score:.3f}.")
    if row.reason:
        st.markdown(widgets.plain(row.reason if row.reason.endswith(".") else f"{row.reason}."))


def _file_name(film: "FilmJob", sample: "JudgedSample", track: int | None = None) -> str:
    """Says what film a picture is of, when in it, and which frame: "clip.mp4, 1m05.2s, frame 1630, face 2.png".

    It stays with the picture wherever it is shown: in Inspect, in reports, in Cases.
    """
    parts = figures.clock(sample.position.seconds).split(":")
    time = "".join(f"{part}{unit}" for part, unit in zip(parts, "hms"[-len(parts) :], strict=True))
    face = f", face {track}" if track else ""
    return f"{film.request.name}, {time}, frame {sample.position.frame}{face}.png"


def _take_away(film: "FilmJob", sample: "JudgedSample", row: "Row", rgb: np.ndarray) -> None:
    with st.container(horizontal=True):
        st.download_button(
            "Frame (PNG)", partial(media.png, rgb), _file_name(film, sample), "image/png", on_click="ignore",
            icon=":material/download:", key="film_get_frame", help="The frame as it was judged, without loss.",
        )  # fmt: skip
        if st.button(
            "Open in Inspect", icon=":material/frame_inspect:", key="film_inspect",
            help="Judges this frame, or this face as it was cut out, as a picture of its own, with all evidence.",
        ):  # fmt: skip
            with widgets.errors():
                entry = _entry(row)
                if row.track is not None and row.detector is None:
                    raise InputError(row.reason or "This face was not judged.")
                if row.track is not None and entry is None:
                    raise InputError("The detector that judged this face is gone, or has changed since.")
                part = rgb
                if row.track is not None and entry is not None:
                    part = film_frames.crop(film, sample, row, rgb, entry.card)
                widgets.inspect(_file_name(film, sample, row.track), media.png(part), entry.key if entry else "")
