"""Judged films as pages read them: the store, titles, progress and settings in words."""

from typing import TYPE_CHECKING

from dashboard import batches
from dfcore.runs import State, readable
from dfcore.utils.texts import counted, duration

if TYPE_CHECKING:
    from dfcore.films.job import FilmJob, FilmStatus
    from dfcore.films.store import FilmStore


def store() -> "FilmStore":
    """The store of films of this workspace."""
    from dfcore.films.store import FilmStore

    return FilmStore()


def title(film: "FilmJob") -> str:
    """Title of a film in a select box."""
    request = readable(lambda: film.request)
    return f"{request.title}  ({film.created:%Y-%m-%d %H:%M})" if request else f"{film.id}, damaged"


def so_far(status: "FilmStatus") -> str:
    """How far a film is: "12 of about 60 frames, 8.3 frames/s, about 6 s left"."""
    text = counted(status.done, "frame", "frames")
    if status.total and status.state is not State.COMPLETED:
        text = f"{status.done:,} of about {status.total:,} frames"
    if status.state is State.RUNNING:
        text += f", {status.images_per_second:.1f} frames/s" if status.images_per_second else ""
        text += f", about {duration(status.seconds_left)} left" if status.seconds_left is not None else ""
    return text


def settings(film: "FilmJob") -> str:
    """How a film is judged, in a sentence."""
    request, judges = film.request, film.judges()
    keys = list(request.detectors)
    if judges.get("chosen"):
        keys = [judges["chosen"]]
    by = ", ".join(batches.detector_titles(keys).values())
    if keys == [batches.AUTO]:
        by = "the detector that fits the film"
    errors = "the errors that its card accepts"
    if keys == [batches.AUTO] or len(keys) > 1:
        errors = "the errors that each detector's card accepts"
    if request.budget is not None:
        errors = batches.accepted(request.budget)
    unlike = "; unlike pictures are decided on too" if request.options.ignore_ood else ""
    apart = ", faces apart" if request.faces else ""
    return f"It looks at {request.sampling.in_words()}{apart}. Judged by {by}, with {errors}{unlike}."
