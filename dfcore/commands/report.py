"""`dfcore report`: pictures, or a case, as a document to hand over."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcore.commands.base import INCOMPLETE, INCOMPLETE_HELP, add_judging, command, out_file
from dfcore.commands.inspect import add_left_out, inspections, title, write
from dfcore.commands.terminal import print_json, progress_bar
from dfcore.errors import InputError
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    from dfcore.reports import Report


def add(commands: Any) -> None:
    """Adds the command."""
    report = command(commands, "report", _report, "write a report of images or of a case, as HTML or PDF")
    report.epilog = INCOMPLETE_HELP.format("every image found was read", "an image was not, or may be missed")
    report.add_argument("paths", metavar="IMAGE", nargs="*", help="images, or folders of images, which are judged")
    report.add_argument("--case", type=int, metavar="ID", help="a case, as it is stored; nothing is judged again")
    report.add_argument("--out", required=True, metavar="FILE", help=".html or .pdf")
    report.add_argument("--by", metavar="NAME", help="who makes it (default: the account that runs this)")
    add_judging(report)
    add_left_out(report)


def _report(options: argparse.Namespace) -> int:
    from dfcore.reports import FORMATS
    from dfcore.reports.pdf import require_typst

    out = out_file(options.out, FORMATS)
    if bool(options.paths) == (options.case is not None):
        raise InputError("Expected images, or --case with the number of a case. Received: both or neither.")
    if out.suffix.lower() == ".pdf":
        require_typst()
    return _of_case(options, out) if options.case is not None else _of_images(options, out)


def _of_images(options: argparse.Namespace, out: Path) -> int:
    from dfcore.commands.found import FoundFiles
    from dfcore.datasets.listing import iter_found
    from dfcore.reports import of_inspection, require_few

    found = FoundFiles(options.paths, iter_found)
    total, bar = found.count(), progress_bar("inspecting")
    require_few(total)
    parts, unread = [], 0
    for number, (one, asked) in enumerate(inspections(found, options)):
        parts.append(of_inspection(one, asked))
        unread += one.facts is None
        bar(number + 1, total)
    report = write(out, title(options.paths, len(parts)), parts, options.by)
    found.tell()
    _tell(options, out, report, len(parts))
    return INCOMPLETE if unread or found.missed else 0


def _tell(options: argparse.Namespace, out: Path, report: "Report", pictures: int) -> None:
    if options.json:
        print_json({"out": str(out), "report": report.id, "sha256": report.sha256, "pictures": pictures})
    else:
        print(printable(f"Report {report.id} of {pictures} pictures in {out}"))


def _of_case(options: argparse.Namespace, out: Path) -> int:
    from dfcore.cases.opening import open_store
    from dfcore.reports.of_case import of_case, title_of

    store = open_store()
    parts = of_case(store, options.case, progress_bar("reading"))
    report = write(out, title_of(store, options.case), parts, options.by)
    _tell(options, out, report, len(parts) - 1)
    return 0
