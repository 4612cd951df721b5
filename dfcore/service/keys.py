"""Keys of a service: a file of their hashes. A key is told once, when it is made, and kept nowhere.

A key is 256 random bits, so a plain SHA-256 of it cannot be reversed by guessing, and needs no salt.
"""

import hmac
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dfcore.errors import InputError
from dfcore.utils.files import lock, make_folder, read_json, remembered, sha256_bytes, write_json

# By which a key is told from a token, and found where it should not be.
PREFIX = "dfs_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Key:
    """A key, without the key itself.

    Attributes:
        name: Who has it; it is in the log.
        sha256: Hash of the key.
        created: When it was made, ISO 8601.
        rate: Pictures a minute; None for the service's own limit, 0 for any number.
    """

    name: str
    sha256: str
    created: str
    rate: int | None = None


def add(path: Path, name: str, rate: int | None = None) -> str:
    """Makes a key and writes its hash; returns the key, which cannot be told again.

    Raises:
        InputError: If the name is taken or none, or the file is damaged.
        StorageError: If it cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"Expected a name of letters, digits, dots, dashes and underscores, at most 64. Received: {name!r}."
        )
    if rate is not None and rate < 0:
        raise InputError(f"Expected a rate of at least 0 pictures a minute. Received: {rate}.")
    key = PREFIX + secrets.token_urlsafe(32)
    with _changing(path):
        known = list(_stored(path)) if path.exists() else []
        if any(one.name == name for one in known):
            raise InputError(
                f"There is a key of this name already. Received: {name}. Remove it first, or choose another."
            )
        made = Key(name, sha256_bytes(key.encode()), datetime.now(UTC).isoformat(timespec="seconds"), rate)
        _write(path, [*known, made])
    return key


def remove(path: Path, name: str) -> None:
    """Takes a key away; a running service refuses it from then on.

    Raises:
        InputError: If there is none of this name.
        StorageError: If the file cannot be written.
    """
    with _changing(path):
        known = read(path)
        if all(one.name != name for one in known):
            listed = ", ".join(one.name for one in known) or "none"
            raise InputError(f"Expected the name of a key ({listed}). Received: {name!r}.")
        _write(path, [one for one in known if one.name != name])


def read(path: Path) -> tuple[Key, ...]:
    """The keys of a file.

    Raises:
        InputError: If it is missing or damaged.
    """
    try:
        return _read(path)
    except OSError as error:
        advice = " `dfcore serve keys add NAME` makes one." if isinstance(error, FileNotFoundError) else ""
        raise InputError(f"The file of keys cannot be read: {path}: {error.strerror}.{advice}") from None


def find(keys: tuple[Key, ...], given: str) -> Key | None:
    """The key that was given; None if it is none of these. Takes the same time whichever it is."""
    digest, found = sha256_bytes(given.encode("utf-8", "surrogatepass")), None
    for one in keys:
        if hmac.compare_digest(one.sha256, digest):
            found = one
    return found


@remembered(4)
def _read(path: Path) -> tuple[Key, ...]:
    return _stored(path)


def _stored(path: Path) -> tuple[Key, ...]:
    try:
        return tuple(_key(one) for one in read_json(path)["keys"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f'{path} is no file of keys. Expected {{"keys": [{{"name", "sha256", "created"}}]}}. Received: {error!r}.'
        ) from None


def _key(one: Any) -> Key:
    key = Key(**one)
    if not _SHA256.fullmatch(key.sha256) or not _NAME.fullmatch(key.name):
        raise ValueError("a key without a name or hash")
    if key.rate is not None and (not isinstance(key.rate, int) or key.rate < 0):
        raise ValueError("a rate that is no number of pictures a minute")
    return key


def _write(path: Path, keys: list[Key]) -> None:
    write_json(path, {"keys": [asdict(one) for one in keys]})


def _changing(path: Path) -> Any:
    make_folder(path.parent)
    return lock(path.with_name(f".{path.name}.lock"))
