"""Evidence shown by Inspect next to the verdict: heat-map, score stability, file facts, and all of it as JSON."""

from typing import Any

import numpy as np
import streamlit as st

from dashboard import decode_cache, detectors, inference, markup, widgets
from dfcore import figures
from dfcore.confidence import decide, find
from dfcore.detectors.verdict import Verdict
from dfcore.explanation import METHODS, Heatmap, figure, outlined
from dfcore.imaging.decoder import ImageFacts

# Longest side of the magnifier's image, in pixels.
_MAGNIFIED = 4096


def is_explained() -> bool:
    """Toggle for the heat-map; returns whether it is on."""
    return st.toggle(
        "Show what the detector looked at", value=True, key="inspect_explain", persist_state="session",
        help="A heat-map of the evidence. It shows where the network is sensitive; it is no proof of editing.",
    )  # fmt: skip


def show_heatmap(entry: detectors.Entry, data: bytes, verdict: Verdict) -> Heatmap:
    """Shows the heat-map's settings, then image, overlay and magnifier; returns the heat-map."""
    which, how, strength = st.columns([5, 4, 4])
    wanted = which.segmented_control(
        "Evidence of", ["verdict", "fake", "real"], default="verdict", required=True, key="inspect_target",
        persist_state="session", format_func={"verdict": "the verdict", "fake": "fake", "real": "real"}.__getitem__,
        help="What the map argues for: the detector's own verdict, that the image is fake, or that it is real.",
    )  # fmt: skip
    target = verdict.label or "fake" if wanted == "verdict" else wanted
    method = how.selectbox(
        "Method", list(METHODS), format_func=lambda key: METHODS[key].title, key="inspect_method",
        persist_state="session",
        help=" ".join(f"{method.title}: {method.help}" for method in METHODS.values()),
    )  # fmt: skip
    opacity = strength.slider(
        "Opacity of the map", 0.0, 1.0, 0.5, 0.05, key="inspect_opacity", persist_state="session",
        help="0 shows the image alone, 1 the map alone.",
    )  # fmt: skip
    view = _choose_view(entry)
    with st.spinner("Preparing the network for heat-maps; this takes a few seconds the first time …"):
        explainer = detectors.explainer(entry)
    layers, default = explainer.layers, explainer.default_layer
    with st.expander(f"More settings (layer: {default} unless changed)"):
        layer = st.selectbox(
            "Layer to look at", layers, index=layers.index(default), key=f"inspect_layer_{entry.key}",
            help="Later layers respond to structure, earlier ones to texture. The last one is the usual choice.",
        )  # fmt: skip
    rgb = inference.picture(data)
    result = inference.heatmap(entry, data, method, target, layer, view)
    picture = figure(rgb, result, opacity)
    if not result.peak:
        st.info(
            f"At this layer the detector finds no evidence of {target} at all: the map is empty. "
            f"Try the evidence of {'real' if target == 'fake' else 'fake'}, or another method.",
            icon=":material/info:",
        )
    left, right = st.columns(2)
    judged, caption = _judged(entry, rgb, inference.facts(data))
    left.image(_shrunk(judged), caption=caption, width="stretch")
    right.image(_shrunk(np.asarray(picture)), caption="Brighter: more evidence", width="stretch")
    if magnifier := widgets.folded("Magnifier", "inspect_magnifier"):
        _magnify(magnifier, data, np.asarray(picture))
    return result


def _choose_view(entry: detectors.Entry) -> int:
    """The view to explain; asked for where the detector judges several."""
    titles = entry.card.spec.view_titles
    if len(titles) == 1:
        return 0
    return st.segmented_control(
        "Part of the image", range(len(titles)), default=0, required=True, key=f"inspect_view_{entry.key}",
        format_func=lambda number: titles[number][0].upper() + titles[number][1:],
        help="The detector judges each of these parts and takes the mean. The map shows the evidence in one of them.",
    )  # fmt: skip


def _judged(entry: detectors.Entry, rgb: np.ndarray, facts: ImageFacts) -> tuple[np.ndarray, str]:
    """The image with the judged parts outlined, and a caption that names them; the image alone if it is one whole."""
    regions = entry.card.spec.regions(facts.height, facts.width)
    if set(regions) == {(0, 0, facts.width, facts.height)}:
        return rgb, "Decoded image"
    factors = np.tile(np.divide(rgb.shape[1::-1], (facts.width, facts.height)), 2)
    scaled = [tuple(np.rint(factors * region).astype(int).tolist()) for region in regions]
    return outlined(rgb, scaled), f"Decoded image; judged, within the frames: {', '.join(entry.card.spec.view_titles)}"


def _magnify(place: Any, data: bytes, overlay: np.ndarray) -> None:
    with place:
        st.caption("Scroll to zoom, drag to pan, double-click to reset.")
        what = st.segmented_control(
            "Look at", ["image", "overlay"], default="image", required=True, key="inspect_magnify",
            help="The image itself or the image under its heat-map.",
        )  # fmt: skip
        shown = inference.pixels(data, _MAGNIFIED) if what == "image" else overlay
        st.plotly_chart(figures.zoomable(shown), config={"scrollZoom": True}, key="magnifier")


