"""`dfcore doctor`: checks what works on this machine, and advises on what does not."""

import argparse
from dataclasses import asdict
from itertools import chain
from typing import Any

from dfcore import __version__
from dfcore.commands.base import command
from dfcore.commands.terminal import print_json
from dfcore.utils.texts import printable


def add(commands: Any) -> None:
    """Adds the command."""
    command(commands, "doctor", _doctor, "check what works on this machine, with advice on what does not")


def _doctor(options: argparse.Namespace) -> int:
    """Returns exit code 0 if the core works, else 1."""
    from dfcore.diagnostics import diagnose
    from dfcore.trackers.findings import tracker_findings

    findings, area = [], ""
    for finding in chain(diagnose(), tracker_findings()):
        findings.append(finding)
        if options.json:
            continue
        if finding.area != area:
            area = finding.area
            print(area, flush=True)
        mark = "ok  " if finding.works else "FAIL" if finding.core else "no  "
        print(printable(f"  {mark} {finding.name}: {finding.detail}"))
        if finding.advice:
            print(printable(f"         {finding.advice}"))
    works = all(finding.works for finding in findings if finding.core)
    if options.json:
        print_json({"version": __version__, "works": works, "findings": [asdict(finding) for finding in findings]})
    else:
        print("The core works." if works else "The core does not work; see FAIL above.")
    return 0 if works else 1
