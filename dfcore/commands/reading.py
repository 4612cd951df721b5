"""The options with which a user says how a data set is to be read; they are remembered for its root."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcore.errors import DfcoreError, InputError
from dfcore.labels import NAMES
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    from dfcore.datasets.reading import Reading

_COLUMNS = ("path", "label", "split", "group", "source", "film")


def add_reading(parser: argparse.ArgumentParser, *, confirm: bool = False) -> None:
    """Adds the options; `reading_of` reads them."""
    group = parser.add_argument_group("how the data set is read (remembered for its folder)")
    for flag, form, text in (
        ("columns", "path=A,label=B,…", f"columns of its table, for any of {', '.join(_COLUMNS)}"),
        ("labels", "real=A,fake=B+C", "values of the label column"),
        ("class-folders", "real=A,fake=B+C", "folders that name a class, the only ones then; * stands for anything"),
    ):
        group.add_argument(f"--{flag}", f"--{flag.replace('-', '_')}", dest=f"reading_{flag.replace('-', '_')}",
                           action="append", metavar=form, help=text)  # fmt: skip
    group.add_argument(
        "--groups", dest="reading_groups", metavar="PATTERN",
        help="regular expression: images whose paths have the same match (or first group) stay in one split",
    )  # fmt: skip
    group.add_argument("--swap", dest="reading_swap", action=argparse.BooleanOptionalAction, default=None,
                       help="turn around real and fake")  # fmt: skip
    group.add_argument("--forget-reading", "--forget_reading", dest="reading_forget", action="store_true",
                       help="forget what was said of it before")  # fmt: skip
    if confirm:
        group.add_argument("--confirm", dest="reading_confirm", action="store_true",
                           help="say that what was understood is right")  # fmt: skip


def reading_of(options: argparse.Namespace, before: "Reading | None" = None) -> "Reading":
    """What the options say, added to what was said before.

    Raises:
        InputError: If an option cannot be read.
    """
    from dfcore.datasets.reading import Reading

    given: dict[str, Any] = {}
    if options.reading_columns:
        given["columns"] = {
            key: value for key, value in _pairs("--columns", options.reading_columns, _COLUMNS) if value
        }
    for name in ("labels", "class_folders"):
        texts = getattr(options, f"reading_{name}")
        if texts:
            pairs = _pairs(f"--{name.replace('_', '-')}", texts, NAMES)
            given[name] = {value: key for key, values in pairs for value in values.split("+")}
    if options.reading_groups is not None:
        given["groups"] = options.reading_groups
    if options.reading_swap is not None:
        given["swapped"] = options.reading_swap
    before = Reading() if before is None or options.reading_forget else before
    if getattr(options, "reading_confirm", False):
        given |= {"confirmed": True, "confirmed_of": ""}
    elif given:
        given |= {"confirmed": False, "confirmed_of": ""}
    return Reading.model_validate(before.model_dump() | given)


@contextmanager
def applied_reading(options: argparse.Namespace, root: str | Path) -> Iterator["Reading"]:
    """Remembers what the options say of a data set, for every scan inside and after; not if one of them is refused.

    Raises:
        InputError: If an option cannot be read.
    """
    from dfcore.datasets.reading import Reading, recall, remember

    before = recall(Path(root))
    now = reading_of(options, before)
    if now != before:
        remember(Path(root), now)
    try:
        yield now
    except DfcoreError:
        if now != before:
            remember(Path(root), before)
        raise
    if now != before:
        text = "how to read it is remembered" if now != Reading() else "how to read it is forgotten"
        print(f"dfcore: {printable(root)}: {text}.", file=sys.stderr)


def _pairs(flag: str, texts: list[str], keys: Sequence[str]) -> list[tuple[str, str]]:
    """The `key=value` parts of an option, which may be given several times; a value may hold commas."""
    result: list[tuple[str, str]] = []
    for text in texts:
        for number, part in enumerate(text.split(",")):
            key, sign, value = part.partition("=")
            if sign and key.strip().lower() in keys:
                result.append((key.strip().lower(), value))
            elif number:
                result[-1] = (result[-1][0], f"{result[-1][1]},{part}")
            else:
                raise InputError(f"Expected {flag} with {'=…, '.join(keys)}=…. Received: {text!r}.")
    return result
