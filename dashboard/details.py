"""The figures behind a verdict, properties of the file, and everything as JSON."""

from typing import Any

import streamlit as st

from dashboard import detectors, inference, markup, widgets
from dfcore.detectors.verdict import Verdict
from dfcore.explanation import Heatmap
from dfcore.imaging.decoder import ImageFacts
from dfcore.inspection.record import record


def show_facts(data: bytes) -> ImageFacts:
    """Shows and returns format, size and hash of the file."""
    facts = inference.facts(data)
    for note in facts.notes:
        st.caption(f":material/info: {markup.plain(note)}")
    rows = {
        "Format": facts.format + (", animated: the first frame is judged" if facts.animated else ""),
        "Size": f"{facts.width} x {facts.height} pixels, {facts.bytes:,} bytes",
        "Pixel mode": facts.mode,
        "SHA-256": facts.sha256,
        "SHA-256 of the pixels": facts.pixels_sha256,
    }
    widgets.table({"Fact": list(rows), "Value": list(rows.values())}, "Properties of the file")
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
    return record(entry.card, name, verdict, facts, heatmap, stability)
