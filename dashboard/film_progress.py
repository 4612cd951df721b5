"""How far a film is, live; see `job_progress`."""

from typing import TYPE_CHECKING

from dashboard import film_actions, films, job_progress

if TYPE_CHECKING:
    from dfcore.films.job import FilmJob, FilmStatus


def show(film: "FilmJob") -> None:
    """Shows state and progress, and what stops it or has it go on."""
    kind = job_progress.Kind(
        "film", "frame", "frame", films.so_far, _done, films.settings, film_actions.stop_film,
        film_actions.resume_film, _why,
    )  # fmt: skip
    job_progress.show(film, kind)


def _done(status: "FilmStatus") -> str:
    return f"{films.so_far(status)} looked at"


def _why(film: "FilmJob") -> str:
    return film.judges().get("why") or ""
