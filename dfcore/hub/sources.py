"""Where data sets come from: addresses on Kaggle and the Hugging Face Hub, and what a service says of what is there."""

import re
from dataclasses import dataclass
from enum import StrEnum

from dfcore.errors import InputError
from dfcore.hub import page_address
from dfcore.hub.page_address import Kind, endpoint
from dfcore.utils.texts import pasted

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_ADDRESS = re.compile(
    rf"(?P<service>kaggle|hf):(?P<owner>{_PART})/(?P<name>{_PART})(?:@(?P<version>[\w./-]{{1,100}}))?"
)
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}")


class Service(StrEnum):
    """Who keeps a data set."""

    KAGGLE = "kaggle"
    HUGGING_FACE = "hf"

    @property
    def called(self) -> str:
        """Name for people."""
        return {"kaggle": "Kaggle", "hf": "the Hugging Face Hub"}[self.value]


@dataclass(frozen=True)
class Source:
    """Address of a data set.

    Attributes:
        service: Who keeps it.
        owner, name: As in its address.
        version: On Kaggle a version's number, on the Hub a commit, branch or tag; "" for the current one.
    """

    service: Service
    owner: str
    name: str
    version: str = ""

    @property
    def repository(self) -> str:
        """Owner and name."""
        return f"{self.owner}/{self.name}"

    @property
    def revision(self) -> str:
        """The version, as the Hub calls it."""
        return self.version

    @property
    def page(self) -> str:
        """Its page for people."""
        base = "https://www.kaggle.com" if self.service is Service.KAGGLE else endpoint()
        return f"{base}/datasets/{self.repository}"

    def __str__(self) -> str:
        return f"{self.service}:{self.repository}" + (f"@{self.version}" if self.version else "")

    def same_as(self, other: "Source") -> bool:
        """Whether both are the same data set, in whatever version."""
        return (self.service, self.repository.lower()) == (other.service, other.repository.lower())


@dataclass(frozen=True)
class Offer:
    """What a service says of a data set; nothing of it is to be trusted.

    Attributes:
        source: Its address, with the version that was current when it was asked for.
        title: Its name for people.
        licence: As its owner states it; "" if not stated.
        download_bytes: Bytes to load; None if the service does not say.
        files: Number of files; None if the service does not say.
        gated: Whether its owner wants something confirmed on its page before it can be loaded.
    """

    source: Source
    title: str
    licence: str
    download_bytes: int | None = None
    files: int | None = None
    gated: bool = False


def parse(text: str) -> Source:
    """Parses kaggle:OWNER/NAME or hf:OWNER/NAME, each with @VERSION if wanted, or the address of its page.

    Raises:
        InputError: If it is neither.
    """
    given = pasted(text)
    kind, short = page_address.read(given) or (Kind.DATA_SET, given)
    if kind is not Kind.DATA_SET:
        hint = " It is loaded by dfcore pull." if kind is Kind.MODEL else ""
        raise InputError(f"Expected the address of a data set. Received that of a {kind}: {given[:200]!r}.{hint}")
    match = _ADDRESS.fullmatch(short)
    if match is None or ".." in short:
        raise InputError(
            f"Expected kaggle:OWNER/NAME or hf:OWNER/NAME (@VERSION after it if wanted). Received: {given[:200]!r}."
        )
    source = Source(Service(match["service"]), match["owner"], match["name"], match["version"] or "")
    if source.service is Service.KAGGLE and source.version and not source.version.isdecimal():
        raise InputError(
            f"Expected the number of a version after @, as in {source.repository}@3, or neither for the current one. "
            f"Received: {given!r}."
        )
    return source


def require_folder_name(name: str) -> str:
    """Checks a name for the folder of a data set.

    Raises:
        InputError: If it is not one.
    """
    if not _FOLDER.fullmatch(name):
        raise InputError(f"Expected a name of letters, digits, . - and _, at most 80. Received: {name[:100]!r}.")
    return name
