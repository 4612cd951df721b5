"""Video: a film judged over time, frame by frame and face by face."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import (
    error_reporting,
    film_choice,
    film_files,
    film_list,
    film_moment,
    film_progress,
    film_timeline,
    film_words,
    films,
    job_list,
    live_view,
    widgets,
)
from dashboard.navigation import require_front_door

if TYPE_CHECKING:
    from dfcore.films.job import FilmJob

require_front_door()

_FILMS, _LIVE = "Films", "Camera or screen"
# Beside each other only where both are wide enough.
_STYLE = """<style>@media (max-width: 1150px) {
.st-key-film_screen > [data-testid=stLayoutWrapper] > [data-testid=stHorizontalBlock] { flex-direction: column; }
.st-key-film_screen > [data-testid=stLayoutWrapper] > [data-testid=stHorizontalBlock] > [data-testid=stColumn] {
  width: 100%; flex: 1 1 auto; } }
</style>"""


@error_reporting.fragment()
def show_results(film: "FilmJob") -> None:
    """The film's words and timeline, and beside them the moment that is looked at; a click runs this part alone."""
    from dfcore.films.rows import all_rows

    with widgets.errors():
        samples = film.samples()
        rows = list(all_rows(samples))
        at = film_timeline.chosen(film, samples, rows)
        with st.container(key="film_screen"):
            left, right = st.columns([11, 9], gap="medium")
        with left:
            film_words.show(film, rows)
            film_timeline.show(film, samples, rows, at)
            film_timeline.show_strongest(rows)
        with right:
            film_moment.show(film, samples, at)


def show(film: "FilmJob") -> None:
    _ = film.request  # One error, where this is damaged.
    film_progress.show(film)
    film_words.show_notes(film)
    if film.status().done:
        show_results(film)
    elif film.status().state.active:
        st.caption("Results appear here as soon as frames are judged.")
    else:
        st.caption("No frame was judged.")
    film_words.show_facts(film)


st.html(_STYLE)
with widgets.errors():
    there = list(films.store())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Video", width="content")
        what = st.segmented_control(
            "What is judged", [_FILMS, _LIVE], default=_FILMS, required=True, key="video_what", persist_state="session",
            label_visibility="collapsed", help="A film that is a file, or the picture of a camera or screen, live.",
        )  # fmt: skip
        film = job_list.choose(there, film_list.FILMS) if there and what == _FILMS else None
    if what == _LIVE:
        live_view.show()
    elif film is None:
        if asked := st.query_params.get("film"):
            widgets.missing("Film", asked)
        st.markdown("No film yet. Choose one: its frames, and the faces in them, are judged over time, and it is found "
                    "again here.")  # fmt: skip
        film_choice.show()
    else:
        if place := widgets.folded("Judge another film", "film_new", icon=":material/add:"):
            with place:
                film_choice.show()
        job_list.show(there, film.id, film_list.FILMS)
        with widgets.errors():
            show(film)
        film_files.show(film)
