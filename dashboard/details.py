"""Properties of a picture's file."""

import streamlit as st

from dashboard import inference, markup, widgets
from dfcore.imaging.decoder import ImageFacts


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
