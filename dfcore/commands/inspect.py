"""`dfcore inspect`: what the page Inspect shows, from the shell."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcore.batch.names import AUTO
from dfcore.commands.base import (
    BUNDLE_HELP,
    INCOMPLETE,
    INCOMPLETE_HELP,
    add_arch_file,
    add_budget,
    add_engine,
    command,
    out_file,
)
from dfcore.commands.predict import load_detectors
from dfcore.commands.terminal import progress_bar
from dfcore.errors import ImageError
from dfcore.utils.texts import printable, storable

if TYPE_CHECKING:
    from dfcore.commands.found import FoundFiles
    from dfcore.datasets.walk import Found
    from dfcore.inspection.inspect import Inspection


def add(commands: Any) -> None:
    """Adds the command."""
    inspect = command(commands, "inspect", _inspect, "what an image's pixels and its file say, in words")
    inspect.epilog = INCOMPLETE_HELP.format("every image found was read", "an image was not, or may be missed")
    add_arch_file(inspect)
    inspect.add_argument("paths", metavar="IMAGE", nargs="+", help="images, or folders of images")
    inspect.add_argument(
        "--detector", default=AUTO, metavar="BUNDLE", help=f"{BUNDLE_HELP}; auto (default) selects the one that fits"
    )
    inspect.add_argument("--html", metavar="FILE", help="write a page that stands alone, with pictures and heat-maps")
    inspect.add_argument("--no-forensics", action="store_true", help="leave out the forensic figures")
    inspect.add_argument("--ignore-ood", action="store_true", help="also decide on out-of-distribution images")
    add_engine(inspect)
    add_budget(inspect)


def _inspect(options: argparse.Namespace) -> int:
    from dfcore.commands.found import FoundFiles
    from dfcore.datasets.listing import iter_found

    out = out_file(options.html, [".html", ".htm"]) if options.html else None
    found = FoundFiles(options.paths, iter_found)
    total, bar = found.count(), progress_bar("inspecting")
    articles, unread = [], 0
    for number, one in enumerate(_inspections(found, options)):
        if options.json:
            print("[" if not number else ",", json.dumps(one.to_dict(), indent=2), sep="\n" if not number else "")
        else:
            print(printable_lines(one))
        if out is not None:
            from dfcore.inspection.page import article

            articles.append(article(one))
        unread += one.facts is None
        bar(number + 1, total)
    if options.json:
        print("]")
    if out is not None:
        _write(out, options.paths, articles)
    found.tell()
    return INCOMPLETE if unread or found.missed else 0


def _inspections(found: "FoundFiles[Found]", options: argparse.Namespace) -> "Iterator[Inspection]":
    from dfcore.datasets.dataset import LeftOut
    from dfcore.imaging import decoder
    from dfcore.inspection.inspect import inspect, unread

    detectors, policies = load_detectors(options.detector, options)
    # Lines of text hold neither heat-map nor figures.
    explain = bool(options.html or options.json)
    forensic = explain and not options.no_forensics
    for path in found:
        name = storable(path.path if isinstance(path, LeftOut) else path)
        try:
            data = decoder.read_bytes(_readable(path))
        except ImageError as error:
            yield unread(name, str(error), detectors)
            continue
        yield inspect(data, name, detectors, policies, explain=explain, forensic=forensic)


def _readable(path: Any) -> Path:
    from dfcore.datasets.dataset import LeftOut

    if isinstance(path, LeftOut):
        raise ImageError(path.reason)
    return path


def _write(out: Path, paths: list[str], articles: list[str]) -> None:
    from dfcore import __version__
    from dfcore.detectors.bundle import now
    from dfcore.inspection.page import whole_page
    from dfcore.utils.files import write_text

    title = storable(paths[0]) if len(articles) == 1 else f"{len(articles)} images"
    write_text(out, whole_page(title, articles, __version__, now()))


def printable_lines(one: "Inspection") -> str:
    """An inspection as lines of text."""
    from dfcore.confidence import FINDINGS

    said = FINDINGS[one.verdict.finding] if one.verdict.finding else "no verdict"
    rows = {"verdict": said, "file": one.evidence.summary, "conclusion": one.answers.conclusion,
            "how sure": one.answers.sure, "why": one.answers.why, "next": one.answers.next,
            "detectors": one.agreement}  # fmt: skip
    return "\n".join([printable(one.name), *(f"  {name}: {printable(text)}" for name, text in rows.items())])
