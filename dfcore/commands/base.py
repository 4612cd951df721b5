"""What every command's arguments share."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from dfcore.confidence import ErrorBudget
from dfcore.detectors.card import Card
from dfcore.errors import InputError

BUNDLE_HELP = "bundle folder, run folder or id, or the name of a detector in the library (models/, and those that ship)"


class Parser(argparse.ArgumentParser):
    """A parser that refuses in one line."""

    def error(self, message: str) -> NoReturn:
        """Ends with exit code 2."""
        self.exit(2, f"dfcore: {message}. See '{self.prog} --help'.\n")


def command(commands: Any, name: str, call: Callable, text: str) -> argparse.ArgumentParser:
    """Adds a command that can answer in JSON."""
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=call)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    return parser


def subcommands(parser: argparse.ArgumentParser) -> Any:
    """Where the commands below another one are added."""
    return parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)


def at_least_one(text: str) -> int | str:
    """A number of images or of workers, or "auto"."""
    if text != "auto" and not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"expected auto or a number of at least 1. Received: {text}")
    return text if text == "auto" else int(text)


def out_file(text: str, formats: Sequence[str]) -> Path:
    """The file after --out, its format told by the ending of its name; checked before anything is computed.

    Raises:
        InputError: when the ending is none of `formats`, or a folder has that name.
    """
    path = Path(text)
    if path.suffix.lower() not in formats:
        raise InputError(f"Expected --out FILE ending in {', '.join(formats)}. Received: {text}.")
    if path.is_dir():
        raise InputError(f"Expected a file after --out. Received a folder: {text}.")
    return path


def add_engine(parser: argparse.ArgumentParser) -> None:
    """What runs the network."""
    parser.add_argument(
        "--engine",
        default="auto",
        choices=("auto", "keras", "openvino", "openvino-bf16"),
        help="what runs the network: keras is the reference, openvino is fast on CPUs, openvino-bf16 twice as fast and "
        "less precise (default: auto, the fast one where the detector's card says that both answer alike)",
    )


def add_budget(parser: argparse.ArgumentParser) -> None:
    """The errors that somebody is willing to make."""
    for name, field in ErrorBudget.model_fields.items():
        flags = list(dict.fromkeys([f"--{name.replace('_', '-')}", f"--{name}"]))
        text = f"{field.description} It chooses the thresholds (default: the card's)."
        parser.add_argument(*flags, type=float, metavar="SHARE", help=text)


def budget_of(options: argparse.Namespace, card: Card) -> ErrorBudget | None:
    """The budget that was asked for, or None; a part that was not is the card's.

    Raises:
        InputError: when a share is out of its range.
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
    """The file of an architecture that is not dfcore's own, without which a detector of it cannot be loaded."""
    parser.add_argument(
        "--arch-file",
        "--arch_file",
        metavar="FILE",
        help="a Python file that registers the detector's architecture; it is run",
    )


def add_runs_dir(parser: argparse.ArgumentParser) -> None:
    """The folder of runs."""
    parser.add_argument("--runs-dir", "--runs_dir", metavar="DIR", help="where runs are kept (default: runs)")
