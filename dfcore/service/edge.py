"""What every request goes through: its number, headers that browsers obey, the log and the figures."""

import asyncio
import logging
import secrets
import time
from contextlib import suppress
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dfcore.service import log
from dfcore.service.problems import GONE, Problem
from dfcore.service.state import Service

# The page loads nothing from elsewhere, and shows pictures that it made itself.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# Seconds for which a body that was refused is still taken, and thrown away.
_PARTING_SECONDS = 2.0
_QUIET = ("/healthz", "/readyz", "/metrics")


class _Incoming:
    """The body of a request, of which some may still be on its way when it is answered.

    Attributes:
        is_coming: Whether there is more of it.
    """

    def __init__(self, scope: Scope, receive: Receive):
        self._receive = receive
        headers = dict(scope["headers"])
        self.is_coming = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers

    async def receive(self) -> Message:
        """The next message."""
        message = await self._receive()
        self.is_coming = self.is_coming and bool(message.get("more_body", False))
        return message

    async def discard(self) -> None:
        """Takes what is still coming, for a moment: until the answer has been read at the other end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PARTING_SECONDS):
                while self.is_coming:
                    await self.receive()


class Edge:
    """The outermost layer of the service."""

    def __init__(self, app: ASGIApp, service: Service):
        self._app, self._service, self._metrics = app, service, service.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, body = time.monotonic(), 0, _Incoming(scope, receive)
        facts: dict[str, Any] = {"id": secrets.token_hex(8)}
        scope.setdefault("state", {})["facts"] = facts

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers["X-Request-Id"] = facts["id"]
                if self._service.closing or body.is_coming:
                    headers["Connection"] = "close"
                # Files of the page are asked for again each time, so that none of an earlier version is mixed in.
                headers.setdefault("Cache-Control", "no-store" if scope["path"].startswith("/v1/") else "no-cache")
            elif body.is_coming and not message.get("more_body", False):
                # A connection that is closed while its other end sends may lose the answer on its way.
                await send({**message, "more_body": True})
                await body.discard()
                message = {"type": "http.response.body"}
            await send(message)

        try:
            await self._app(scope, body.receive, sending)
        except Exception as error:
            log.event("unexpected", logging.ERROR, error, id=facts["id"])
            self._metrics.refusals.labels("unexpected").inc()
            if status:  # The answer has begun; all that is left is to break it off.
                raise
            text = f"An unexpected error occurred. The operator finds its cause in the log under {facts['id']}."
            await Problem(500, "unexpected", text).response()(scope, body.receive, sending)
        finally:
            self._told(scope, facts, status, time.monotonic() - began)

    def _told(self, scope: Scope, facts: dict[str, Any], status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "other"
        # Methods are words of the caller.
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "OPTIONS") else "other"
        said = "gone" if status in (0, GONE) else str(status)
        self._metrics.requests.labels(route, method, said).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        level = logging.DEBUG if route in _QUIET and status < 400 else logging.INFO
        client = scope["client"][0] if scope.get("client") else None
        log.event("request", level, method=method, route=route, status=said, seconds=round(seconds, 4),
                  client=client, **facts)  # fmt: skip
