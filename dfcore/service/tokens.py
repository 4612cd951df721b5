"""Bearer tokens (JWT) of a provider of sign-in: signature, issuer, audience and expiry, by keys that it publishes."""

import json
import threading
import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from http.client import HTTPException
from pathlib import Path
from typing import Any

import jwt

from dfcore.errors import InputError
from dfcore.service.settings import JWKS, Provider
from dfcore.utils.files import remembered

# With public keys only: "none" signs nothing, and HS256 would take a public key for a secret.
ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
_LEEWAY_SECONDS = 30
_FRESH_SECONDS, _PATIENCE_SECONDS = 3600.0, 10
# An unknown key may be a new one, but whoever invents key names shall not make the provider busy.
_AGAIN_SECONDS = 60.0
_MOST_BYTES = 2**20
_MOST_TOKEN = 16_384
# Seconds after which to ask again who comes while the keys are being fetched.
_SOON_SECONDS = 5.0


class ProviderError(InputError):
    """The provider's keys cannot be had at the moment.

    Attributes:
        retry: Seconds after which to try again.
    """

    def __init__(self, message: str, retry: float = _AGAIN_SECONDS):
        super().__init__(message)
        self.retry = retry


class Tokens:
    """Checks tokens.

    Args:
        provider: Whose tokens they are.
        fetch: Gets the public keys as JSON text from an address.
        clock: Gives seconds.

    Raises:
        ProviderError: If its keys are in a file that cannot be read.
    """

    def __init__(
        self, provider: Provider, fetch: Callable[[str], str] | None = None, clock: Callable[[], float] = time.monotonic
    ):
        self._provider, self._fetch, self._clock = provider, fetch or _fetched, clock
        self._is_file = not provider.jwks.startswith("https://")
        self._lock = threading.Lock()
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._is_fetching = False
        self._failed = ""  # Why the last fetch gave no keys.
        self._at = self._tried = -float("inf")
        if self._is_file:
            self._of_file()

    def subject(self, token: str) -> str:
        """Whose token it is: the e-mail address, or the subject.

        Raises:
            ValueError: If it does not hold; the text says why, and nothing of the token.
            ProviderError: If the provider's keys cannot be had.
        """
        if len(token) > _MOST_TOKEN:
            raise ValueError("it is too long")
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise ValueError(f"expected one of the algorithms {', '.join(ALGORITHMS)}")
            key = self._key(header.get("kid"))
            if key.algorithm_name and not _fits(key.algorithm_name, str(header["alg"])):
                raise ValueError("its algorithm is not that of its key")
            claims = jwt.decode(
                token, key.key, algorithms=[str(header["alg"])], audience=self._provider.audience,
                issuer=self._provider.issuer, leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True},
            )  # fmt: skip
        except jwt.PyJWTError as error:
            raise ValueError(_WHY.get(type(error), "it is no valid token")) from None
        return self._person(claims)

    def _person(self, claims: dict[str, Any]) -> str:
        email, people = str(claims.get("email", "")).strip().lower(), self._provider.people
        # What is not said to be verified may be an address that anybody typed in.
        is_verified = bool(email) and str(claims.get("email_verified", False)).lower() == "true"
        if people and not is_verified:
            raise ValueError(
                "whoever it was made for is not let in here without an e-mail address that the provider says it has "
                "verified (email, email_verified)"
            )
        if people and not any(fnmatchcase(email, one.lower()) for one in people):
            raise ValueError("whoever it was made for is not let in here")
        return email if is_verified else str(claims["sub"])

    def _key(self, name: Any) -> jwt.PyJWK:
        found = _named(self._of_file(), name) if self._is_file else self._of_address(name)
        if found is None:
            raise ValueError("it was signed by a key that the provider does not publish")
        return found

    def _of_file(self) -> dict[str | None, jwt.PyJWK]:
        try:
            return _parsed(_read(Path(self._provider.jwks)))
        except (OSError, ValueError, jwt.PyJWTError) as error:
            raise ProviderError(f"Expected {JWKS} to be a JSON Web Key Set. Received: {error}.") from None

    def _of_address(self, name: Any) -> jwt.PyJWK | None:
        """The key of this name; None if the provider publishes none. One caller fetches, the others do not wait."""
        with self._lock:
            now, found = self._clock(), _named(self._keys, name)
            is_due = (found is None or now - self._at > _FRESH_SECONDS) and now - self._tried > _AGAIN_SECONDS
            is_elsewhere = self._is_fetching
            fetches = is_due and not is_elsewhere
            if fetches:
                self._is_fetching, self._tried = True, now
        if fetches:
            self._renew()
            found = _named(self._keys, name)
        elif found is None and is_elsewhere:
            raise ProviderError("The keys of the provider are being fetched. Try again in a moment.", _SOON_SECONDS)
        if found is None and self._failed:
            raise ProviderError(f"The keys of the provider cannot be fetched ({self._failed}).")
        return found

    def _renew(self) -> None:
        try:
            self._keys = _parsed(self._fetch(self._provider.jwks))
            self._at, self._failed = self._clock(), ""
        except (OSError, HTTPException, ValueError, jwt.PyJWTError) as error:
            self._failed = type(error).__name__
        finally:
            self._is_fetching = False


def _named(keys: dict[str | None, jwt.PyJWK], name: Any) -> jwt.PyJWK | None:
    """The key of a name; without one the only key there is."""
    return next(iter(keys.values())) if name is None and len(keys) == 1 else keys.get(name)


_WHY: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.InvalidAudienceError: "it was made for another audience",
    jwt.InvalidIssuerError: "it was made by another issuer",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.InvalidIssuedAtError: "it is not valid yet",
    jwt.InvalidSignatureError: "its signature is wrong",
    jwt.MissingRequiredClaimError: "it does not say by whom, for whom, and until when it was made",
}


def _fits(of_key: str, of_token: str) -> bool:
    """Whether a key may be used with an algorithm; one that names no algorithm is known by its kind alone."""
    kinds = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
    return of_key == of_token or (kinds.get(of_key[:2]) == kinds.get(of_token[:2]) == "RSA")


def _parsed(text: str) -> dict[str | None, jwt.PyJWK]:
    try:
        found = jwt.PyJWKSet.from_dict(json.loads(text)).keys
    except (AttributeError, TypeError):
        raise ValueError("no objects with keys in it") from None
    keys = {key.key_id: key for key in found if key.public_key_use in (None, "sig") and key.key_type != "oct"}
    if not keys:
        raise ValueError("no public key for signatures in it")
    return keys


@remembered(2)
def _read(path: Path) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read(_MOST_BYTES)


def _fetched(address: str) -> str:
    import urllib.request

    class _Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            """Keys come from where the operator says."""
            return

    opener = urllib.request.build_opener(_Stay)
    with opener.open(address, timeout=_PATIENCE_SECONDS) as answer:
        return answer.read(_MOST_BYTES).decode()
