"""`dfcore data align`: makes aligned fakes of real pictures."""

import argparse
import sys
import textwrap
from pathlib import Path
from typing import Any

from dfcore.commands.base import INCOMPLETE, INCOMPLETE_HELP, command
from dfcore.commands.reading import add_reading, applied_reading
from dfcore.commands.terminal import print_json, progress_bar
from dfcore.utils.texts import printable


def add(commands: Any) -> None:
    """Adds the command."""
    parser = command(commands, "align", _align, "make fakes of real pictures that differ in a decoder's traces alone")
    parser.epilog = INCOMPLETE_HELP.format("a pair was made of every picture", "some could not be used")
    parser.add_argument(
        "root", metavar="ROOT", help="folder or manifest; if it tells no classes, all are taken as real"
    )
    add_reading(parser)
    parser.add_argument("out", metavar="OUT", help="a new or empty folder; what was stopped goes on where it was")
    parser.add_argument(
        "--kinds", metavar="A,B,…",
        help="kinds of decoders, of which each picture gets one: taef2, simulated, drawn, blended, partly (default: "
        "all but partly; --list-kinds tells what they are)",
    )  # fmt: skip
    parser.add_argument("--list-kinds", "--list_kinds", nargs=0, action=_ListKinds, help="tell what the kinds are")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same files (default: 0)")
    parser.add_argument("--pairs", type=int, default=1, metavar="N", help="pairs of each picture (default: 1)")
    parser.add_argument("--limit", type=int, metavar="N", help="take N pictures, drawn by the seed (default: all)")
    parser.add_argument(
        "--precision", default="float32", choices=("float32", "bfloat16"),
        help="of TAEF2: bfloat16 is faster where the processor has it, and files then differ between processors "
        "(default: float32)",
    )  # fmt: skip


class _ListKinds(argparse.Action):
    """Prints the kinds and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from dfcore.synthesis import KINDS

        for kind in KINDS.values():
            print(textwrap.fill(f"{kind.name}: {kind.help}", 100, subsequent_indent="    "))
        parser.exit()


def _align(options: argparse.Namespace) -> int:
    from dfcore.synthesis import WHOLE
    from dfcore.synthesis.align import align
    from dfcore.synthesis.plan import Plan
    from dfcore.synthesis.sources import real_pictures

    kinds = tuple(name.strip() for name in options.kinds.split(",") if name.strip()) if options.kinds else WHOLE
    plan = Plan(kinds, options.seed, options.pairs, options.limit, options.precision)
    with applied_reading(options, options.root) as reading:
        pictures = real_pictures(options.root, reading=reading, seed=plan.seed, progress=progress_bar("reading"))
    if not options.json:
        print(printable(pictures.told))
    try:
        result = align(pictures, Path(options.out), plan, progress=progress_bar("making"))
    except KeyboardInterrupt:
        print("\ndfcore: the same command goes on with it.", file=sys.stderr)
        raise
    assert result is not None  # Nobody asks it to stop.
    if options.json:
        left_out = [{"path": path, "reason": reason} for path, reason in result.left_out]
        print_json({"folder": str(result.folder), "pairs": result.pairs, "kinds": result.kinds, "told": result.told,
                    "seed": plan.seed, "left_out": left_out})  # fmt: skip
    else:
        kinds_told = ", ".join(f"{name} {number:,}" for name, number in result.kinds.items())
        print(f"Made {printable(result.folder)}: {result.pairs:,} pairs with SELF-MADE fakes ({kinds_told}).")
        print(f"Left out: {len(result.left_out)}")
        for path, reason in result.left_out:
            print(f"  {printable(path)}: {printable(reason)}")
    return INCOMPLETE if result.left_out else 0
