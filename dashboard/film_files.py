"""What can be taken away from a judged film, and what deletes its pictures, or all of it."""

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import dialogs, film_actions, films, roles, widgets
from dashboard.roles import Role
from dfcore.runs import readable

if TYPE_CHECKING:
    from dfcore.films.job import FilmJob, FilmStatus


def show(film: "FilmJob") -> None:
    """Shows the download of the timeline, and, of a damaged film as well, what deletes."""
    with widgets.errors():
        if film.status().done:
            st.download_button(
                "Timeline (CSV)", partial(_csv, film), f"film-{film.id}.csv", "text/csv", key="film_get_csv",
                on_click="ignore", icon=":material/download:",
                help="A row for each frame that was looked at and for each face in it: time, score and what is said.",
            )  # fmt: skip
    _show_deletion(film, readable(film.status))


def _csv(film: "FilmJob") -> bytes:
    from dfcore.films.timeline import to_csv

    return to_csv(film.samples()).encode()


def _show_deletion(film: "FilmJob", status: "FilmStatus | None") -> None:
    if status is not None:
        with widgets.errors():
            st.caption(_kept(film, status.closed))
        if status.state.active:
            return
    with st.container(horizontal=True):
        may_close = status is not None and not status.closed and roles.may(Role.ANALYST)
        if may_close and st.button("Close and delete pictures", icon=":material/folder_delete:"):
            _confirm_close(film)
        if roles.may(Role.TRAINER) and st.button("Delete this film", icon=":material/delete:"):
            _confirm_delete(film)


def _kept(film: "FilmJob", closed: str) -> str:
    from dfcore.runs.closing import hours

    there = readable(lambda: film.request)
    copied = "The uploaded film and its" if there is not None and not there.path else "Its"
    if closed:
        why = "by itself, some time after it had ended" if closed == "by age" else "by request"
        return f"This film was closed {why}: {copied.lower()} thumbnails are deleted, the timeline stays."
    return (
        f"{copied} thumbnails are kept until the film is closed, by the button or by itself {hours():g} hours after "
        "its end. The timeline stays until the film is deleted from this list."
    )


@st.dialog("Close this film?")
def _confirm_close(film: "FilmJob") -> None:
    asked = readable(lambda: film.request)
    told = (
        "all thumbnails will be deleted for good. The timeline stays, and so does the film on the server: its frames "
        "can be looked at as long as it is there."
    )
    if asked is None or not asked.path:
        told = (
            "the copy of the uploaded film and all thumbnails will be deleted for good; its frames can then no longer "
            "be looked at. The timeline stays."
        )
    st.markdown(f"**{widgets.plain(films.title(film))}**: {told}")
    done = "The pictures of the film are deleted."
    dialogs.decide("Close and delete pictures", lambda: film_actions.close_film(film.id), done=done)


@st.dialog("Delete this film?")
def _confirm_delete(film: "FilmJob") -> None:
    st.markdown(
        f"**{widgets.plain(films.title(film))}** will be deleted permanently, with its timeline, its thumbnails and "
        "the copy of an upload. A film on the server is not touched."
    )
    dialogs.decide("Delete for good", lambda: _delete(film), done="The film is deleted.")


def _delete(film: "FilmJob") -> None:
    film_actions.delete_film(film.id)
    widgets.forget_address("film", film.id)
