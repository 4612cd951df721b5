"""Addresses of detectors on the Hugging Face Hub: hf:OWNER/NAME, with @REVISION if wanted."""

import re
from dataclasses import dataclass

from dfcore.errors import InputError
from dfcore.hub import page_address
from dfcore.hub.page_address import Kind, endpoint
from dfcore.utils.texts import pasted

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REVISION = r"[A-Za-z0-9][\w./-]{0,199}"
_ADDRESS = re.compile(rf"hf:({_PART})/({_PART})(?:@({_REVISION}))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Address:
    """Where a detector is on the Hub.

    Attributes:
        owner: Account or organisation.
        name: Name of its repository.
        revision: Branch, tag or commit; "" for the current state of the main branch.
    """

    owner: str
    name: str
    revision: str = ""

    @property
    def repository(self) -> str:
        """Owner and name."""
        return f"{self.owner}/{self.name}"

    @property
    def page(self) -> str:
        """Address of its page for people."""
        return f"{endpoint()}/{self.repository}"

    @property
    def is_pinned(self) -> bool:
        """Whether it names a commit by its whole hash, so that it always means the same files."""
        return is_commit(self.revision)

    def at(self, revision: str) -> "Address":
        """The same repository at a revision."""
        return Address(self.owner, self.name, revision)

    def __str__(self) -> str:
        return f"hf:{self.repository}" + (f"@{self.revision}" if self.revision else "")


def is_commit(revision: str) -> bool:
    """Whether a revision is the whole hash of a commit."""
    return _COMMIT.fullmatch(revision) is not None


def parse(text: str) -> Address:
    """Parses hf:OWNER/NAME or OWNER/NAME, with @REVISION if wanted, or the address of a model's page.

    Raises:
        InputError: If it is none of these.

    Example:
        >>> parse("hf:ada/faces@v2")
        Address(owner='ada', name='faces', revision='v2')
        >>> str(parse("https://huggingface.co/ada/faces/tree/v2"))
        'hf:ada/faces@v2'
    """
    given = pasted(text)
    kind, short = page_address.read(given) or (Kind.MODEL, given if ":" in given else f"hf:{given}")
    match = _ADDRESS.fullmatch(short)
    if match is not None and match[1].lower() in ("datasets", "spaces"):  # Written in short, without an owner.
        kind = Kind.DATA_SET if match[1].lower() == "datasets" else Kind.SPACE
    if kind is not Kind.MODEL:
        hint = " It is loaded by dfcore data fetch." if kind is Kind.DATA_SET else ""
        raise InputError(f"Expected the address of a model. Received that of a {kind}: {given[:200]!r}.{hint}")
    if match is None or ".." in short:
        raise InputError(f"Expected hf:OWNER/NAME, with @REVISION after it if wanted. Received: {given[:200]!r}.")
    return Address(match[1], match[2], match[3] or "")
