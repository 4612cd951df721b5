"""How judged films are listed; see `job_list`."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import films, job_list
from dfcore.runs import readable

if TYPE_CHECKING:
    from dfcore.films.job import FilmJob


def _row(film: "FilmJob") -> dict[str, Any]:
    status = readable(film.status)
    return {
        "Frames": status.done if status else None,
        "Likely fake": _fakes(film.id, status.done, film) if status else None,
        "Pictures": job_list.kept(film),
    }


# All samples of a film have to be read for it.
@st.cache_data(max_entries=2_000, show_spinner=False)
def _fakes(film_id: str, done: int, _film: "FilmJob") -> int | None:
    said = readable(_film.verdict)
    used = sum(one.used for one in said.series if one.track is None) if said else 0
    return said.fake if said and used else None


FILMS = job_list.Kind(
    "film", "films", films.title, _row,
    {
        "Frames": st.column_config.NumberColumn(help="Frames that were looked at so far."),
        "Likely fake": st.column_config.NumberColumn(
            help="Whole frames among them that are called likely fake; a dash where no score was used."
        ),
        "Pictures": st.column_config.TextColumn(help="Whether an upload and the thumbnails are still there."),
    },
    "state and frames",
)  # fmt: skip
