"""Prints what a scan found, in words or as JSON."""

from dataclasses import asdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from dfcore.commands.base import INCOMPLETE
from dfcore.commands.terminal import print_table
from dfcore.labels import NAMES
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dfcore.datasets import Dataset, FolderReading, LeftOut


def exit_code(dataset: "Dataset") -> int:
    """0, or the code for images that cannot be used or were left out."""
    return INCOMPLETE if len(dataset.unreadable) or any(one.missed for one in dataset.left_out) else 0


def print_dataset(dataset: "Dataset", *, drawn: bool) -> None:
    """Prints all that is known of a data set.

    Args:
        dataset: With splits.
        drawn: Whether any of them were drawn.
    """
    bad = dataset.unreadable
    print(f"{printable(dataset.root)}\nLayout: {printable(dataset.layout)}")
    if dataset.demonstration:
        print("This is a DEMONSTRATION data set; its fakes are simulated.")
    if dataset.self_made:
        print(f"SELF-MADE: {printable(dataset.self_made)}")
    print_tree(dataset.tree)
    print_left_out(dataset.left_out)
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
    print_doubts(dataset.doubts, confirmed=dataset.reading.confirmed)


def dataset_json(dataset: "Dataset", *, drawn: bool) -> dict[str, Any]:
    """The same as JSON-serialisable data."""
    counts, bad = dataset.counts(), dataset.unreadable
    return {
        "root": str(dataset.root),
        "layout": dataset.layout,
        "demonstration": dataset.demonstration,
        "self_made": dataset.self_made,
        "tree": tree_json(dataset.tree),
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


def tree_json(tree: "Sequence[FolderReading]") -> list[dict[str, Any]]:
    """What was understood, folder by folder, as JSON-serialisable data."""
    return [asdict(folder) | {"label": _class(folder.label)} for folder in tree]


def print_tree(tree: "Sequence[FolderReading]", *, what: str = "images") -> None:
    """Prints what was understood: folder, class, split, group, images (or `what`), and one sample each."""
    print("What was understood:")
    print_table([
        {
            "folder": printable(folder.folder),
            "class": _class(folder.label) or "none",
            "split": folder.split or "to be drawn",
            "group": printable(folder.group or "-"),
            what: folder.images,
            "samples": ", ".join(printable(PurePosixPath(path).name) for path in folder.samples),
        }
        for folder in tree
    ])  # fmt: skip


def print_left_out(left_out: "Sequence[LeftOut]") -> None:
    """Prints what was left out, if anything was."""
    if left_out:
        print("Left out:")
    for left in left_out:
        print(f"  {printable(left.path)} ({left.files}): {printable(left.reason)}")


def print_doubts(doubts: "Sequence[str]", *, confirmed: bool) -> None:
    """Prints what a person should look at, and whether one has."""
    for doubt in doubts:
        print(f"Doubt: {printable(doubt)}")
    if doubts and confirmed:
        print("A person has looked at this and confirmed it.")
    elif doubts:
        print("Nobody has confirmed this reading yet. If it is right, say so with --confirm; to turn real and fake "
              "around, use --swap; to say what folders or labels mean, --class-folders or --labels.")  # fmt: skip


def _class(label: int | None) -> str | None:
    return None if label is None else NAMES[label]
