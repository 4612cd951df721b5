"""Messages between the workbench and its decoding processes: a line of JSON, then as many bytes as it states.

Nothing is unpickled: a compromised decoding process can send wrong pixels, but no code.
"""

import json
from typing import IO, Any

# The line holds at most the image's properties; pixels follow as bytes.
_MAX_LINE = 1 << 20
_MAX_BYTES = 1 << 28


def send(stream: IO[bytes], message: dict[str, Any], content: bytes | memoryview = b"") -> None:
    """Writes a message."""
    stream.write(json.dumps(message | {"bytes": len(content)}).encode() + b"\n")
    stream.write(content)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Reads a message.

    Raises:
        EOFError: If the other side has closed the stream.
        ValueError: If the message is malformed.
    """
    line = stream.readline(_MAX_LINE)
    if not line.endswith(b"\n"):
        raise EOFError
    try:
        message = json.loads(line)
    except RecursionError:
        raise ValueError("nested without end") from None
    if not isinstance(message, dict):
        raise ValueError("no object")
    length = message.pop("bytes", None)
    if type(length) is not int or not 0 <= length <= _MAX_BYTES:
        raise ValueError(f"a length of {length!r}")
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return message, content
