"""`dfcore recalibrate`: thresholds and gate fitted anew on handled images, as a new bundle."""

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
        "recalibrate",
        _recalibrate,
        "make a new bundle with thresholds and gate fitted on held-out images with the handling that images get",
    )
    add_arch_file(parser)
    parser.add_argument("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    parser.add_argument(
        "--data-root", required=True, nargs="+", metavar="ROOT", help="data sets with the images that it was trained on"
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="the new bundle")


def _recalibrate(options: argparse.Namespace) -> None:
    from dfcore.datasets import scan
    from dfcore.exchange.recalibrate import recalibrate

    datasets = [scan(root, progress=progress_bar("reading")) for root in options.data_root]
    card = recalibrate(options.bundle, datasets, Path(options.out), progress=progress_bar("handling"))
    assert card.ood is not None
    assert card.ood.gate is not None
    if options.json:
        print_json({"out": options.out, "gate": card.ood.gate.model_dump(), "thresholds": card.thresholds.told()})
        return
    print_table([row.model_dump() for row in card.ood.gate.measured])
    print(
        printable(
            f"{options.out}: fake from {card.thresholds.fake_from:.3f}, lower threshold "
            f"{card.thresholds.real_below:.3f}"
        )
    )
    print(printable(card.words.in_words(card.thresholds)))
