"""The log: one JSON object a line, to stderr. It holds no content of files, no names of files, no keys."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from dfcore.utils.texts import printable

_log = logging.getLogger("dfcore.service")


class _Lines(logging.Formatter):
    """A record as a line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": printable(record.getMessage()),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info).splitlines()[-40:]
        return json.dumps(line, ensure_ascii=True, default=str)


def set_up() -> None:
    """Sends what the service and its server say to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    for name, level in (("dfcore.service", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


def event(name: str, level: int = logging.INFO, error: BaseException | None = None, **facts: Any) -> None:
    """Writes a line.

    Args:
        name: What happened.
        level: As of `logging`.
        error: Whose trace is told.
        facts: Further values.
    """
    _log.log(level, name, extra={"facts": facts}, exc_info=error)
