"""Addresses of pages on Kaggle and the Hugging Face Hub, as a browser shows them: what is there, in which version.

What is loaded is always a whole repository in one version. A page of a folder is refused, and so is one of a file of a
data set, which may be far smaller than the set. Taken as the whole are: a file of a model, and the link by which a file
of a data set is loaded (`resolve`), both at the top of the repository; Kaggle's tabs, whatever file is selected there;
and the Hub's viewer, whatever part it shows. Any other end is refused, also a revision with slashes that are not
escaped, which could be a folder; references (refs/pr/1) alone may be written out.
"""

import os
import re
from enum import StrEnum
from urllib.parse import parse_qs, unquote

from dfcore.errors import InputError

_SCHEME = re.compile(r"(?i)^https?://(?:www\.)?")
_KAGGLE, _HUB = "kaggle.com/datasets/", ("huggingface.co/", "hf.co/")
# What stands before the version that a page shows, and what leads to pages that show the current one.
_VERSIONED = {"kaggle": {"versions"}, "hf": {"tree", "blob", "resolve", "raw", "blame", "commit", "commits"}}
_CURRENT = {"kaggle": {"data", "code", "discussion", "download"}, "hf": {"viewer"}}
_MAIN = "main"


class Kind(StrEnum):
    """What a page is of."""

    MODEL = "model"
    DATA_SET = "data set"
    SPACE = "space"


# What stands before the version in the address of one file; see above.
_OF_FILE = {Kind.MODEL: {"blob", "resolve", "raw", "blame"}, Kind.DATA_SET: {"resolve"}}


def endpoint() -> str:
    """Address of the Hub: HF_ENDPOINT's, or huggingface.co."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def read(text: str) -> tuple[Kind, str] | None:
    """Reads the address of a page.

    Returns:
        What it is a page of, and the same in short, with the version that it shows unless that is the current one; None
        if it is no address of a page of either service.

    Raises:
        InputError: If its end is not known, or names a part.

    Example:
        >>> read("https://www.kaggle.com/datasets/ada/faces/versions/3")[1]
        'kaggle:ada/faces@3'
        >>> read("https://huggingface.co/ada/faces/tree/refs%2Fpr%2F1")[1]
        'hf:ada/faces@refs/pr/1'
    """
    bare = _SCHEME.sub("", text)
    hubs = (*_HUB, f"{_SCHEME.sub('', endpoint())}/")
    found = next((host for host in (_KAGGLE, *hubs) if bare.lower().startswith(host.lower())), None)
    if found is None:
        return None
    path, _, query = bare[len(found) :].partition("#")[0].partition("?")
    parts = [unquote(part) for part in path.split("/") if part]
    service = "kaggle" if found == _KAGGLE else "hf"
    kind = Kind.DATA_SET if service == "kaggle" else Kind.MODEL
    if service == "hf" and parts and parts[0].lower() in ("datasets", "spaces"):
        kind = Kind.DATA_SET if parts.pop(0).lower() == "datasets" else Kind.SPACE
    version = _version(service, kind, parts[2:], text) or parse_qs(query).get("datasetVersionNumber", [""])[0]
    return kind, f"{service}:{'/'.join(parts[:2])}" + (f"@{version}" if version else "")


def _version(service: str, kind: Kind, end: list[str], text: str) -> str:
    """The version that the end of an address names; "" for the current one."""
    if not end or end[0] in _CURRENT[service]:
        return ""
    if len(end) == 1 or end[0] not in _VERSIONED[service]:
        right = "…/versions/3" if service == "kaggle" else "…/tree/REVISION"
        raise InputError(
            f"Expected the page of a repository, or of a version of it ({right}). Received: {text[:200]!r}, whose end "
            f"{'/'.join(end)[:80]!r} is not known."
        )
    # References of requests and conversions have slashes: refs/pr/1.
    length = 3 if end[1] == "refs" else 1
    version, rest = "/".join(end[1 : 1 + length]), end[1 + length :]
    tab = service == "kaggle" and bool(rest) and rest[0] in _CURRENT[service]
    file = len(rest) == 1 and end[0] in _OF_FILE.get(kind, ())
    if rest and not (tab or file):
        raise InputError(
            "Expected the page of a repository, which is loaded as a whole, or its address with @REVISION for a "
            f"version of it. Received: {text[:200]!r}, whose end {'/'.join(end)[:80]!r} names a part of it, or a "
            "revision whose slashes are not escaped (…/tree/feature%2Fx)."
        )
    return "" if service == "hf" and version == _MAIN else version
