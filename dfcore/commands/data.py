"""`dfcore data`: inspects a data set, makes the demonstration set."""

import argparse

from dfcore.commands import audit
from dfcore.commands.base import command, subcommands
from dfcore.commands.terminal import print_json, progress_bar
from dfcore.utils.texts import printable


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    commands = subcommands(parser)
    scan = command(commands, "scan", _scan, "show layout, counts and problems of a data set")
    scan.add_argument("root", metavar="ROOT", help="folder or manifest")
    audit.add(commands)
    demo = command(commands, "demo", _demo, "make the demonstration data set")
    demo.add_argument("folder", metavar="DIR", help="a new or empty folder")
    demo.add_argument("--seed", type=int, default=0)


def _scan(options: argparse.Namespace) -> None:
    from dfcore.datasets import assign_splits, scan

    result = scan(options.root, progress=progress_bar("reading"))
    dataset = assign_splits(result)
    bad = dataset.unreadable
    drawn = bool(result.usable.split.isna().any())
    if options.json:
        counts = dataset.counts()
        print_json(
            {
                "root": str(dataset.root),
                "layout": dataset.layout,
                "demonstration": dataset.demonstration,
                "counts": {str(k): {n: int(v) for n, v in row.items()} for k, row in counts.iterrows()},
                "splits_drawn": drawn,
                "unlabelled": int((dataset.table.split == "unlabelled").sum()),
                "unreadable": bad[["path", "error"]].to_dict("records"),
                "notes": list(dataset.notes),
                "fingerprint": dataset.fingerprint,
            }
        )
        return
    print(f"{printable(dataset.root)}\nLayout: {printable(dataset.layout)}")
    if dataset.demonstration:
        print("This is a DEMONSTRATION data set; its fakes are simulated.")
    print(dataset.counts().to_string())
    if drawn:
        print("The splits are drawn automatically, stratified, with seed 0.")
    print(f"Unlabelled images: {int((dataset.table.split == 'unlabelled').sum())}")
    for note in dataset.notes:
        print(f"Note: {printable(note)}")
    print(f"Unusable images: {len(bad)}")
    for path, error in bad[["path", "error"]].itertuples(index=False):
        print(f"  {printable(path)}: {printable(error)}")


def _demo(options: argparse.Namespace) -> None:
    from dfcore.datasets.demo import make_demo

    folder = make_demo(options.folder, seed=options.seed, progress=progress_bar("making"))
    if options.json:
        print_json({"root": str(folder.resolve())})
    else:
        print(f"Made a DEMONSTRATION data set with simulated fakes in {folder}.")
        print(f"Train on it with: dfcore train --data-root {folder}")
