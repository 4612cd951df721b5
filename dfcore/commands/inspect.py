"""`dfcore inspect`: what the page Inspect shows, from the shell."""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcore.commands.base import INCOMPLETE, INCOMPLETE_HELP, add_judging, command, out_file
from dfcore.commands.predict import load_detectors
from dfcore.commands.terminal import progress_bar
from dfcore.confidence import ErrorBudget
from dfcore.errors import DfcoreError, ImageError
from dfcore.utils.texts import printable, storable

if TYPE_CHECKING:
    from dfcore.commands.found import FoundFiles
    from dfcore.confidence import Policy
    from dfcore.datasets.walk import Found
    from dfcore.detectors.detector import Detector
    from dfcore.inspection.inspect import Inspection
    from dfcore.reports import Asked, Part, Report

HTML = (".html", ".htm")


def add(commands: Any) -> None:
    """Adds the command."""
    inspect = command(commands, "inspect", _inspect, "what an image's pixels and its file say, in words")
    inspect.epilog = INCOMPLETE_HELP.format("every image found was read", "an image was not, or may be missed")
    inspect.add_argument("paths", metavar="IMAGE", nargs="+", help="images, or folders of images")
    add_judging(inspect)
    add_left_out(inspect)
    inspect.add_argument("--html", metavar="FILE", help="write a page that stands alone, with pictures and heat-maps")


def add_left_out(parser: argparse.ArgumentParser) -> None:
    """Adds `--no-forensics` and `--no-faces`."""
    parser.add_argument("--no-forensics", action="store_true", help="leave out the forensic figures")
    parser.add_argument("--no-faces", action="store_true", help="do not look for faces, nor judge each by itself")


def _inspect(options: argparse.Namespace) -> int:
    from dfcore.commands.found import FoundFiles
    from dfcore.datasets.listing import iter_found

    out = out_file(options.html, HTML) if options.html else None
    found = FoundFiles(options.paths, iter_found)
    total, bar = found.count(), progress_bar("inspecting")
    if out is not None:
        from dfcore.reports import require_few

        require_few(total)
    parts, unread = [], 0
    # Lines of text hold neither heat-map nor figures.
    for number, (one, asked) in enumerate(inspections(found, options, explain=bool(out or options.json))):
        if options.json:
            print("[" if not number else ",", json.dumps(one.to_dict(), indent=2), sep="\n" if not number else "")
        else:
            print(printable_lines(one))
        if out is not None:
            from dfcore.reports import of_inspection

            parts.append(of_inspection(one, asked))
        unread += one.facts is None
        bar(number + 1, total)
    if options.json:
        print("]")
    if out is not None:
        write(out, title(options.paths, len(parts)), parts)
    found.tell()
    return INCOMPLETE if unread or found.missed else 0


def inspections(
    found: "FoundFiles[Found]", options: argparse.Namespace, *, explain: bool = True
) -> "Iterator[tuple[Inspection, Asked]]":
    """Inspects files, each with how that was asked for.

    Args:
        found: The files.
        options: Of the command.
        explain: Whether to compute heat-maps and, unless the options say otherwise, forensic figures.
    """
    from dfcore.datasets.dataset import LeftOut
    from dfcore.imaging import decoder
    from dfcore.inspection.inspect import inspect, unread
    from dfcore.reports import Asked

    detectors, policies = load_detectors(options.detector, options)
    given = _given(options)
    by = None if options.no_faces else _for_faces(detectors, policies, options)
    for path in found:
        place = path.path if isinstance(path, LeftOut) else path
        name, asked = storable(place), Asked(options.detector, given, str(place))
        try:
            data = decoder.read_bytes(_readable(path))
        except ImageError as error:
            yield unread(name, str(error), detectors), asked
            continue
        forensic = explain and not options.no_forensics
        one = inspect(data, name, detectors, policies, explain=explain, forensic=forensic, face_detector=by)
        yield one, asked


def _for_faces(
    detectors: "dict[str, Detector]", policies: "dict[str, Policy]", options: argparse.Namespace
) -> "tuple[str, Detector] | str":
    """The detector for faces: of those that were asked for, or else of the library; its policy joins the others.

    Where there is none, why, in words: pictures are judged as a whole all the same.
    """
    from dfcore.detectors import library, of_faces
    from dfcore.utils import extras

    try:
        extras.require("openvino", "openvino", "Looking for faces")
        if (name := of_faces.best({name: one.card for name, one in detectors.items()})) is not None:
            return name, detectors[name]
        name, why = library.for_faces()
        if name is None:
            return why
        loaded, how = load_detectors(name, options)
    except DfcoreError as error:
        return str(error)
    policies |= {key: policy for key, policy in how.items() if key not in policies}
    return next(iter(loaded.items()))


def _given(options: argparse.Namespace) -> tuple[str, ...]:
    """The options that bear on the figures, as they were given."""
    rates = ((f"--{name.replace('_', '-')}", getattr(options, name)) for name in ErrorBudget.model_fields)
    given = [part for flag, value in rates if value is not None for part in (flag, repr(value))]
    given += ["--engine", options.engine] if options.engine != "auto" else []
    given += ["--arch-file", options.arch_file] if options.arch_file else []
    given += ["--no-faces"] if options.no_faces else []
    return (*given, *(["--ignore-ood"] if options.ignore_ood else []))


def title(paths: Sequence[str], pictures: int) -> str:
    """What a report of some pictures is called."""
    return f"Inspection of {storable(paths[0]) if pictures == 1 else f'{pictures} images'}"


def write(out: Path, title: str, parts: "Sequence[Part]", by: str | None = None) -> "Report":
    """Writes a report of some parts; returns it.

    Args:
        out: File to write.
        title: What it is of.
        parts: Its contents.
        by: Who makes it; the account that runs this by default.
    """
    from dfcore.detectors.bundle import now
    from dfcore.reports import report_of, write_report
    from dfcore.utils.processes import account

    report = report_of(title, parts, now(), by or account())
    write_report(report, out)
    return report


def _readable(path: Any) -> Path:
    from dfcore.datasets.dataset import LeftOut

    if isinstance(path, LeftOut):
        raise ImageError(path.reason)
    return path


def printable_lines(one: "Inspection") -> str:
    """An inspection as lines of text."""
    from dfcore.confidence import FINDINGS

    said = FINDINGS[one.verdict.finding] if one.verdict.finding else "no verdict"
    rows = {"verdict": said, "file": one.evidence.summary, "conclusion": one.answers.conclusion,
            "how sure": one.answers.sure, "why": one.answers.why,
            **({"how often an alarm is right": one.alarm.in_words} if one.alarm else {}),
            "next": one.answers.next, "detectors": one.agreement,
            **({"faces": faces} if (faces := _faces(one)) else {})}  # fmt: skip
    return "\n".join([printable(one.name), *(f"  {name}: {printable(text)}" for name, text in rows.items())])


def _faces(one: "Inspection") -> str:
    from dfcore.inspection.faces import not_judged

    if one.faces is None:
        return not_judged(one.no_faces) if one.no_faces else ""
    told = [one.faces.summary]
    for number, face in enumerate(one.faces.faces, 1):
        left, top, right, bottom = face.region
        score = f", score {face.verdict.score:.3f}" if face.verdict.is_used else ""
        told.append(f"{number} ({left}, {top}, {right}, {bottom}): {face.verdict.says}{score}.")
    return " ".join(told)
