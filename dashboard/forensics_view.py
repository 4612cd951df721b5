"""Forensic views in Inspect: chosen by the analyst, computed on demand, side by side and zoomed together."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from dashboard import actions, inference_queue, widgets
from dashboard.markup import plain
from dfcore import figures, forensics
from dfcore.forensics import Parameter, Region, View, ViewKind
from dfcore.imaging import ImageFacts, sandbox
from dfcore.utils.files import sha256_bytes

# Sides of the parts that a large picture can be looked at in, in pixels.
_PART = 1500
_WHOLE = "whole"
_PARTS = {
    "top_left": ("Top left", 0, 0), "top": ("Top", 1, 0), "top_right": ("Top right", 2, 0),
    "left": ("Left", 0, 1), "middle": ("Middle", 1, 1), "right": ("Right", 2, 1),
    "bottom_left": ("Bottom left", 0, 2), "bottom": ("Bottom", 1, 2), "bottom_right": ("Bottom right", 2, 2),
}  # fmt: skip


def show(data: bytes, name: str) -> None:
    """Shows the forensic views that the analyst chooses of a picture.

    Args:
        data: Content of the image file.
        name: Its name, shown as it is, escaped.
    """
    kinds = forensics.VIEWS
    chosen = st.pills(
        "Forensic views", list(kinds), selection_mode="multi", key="forensics_chosen", persist_state="session",
        format_func=lambda key: kinds[key].title,
        help="Each is computed when you choose it, from the picture's own pixels. None of them is part of the score, "
        "and none tells by itself whether a picture is machine-made.",
    )  # fmt: skip
    if not chosen:
        st.caption("Choose one or more views. They appear beside the picture, and zooming into one zooms all.")
        return
    with widgets.errors():
        _show_chosen(data, name, [kinds[key] for key in kinds if key in chosen])


def _show_chosen(data: bytes, name: str, kinds: Sequence[ViewKind]) -> None:
    actions.require_judging()
    with st.spinner("Decoding the picture at full size …"):
        image = sha256_bytes(data)
        facts, rgb = _opened(image, data)
    where, how = st.columns([3, 1])
    with where:
        region = _part(rgb.shape[1], rgb.shape[0])
    columns = how.segmented_control(
        "Pictures in a row", [1, 2, 3], default=2, required=True, key="forensics_columns", persist_state="session",
        help="Fewer are larger; on a narrow screen choose 1.",
    )  # fmt: skip
    pictures = st.container()
    found, asked = [], []
    for kind in kinds:
        with st.container(border=True):
            st.markdown(f"**{kind.title}**")
            st.markdown(f"**How to read it:** {plain(kind.reads)}  \n**When it misleads:** {plain(kind.misleads)}")
            settings = tuple(sorted(_settings(kind).items()))
            with st.spinner(f"Computing {kind.title} …"):
                view = _view(image, kind.key, region, settings, facts, rgb)
            found.append((kind, view))
            asked.append((kind.key, settings))
            _show_figures(kind, view)
    with pictures:
        _show_pictures(name, rgb, region, found, columns, (image, *asked))


def _part(width: int, height: int) -> Region | None:
    """The part to look at, for pictures of which the whole cannot be shown pixel by pixel; None for the whole."""
    if width * height <= figures.MOST_SHOWN:
        return None
    titles = {_WHOLE: "Whole"} | {key: title for key, (title, *_) in _PARTS.items()}
    chosen = st.segmented_control(
        "Part of the picture", list(titles), default=_WHOLE, required=True, key="forensics_part",
        persist_state="session", format_func=titles.__getitem__,
        help=f"The picture has {width:,} x {height:,} pixels. The whole is drawn reduced; a part is computed and drawn "
        f"at its own pixels, at most {_PART:,} a side.",
    )  # fmt: skip
    if chosen == _WHOLE:
        return None
    _, column, row = _PARTS[chosen]
    w, h = min(_PART, width), min(_PART, height)
    # On multiples of 16, so that blocks of JPEG are not cut.
    return (width - w) * column // 2 // 16 * 16, (height - h) * row // 2 // 16 * 16, w, h


def _settings(kind: ViewKind) -> dict[str, Any]:
    if not kind.parameters:
        return {}
    places = st.columns(max(len(kind.parameters), 3))
    return {
        parameter.key: _ask(place, kind, parameter)
        for place, parameter in zip(places, kind.parameters, strict=False)
    }  # fmt: skip


def _ask(place: Any, kind: ViewKind, parameter: Parameter) -> Any:
    key = f"forensics_{kind.key}_{parameter.key}"
    if parameter.choices:
        return place.selectbox(
            parameter.title, list(parameter.choices), format_func=parameter.choices.__getitem__, key=key,
            index=list(parameter.choices).index(parameter.default), persist_state="session", help=parameter.help,
        )  # fmt: skip
    return place.slider(
        parameter.title, parameter.low, parameter.high, parameter.default, parameter.step, key=key,
        persist_state="session", help=parameter.help,
    )  # fmt: skip


def _show_figures(kind: ViewKind, view: View) -> None:
    """What the picture shows, the figures in words, what was examined, and the curves."""
    titles = [f"{picture.title}." for picture in view.pictures if picture.aligned]
    for sentence in filter(None, (*titles, *view.words, view.note)):
        st.markdown(f"- {plain(sentence)}")
    for number, chart in enumerate(view.charts):
        st.caption(plain(chart.title))
        curves = [(curve.name, curve.x, curve.y) for curve in chart.curves]
        figure = figures.banded(curves, chart.x, chart.y, chart.band)
        widgets.chart(figure, f"forensics_chart_{kind.key}_{number}", chart.title)


def _show_pictures(
    name: str,
    rgb: np.ndarray,
    region: Region | None,
    found: Sequence[tuple[ViewKind, View]],
    columns: int,
    key: tuple[Any, ...],
) -> None:
    height, width = rgb.shape[:2]
    x, y, w, h = region or (0, 0, width, height)
    shown = [("The picture", rgb[y : y + h, x : x + w], (x, y, w, h))]
    apart = []
    for kind, view in found:
        for picture in view.pictures:
            if picture.aligned:
                shown.append((kind.title, picture.rgb, view.region))
            else:
                apart.append((picture.title, picture.rgb))
    st.caption(f"{plain(name)}. Scroll to zoom, drag to pan, double-click to reset; all pictures follow.")
    widgets.chart(
        _linked(key, region, columns, shown), "forensics_pictures",
        f"Side by side: {', '.join(one for one, *_ in shown)}", config={"scrollZoom": True},
    )  # fmt: skip
    for place, (title, pixels) in zip(st.columns(max(len(apart), 3)), apart, strict=False):
        place.image(pixels, caption=title, width="stretch", alt=title)


# Up to some tens of MB; packing the pictures takes half a second each, at every run of the page.
@st.cache_data(max_entries=4, show_spinner=False)
def _linked(key: tuple[Any, ...], region: Region | None, columns: int, _shown: Sequence[Any]) -> Any:
    return figures.linked(_shown, columns)


# At full size: 36 MB for a picture of 12 megapixels.
@st.cache_data(max_entries=2, show_spinner=False)
def _opened(image_sha256: str, _data: bytes) -> tuple[ImageFacts, np.ndarray]:
    return sandbox.opened(_data)


# At most 9 MB for each picture of a view.
@st.cache_data(max_entries=16, show_spinner=False)
def _view(
    image_sha256: str,
    key: str,
    region: Region | None,
    settings: tuple[tuple[str, Any], ...],
    _facts: ImageFacts,
    _rgb: np.ndarray,
) -> View:
    with inference_queue.forensics.take():
        view = forensics.compute(key, _rgb, facts=_facts, region=region, **dict(settings))
    return replace(view, pictures=tuple(replace(one, rgb=figures.reduced(one.rgb)) for one in view.pictures))
