"""`dfcore data`: inspects a data set, makes the demonstration set and others."""

import argparse
from pathlib import Path

from dfcore.commands import align, audit, fetch, frames
from dfcore.commands.base import INCOMPLETE_HELP, command, subcommands
from dfcore.commands.reading import add_reading, applied_reading
from dfcore.commands.shown_data import dataset_json, exit_code, print_dataset
from dfcore.commands.terminal import print_json, progress_bar
from dfcore.utils.texts import printable, storable


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    commands = subcommands(parser)
    scan = command(commands, "scan", _scan, "show layout, counts and problems of a data set")
    scan.epilog = INCOMPLETE_HELP.format("every image found can be used", "images cannot, or were left out")
    scan.add_argument("root", metavar="ROOT", help="folder or table of images")
    add_reading(scan, confirm=True)
    audit.add(commands)
    align.add(commands)
    frames.add(commands)
    fetch.add(commands)
    allow = command(commands, "allow", _allow, "let the dashboard read a folder, also while it runs")
    allow.add_argument("folder", metavar="FOLDER", nargs="?", help="the folder; without one, lists those allowed")
    allow.add_argument("--withdraw", action="store_true", help="no longer allow it")
    demo = command(commands, "demo", _demo, "make the demonstration data set")
    demo.add_argument("folder", metavar="DIR", help="a new or empty folder")
    demo.add_argument("--seed", type=int, default=0)


def _allow(options: argparse.Namespace) -> None:
    from dfcore import workspace

    if options.folder is None:
        folders = workspace.allowed_folders()
    else:
        folders = workspace.allow(options.folder, withdraw=options.withdraw)
    if options.json:
        print_json([storable(folder) for folder in folders])
        return
    print("\n".join(printable(folder) for folder in folders) or "No folder was allowed by this command.")


def _scan(options: argparse.Namespace) -> int:
    from dfcore.datasets import assign_splits, scan
    from dfcore.datasets.reading import remember

    with applied_reading(options, options.root) as reading:
        result = scan(options.root, reading=reading, progress=progress_bar("reading"))
        if options.reading_confirm:
            remember(Path(options.root), reading.model_copy(update={"confirmed_of": result.labelled_fingerprint}))
    dataset, drawn = assign_splits(result), bool(result.usable.split.isna().any())
    if options.json:
        print_json(dataset_json(dataset, drawn=drawn))
    else:
        print_dataset(dataset, drawn=drawn)
    return exit_code(dataset)


def _demo(options: argparse.Namespace) -> None:
    from dfcore.datasets.demo import make_demo

    folder = make_demo(options.folder, seed=options.seed, progress=progress_bar("making"))
    if options.json:
        print_json({"root": str(folder.resolve())})
    else:
        print(f"Made a DEMONSTRATION data set with simulated fakes in {folder}.")
        print(f"Train on it with: dfcore train --data-root {folder}")
