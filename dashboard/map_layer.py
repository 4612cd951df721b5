"""A heat-map as a layer over its picture, with its legend: the same in Inspect and on Video."""

from typing import Any

import numpy as np
import streamlit as st

from dfcore.explanation import Heatmap, colours, layer
from dfcore.utils.html import data_url

# Of the layer in percent, until somebody moves the slider of Inspect; longest side of the layer in pixels, which the
# browser enlarges: it is drawn from fewer.
OPACITY, _SIDE = 45, 320


def source(key: tuple[Any, ...], heatmap: Heatmap) -> str:
    """The layer as a data URL; the key says what map of what picture it is."""
    return _source((*key, heatmap.method, heatmap.target, heatmap.layer, heatmap.view), heatmap)


def high(heatmap: Heatmap) -> str:
    """What the brightest colour stands for."""
    return f"high evidence of {heatmap.target}"


def bar() -> str:
    """The colours from low to high, as CSS."""
    stops = colours(np.linspace(0, 1, 6)).tolist()
    return f"linear-gradient(to right, {', '.join('rgb({}, {}, {})'.format(*stop) for stop in stops)})"


def legend(heatmap: Heatmap) -> str:
    """The legend as HTML, where the viewer does not draw it."""
    of_bar = f"width:5rem;height:.7rem;border-radius:.2rem;background:{bar()}"
    return (
        '<div style="display:flex;justify-content:flex-end;align-items:center;gap:.4rem;font-size:.875rem">'
        f'<span>low</span><span style="{of_bar}"></span><span>{high(heatmap)}</span></div>'
    )


# Each takes some 50 KB; the viewer runs again at every point of the magnifier.
@st.cache_data(max_entries=128, show_spinner=False)
def _source(key: tuple[Any, ...], _heatmap: Heatmap) -> str:
    return data_url(layer(_heatmap, _SIDE), "PNG", compress_level=1)