def show_stability(entry: detectors.Entry, data: bytes, verdict: Verdict) -> list[dict[str, Any]] | None:
    """Shows the image's score after small changes, and returns the rows; a verdict that flips is a weak one."""
    wanted = st.toggle(
        "Show how stable the score is", key="inspect_stability", persist_state="session",
        help="Rescores the image after recompression, resizing, blur, noise, brightness and cropping.",
    )  # fmt: skip
    if not wanted:
        return None
    # Use the displayed verdict's thresholds, which may differ from the card's.
    thresholds = verdict.thresholds or entry.card.thresholds
    rows = inference.stability(entry, data)
    findings = find([row["score"] for row in rows], thresholds).tolist()
    decisions = decide([row["score"] for row in rows], thresholds).tolist()
    rows = [row | {"decision": d, "finding": f} for row, d, f in zip(rows, decisions, findings, strict=True)]
    scores = [row["score"] for row in rows]
    st.markdown(
        f"After {len(rows) - 1} small changes the score lies between **{min(scores):.3f}** and **{max(scores):.3f}**: "
        + ("the verdict holds." if len(set(findings)) == 1 else "the verdict does not hold for all of them.")
    )
    low, high = thresholds.real_below, thresholds.fake_from
    st.plotly_chart(figures.stability(rows, low, high, says_real=thresholds.says_real), key="stability_band")
    return rows


def show_facts(data: bytes) -> ImageFacts:
    """Shows and returns format, size, hash and EXIF data of the file."""
    facts = inference.facts(data)
    for note in facts.notes:
        st.caption(f":material/info: {markup.plain(note)}")
    with st.expander("File facts"):
        rows = (
            {
                "Format": facts.format + (", animated: the first frame is judged" if facts.animated else ""),
                "Size": f"{facts.width} x {facts.height} pixels, {facts.bytes:,} bytes",
                "Pixel mode": facts.mode,
                "SHA-256": facts.sha256,
            }
            | {f"Note {number}": note for number, note in enumerate(facts.notes, 1)}
            | {f"EXIF {name}": value for name, value in facts.exif.items()}
        )
        st.dataframe({"Fact": list(rows), "Value": list(rows.values())}, hide_index=True)
        if not facts.exif:
            st.caption("The file has no EXIF data. Most platforms strip it on upload, so this proves nothing.")
    return facts


def whole_result(
    entry: detectors.Entry,
    name: str,
    verdict: Verdict,
    facts: ImageFacts,
    heatmap: Heatmap | None,
    stability: list[dict[str, Any]] | None,
) -> dict[str, Any]:
    """Everything the page shows, as a JSON-serialisable dict."""
    thresholds, spec = verdict.thresholds, entry.card.spec
    result: dict[str, Any] = {
        "file": {"name": name, **facts.__dict__},
        "verdict": {
            "decision": verdict.decision, "finding": verdict.finding, "reason": verdict.reason,
            "score": verdict.score, "logit": verdict.logit,
            "label": verdict.label, "threshold": verdict.threshold, "ignore_ood": verdict.ignore_ood,
            "thresholds": thresholds.model_dump() if thresholds else None,
            "trained_on": verdict.seen.value,
            "ood_distance": verdict.ood.distance, "ood_reasons": list(verdict.ood.reasons),
        },
        "detector": {
            "title": entry.card.title,
            "model_sha256": entry.card.model_sha256,
            "preprocess": entry.card.preprocess.model_dump(),
            "calibration": entry.card.calibration.model_dump(),
            "words": entry.card.words.model_dump(),
            "results": entry.card.results,
            "limits": entry.card.limits,
        },
        "judged": [
            {"view": title, "region": region}
            for title, region in zip(spec.view_titles, spec.regions(facts.height, facts.width), strict=True)
        ],
        "stability": stability,
    }  # fmt: skip
    if heatmap is not None:
        step = max(1, max(heatmap.values.shape) // 64)
        small = heatmap.values[::step, ::step]
        result["heatmap"] = {
            "method": heatmap.method, "target": heatmap.target, "layer": heatmap.layer, "peak": heatmap.peak,
            "view": spec.view_titles[heatmap.view],
            "every_nth_pixel": step,
            "values": [[None if np.isnan(v) else round(float(v), 4) for v in row] for row in small],
        }  # fmt: skip
    return result


def _shrunk(rgb: np.ndarray) -> Any:
    """Resizes for display: large images are downscaled, small ones enlarged with nearest-neighbour."""
    from PIL import Image

    picture = Image.fromarray(rgb)
    side = max(picture.size)
    if side > decode_cache.SIDE:
        picture.thumbnail((decode_cache.SIDE, decode_cache.SIDE))
    elif side < decode_cache.SIDE // 3:
        factor = (decode_cache.SIDE // 2) // side
        picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    return picture
