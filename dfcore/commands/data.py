"""`dfcore data`: inspects a data set, makes the demonstration set and others."""

import argparse
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from dfcore.commands import align, audit, fetch
from dfcore.commands.base import INCOMPLETE, INCOMPLETE_HELP, command, subcommands
from dfcore.commands.reading import add_reading, applied_reading
from dfcore.commands.terminal import print_json, print_table, progress_bar
from dfcore.labels import NAMES
from dfcore.utils.texts import printable, storable

if TYPE_CHECKING:
    from dfcore.datasets import Dataset


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    commands = subcommands(parser)
    scan = command(commands, "scan", _scan, "show layout, counts and problems of a data set")
    scan.epilog = INCOMPLETE_HELP.format("every image found can be used", "images cannot, or were left out")
    scan.add_argument("root", metavar="ROOT", help="folder or table of images")
    add_reading(scan, confirm=True)
    audit.add(commands)
    align.add(commands)
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
    dataset = assign_splits(result)
    bad = dataset.unreadable
    code = INCOMPLETE if len(bad) or any(one.missed for one in dataset.left_out) else 0
    drawn = bool(result.usable.split.isna().any())
    if options.json:
        print_json(_as_json(dataset, drawn))
        return code
    print(f"{printable(dataset.root)}\nLayout: {printable(dataset.layout)}")
    if dataset.demonstration:
        print("This is a DEMONSTRATION data set; its fakes are simulated.")
    if dataset.self_made:
        print(f"SELF-MADE: {printable(dataset.self_made)}")
    _print_understood(dataset)
    print(dataset.counts().to_string())
    if drawn:
        print("The splits are drawn automatically, stratified, with seed 0.")
    print(f"Unlabelled images: {int((dataset.table.split == 'unlabelled').sum())}")
    for note in dataset.notes:
        if note != dataset.self_made:  # Told above.
            print(f"Note: {printable(note)}")
    print(f"Unusable images: {len(bad)}")
    for path, error in bad[["path", "error"]].itertuples(index=False):
        print(f"  {printable(path)}: {printable(error)}")
    _print_doubts(dataset)
    return code


def _as_json(dataset: "Dataset", drawn: bool) -> dict[str, Any]:
    counts, bad = dataset.counts(), dataset.unreadable
    names = {None: None} | dict(enumerate(NAMES))
    return {
        "root": str(dataset.root),
        "layout": dataset.layout,
        "demonstration": dataset.demonstration,
        "self_made": dataset.self_made,
        "tree": [asdict(folder) | {"label": names[folder.label]} for folder in dataset.tree],
        "left_out": [asdict(left) for left in dataset.left_out],
        "doubts": list(dataset.doubts),
        "reading": dataset.reading.model_dump(mode="json"),
        "counts": {str(k): {n: int(v) for n, v in row.items()} for k, row in counts.iterrows()},
        "splits_drawn": drawn,
        "unlabelled": int((dataset.table.split == "unlabelled").sum()),
        "unreadable": bad[["path", "error"]].to_dict("records"),
        "notes": list(dataset.notes),
        "fingerprint": dataset.fingerprint,
    }


def _print_understood(dataset: "Dataset") -> None:
    """Prints the tree: folder, class, split, group, images, and one sample each."""
    print("What was understood:")
    print_table([
        {
            "folder": printable(folder.folder),
            "class": "none" if folder.label is None else NAMES[folder.label],
            "split": folder.split or "to be drawn",
            "group": printable(folder.group or "-"),
            "images": folder.images,
            "samples": ", ".join(printable(PurePosixPath(path).name) for path in folder.samples),
        }
        for folder in dataset.tree
    ])  # fmt: skip
    if dataset.left_out:
        print("Left out:")
    for left in dataset.left_out:
        print(f"  {printable(left.path)} ({left.files}): {printable(left.reason)}")


def _print_doubts(dataset: "Dataset") -> None:
    for doubt in dataset.doubts:
        print(f"Doubt: {printable(doubt)}")
    if dataset.doubts and dataset.reading.confirmed:
        print("A person has looked at this and confirmed it.")
    elif dataset.doubts:
        print("Nobody has confirmed this reading yet. If it is right, say so with --confirm; to turn real and fake "
              "around, use --swap; to say what folders or labels mean, --class-folders or --labels.")  # fmt: skip


def _demo(options: argparse.Namespace) -> None:
    from dfcore.datasets.demo import make_demo

    folder = make_demo(options.folder, seed=options.seed, progress=progress_bar("making"))
    if options.json:
        print_json({"root": str(folder.resolve())})
    else:
        print(f"Made a DEMONSTRATION data set with simulated fakes in {folder}.")
        print(f"Train on it with: dfcore train --data-root {folder}")
