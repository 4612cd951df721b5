"""How to repeat what a report says: the command, and what must come out, to the last digit."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, get_args

from dfcore.engines import EngineName
from dfcore.inspection.inspect import Inspection
from dfcore.reports.blocks import Block, Command, Grid, Text, facts
from dfcore.reports.notes import finding_in_words

if TYPE_CHECKING:
    from dfcore.cases import Judgement
    from dfcore.detectors.verdict import Verdict
    from dfcore.reports.of_inspection import Asked

_AUTO = "auto"
ENGINES = get_args(EngineName)
_MUST = (
    "What must come out, to the last digit, for a file and a detector with these hashes. With another engine, version "
    "or kind of processor the last digits of a score may differ."
)
_PLACE = (
    "Type this where the file and the detector are found under these names. It judges the picture again and prints all "
    "figures."
)


def of_inspection(one: Inspection, asked: "Asked") -> Iterator[Block]:
    """Command and figures of an inspection."""
    assert one.facts is not None
    yield Text(_PLACE)
    yield again(asked.path or one.name, asked.detector, asked.options)
    yield Text(_MUST)
    yield from facts([("SHA-256 of the file", one.facts.sha256), ("SHA-256 of the pixels", one.facts.pixels_sha256)],
                     exact=True)  # fmt: skip
    head = ("Detector", "SHA-256 of its network", "Engine", "Score", "Logit", "Says")
    rows = tuple(
        (title, used.card.model_sha256, used.engine, *_figures(verdict), verdict.says)
        for (title, verdict), used in zip(one.others.items(), one.used.values(), strict=True)
    )
    yield Grid(head, rows, exact=True)


def of_judgement(one: "Judgement", sha256: str) -> Iterator[Block]:
    """The same of a stored verdict.

    Args:
        one: The verdict.
        sha256: Hash of the file.
    """
    budget = (one.thresholds or {}).get("budget") or {}
    options = [f"--{name.replace('_', '-')}={budget[name]!r}" for name in ("max_fpr", "max_fnr") if name in budget]
    if one.engine in ENGINES:
        options.append(f"--engine={one.engine}")
    if one.ignore_ood:
        options.append("--ignore-ood")
    yield Text(_PLACE)
    yield again(one.name, one.detector, tuple(options))
    yield Text(_MUST)
    score, logit = _figures(one)
    rows = [("SHA-256 of the file", sha256), ("SHA-256 of the network", one.model_sha256), ("Engine", one.engine),
            ("Score", score), ("Logit", logit), ("Says", finding_in_words(one.finding))]  # fmt: skip
    yield from facts(rows, exact=True)


def _figures(one: "Verdict | Judgement") -> tuple[str, str]:
    """Score and logit to the last digit; of a score that is not used neither."""
    if not one.is_used:
        return "not used", ""
    return repr(one.score), "" if one.logit is None else repr(one.logit)


def again(path: str, detector: str, options: tuple[str, ...]) -> Command:
    """The command that judges a file again."""
    named = [] if detector == _AUTO else ["--detector", detector]
    plain = os.path.join(os.curdir, path) if path.startswith("-") else path
    return Command(("dfcore", "inspect", plain, *named, *options, "--json"))
