"""Actions on films, as `actions` for everything else: roles are checked and what is done is noted."""

from typing import TYPE_CHECKING

from dashboard import roles
from dashboard.actions import needs
from dashboard.roles import Role

if TYPE_CHECKING:
    from dfcore.batch.sources import FromPath, Upload
    from dfcore.confidence import ErrorBudget
    from dfcore.films import Sampling
    from dfcore.films.store import FilmStore


@needs(Role.ANALYST, "Judging a film")
def start_film(
    source: "FromPath | Upload", sampling: "Sampling", detectors: list[str], *, faces: bool,
    budget: "ErrorBudget | None", ignore_ood: bool, title: str,
) -> str:  # fmt: skip
    """See `FilmStore.start`; returns its id."""
    from dfcore.batch.job import Options

    options = Options(ignore_ood=ignore_ood)
    return _films().start(
        source, sampling, detectors, faces=faces, budget=budget, options=options, by=roles.who(), title=title
    ).id  # fmt: skip


@needs(Role.ANALYST, "Stopping a film")
def stop_film(film_id: str) -> None:
    """See `FilmStore.stop`; does nothing if it has already ended."""
    if _films().get(film_id).status().state.active:
        _films().stop(film_id)


@needs(Role.ANALYST, "Going on with a film")
def resume_film(film_id: str) -> None:
    """See `FilmStore.resume`; does nothing if it is at work already."""
    if not _films().get(film_id).status().state.active:
        _films().resume(film_id)


@needs(Role.ANALYST, "Closing a film")
def close_film(film_id: str) -> None:
    """See `FilmStore.close`."""
    _films().close(film_id)


@needs(Role.TRAINER, "Deleting a film")
def delete_film(film_id: str) -> None:
    """See `FilmStore.delete`."""
    _films().delete(film_id)


def _films() -> "FilmStore":
    from dfcore.films.store import FilmStore

    return FilmStore()
