"""Actions that load data sets from hubs: roles are checked and actions logged, as in `actions`."""

from typing import TYPE_CHECKING

from dashboard import roles
from dashboard.actions import needs
from dashboard.roles import Role
from dfcore.hub import fetch
from dfcore.hub.fetch_jobs import FetchStore

if TYPE_CHECKING:
    from dfcore.hub.sources import Offer


@needs(Role.TRAINER, "Asking a hub about a data set")
def ask_about(text: str) -> "Offer":
    """Asks the service about a data set; see `fetch.describe`."""
    what = fetch.wanted(text)
    fetch.require_loadable(what)
    assert what.source is not None
    return fetch.describe(what.source)


@needs(Role.TRAINER, "Fetching a data set")
def start_fetch(text: str, name: str) -> str:
    """See `FetchStore.start`; returns its id.

    Raises:
        InputError: If something else is in its folder, or another version.
    """
    fetch.there(fetch.wanted(text, name))
    return FetchStore().start(text, name, by=roles.who()).id


@needs(Role.TRAINER, "Stopping a fetch")
def stop_fetch(fetch_id: str) -> None:
    """Asks a fetch to stop; does nothing if it has already ended."""
    job = FetchStore().get(fetch_id)
    if job.status().state.active:
        job.request_stop()


@needs(Role.TRAINER, "Going on with a fetch")
def resume_fetch(fetch_id: str) -> None:
    """See `FetchStore.resume`; does nothing if it is at work already."""
    if not FetchStore().get(fetch_id).status().state.active:
        FetchStore().resume(fetch_id)


@needs(Role.TRAINER, "Closing a fetch")
def close_fetch(fetch_id: str, *, discard: bool = False) -> None:
    """Takes a fetch that has ended off the list.

    Args:
        fetch_id: Which one.
        discard: Whether to delete what it has loaded, if it was not finished.
    """
    name = FetchStore().get(fetch_id).request.name
    FetchStore().delete(fetch_id)
    if discard and fetch.is_half_fetched(name):
        fetch.discard(name)
