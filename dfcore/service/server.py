"""The server: listens, and ends without losing what it has accepted."""

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from dfcore.errors import DfcoreError
from dfcore.service import log
from dfcore.service.app import make_app
from dfcore.service.settings import Settings
from dfcore.service.state import Service
from dfcore.utils import memory

# Seconds in which the head of a request must arrive on a connection, and for which an idle one is kept.
_HEAD_SECONDS, _KEPT_SECONDS = 15.0, 30
# Seconds after those of grace in which answers that say that it ends are sent.
_PARTING_SECONDS = 3
# Seconds for the request of a connection that was accepted last.
_FIRST_SECONDS = 1.0
# Connections at once; beyond them is answered 503.
_CONNECTIONS = 512


class Server(uvicorn.Server):
    """Ends in steps: it says that it is not ready, stops accepting, answers what it has accepted."""

    def __init__(self, service: Service, config: uvicorn.Config):
        super().__init__(config)
        self._service = service
        # Connections without a request under way: the last one of each, and since when.
        self._silent: dict[Any, tuple[Any, float]] = {}
        self._signal: int | None = None
        self._told_at: float | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals end it in peace; a second one ends it at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self._stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _: Any) -> None:
        # It only leaves word: what it interrupts may hold the locks of the queue or of the log.
        if self._service.closing:
            self.should_exit = self.force_exit = True
        self._service.closing = True
        self._signal = number

    async def on_tick(self, counter: int) -> bool:
        """Looks ten times a second whether it is to end, and for connections that say nothing."""
        now = time.monotonic()
        if self._signal is not None and self._told_at is None:
            self._told_at = now
            log.event("closing", signal=signal.Signals(self._signal).name, waiting=self._service.queue.waiting)
        if self._service.failure is not None:
            self.should_exit = True
        if self._told_at is not None and now - self._told_at >= self._service.settings.linger:
            self.should_exit = True
        self._end_silent(now)
        return await super().on_tick(counter)

    def _end_silent(self, now: float) -> None:
        """Ends connections whose request does not come; who keeps many open would else need no more than that."""
        before, self._silent = self._silent, {}
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is not None and not cycle.response_complete:
                continue
            last, since = before.get(connection, (cycle, now))
            if last is not cycle:  # It was answered between two looks.
                since = now
            self._silent[connection] = cycle, since
            # The server's own clock for idle connections stops at the first byte of a request.
            most = _HEAD_SECONDS if cycle is None else _KEPT_SECONDS
            if now - since > most and not connection.transport.is_closing():
                connection.shutdown()

    async def shutdown(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Answers what was accepted, within the seconds of grace; then says to the rest that it ends."""
        parting = asyncio.create_task(self._part())
        try:
            for listener in sockets or ():
                await self._accept_rest(listener)
            for server in self.servers:
                server.close()
            await self._first_requests()
            await super().shutdown(list(sockets or ()))
        finally:
            parting.cancel()
        log.event("closed", waiting=self._service.queue.waiting)

    async def _accept_rest(self, listener: socket.socket) -> None:
        """Accepts the connections that the system holds already; closing would break them off."""
        loop, config = asyncio.get_running_loop(), self.config

        def protocol() -> asyncio.Protocol:
            http: Any = config.http_protocol_class
            return http(config=config, server_state=self.server_state, app_state=self.lifespan.state)

        with suppress(OSError):  # None is left, or it was closed.
            while True:
                connection, _ = listener.accept()
                connection.setblocking(False)
                await loop.connect_accepted_socket(protocol, connection)

    async def _first_requests(self) -> None:
        """Waits a moment for the request of those who have connected and sent none yet."""
        until = time.monotonic() + _FIRST_SECONDS
        while time.monotonic() < until and any(one.cycle is None for one in self.server_state.connections):  # type: ignore[union-attr]  # All speak HTTP here.
            await asyncio.sleep(0.02)

    async def _part(self) -> None:
        """Gives up what is left when the seconds of grace are over, or at a second signal."""
        until = time.monotonic() + self._service.settings.grace
        while not self.force_exit and (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(0.1, left))
        self._service.over.set()
        log.event("late", waiting=self._service.queue.waiting)
        self._service.queue.abandon()


def run(settings: Settings) -> None:
    """Serves until it is told to stop.

    Raises:
        InputError: If keys or detectors cannot be read.
        DfcoreError: If it cannot listen where it should.
    """
    memory.return_memory()
    log.set_up()
    service = Service(settings)
    with _listening(settings.host, settings.port) as listener:
        host, port = listener.getsockname()[:2]
        log.event("listening", host=host, port=port, guarded=settings.guarded)
        shown = f"[{host}]" if ":" in host else host
        print(f"The service is at http://{shown}:{port} and described at /docs. Ctrl-C stops it.", flush=True)
        Server(service, configured(service)).run(sockets=[listener])
    if service.failure is not None:
        raise service.failure


def configured(service: Service) -> uvicorn.Config:
    """How a service speaks HTTP."""
    settings = service.settings
    return uvicorn.Config(
        make_app(service), host=settings.host, port=settings.port, root_path=settings.root_path,
        log_config=None, access_log=False, ws="none",
        loop="asyncio", http="h11", lifespan="on", server_header=False, workers=1, limit_concurrency=_CONNECTIONS,
        proxy_headers=bool(settings.proxies), forwarded_allow_ips=settings.proxies or "",
        timeout_keep_alive=_KEPT_SECONDS, timeout_graceful_shutdown=round(settings.grace) + _PARTING_SECONDS,
    )  # fmt: skip


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise DfcoreError(f"The service cannot listen on {host}, port {port}: {error.strerror or error}.") from None
