"""The judged films of this workspace: the one that the address names, and a list in which a click opens another."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import batches, films, widgets
from dfcore.runs import readable

if TYPE_CHECKING:
    from dfcore.films.job import FilmJob

_KEY, _IDS = "film_table", "film_table_ids"
_ROWS = 5


def choose(every: "list[FilmJob]") -> "FilmJob":
    """Shows the select box of the films; returns the chosen one."""
    titles = {film.id: films.title(film) for film in every}
    counts = Counter(titles.values())
    # A select box cannot tell options apart that are written alike.
    titles = {name: f"{text}  [{name}]" if counts[text] > 1 else text for name, text in titles.items()}
    picked = widgets.addressed("Film", titles, "film", help="The film that is shown; the newest comes first.")
    return next(film for film in every if film.id == picked)


def show(every: "list[FilmJob]", picked: str) -> None:
    """Lists the films, where there are several, with the one of this id selected; a click shows another one."""
    if len(every) < 2:
        return
    place = widgets.folded(f"All {len(every):,} films", "film_every_one", icon=":material/list:")
    if place:
        with place:
            _show(every, picked)


def _show(every: "list[FilmJob]", picked: str) -> None:
    ids = [film.id for film in every]
    st.session_state[_IDS] = ids
    st.session_state[_KEY] = {"selection": {"rows": [ids.index(picked)], "columns": [], "cells": []}}
    column = st.column_config
    widgets.table(
        [_row(film) for film in every],
        f"{len(every)} films with state and frames; the shown one is selected", key=_KEY,
        on_select=_chosen, selection_mode="single-row", height=37 + 35 * min(len(every), _ROWS),
        column_config={
            "Name": column.TextColumn(width="medium"),
            "Frames": column.NumberColumn(help="Frames that were looked at so far."),
            "Likely fake": column.NumberColumn(help="Whole frames among them that are called likely fake."),
            "Pictures": column.TextColumn(help="Whether the copy of an upload and the thumbnails are still there."),
            "Started": column.TextColumn(help="Date and time in UTC."),
        },
    )  # fmt: skip


def _chosen() -> None:
    rows = st.session_state[_KEY]["selection"]["rows"]
    if rows:
        st.session_state["film"] = st.session_state[_IDS][rows[0]]


def _row(film: "FilmJob") -> dict[str, Any]:
    status, request, said = readable(film.status), readable(lambda: film.request), readable(film.verdict)
    return {
        "Name": request.title if request else film.id,
        "State": batches.STATE_WORDS[status.state] if status else "damaged",
        "Frames": status.done if status else None,
        "Likely fake": said.fake if said else None,
        "Pictures": ("deleted" if status.closed else "kept") if status else None,
        "Started": request.created.replace("T", " ")[:16] if request else None,
        "By": request.by if request else None,
    }
