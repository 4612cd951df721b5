"""`dfcore data audit` and `dfcore data neutralise`: question a data set, and make a copy without shortcuts."""

import argparse
from contextlib import suppress
from pathlib import Path
from typing import Any

from dfcore.commands.base import command, out_file
from dfcore.commands.reading import add_reading, applied_reading
from dfcore.commands.terminal import print_json, progress_bar
from dfcore.errors import InputError, StorageError
from dfcore.utils.texts import printable

# Exit code of `audit` when a finding is as severe as --fail-on says; 1 to 3 have other meanings.
FOUND = 4


def add(commands: Any) -> None:
    """Adds the commands."""
    audit = command(
        commands, "audit", _audit, "look for shortcuts, copies, wrong labels and other faults of a data set"
    )
    audit.add_argument("root", metavar="ROOT", help="folder or manifest")
    add_reading(audit)
    audit.add_argument("--out", metavar="FILE", help="also write a report: .html or .json")
    audit.add_argument(
        "--fail-on", "--fail_on", choices=("high", "medium", "low"),
        help=f"exit with code {FOUND} if there is a finding of this severity or above",
    )  # fmt: skip
    audit.add_argument("--seed", type=int, default=0, help="seed of samples and folds (default: 0)")
    audit.add_argument(
        "--no-networks", "--no_networks", action="store_true", help="do not question labels with the shipped networks"
    )
    neutral = command(commands, "neutralise", _neutralise, "copy a data set, making the files of both classes alike")
    neutral.add_argument("root", metavar="ROOT", help="folder or manifest")
    add_reading(neutral)
    neutral.add_argument("out", metavar="OUT", help="a new or empty folder; a stopped copy goes on where it was")
    neutral.add_argument(
        "--how", choices=("native", "resize"),
        help="native cuts windows without resizing, resize shrinks centre squares (default: native if sizes do "
        "not tell the classes apart)",
    )  # fmt: skip
    neutral.add_argument("--side", type=int, metavar="PIXELS", help="side of the new images (default: chosen)")
    neutral.add_argument("--seed", type=int, default=0, help="seed of windows and folds (default: 0)")


def _audit(options: argparse.Namespace) -> int:
    from dfcore.audit import SEVERITIES, stored
    from dfcore.audit.report import write_report
    from dfcore.audit.run import audit
    from dfcore.datasets import scan

    out = out_file(options.out, (".html", ".json")) if options.out else None
    with applied_reading(options, options.root) as reading:
        dataset = scan(options.root, reading=reading, progress=progress_bar("reading"))
    result = audit(dataset, progress=progress_bar("auditing"), seed=options.seed, networks=not options.no_networks)
    with suppress(StorageError):  # A workspace that is not writable does not forbid an audit.
        stored.keep(Path(options.root), result)
    if out and out.suffix.lower() == ".html":
        write_report(result, out, progress=progress_bar("writing"))
    elif out:
        result.write(out)
    print(result.to_json(), end="") if options.json else _print(result)
    failing = SEVERITIES[: SEVERITIES.index(options.fail_on) + 1] if options.fail_on else ()
    return FOUND if result.of(*failing) else 0


def _print(result: Any) -> None:
    print(f"{printable(result.root)}: {result.images:,} images ({result.real:,} real, {result.fake:,} fake)")
    for finding in result.findings:
        word = "ok" if finding.severity == "ok" else finding.severity.upper()
        print(f"{word:<7} {printable(finding.title)}")
        if finding.severity == "ok":
            continue
        for text in (finding.meaning, *finding.details, f"What to do: {finding.advice}" if finding.advice else ""):
            if text:
                print(f"        {printable(text)}")
        names = [" = ".join(pair) for pair in finding.pairs[:3]] or list(finding.images[:3])
        for name in names:
            print(f"          {printable(name)}")
    for note in result.notes:
        print(f"Note: {printable(note)}")


def _neutralise(options: argparse.Namespace) -> int:
    from dfcore.audit.neutralise import neutralise, plan_for
    from dfcore.audit.run import shortcut_auc
    from dfcore.datasets import scan

    with applied_reading(options, options.root) as reading:
        dataset = scan(options.root, reading=reading, progress=progress_bar("reading"))
    plan = plan_for(dataset, how=options.how, side=options.side, seed=options.seed)
    result = neutralise(dataset, Path(options.out), plan, progress=progress_bar("copying"))
    if result is None:
        raise InputError("The copy was stopped; the same command goes on with it.")
    before = shortcut_auc(dataset, seed=options.seed)
    after = shortcut_auc(scan(result.folder, progress=progress_bar("reading the copy")), seed=options.seed)
    if options.json:
        print_json(
            {
                "folder": str(result.folder), "images": result.images, "how": plan.how, "side": plan.side,
                "quality": plan.quality, "left_out": [{"path": path, "reason": why} for path, why in result.left_out],
                "shortcut_auc": {name: auc and {"value": auc.value, "low": auc.low, "high": auc.high}
                                 for name, auc in (("before", before), ("after", after))},
            }
        )  # fmt: skip
    else:
        way = "windows at native size" if plan.how == "native" else "centre squares, shrunk"
        print(f"Made {printable(result.folder)}: {result.images:,} images, {way}.")
        print(f"Each has {plan.side} x {plan.side} pixels in JPEG of quality {plan.quality}.")
        print(f"Shortcut probe before: AUC {before or 'not computed, too few images'}")
        print(f"Shortcut probe after:  AUC {after or 'not computed, too few images'}")
        print(f"Left out: {len(result.left_out)}")
        for path, reason in result.left_out:
            print(f"  {printable(path)}: {printable(reason)}")
    return 3 if result.left_out else 0
