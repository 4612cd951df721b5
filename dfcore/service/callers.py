"""Who asks, and whether they may: by key, by token, or from this machine where neither is asked for."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request

from dfcore.errors import InputError
from dfcore.service import keys
from dfcore.service.problems import Problem
from dfcore.service.settings import Settings, is_loopback
from dfcore.service.tokens import ProviderError, Tokens

LOCAL = "local"
_MOST_CALLERS = 10_000
_HOW = "Send it as 'Authorization: Bearer …' or 'X-API-Key: …'."


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        name: Of the key, or of the person; it is in the log.
        rate: Pictures a minute; 0 for any number.
    """

    name: str
    rate: int = 0


class Door:
    """Lets callers in.

    Raises:
        InputError: If the file of keys or the provider's keys cannot be read.
    """

    def __init__(self, settings: Settings, tokens: Tokens | None = None):
        self._settings = settings
        self._tokens = tokens or (Tokens(settings.provider) if settings.provider else None)
        if settings.keys is not None:
            keys.read(settings.keys)

    def may_wait(self, request: Request) -> bool:
        """Whether to let in who sends a request may take a while, since it has a token."""
        given = _given(request)
        return self._tokens is not None and bool(given) and not given.startswith(keys.PREFIX)

    def caller(self, request: Request) -> Caller:
        """Who sends a request.

        Raises:
            Problem: If they may not, 401 or 403.
        """
        if not self._settings.guarded:
            self._require_local(request)
            return Caller(LOCAL, self._settings.limits.rate)
        given = _given(request)
        if not given:
            raise Problem(401, "key", f"Expected {self._wanted()}. Received: none. {_HOW}")
        is_key = given.startswith(keys.PREFIX)
        if self._settings.keys is not None and (is_key or self._tokens is None):
            return self._of_key(given)
        if self._tokens is not None and not is_key:
            return self._of_token(given)
        raise Problem(401, "key", f"Expected {self._wanted()}. Received: a key, and this service knows none.")

    def _of_key(self, given: str) -> Caller:
        assert self._settings.keys is not None
        try:
            found = keys.find(keys.read(self._settings.keys), given)
        except InputError:
            raise Problem(503, "keys", "The service cannot read its keys. Its operator can mend that.", 60) from None
        if found is None:
            raise Problem(401, "key", "This key is not known here. It may have been removed; ask the operator for one.")
        return Caller(found.name, self._settings.limits.rate if found.rate is None else found.rate)

    def _of_token(self, given: str) -> Caller:
        assert self._tokens is not None
        try:
            return Caller(self._tokens.subject(given), self._settings.limits.rate)
        except ValueError as error:
            raise Problem(401, "token", f"This token is not accepted: {error}. Sign in again.") from None
        except ProviderError as error:
            raise Problem(503, "provider", str(error), error.retry) from None

    def _wanted(self) -> str:
        kinds = {"a key": self._settings.keys, "a token of your provider": self._settings.provider}
        return " or ".join(name for name, there in kinds.items() if there is not None)

    def _require_local(self, request: Request) -> None:
        """Without keys only this machine is let in, and no page of another site that is open in its browser."""
        host = _host(request.headers.get("host", ""))
        allowed = {name.lower() for name in self._settings.hosts}
        if not (is_loopback(host) or host in allowed):
            raise Problem(
                403, "host",
                f"Without keys the service answers by the names of this machine only, such as 127.0.0.1, or by those "
                f"of --allowed-host. Received: {host}.",
            )  # fmt: skip
        origin = request.headers.get("origin")
        if origin is None or origin in self._settings.origins:
            return
        if origin == "null" or _host(urlsplit(origin).netloc) != host:
            raise Problem(
                403, "origin", f"Pages of {origin} may not use this service. Its operator can allow it by --cors."
            )


def _given(request: Request) -> str:
    """The key or token of a request; "" if it has none."""
    if given := request.headers.get("x-api-key", "").strip():
        return given
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _host(netloc: str) -> str:
    """The host's name, without its port."""
    text = netloc.strip().lower()
    return text[1:].partition("]")[0] if text.startswith("[") else text.rpartition(":")[0] or text


class Rates:
    """Pictures a minute for each caller: a minute's worth at once, then as many as time brings.

    Args:
        clock: Gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def require(self, caller: Caller) -> None:
        """Raises a Problem (429) if a caller has used up what the rate allows."""
        if caller.rate and (left := self._now(caller)) < 1:
            raise Problem(
                429, "rate", f"Expected at most {caller.rate} pictures a minute. Received more from {caller.name}.",
                (1 - left) * 60 / caller.rate,
            )  # fmt: skip

    def spend(self, caller: Caller, pictures: int) -> None:
        """Counts pictures; more than are left are owed."""
        if caller.rate:
            self._left[caller.name] = self._now(caller) - pictures, self._clock()
            self._left.move_to_end(caller.name)
            while len(self._left) > _MOST_CALLERS:
                self._left.popitem(last=False)

    def _now(self, caller: Caller) -> float:
        left, at = self._left.get(caller.name, (float(caller.rate), self._clock()))
        return min(float(caller.rate), left + (self._clock() - at) * caller.rate / 60)
