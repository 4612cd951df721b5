"""Translates exceptions of TensorFlow, Keras and the operating system into actionable messages."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dfcore.errors import DfcoreError
from dfcore.training.watcher import StoppedEarly

if TYPE_CHECKING:
    from dfcore.training.config import TrainConfig

_OUT_OF_MEMORY = re.compile(
    r"\bOOM\b|out of memory|out_of_memory|resource ?exhausted|failed to allocate|(cannot|unable to) allocate|bad_alloc"
    # What oneDNN says on CPUs; its status 1 is that there was no memory.
    r"|status: 1, message: could not|could not create a memory",
    re.IGNORECASE,
)
# Lines of TensorFlow's messages with the location of an error instead of its cause.
_WHERE = re.compile(
    r"Graph execution error|Detected at node|File |\[\[|Hint:|Original stack|Call arguments|Arguments rec"
)


@contextmanager
def translated(config: "TrainConfig") -> Iterator[None]:
    """Context manager that translates foreign exceptions; the original one is kept as the cause.

    Raises:
        DfcoreError: Instead of any other exception, except `StoppedEarly`.
    """
    try:
        yield
    except (DfcoreError, StoppedEarly):
        raise
    except Exception as error:  # Third-party architectures may raise anything.
        raise in_words(error, config) from error


def in_words(error: Exception, config: "TrainConfig") -> DfcoreError:
    """Converts an exception into a `DfcoreError`; if memory ran out, it names the settings to lower."""
    if not is_out_of_memory(error):
        return DfcoreError(f"{type(error).__name__}: {_reason(error)}")
    lower = [f"batch_size (now {config.batch_size})", f"image_size (now {config.image_size})"]
    advice = f"Lower {' or '.join(lower)}, or choose a smaller architecture than {config.arch}"
    if config.cache == "memory":
        advice += ", or cache=disk (now memory)"
    return DfcoreError(f"Memory ran out. {advice}. ({_reason(error)[:200]})")


def is_out_of_memory(error: Exception) -> bool:
    """Whether the machine or a GPU ran out of memory."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    named = type(error).__name__ == "ResourceExhaustedError"
    return isinstance(error, MemoryError) or named or bool(_OUT_OF_MEMORY.search(str(error)))


def _reason(error: Exception) -> str:
    """The line of a message that states the cause, at most 500 characters."""
    lines = [line.strip() for line in str(error).splitlines()]
    result = next((line for line in lines if line and not _WHERE.match(line)), "")
    return (result or "no reason was given")[:500]
