"""`dfcore adopt`: makes a detector of a Keras model that was made elsewhere."""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from dfcore.commands.base import command
from dfcore.commands.terminal import print_figures, print_json, print_table, progress_bar
from dfcore.errors import InputError
from dfcore.imaging.preprocess import RESIZE_HELP
from dfcore.utils.texts import printable


def add(commands: Any) -> None:
    """Adds the command."""
    from dfcore.foreign.ranges import RANGES

    parser = command(
        commands,
        "adopt",
        _adopt,
        "make a detector of a Keras model that was made elsewhere (.keras, .h5); its preprocessing is checked",
    )
    # Else "-1..1" after --range would be taken for an option.
    parser._negative_number_matcher = re.compile(r"-\d")
    parser.add_argument("file", metavar="FILE", help="model.keras or model.h5, by Keras 2 or 3; nothing in it is run")
    parser.add_argument(
        "--data-root",
        "--data_root",
        required=True,
        metavar="ROOT",
        help="labelled images like those that it is for: they check its preprocessing, calibrate it and are its domain",
    )
    told = "; ".join(f"{each.name}: {each.title}" for each in RANGES.values()).replace("%", "%%")
    parser.add_argument("--range", required=True, choices=tuple(RANGES), help=f"what it takes as pixels. {told}")
    parser.add_argument(
        "--classes",
        required=True,
        metavar="FIRST,SECOND",
        help="order of its outputs, real,fake or fake,real; a single output is the probability of the second. Keras "
        "numbers classes by the names of their folders, in alphabetical order: fake,real",
    )
    parser.add_argument("--name", required=True, help="name of the detector in the library")
    parser.add_argument("--size", type=int, metavar="PIXELS", help="side of its input, where its file leaves that open")
    told = " ".join(f"{name}: {text}" for name, text in RESIZE_HELP.items())
    parser.add_argument("--resize", default="stretch", choices=tuple(RESIZE_HELP), help=f"{told} (default: stretch)")
    parser.add_argument(
        "--colours",
        default="rgb",
        choices=("rgb", "bgr"),
        help="order of its channels (default: rgb); OpenCV reads bgr",
    )
    parser.add_argument("--title", default="", help="title of the detector (default: by the name of the file)")
    parser.add_argument(
        "--insist", action="store_true", help="go on although another preprocessing is clearly better on these images"
    )


def _adopt(options: argparse.Namespace) -> None:
    from dfcore.foreign.adopt import PreprocessingError, Said, adopt

    said = Said(options.range, options.classes, options.size, options.resize, options.colours)
    try:
        made = adopt(
            Path(options.file),
            Path(options.data_root),
            said,
            options.name,
            title=options.title,
            insist=options.insist,
            tell=_progress(),
        )
    except PreprocessingError as error:
        if options.json:
            print_json({"error": str(error), "check": error.check.rows})
        else:
            _print_check(error.check.rows)
        raise InputError(f"{error} Whoever knows better goes on with --insist.") from error
    card = made.card
    if options.json:
        print_json({"folder": str(made.folder), "card": card.model_dump(mode="json"), "check": made.check.rows})
        return
    _print_check(made.check.rows)
    print(printable(f"{card.title}: {made.folder}"))
    assert card.adopted is not None
    if card.adopted.idle:
        print(printable(f"Left out, since they act in training alone: {', '.join(card.adopted.idle)}"))
    for limit in card.limits:
        print(printable(f"- {limit}"))
    print_figures({split: result for split, result in card.results.items() if result["images"]})
    print(printable(card.words.in_words(card.thresholds)))


def _print_check(rows: list[dict[str, Any]]) -> None:
    from dfcore.foreign.check import words

    print("Each preprocessing, on validation images and before calibration, the best first:")
    print_table(words(rows))


def _progress() -> Any:
    """Progress lines, one an activity; without a terminal each activity is named once."""
    bars: dict[str, Any] = {}

    def tell(text: str, done: int, total: int) -> None:
        if text not in bars:
            bars[text] = progress_bar(text)
            if not total or not sys.stderr.isatty():
                print(f"{text} …", file=sys.stderr)
        if total:
            bars[text](done, total)

    return tell
