"""The judged picture with its heat-map as a layer on it, and a magnifier on the original's own pixels."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import decode_cache, detectors, error_reporting, inference, map_layer, media, widgets
from dfcore.detectors.verdict import Verdict
from dfcore.explanation import Heatmap
from dfcore.imaging import sandbox
from dfcore.utils.files import sha256_bytes
from dfcore.utils.html import data_url

# Height of the picture, so that it shares a screen with the verdict; side of what the magnifier gets, in pixels.
HEIGHT, _CROP = "var(--inspect-height, clamp(15rem, 52vh, 34rem))", 256
# Of a part of it, which has fewer pixels.
_LOWER = "min(var(--inspect-height, 34rem), clamp(12rem, 36vh, 24rem))"
_ASSETS = Path(__file__).parent / "assets"
_KEY = "inspect_viewer"


def asset(name: str) -> str:
    """The text of a file of the browser's part."""
    return (_ASSETS / name).read_text(encoding="utf-8")


_viewer = st.components.v2.component(
    "dfcore_viewer", html=asset("viewer.html"), css=asset("viewer.css"), js=asset("viewer.js")
)


@error_reporting.fragment()
def show(
    entry: detectors.Entry, name: str, data: bytes, verdict: Verdict, heatmap: Heatmap | None, *, waiting: str = "",
    notes: str = "", faces: Sequence[Mapping[str, Any]] = (), pick: Callable[[Any], None] | None = None,
) -> None:  # fmt: skip
    """Shows a picture with the parts that were judged, and its heat-map.

    Args:
        entry: The detector.
        name: File name of the picture.
        data: Contents of the file.
        verdict: Its verdict, for the text alternative.
        heatmap: The map to lay over it; None where there is none.
        waiting: What is being computed, shown on the picture; "" if nothing is.
        notes: What is said below it instead of what was judged.
        faces: Faces to frame: box in pixels, label, title and colour of each.
        pick: Is given what was clicked last: the number of a face, and when; None if nothing was.
    """
    facts, image = inference.facts(data), sha256_bytes(data)
    titles, regions = entry.card.spec.view_titles, entry.card.spec.regions(facts.height, facts.width)
    judged = verdict.is_used
    sides = (facts.width, facts.height) * 2
    parts: list[dict[str, Any]] = [
        {
            "box": [edge / side for edge, side in zip(region, sides, strict=True)],
            "title": titles[number] if len(titles) > 1 else "",
            "whole": region == (0, 0, facts.width, facts.height),
            "explained": heatmap is not None and heatmap.view == number,
        }
        for number, region in enumerate(regions)
    ]  # fmt: skip
    said = widgets.VERDICTS[verdict.finding].lower()
    _viewer(
        key=_KEY,
        data={
            "image": image,
            # By address: this runs at every point of the magnifier, which needs neither again.
            "picture": media.address(_picture(image, data), f"{_KEY}_picture"),
            "map": media.address(map_layer.source((entry.version, image), heatmap), f"{_KEY}_map")
            if heatmap is not None and heatmap.peak
            else None,
            "parts": parts if verdict.score is not None else [],
            "width": facts.width,
            "height": facts.height,
            "height_css": _LOWER if notes else HEIGHT,
            "alt": f"{name}: {facts.width} by {facts.height} pixels, {said}",
            "faces": [
                {**face, "box": [edge / side for edge, side in zip(face["box"], sides, strict=True)]} for face in faces
            ],
            "notes": notes or _notes(titles, [part["whole"] for part in parts], facts.animated, judged),
            "colours": map_layer.bar(),
            "evidence": map_layer.high(heatmap) if heatmap is not None else "",
            "waiting": waiting,
            "crop": _crop(image, data, facts.width, facts.height),
        },
        on_look_change=lambda: None,
        on_face_change=lambda: None,
    )
    if pick is not None:
        clicked = st.session_state.get(_KEY, {}).get("face")
        pick(clicked if isinstance(clicked, dict) and clicked.get("image") == image else None)


def _notes(titles: tuple[str, ...], whole: list[bool], animated: bool, judged: bool) -> str:
    """What was judged, and what was not."""
    did = "judged" if judged else "looked at, but the score was not used"
    if len(titles) > 1:
        text = f"{len(titles)} parts were {did}: {'; '.join(titles)}."
    elif any(whole):
        text = f"The whole picture was {did}."
    else:
        text = f"The framed part was {did}."
    if not any(whole):
        text += " What is darkened was not judged."
    return f"{text} It is animated: of its frames only the first is shown and judged." if animated else text


def _crop(image: str, data: bytes, width: int, height: int) -> dict[str, Any] | None:
    """The original's own pixels around the point that the magnifier looks at; None while it looks at none."""
    point = st.session_state.get(_KEY, {}).get("look")
    if not isinstance(point, dict) or point.get("image") != image:
        return None
    try:
        x, y = int(point["x"]), int(point["y"])
    except (KeyError, TypeError, ValueError, OverflowError):  # It comes from the browser.
        return None
    x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    left = max(0, min(x - _CROP // 2, width - _CROP))
    top = max(0, min(y - _CROP // 2, height - _CROP))
    return {
        "src": _part(image, left, top, data), "x": x, "y": y, "x0": left, "y0": top, "side": _CROP,
        "width": min(_CROP, width), "height": min(_CROP, height),
    }  # fmt: skip


# Each takes 200 KB, and decoding the original anew: the point stays when anything else on the page changes.
@st.cache_data(max_entries=32, show_spinner=False)
def _part(image_sha256: str, left: int, top: int, _data: bytes) -> str:
    return data_url(sandbox.part(_data, (left, top, left + _CROP, top + _CROP)), "PNG", compress_level=1)


# Each takes 100 to 300 KB, and decoding the file anew.
@st.cache_data(max_entries=128, show_spinner=False)
def _picture(image_sha256: str, _data: bytes) -> str:
    rgb = inference.picture(_data)
    if max(rgb.shape) < decode_cache.SIDE // 3:
        return data_url(rgb, "PNG", compress_level=1)
    return data_url(rgb, "JPEG", quality=92, subsampling=0)
