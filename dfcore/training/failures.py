"""Foreign exceptions of a training, of TensorFlow, Keras and the system, in words that people can act on."""

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
    r"\bOOM\b|out of memory|out_of_memory|resource ?exhausted|failed to allocate|(cannot|unable to) allocate|bad_alloc",
    re.IGNORECASE,
)
# Lines of TensorFlow's messages that say where and not what.
_WHERE = re.compile(
    r"Graph execution error|Detected at node|File |\[\[|Hint:|Original stack|Call arguments|Arguments rec"
)


@contextmanager
def translated(config: "TrainConfig") -> Iterator[None]:
    """Within it, any foreign exception becomes a `DfcoreError` that says what to do; its cause stays with it.

    Raises:
        DfcoreError: as itself, or for what was raised otherwise.
    """
    try:
        yield
    except (DfcoreError, StoppedEarly):
        raise
    except Exception as error:  # Of all sorts, and from architectures of anybody.
        raise in_words(error, config) from error


def in_words(error: Exception, config: "TrainConfig") -> DfcoreError:
    """What a foreign exception means for who trains with `config`."""
    if not is_out_of_memory(error):
        return DfcoreError(f"{type(error).__name__}: {_reason(error)}")
    lower = [f"batch_size (now {config.batch_size})", f"image_size (now {config.image_size})"]
    advice = f"Lower {' or '.join(lower)}, or choose a smaller architecture than {config.arch}"
    if config.cache == "memory":
        advice += ", or cache=disk (now memory)"
    return DfcoreError(f"Memory ran out. {advice}. ({_reason(error)[:200]})")


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, that of the machine or of a GPU."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    named = type(error).__name__ == "ResourceExhaustedError"
    return isinstance(error, MemoryError) or named or bool(_OUT_OF_MEMORY.search(str(error)))


def _reason(error: Exception) -> str:
    """The line of a message that says what went wrong."""
    lines = [line.strip() for line in str(error).splitlines()]
    result = next((line for line in lines if line and not _WHERE.match(line)), "")
    return (result or "no reason was given")[:500]
