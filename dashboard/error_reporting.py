"""What nobody foresaw: a reference number for the browser, the whole story for the log."""

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
    """Shows a number instead of an unforeseen error, and logs the error under it.

    With `DFCORE_DEBUG` set it is raised instead, for those who mend it.
    """
    try:
        yield
    except Exception as error:
        if os.environ.get("DFCORE_DEBUG"):
            raise
        reference = secrets.token_hex(4).upper()
        log().error("Reference %s", reference, exc_info=error)
        st.error(
            f"An unexpected error occurred. Nothing that was saved is lost. Whoever runs this server "
            f"finds the cause in its log under the reference **{reference}**.",
            icon=":material/bug_report:",
        )


def fragment(**options: Any) -> Callable[[Callable], Callable]:
    """`st.fragment`, which Streamlit reruns alone, with its unforeseen errors told like those of a page."""

    def decorate(function: Callable) -> Callable:
        @wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            with reported():
                return function(*args, **kwargs)

        return st.fragment(**options)(guarded)

    return decorate


@cache
def log() -> logging.Logger:
    """The dashboard's log, `dashboard.log` in the folder of logs; without a place to write it goes to the terminal."""
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
    """Keeps what stands in Streamlit's secrets out of the log, wherever it may turn up."""

    def format(self, record: logging.LogRecord) -> str:
        """One record, with a mark in the place of each secret."""
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
            # Who has which role is no secret, and names are what the log is read for.
            if name != "roles":
                yield from _secrets(part, name)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _secrets(part, key)
    elif isinstance(value, str) and len(value) >= _LEAST_SECRET and key not in ("redirect_uri", "server_metadata_url"):
        yield value
