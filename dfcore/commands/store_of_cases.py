"""What the commands of cases share: the store, who asks, and how a picture is named."""

import getpass
import re
from pathlib import Path
from typing import TYPE_CHECKING

from dfcore.errors import InputError

if TYPE_CHECKING:
    from dfcore.cases import Store

PICTURE_HELP = "its file, or the SHA-256 of it, of which the first 8 digits are enough"
_DIGITS = re.compile(r"[0-9a-f]{8,64}")


def user() -> str:
    """Who is at the command line."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # An account without a name.
        return "unknown"


def open_store() -> "Store":
    """The store of this workspace."""
    from dfcore.cases import open_store

    return open_store()


def picture_of(store: "Store", given: str) -> str:
    """The SHA-256 of a picture that is given by its file, its hash or the first digits of it.

    Raises:
        InputError: If it is not in the store, or several begin so.
    """
    from dfcore.cases import Query
    from dfcore.utils.files import sha256_file

    path = Path(given)
    digits = sha256_file(path) if path.is_file() else given.lower()
    if not _DIGITS.fullmatch(digits):
        raise InputError(f"Expected a picture: {PICTURE_HELP}. Received: {given!r}.")
    found = [row.picture.sha256 for row in store.search(Query(text=digits), limit=None).rows]
    found = [sha256 for sha256 in found if sha256.startswith(digits)]
    if len(found) != 1:
        received = f"{len(found)} pictures begin so" if found else "it was not judged here"
        raise InputError(f"Expected a picture in the store of cases. Received: {given!r}; {received}.")
    return found[0]
