"""What is wrong with the parameters of an address, in words: what was expected, and what was received."""

from collections.abc import Mapping, Sequence
from typing import Any

_KINDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "a text"}
# Errors that are told of one request.
_MOST = 3
_MOST_WORDS = 80


def in_words(errors: Sequence[Mapping[str, Any]], parameters: Sequence[Mapping[str, Any]]) -> str:
    """The errors of a request, two sentences each.

    Args:
        errors: As pydantic tells them.
        parameters: Those that the address takes, as its OpenAPI description has them.
    """
    schemas = {one["name"]: one["schema"] for one in parameters if one["in"] == "query"}
    return " ".join(_in_words(error, schemas) for error in errors[:_MOST])


def _in_words(error: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]) -> str:
    name = ".".join(str(part) for part in error["loc"][1:])[:_MOST_WORDS]
    if error["type"] == "extra_forbidden":
        return f"Expected the parameters {', '.join(schemas)}. Received: {name!r}."
    if name not in schemas:
        return f"{name or 'The request'}: {error['msg']}."
    return f"Expected for {name} {_kind(schemas[name])}. Received: {str(error['input'])[:_MOST_WORDS]!r}."


def _kind(schema: Mapping[str, Any]) -> str:
    """What a parameter takes; one that may be left out has its kind inside `anyOf`."""
    one = next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), schema)
    if "enum" in one:
        return f"one of {', '.join(map(str, one['enum']))}"
    text = _KINDS.get(one.get("type", ""), "another value")
    if "minimum" in one and "maximum" in one:
        text += f" from {one['minimum']:g} to {one['maximum']:g}"
    return text + (f" of at most {one['maxLength']} characters" if "maxLength" in one else "")
