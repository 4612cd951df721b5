"""Addresses of detectors on the Hugging Face Hub: hf:OWNER/NAME, with @REVISION if wanted."""

import os
import re
from dataclasses import dataclass

from dfcore.errors import InputError

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REVISION = r"[A-Za-z0-9][\w./-]{0,199}"
_ADDRESS = re.compile(rf"hf:({_PART})/({_PART})(?:@({_REVISION}))?")
# What the address of a model's page in a browser begins with.
_PAGES = ("https://huggingface.co/", "https://hf.co/")
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


def endpoint() -> str:
    """Address of the Hub: HF_ENDPOINT's, or huggingface.co."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def is_commit(revision: str) -> bool:
    """Whether a revision is the whole hash of a commit."""
    return _COMMIT.fullmatch(revision) is not None


def parse(text: str) -> Address:
    """Parses hf:OWNER/NAME, with @REVISION if wanted, or the address of a model's page.

    Raises:
        InputError: If it is neither.

    Example:
        >>> parse("hf:ada/faces@v2")
        Address(owner='ada', name='faces', revision='v2')
        >>> str(parse("https://huggingface.co/ada/faces"))
        'hf:ada/faces'
    """
    given = text.strip()
    for page in _PAGES:
        if given.lower().startswith(page):
            owner, _, name = re.split(r"[?#]", given[len(page) :])[0].strip("/").partition("/")
            given = f"hf:{owner}/{name.split('/')[0]}"
    match = _ADDRESS.fullmatch(given)
    if match is None or ".." in given:
        raise InputError(f"Expected hf:OWNER/NAME, with @REVISION after it if wanted. Received: {text[:200]!r}.")
    if match[1].lower() in ("datasets", "spaces"):
        raise InputError(f"Expected the address of a model. Received that of one of the {match[1]}: {text[:200]!r}.")
    return Address(match[1], match[2], match[3] or "")
