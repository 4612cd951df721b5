"""The client of the Hugging Face Hub: where the Hub is, who asks, and what its errors mean in words.

The Hub's address is HF_ENDPOINT's or huggingface.co. The token is that of HF_TOKEN or of the Hub's own tool (`hf auth
login`); the workbench neither asks for one nor stores one, and no message quotes one. The library's statistics are
switched off, and so is Xet, its second way to transfer files: what is transferred goes over plain HTTP, where it can be
counted, stopped and continued.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol

from dfcore import __version__, workspace
from dfcore.errors import AccessError, DfcoreError, InputError, StorageError
from dfcore.hub.credentials import how_to_get, redacted, where_from
from dfcore.hub.page_address import endpoint
from dfcore.hub.sources import Service
from dfcore.utils.extras import require
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

# What was expected where this was received, what it is called, and the command that loads it.
_MIXED_UP = {"model": ("data set", "model", "pull"), "dataset": ("model", "data set", "data fetch")}


class Place(Protocol):
    """What is asked for: a detector (`addresses.Address`) or a data set (`sources.Source`)."""

    @property
    def owner(self) -> str:
        """Whose it is."""

    @property
    def repository(self) -> str:
        """Owner and name, as `owner/name`."""

    @property
    def revision(self) -> str:
        """Branch, tag or commit; "" for the current state of the main branch."""

    @property
    def page(self) -> str:
        """Address of the page that shows it."""


def quiet() -> None:
    """Sets up libraries of Hugging Face before they are imported: no telemetry, no bars, caches in the workspace."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    for name in ("HF_HUB_CACHE", "HF_XET_CACHE", "HF_DATASETS_CACHE"):
        os.environ.setdefault(name, str(workspace.cache_dir() / "hugging_face" / name.split("_")[1].lower()))


def client() -> "HfApi":
    """A client with the token at hand, if there is one.

    Raises:
        MissingExtraError: If the library is not installed.
        InputError: If HF_HUB_OFFLINE forbids to ask the Hub.
    """
    require("huggingface_hub", "hub", "The Hugging Face Hub")
    quiet()
    # Before the first import, which reads it.
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    from huggingface_hub import HfApi, constants, get_token
    from huggingface_hub.utils import disable_progress_bars, logging

    # Where something else had imported it already.
    constants.HF_HUB_DISABLE_TELEMETRY = constants.HF_HUB_DISABLE_XET = True
    disable_progress_bars()
    logging.set_verbosity_error()
    if constants.is_offline_mode():
        raise InputError(
            "HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set, so the Hugging Face Hub is not asked. Unset it."
        )
    # Without a token, `False` keeps the library from looking for one again.
    return HfApi(endpoint(), token=get_token() or False, library_name="dfcore", library_version=__version__)


def has_token() -> bool:
    """Whether there is a token; asks nobody."""
    require("huggingface_hub", "hub", "The Hugging Face Hub")
    return where_from(Service.HUGGING_FACE) is not None


@contextmanager
def explained(place: Place, *, writes: bool = False) -> Iterator[None]:
    """Turns the library's errors into what a person can do about them; none quotes what was sent or received.

    Args:
        place: What is asked for.
        writes: Whether something is written there.

    Raises:
        InputError: If there is no such repository or revision.
        AccessError: If the token is missing, wrong or may not do this.
        StorageError: If the account has no room left.
        DfcoreError: If the Hub cannot be reached or fails.
    """
    import httpx2
    from huggingface_hub import errors

    may = "write" if writes else "read"
    try:
        yield
    except errors.OfflineModeIsEnabled:
        raise InputError("HF_HUB_OFFLINE is set, so the Hugging Face Hub is not asked. Unset it.") from None
    except errors.GatedRepoError:
        raise _gated(place) from None
    except errors.RevisionNotFoundError:
        raise InputError(
            f"{place.repository} has no revision {place.revision or 'main'!r}. Its branches, tags and commits are on "
            f"{place.page}; a commit may have been removed."
        ) from None
    except errors.LocalEntryNotFoundError as error:  # What kept the library from loading stands behind it.
        cause = error.__cause__
        raise (
            _of_status(cause, place, may) if isinstance(cause, errors.HfHubHTTPError) else _unreachable(cause or error)
        ) from None
    except errors.HfHubHTTPError as error:  # A repository that is not found among them.
        raise _of_status(error, place, may) from None
    except errors.LocalTokenNotFoundError:
        raise AccessError(f"The Hugging Face Hub needs a token for this. {_token(may)}") from None
    except errors.HFValidationError:
        raise InputError(f"{place.repository} is no name that the Hugging Face Hub allows.") from None
    except (httpx2.HTTPError, errors.FileMetadataError) as error:
        raise _unreachable(error) from None


