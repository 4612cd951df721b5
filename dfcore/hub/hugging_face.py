"""The client of the Hugging Face Hub: where the Hub is, who asks, and what its errors mean in words.

The Hub's address is HF_ENDPOINT's or huggingface.co. The token is that of HF_TOKEN or of the Hub's own tool (`hf auth
login`); the workbench neither asks for one nor stores one, and no message quotes one. The library's statistics are
switched off, and so is Xet, its second way to transfer files: what is transferred goes over plain HTTP, where it can be
counted, stopped and continued.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dfcore import __version__
from dfcore.errors import AccessError, DfcoreError, InputError, StorageError
from dfcore.hub.addresses import Address
from dfcore.hub.credentials import redacted
from dfcore.utils.extras import require
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

_HUB = "https://huggingface.co"
TOKENS = "https://huggingface.co/settings/tokens"


def endpoint() -> str:
    """Address of the Hub."""
    return os.environ.get("HF_ENDPOINT", _HUB).rstrip("/")


def page(address: Address) -> str:
    """Address of a repository's page."""
    return f"{endpoint()}/{address.repository}" + (f"/tree/{address.revision}" if address.revision else "")


def client() -> "HfApi":
    """A client with the token at hand, if there is one.

    Raises:
        MissingExtraError: If the library is not installed.
        InputError: If HF_HUB_OFFLINE forbids to ask the Hub.
    """
    require("huggingface_hub", "hub", "The Hugging Face Hub")
    # Before the first import, which reads them.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
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
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    from huggingface_hub import get_token

    return bool(get_token())


def how_to_get(what: str) -> str:
    """How to get a token that may do something ("read", "write") and where to put it, as a sentence."""
    return f"Make a token that may {what} on {TOKENS} and set the variable HF_TOKEN to it."


@contextmanager
def explained(address: Address, *, writes: bool = False) -> Iterator[None]:
    """Turns the library's errors into what a person can do about them; none quotes what was sent or received.

    Args:
        address: The repository that is asked for.
        writes: Whether something is written there.

    Raises:
        InputError: If there is no such repository or revision.
        AccessError: If the token is missing, wrong or may not do this.
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
        raise AccessError(
            f"{address} is gated: its owner decides who may load it. Ask for access on {page(address.at(''))}, and set "
            "HF_TOKEN to a token of the account that has it."
        ) from None
    except errors.RevisionNotFoundError:
        raise InputError(
            f"{address.at('')} has no revision {address.revision or 'main'!r}. Its branches, tags and commits are on "
            f"{page(address.at(''))}; a commit may have been removed."
        ) from None
    except errors.RepositoryNotFoundError:
        seen = "or the token at hand may not see it" if has_token() else "or it is private and needs a token"
        raise InputError(f"There is no {address.at('')}, {seen}. {how_to_get(may)}") from None
    except errors.HfHubHTTPError as error:
        raise _of_status(error, address, may) from None
    except errors.LocalTokenNotFoundError:
        raise AccessError(f"The Hugging Face Hub needs a token for this. {how_to_get(may)}") from None
    except errors.HFValidationError:
        raise InputError(f"{address.at('')} is no name that the Hugging Face Hub allows.") from None
    except httpx2.HTTPError as error:
        raise DfcoreError(
            f"The Hugging Face Hub could not be reached at {endpoint()} ({type(error).__name__}). What was loaded or "
            "sent is kept; the same command goes on with it."
        ) from None


def _of_status(error: "HfHubHTTPError", address: Address, may: str) -> DfcoreError:
    status = error.response.status_code
    said = _printed(error.server_message)
    if status == 401:
        told = "The token at hand is not valid" if has_token() else "There is no token at hand"
        return AccessError(f"The Hugging Face Hub refused this: {told}. {how_to_get(may)}")
    if status == 403:
        return AccessError(f"The token at hand may not {may} in {address.at('')}{said}. {how_to_get(may)}")
    if status in (409, 412):
        return DfcoreError(f"{address.at('')} was changed by somebody else in the meantime{said}. Try again.")
    if status == 429:
        return DfcoreError("The Hugging Face Hub has too many requests of this account or address (429). Try later.")
    if status == 507 or status == 402:
        return StorageError(f"{address.owner} has no room left on the Hugging Face Hub ({status}{said}).")
    if status >= 500:
        return DfcoreError(f"The Hugging Face Hub fails at the moment ({status}). Try later; what was done is kept.")
    return DfcoreError(f"The Hugging Face Hub refused this ({status}{said}).")


def _printed(message: str | None) -> str:
    """What the Hub says, in one short line after a colon; it is a stranger's text."""
    return f": {printable(redacted(' '.join(message.split())))[:200]}" if message else ""
