"""Numbers that the operator sets in the environment."""

import math
import os

from dfcore.errors import InputError


def amount(variable: str, default: float, unit: str) -> float:
    """A number of something, 0 or more, from a variable of the environment; `default` where it is empty or not set.

    Raises:
        InputError: If it is no such number.
    """
    text = os.environ.get(variable, "").strip()
    try:
        result = float(text) if text else default
    except ValueError:
        result = math.nan
    if not 0 <= result < math.inf:
        raise InputError(f"Expected {variable} to be {unit}, 0 or more. Received: {text!r}.")
    return result
