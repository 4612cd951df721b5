"""What the operator of a service decides: where it listens, who may ask, and how much."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dfcore.errors import InputError
from dfcore.imaging.decoder import MAX_BYTES

KEYS, ISSUER, AUDIENCE, JWKS, PEOPLE = (
    f"DFCORE_SERVICE_{name}" for name in ("KEYS", "ISSUER", "AUDIENCE", "JWKS", "PEOPLE")
)


@dataclass(frozen=True)
class Limits:
    """How much is taken.

    Attributes:
        file_bytes: Bytes of a file; at most what the decoder takes.
        files: Files of a request.
        body_bytes: Bytes of a request's body.
        spool_bytes: Bytes of all bodies that are held at once, on disk.
        queue: Pictures that wait or are judged at once.
        upload_seconds: Seconds in which a body must arrive.
        seconds: Seconds in which a request's pictures must be judged.
        rate: Pictures a minute for each caller whose key names no other rate; 0 for any number.
    """

    file_bytes: int = MAX_BYTES
    files: int = 16
    body_bytes: int = 256 * 2**20
    spool_bytes: int = 2 * 2**30
    queue: int = 64
    upload_seconds: float = 60.0
    seconds: float = 120.0
    rate: int = 0

    def __post_init__(self) -> None:
        """Raises InputError for what cannot be."""
        for name in ("file_bytes", "files", "body_bytes", "spool_bytes", "queue", "upload_seconds", "seconds"):
            if getattr(self, name) <= 0:
                raise InputError(f"Expected a limit {name.replace('_', ' ')} above 0. Received: {getattr(self, name)}.")
        if self.rate < 0:
            raise InputError(f"Expected a rate of at least 0 pictures a minute. Received: {self.rate}.")
        if self.files > self.queue:
            raise InputError(
                f"Expected a queue of at least as many pictures as a request may have files ({self.files}). Received: "
                f"{self.queue}."
            )
        if self.file_bytes > MAX_BYTES:
            most, received = MAX_BYTES // 2**20, self.file_bytes // 2**20
            raise InputError(f"Expected at most {most} MB a file, as the decoder takes. Received: {received} MB.")


@dataclass(frozen=True)
class Provider:
    """The provider of sign-in whose tokens are accepted.

    Attributes:
        issuer: Its name, as tokens spell it.
        audience: For whom a token must have been made.
        jwks: Its public keys: a file, or an https address.
        people: Patterns of e-mail addresses that are let in; empty for whoever has a token.
    """

    issuer: str
    audience: str
    jwks: str
    people: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """All settings of a service.

    Attributes:
        host: Address that it listens on.
        port: Port; 0 for any free one.
        detectors: Names of the detectors, see `dfcore.batch.names.choices`.
        engine: See `Detector.load`.
        limits: How much is taken.
        keys: File of keys; None if there is none.
        provider: Whose tokens are accepted; None if no one's.
        origins: Origins whose pages may call it (CORS).
        hosts: Names by which it may be called without keys, beside those of this machine.
        root_path: Path under which a proxy shows it.
        proxies: Addresses of proxies whose forwarded headers are believed, separated by commas; "" for none.
        grace: Seconds that accepted requests get after it was told to stop.
        linger: Seconds for which requests are still accepted after it was told to stop, while it says that it is not
            ready, so that a load balancer can look elsewhere.
    """

    host: str = "127.0.0.1"
    port: int = 8600
    detectors: tuple[str, ...] = ("auto",)
    engine: str = "auto"
    limits: Limits = Limits()
    keys: Path | None = None
    provider: Provider | None = None
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    root_path: str = ""
    proxies: str = ""
    grace: float = 60.0
    linger: float = 0.5

    @property
    def guarded(self) -> bool:
        """Whether a caller must show a key or a token."""
        return self.keys is not None or self.provider is not None

    def __post_init__(self) -> None:
        """Raises InputError for what cannot be, or must not be."""
        if not self.guarded and not is_loopback(self.host):
            raise InputError(
                f"Without keys or tokens the service listens on this machine only. Expected --host 127.0.0.1, or a "
                f"file of keys (dfcore serve keys add NAME, {KEYS}), or a provider of tokens ({ISSUER}, {AUDIENCE}, "
                f"{JWKS}). Received: --host {self.host}."
            )
        if self.root_path and not self.root_path.startswith("/"):
            raise InputError(f"Expected --root-path beginning with /, such as /dfcore. Received: {self.root_path}.")
        if self.grace <= 0 or self.linger < 0:
            raise InputError(
                f"Expected --grace above 0 and --linger of at least 0. Received: {self.grace}, {self.linger}."
            )


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def keys_file(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file of keys that the environment names; None if it names none."""
    text = environment.get(KEYS, "").strip()
    return Path(text).expanduser() if text else None


def provider(environment: Mapping[str, str] = os.environ) -> Provider | None:
    """The provider that the environment names; None if it names none.

    Raises:
        InputError: If only a part of it is named, or its keys would come over an unprotected connection.
    """
    given = {name: environment.get(name, "").strip() for name in (ISSUER, AUDIENCE, JWKS)}
    people = tuple(environment.get(PEOPLE, "").replace(",", " ").split())
    if not any(given.values()):
        if people:
            raise InputError(f"{PEOPLE} needs {ISSUER}, {AUDIENCE} and {JWKS}, which are not set.")
        return None
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise InputError(f"Tokens need {ISSUER}, {AUDIENCE} and {JWKS}. Not set: {', '.join(missing)}.")
    jwks = given[JWKS]
    if "://" in jwks and not jwks.startswith("https://"):
        raise InputError(f"Expected {JWKS} to be a file or an https:// address. Received: {jwks}.")
    return Provider(given[ISSUER], given[AUDIENCE], jwks, people)
