"""What is said of a film by its samples, and what its file says of itself."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import widgets
from dfcore.detectors import of_faces
from dfcore.utils.texts import counted, duration, volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dfcore.films import FilmFacts
    from dfcore.films.job import FilmJob
    from dfcore.films.rows import Row
    from dfcore.films.verdict import FilmVerdict

# Faces that are told one by one, and notes that are in sight.
_TRACKS, _NOTES = 3, 3


def show(film: "FilmJob", rows: "Sequence[Row]") -> None:
    """Shows the film's word, the counts behind it, and what these are worth."""
    with st.container(border=True, gap="small"):
        say(film.verdict(rows), so_far=film.status().state.active)
        judges = film.judges()
        if film.request.faces and not judges.get("face"):
            st.caption(widgets.plain(f"Faces were not judged. {judges.get('no_faces') or of_faces.NONE}"))


def say(said: "FilmVerdict", *, so_far: bool) -> None:
    """Says a film's word, the counts behind it, and what these are worth.

    Args:
        said: What is said.
        so_far: Whether more frames are to come.
    """
    from dfcore.films.verdict import RULE, UNCALIBRATED

    st.markdown(f"### {widgets.verdict_words(said.finding)}{', so far' if so_far else ''}", help=RULE)
    for sentence in said.sentences(_TRACKS):
        if sentence == UNCALIBRATED:
            st.caption(f":material/report: {widgets.plain(sentence)}")
        else:
            st.markdown(_with_detectors(sentence))


def _with_detectors(sentence: str) -> str:
    """A sentence as Markdown, in which names between backticks stay code."""
    parts = sentence.split("`")
    return "".join(f"`{part}`" if number % 2 else widgets.plain(part) for number, part in enumerate(parts))


def show_notes(film: "FilmJob") -> None:
    """Shows what a person should know of the film and of how it was read."""
    notes = film.notes()
    for note in notes[:_NOTES]:
        st.caption(f":material/report: {widgets.plain(note)}")
    if notes[_NOTES:]:
        label = counted(len(notes) - _NOTES, "further note", "further notes")
        if place := widgets.folded(label, "film_notes", icon=":material/report:"):
            with place:
                for note in notes[_NOTES:]:
                    st.caption(widgets.plain(note))


def show_facts(film: "FilmJob") -> None:
    """Shows what the file says of itself in a line."""
    facts = film.facts()
    if facts is not None:
        st.markdown(f"**The file says:** {widgets.plain(f'{film.request.name}; {in_words(facts)}.')}")


def in_words(facts: "FilmFacts") -> str:
    """The facts of a film in a line."""
    rate = f"{facts.rate:.3g} frames/s" if facts.rate else "rate unknown"
    parts = [
        f"{facts.container}, {facts.codec}", f"{facts.width} × {facts.height} pixels",
        f"{rate}{', varying' if facts.variable_rate else ''}",
        duration(facts.seconds) if facts.seconds else "length not stated", volume(facts.bytes),
        "with sound" if facts.audio else "without sound",
    ]  # fmt: skip
    if facts.bit_depth > 8:
        parts.append(f"{facts.bit_depth} bits{f', HDR ({facts.hdr})' if facts.hdr else ''}")
    if facts.rotation:
        parts.append(f"turned by {facts.rotation}°")
    return "; ".join(parts)
