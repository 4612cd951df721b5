"""`dfcore export`: a detector in the format of another runtime."""

import argparse
import sys
from dataclasses import asdict
from typing import Any

from dfcore.commands.base import BUNDLE_HELP, add_arch_file, command
from dfcore.commands.terminal import print_json, progress_bar
from dfcore.utils.texts import printable, volume

_FORMATS = ("savedmodel", "onnx", "litert", "openvino", "keras")


def add(commands: Any) -> None:
    """Adds the command."""
    parser = command(commands, "export", _export, "export a detector for another runtime, checked against its scores")
    add_arch_file(parser)
    parser.add_argument("bundle", metavar="DETECTOR", help=BUNDLE_HELP)
    parser.add_argument("--to", required=True, choices=_FORMATS, help="format of the network")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="new folder for the network")
    parser.add_argument(
        "--quantize",
        choices=("int8",),
        help="round to 8 bits, with litert or openvino; the cost is measured on validation and written down",
    )
    parser.add_argument(
        "--data-root",
        "--data_root",
        metavar="ROOT",
        help="the data set that it was trained on: for --quantize, and for pictures to check on (default: the run's)",
    )


def _export(options: argparse.Namespace) -> None:
    from dfcore.export import export
    from dfcore.export.about import LEFT_OUT

    made = export(
        options.bundle,
        options.to,
        options.out,
        quantize=options.quantize,
        data_root=options.data_root,
        arch_file=options.arch_file,
        progress=_Told(),
    )
    if options.json:
        print_json(asdict(made) | {"folder": str(made.folder)})
        return
    print(printable(f"{made.folder}: {volume(made.bytes)}; {made.check.in_words}."))
    if made.files:
        print(f"It takes JPEG and PNG files too: scores of files differ by up to {made.files['difference']:.2g}.")
    elif made.format == "savedmodel":
        print("It takes pixels only: TensorFlow decodes files otherwise than Pillow here.")
    if made.no_pictures:
        print(printable(f"No pictures were among them, since its run's data set cannot be used: {made.no_pictures}"))
    if made.cost:
        print(printable(f"{made.cost.in_words()}."))
    print(f"NOT exported: {', '.join(LEFT_OUT)}. See not_exported in preprocessing.json.")
    print(f"\nload_example.py in it judges pictures without dfcore:\n\n{made.example}")


class _Told:
    """A progress line for each step."""

    def __init__(self) -> None:
        self._title = ""
        self._show = progress_bar("")

    def __call__(self, title: str, done: int, total: int) -> None:
        if title != self._title:
            self._title, self._show = title, progress_bar(title)
            if sys.stderr.isatty():
                print(f"\r\x1b[K{title} … ", end="", file=sys.stderr, flush=True)
        if total:
            self._show(done, total)
