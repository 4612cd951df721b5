"""What is answered where a request is refused: a status, a code for programs, a sentence for people."""

import math
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

from dfcore.utils.texts import printable, shortened

# The status of an answer that nobody is there to get.
GONE = 499
_MOST_WORDS = 800


class Problem(Exception):  # noqa: N818  (an answer, not a mistake of this program)
    """A request that is refused.

    Attributes:
        status: HTTP status.
        code: What is wrong, for programs.
        message: The same for people: what was expected, what was received.
        retry: Seconds after which to try again; None if that would change nothing.
        more: Further values of the answer, beside the error.
    """

    def __init__(
        self, status: int, code: str, message: str, retry: float | None = None, more: Mapping[str, Any] | None = None
    ):
        super().__init__(message)
        self.status, self.code, self.message = status, code, shortened(printable(message), _MOST_WORDS)
        self.retry, self.more = retry, dict(more or {})

    def response(self) -> JSONResponse:
        """The answer."""
        headers = {}
        if self.retry is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry)))
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        body = {"error": {"code": self.code, "message": self.message}, **self.more}
        return JSONResponse(body, self.status, headers)


def closing() -> Problem:
    """What is answered while the service ends."""
    return Problem(503, "closing", "The service is being stopped. Try again in a moment.", 5)
