"""Argument parsing shared by the commands."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from dfcore.batch.names import AUTO
from dfcore.confidence import ErrorBudget
from dfcore.detectors.card import Card
from dfcore.errors import InputError

BUNDLE_HELP = "bundle folder, run folder or id, or name of a detector in the library (models/ or shipped with dfcore)"

# Exit code if a picture was left out or could not be judged; the rest was done.
INCOMPLETE = 3
INCOMPLETE_HELP = "Exit code 0: {}; 3: {}, each with its reason; 2: the request is invalid; 1: it failed."


class Parser(argparse.ArgumentParser):
    """Argument parser that reports errors in one line."""

    def error(self, message: str) -> NoReturn:
        """Prints the message and exits with code 2."""
        self.exit(2, f"dfcore: {message}. See '{self.prog} --help'.\n")


def command(commands: Any, name: str, call: Callable, text: str) -> argparse.ArgumentParser:
    """Adds a command with a `--json` option."""
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=call)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def subcommands(parser: argparse.ArgumentParser) -> Any:
    """Adds a level of subcommands; returns the object to add them to."""
    return parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)


def at_least_one(text: str) -> int | str:
    """Parses a positive integer or "auto"."""
    if text != "auto" and not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"expected auto or a number of at least 1. Received: {text}")
    return text if text == "auto" else int(text)


def port(text: str) -> int:
    """Parses the number of a port."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 65535. Received: {text}")
    return int(text)


def out_file(text: str, formats: Sequence[str]) -> Path:
    """Validates the argument of --out, before anything is computed.

    Args:
        text: File name; its suffix chooses the format.
        formats: Allowed suffixes, with the dot.

    Raises:
        InputError: If the suffix is not in `formats`, or the path is a folder.
    """
    path = Path(text)
    if path.suffix.lower() not in formats:
        raise InputError(f"Expected --out FILE ending in {', '.join(formats)}. Received: {text}.")
    if path.is_dir():
        raise InputError(f"Expected a file after --out. Received a folder: {text}.")
    return path


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Adds `--engine`."""
    parser.add_argument(
        "--engine",
        default="auto",
        choices=("auto", "keras", "openvino", "openvino-bf16", "openvino-int8"),
        help="inference engine: keras is the reference, openvino is fast on CPUs, openvino-bf16 twice as fast but less "
        "precise, openvino-int8 rounds to 8 bits, of detectors on CLIP only (default: auto, openvino if the detector's "
        "card records that both agree)",
    )


def add_judging(parser: argparse.ArgumentParser) -> None:
    """Adds the options of how pictures are judged, where the detector is one of them."""
    parser.add_argument(
        "--detector", default=AUTO, metavar="BUNDLE", help=f"{BUNDLE_HELP}; auto (default) selects the one that fits"
    )
    parser.add_argument("--ignore-ood", action="store_true", help="also decide on out-of-distribution images")
    add_arch_file(parser)
    add_engine(parser)
    add_budget(parser)


def add_budget(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the error budget."""
    for name, field in ErrorBudget.model_fields.items():
        flags = list(dict.fromkeys([f"--{name.replace('_', '-')}", f"--{name}"]))
        text = f"{field.description} Used to choose the thresholds (default: the card's)."
        parser.add_argument(*flags, type=float, metavar="SHARE", help=text)


def budget_of(options: argparse.Namespace, card: Card) -> ErrorBudget | None:
    """The error budget from the options, completed from the card; None if no option was given.

    Raises:
        InputError: If a rate is out of range.
    """
    asked = {name: value for name in ErrorBudget.model_fields if (value := getattr(options, name)) is not None}
    if not asked:
        return None
    own = card.decision_thresholds.budget if card.decision_thresholds else ErrorBudget()
    try:
        return ErrorBudget(**(own.model_dump() | asked))
    except ValidationError:
        raise InputError(f"Expected error budgets between 0 and 0.5. Received: {asked}.") from None


def add_arch_file(parser: argparse.ArgumentParser) -> None:
    """Adds `--arch-file`, needed to load a detector with an external architecture."""
    parser.add_argument(
        "--arch-file",
        "--arch_file",
        metavar="FILE",
        help="Python file that registers the detector's architecture; it is executed",
    )


def add_runs_dir(parser: argparse.ArgumentParser) -> None:
    """Adds `--runs-dir`."""
    parser.add_argument("--runs-dir", "--runs_dir", metavar="DIR", help="folder of runs (default: runs)")
