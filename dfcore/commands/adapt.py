"""`dfcore adapt`: teaches a detector a new generator from few pictures, as a new bundle."""

import argparse
from pathlib import Path
from typing import Any

from dfcore.commands.base import BUNDLE_HELP, add_arch_file, command
from dfcore.commands.terminal import print_json, print_table, progress_bar
from dfcore.utils.texts import printable


def add(commands: Any) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "adapt",
        _adapt,
        "make a new bundle of a detector that has learned a new generator from few pictures",
    )
    add_arch_file(parser)
    parser.add_argument("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    parser.add_argument(
        "--data-root",
        required=True,
        metavar="ROOT",
        help="pictures of the new generator and real ones of the same kind, some 25 of each",
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="the new bundle")
    parser.add_argument("--title", default="", help="title of the new detector")
    parser.add_argument(
        "--learned-from",
        nargs="+",
        default=[],
        metavar="ROOT",
        help="the data sets that it was trained on, instead of what it keeps of them (bundles before 0.7 keep nothing)",
    )


def _adapt(options: argparse.Namespace) -> None:
    from dfcore.datasets import scan
    from dfcore.training.adapt import adapt

    dataset, *learned_from = (
        scan(root, progress=progress_bar("reading")) for root in (options.data_root, *options.learned_from)
    )
    card = adapt(
        options.bundle,
        dataset,
        Path(options.out),
        learned_from=learned_from,
        title=options.title,
        progress=progress_bar("computing features"),
    )
    assert card.adapted is not None
    if options.json:
        print_json({"out": options.out, **card.adapted.model_dump(), "thresholds": card.thresholds.told()})
        return
    print(printable(f"{card.title}: {options.out}"))
    print(
        "Before and after, on images that neither the detector nor the adaptation had learned from. The first row is "
        "the new source."
    )
    print_table(card.adapted.shown())
    print(printable(card.words.in_words(card.thresholds)))
