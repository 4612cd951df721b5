"""Unexpected errors: a reference number in the browser, the traceback in the log."""

import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from logging.handlers import RotatingFileHandler
from typing import Any

import streamlit as st

from dfcore import workspace

_MAX_BYTES, _KEPT = 5 * 2**20, 3
_LEAST_SECRET = 6


@contextmanager
def reported() -> Iterator[None]:
    """Logs an unexpected error under a reference number and shows only the number.

    With `DFCORE_DEBUG` set, the error is raised instead.
    """
    try:
        yield
    except Exception as error:
        if os.environ.get("DFCORE_DEBUG"):
            raise
        reference = secrets.token_hex(4).upper()
        log().error("Reference %s", reference, exc_info=error)
        st.error(
            f"An unexpected error occurred. Saved data is not affected. The server's administrator can find the "
            f"cause in its log under reference **{reference}**.",
            icon=":material/bug_report:",
        )


def fragment(**options: Any) -> Callable[[Callable], Callable]:
    """`st.fragment` wrapped in `reported`: Streamlit reruns fragments outside the page's own error handling."""

    def decorate(function: Callable) -> Callable:
        @wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            with reported():
                return function(*args, **kwargs)

        return st.fragment(**options)(guarded)

    return decorate


@cache
def log() -> logging.Logger:
    """The dashboard's logger: writes `dashboard.log` in the logs folder, or to stderr if that is not writable."""
    logger = logging.getLogger("dashboard")
    logger.setLevel(logging.INFO)
    handler: logging.Handler
    try:
        workspace.logs_dir().mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            workspace.logs_dir() / "dashboard.log", maxBytes=_MAX_BYTES, backupCount=_KEPT, encoding="utf-8"
        )
    except OSError:
        handler = logging.StreamHandler()
    handler.setFormatter(_WithoutSecrets("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    return logger


class _WithoutSecrets(logging.Formatter):
    """Formatter that redacts the values of Streamlit's secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """Formats one record, with every secret replaced by "[secret]"."""
        text = super().format(record)
        for secret in _secrets(_all_secrets()):
            text = text.replace(secret, "[secret]")
        return text


def _all_secrets() -> Any:
    try:
        return st.secrets.to_dict()
    except FileNotFoundError:
        return {}


def _secrets(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            # Addresses listed under roles are not secret, and the log needs them.
            if name != "roles":
                yield from _secrets(part, name)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _secrets(part, key)
    elif isinstance(value, str) and len(value) >= _LEAST_SECRET and key not in ("redirect_uri", "server_metadata_url"):
        yield value
