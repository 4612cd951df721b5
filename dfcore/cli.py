"""The `dfcore` command line, also `python -m dfcore`: dispatches commands and reports errors.

Exit code 0 for success, 1 for a failure, 2 for invalid input, 3 if pictures were left out or could not be judged, 4 if
an audit found what --fail-on names; errors are printed to stderr in one line.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence

from dfcore import __version__, compat
from dfcore.commands import (
    adapt,
    adopt,
    app,
    cache,
    cases,
    data,
    doctor,
    evaluate,
    export,
    faces,
    hub,
    inspect,
    predict,
    recalibrate,
    report,
    runs,
    serve,
    tensorboard,
    train,
    watch,
)
from dfcore.commands.base import Parser
from dfcore.errors import DfcoreError, InputError
from dfcore.utils.texts import printable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    Args:
        arguments: Command-line arguments; `sys.argv[1:]` by default.
    """
    _escape_what_cannot_be_shown()
    given, hints = compat.arguments(list(sys.argv[1:] if arguments is None else arguments))
    options = _parser().parse_args(given)
    for hint in hints:
        print(f"dfcore: {hint}", file=sys.stderr)
    try:
        if getattr(options, "arch_file", None):
            from dfcore import architectures

            architectures.load_file(options.arch_file)
        return options.command(options) or 0
    except InputError as error:
        print(f"dfcore: {_one_line(error)}", file=sys.stderr)
        return 2
    except (DfcoreError, OSError) as error:
        print(f"dfcore: {_one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dfcore: stopped.", file=sys.stderr)
        return 130


def _escape_what_cannot_be_shown() -> None:
    """Prints characters that the console cannot encode, and names that are not UTF-8, as escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _one_line(error: Exception) -> str:
    """An error in one line; entries of a list in it are told apart by semicolons."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    ended = [line if line.endswith((".", ":", ",", ";")) else f"{line};" for line in lines[:-1]]
    return printable(" ".join([*ended, *lines[-1:]]))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="dfcore", description="Tells real images from machine-made ones.")
    parser.add_argument("--version", action="version", version=f"dfcore {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    data.add(commands.add_parser("data", help="inspect, audit and make data sets"))
    cache.add(commands.add_parser("cache", help="show or free the disk space used by decoded images"))
    train.add(commands.add_parser("train", help="train a detector"))
    runs.add(commands.add_parser("runs", help="list, show, stop, resume, relocate, mirror and delete training runs"))
    evaluate.add(commands)
    predict.add(commands)
    inspect.add(commands)
    report.add(commands)
    watch.add(commands)
    faces.add(commands)
    serve.add(commands)
    hub.add(commands)
    cases.add(commands.add_parser("cases", help="what was judged and what people said of it: search, verify, keep"))
    recalibrate.add(commands)
    adapt.add(commands)
    tensorboard.add(commands)
    export.add(commands)
    adopt.add(commands)
    app.add(commands)
    doctor.add(commands)
    return parser
