"""What every request goes through: its number, headers that browsers obey, the log and the figures."""

import logging
import secrets
import time
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dfcore.service import log
from dfcore.service.metrics import Metrics

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
_QUIET = ("/healthz", "/readyz", "/metrics")


class Edge:
    """The outermost layer of the service."""

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 0
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
                if scope["path"].startswith("/v1/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._told(scope, facts, status, time.monotonic() - began)

    def _told(self, scope: Scope, facts: dict[str, Any], status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "other"
        # Methods are words of the caller.
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "OPTIONS") else "other"
        self._metrics.requests.labels(route, method, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        if not status:
            self._metrics.gone.inc()
        level = logging.DEBUG if route in _QUIET and status < 400 else logging.INFO
        client = scope["client"][0] if scope.get("client") else None
        log.event("request", level, method=method, route=route, status=status or "gone", seconds=round(seconds, 4),
                  client=client, **facts)  # fmt: skip