@contextmanager
def told_from(api: "HfApi", place: Place, other: Literal["model", "dataset"]) -> Iterator[None]:
    """Where nothing is found, says if something of the other kind has this name: a detector or a data set.

    Raises:
        InputError: If it has.
    """
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        yield
    except GatedRepoError:  # It is there, though the library counts this among what is not found.
        raise
    except RepositoryNotFoundError:
        if not api.repo_exists(place.repository, repo_type=other):
            raise
        expected, found, command = _MIXED_UP[other]
        raise InputError(
            f"Expected the address of a {expected}. Received that of a {found}, {place.repository}, which is loaded by "
            f"dfcore {command} hf:{place.repository}."
        ) from None


def _token(may: str) -> str:
    return how_to_get(Service.HUGGING_FACE, may)


def _gated(place: Place) -> DfcoreError:
    found = where_from(Service.HUGGING_FACE)
    if found is None:
        return AccessError(
            f"{place.repository} is gated: its owners want to know who asks. Sign in at {place.page} and accept their "
            f"terms, then: {_token('read')}"
        )
    return AccessError(
        f"{place.repository} is gated, and its owners do not give it to the account of {found}. Sign in at "
        f"{place.page} and accept the terms there, or ask for access."
    )


def _of_status(error: "HfHubHTTPError", place: Place, may: str) -> DfcoreError:
    status, found = error.response.status_code, where_from(Service.HUGGING_FACE)
    said = _printed(error.server_message)
    if status == 401 and found is not None:
        return AccessError(
            f"The Hugging Face Hub refuses the credentials from {found}, or has no {place.repository}. {_token(may)}"
        )
    if status in (401, 404):  # It says "not found" too where it does not know who asks.
        seen = f"or it is not shown to the account of {found}" if found else "or it is private and needs a token"
        return InputError(f"The Hugging Face Hub has no {place.repository}, {seen}. See {place.page}. {_token(may)}")
    if status == 403:
        return AccessError(
            f"The Hugging Face Hub does not let the account of {found or 'nobody'} {may} {place.repository}{said}. See "
            f"{place.page}. {_token(may)}"
        )
    if status in (409, 412):
        return DfcoreError(f"{place.repository} was changed by somebody else in the meantime{said}. Try again.")
    if status == 429:
        return DfcoreError("The Hugging Face Hub has too many requests of this account or address (429). Try later.")
    if status in (402, 507):
        return StorageError(f"{place.owner} has no room left on the Hugging Face Hub ({status}{said}).")
    if status >= 500:
        return DfcoreError(
            f"The Hugging Face Hub fails at the moment ({status}). Try later; anything done so far is kept."
        )
    return DfcoreError(f"The Hugging Face Hub refused this ({status}{said}).")


def _unreachable(error: BaseException) -> DfcoreError:
    return DfcoreError(
        f"The Hugging Face Hub could not be reached at {endpoint()} ({type(error).__name__}). Check the network and "
        "the proxy (HTTPS_PROXY), and try again; anything loaded or sent so far is kept."
    )


def _printed(message: str | None) -> str:
    """What the Hub says, in one short line after a colon; it is a stranger's text."""
    return f": {printable(redacted(' '.join(message.split())))[:200]}" if message else ""
