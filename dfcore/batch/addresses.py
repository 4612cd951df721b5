"""Fetches pictures from addresses, of hosts that the operator allows and no others.

`DFCORE_ADDRESSES` lists hosts, separated by commas or spaces: `pictures.example.org`, `*.example.org` (all below it,
not itself), with `:8080` for a port other than 80 and 443. Without it nothing is fetched. A host's numbers must be
public ones, unless it is named without a star; the number that was looked at is the one that is asked. Redirects are
followed within a host only.
"""

import ipaddress
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit

from dfcore.errors import AccessError, ImageError, StorageError, TransientImageError
from dfcore.imaging import decoder
from dfcore.utils import extras
from dfcore.utils.files import write_bytes
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    import httpx

VARIABLE = "DFCORE_ADDRESSES"
HOW_TO_ALLOW = (
    f"The operator of the server allows hosts with {VARIABLE}, such as {VARIABLE}='pictures.example.org *.example.com'."
)
_MOST_REDIRECTS = 3
_SECONDS, _QUIET_SECONDS = 60.0, 15.0
_PORTS = {"http": 80, "https": 443}
_LONGEST = 2000


def allowed_hosts() -> tuple[str, ...]:
    """The hosts that are allowed, as the operator wrote them; empty if nothing may be fetched."""
    return tuple(os.environ.get(VARIABLE, "").replace(",", " ").lower().split())


def require_allowed(address: str) -> None:
    """Checks that a picture may be fetched from an address, without asking anybody.

    Raises:
        AccessError: If not; says what is wrong and what would be right.
        MissingExtraError: If httpx is not installed.
    """
    extras.require("httpx", "app", "Fetching pictures from addresses")
    _pattern_of(_parts(address))


def fetch(address: str, path: Path) -> bytes:
    """The content at an address, which is then in a file; taken from there if it is there already.

    Args:
        address: Of a picture.
        path: The file.

    Raises:
        ImageError: If it may not or cannot be had, or is larger than an image may be. What may succeed another time is
            a `TransientImageError`.
    """
    if path.is_file():
        return decoder.read_bytes(path)
    import httpx

    try:
        data = _fetched(address)
        write_bytes(path, data)
        return data
    except (AccessError, StorageError) as error:
        raise ImageError(str(error)) from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
        reason = printable(error)[:200] or type(error).__name__
        raise TransientImageError(f"It could not be fetched: {reason}.") from error


def _fetched(address: str) -> bytes:
    import httpx

    until = time.monotonic() + _SECONDS
    first = _parts(address)
    with httpx.Client(timeout=_QUIET_SECONDS, trust_env=False, follow_redirects=False) as client:
        for _ in range(_MOST_REDIRECTS + 1):
            parts = _parts(address)
            if parts.hostname != first.hostname:
                raise ImageError(f"It leads to another host ({printable(parts.hostname)}), which is not followed.")
            target, options = _asked(parts)
            with client.stream("GET", target, **options) as answer:
                if answer.is_redirect:
                    address = urljoin(address, answer.headers.get("location", ""))
                    continue
                return _received(answer, until)
    raise ImageError(f"It was sent on more than {_MOST_REDIRECTS} times.")


def _received(answer: "httpx.Response", until: float) -> bytes:
    if answer.status_code != 200:
        text = f"Its host answered {answer.status_code} {printable(answer.reason_phrase)[:60]}."
        raise (TransientImageError if answer.status_code >= 500 else ImageError)(text)
    pieces, size = [], 0
    # As it comes: what is unpacked on the way could grow without end.
    for piece in answer.iter_raw():
        pieces.append(piece)
        size += len(piece)
        if size > decoder.MAX_BYTES:
            raise ImageError(f"It is larger than the limit of {decoder.MAX_BYTES // 2**20} MB.")
        if time.monotonic() > until:
            raise TransientImageError(f"It did not arrive within {_SECONDS:.0f} s.")
    return b"".join(pieces)


def _asked(parts: SplitResult) -> tuple[str, dict[str, Any]]:
    """The address with a number in the place of the host, and what tells the server which host is meant."""
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    number = _number_of(host, port, named=not _pattern_of(parts).startswith("*."))
    shown = f"[{number}]" if ":" in number else number
    target = f"{parts.scheme}://{shown}:{port}{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    headers = {"Host": parts.netloc, "Accept-Encoding": "identity", "User-Agent": "dfcore"}
    return target, {"headers": headers, "extensions": {"sni_hostname": host}}


def _number_of(host: str, port: int, *, named: bool) -> str:
    """A host's number, the first; all of them must be public unless the operator named this very host."""
    numbers = [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not named and not all(map(_is_public, numbers)):
        raise AccessError(
            f"{host} lies in a private network, so {VARIABLE} must name it itself, without a star. Nothing was fetched."
        )
    return numbers[0]


def _is_public(number: str) -> bool:
    found = ipaddress.ip_address(number.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_global and not found.is_multicast


def _parts(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        sound = parts.scheme in _PORTS and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or len(address) > _LONGEST or not address.isascii() or not address.isprintable() or " " in address:
        raise AccessError(
            f"Expected an address such as https://pictures.example.org/1.jpg. Received: {printable(address)[:100]}."
        )
    if parts.username is not None or parts.password is not None:
        raise AccessError("Expected an address without a name and a password. Received one with them.")
    return parts


def _pattern_of(parts: SplitResult) -> str:
    """The operator's pattern that allows this host and port, one without a star first."""
    hosts = allowed_hosts()
    if not hosts:
        raise AccessError(f"No addresses may be read here. {HOW_TO_ALLOW}")
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or _PORTS[parts.scheme]
    for pattern in sorted(hosts, key=lambda each: each.startswith("*.")):
        name, _, wanted = pattern.partition(":")
        fits = host.endswith(name[1:]) and len(host) > len(name) - 1 if name.startswith("*.") else host == name
        if fits and (str(port) == wanted if wanted else port in _PORTS.values()):
            return name
    raise AccessError(
        f"{host}:{port} is not among the hosts that may be read here ({', '.join(hosts)}). {HOW_TO_ALLOW}"
    )
