"""`dfcore cases changed`, `judge-again` and `export`: cases after a detector changed, and decisions as a data set."""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcore.commands.base import INCOMPLETE, INCOMPLETE_HELP, command
from dfcore.commands.store_of_cases import open_store, user
from dfcore.commands.terminal import print_json, print_table, progress_bar
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    from dfcore.cases import Row, Store
    from dfcore.inspection.again import Again

_HOW = {"settings": "has other settings", "network": "has another network", "gone": "is gone"}


def add(commands: Any) -> None:
    """Adds the commands."""
    changed = command(
        commands,
        "changed",
        _changed,
        "list pictures whose detector changed, and whose verdict would change",
    )
    changed.epilog = INCOMPLETE_HELP.format("it can be told of all", "of some it cannot")
    again = command(commands, "judge-again", _judge_again, "judge those pictures again, beside the old verdicts")
    again.epilog = INCOMPLETE_HELP.format("all were judged again", "some could not be")
    for parser in (changed, again):
        parser.add_argument("--case", type=int, metavar="CASE", help="only pictures of this case")
        parser.add_argument(
            "--detector", metavar="NAME", help="judge by this one (default: the one that judged them, as it is now)"
        )
        _add_pictures(parser)
    export = command(commands, "export", _export, "write pictures that were decided to be real or fake as a data set")
    export.epilog = INCOMPLETE_HELP.format("all are in it", "some were not kept or found")
    export.add_argument("out", metavar="OUT", help="a new or empty folder")
    export.add_argument("--case", type=int, metavar="CASE", help="only pictures of this case")
    _add_pictures(export)


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pictures", nargs="+", default=[], metavar="PATH",
        help="folders in which pictures that were not kept are looked for, by the hash of their files",
    )  # fmt: skip


def _finder(folders: list[str], rows: "list[Row]", store: "Store") -> Callable[[str], Path | None]:
    """What finds the file of a picture that is not kept."""
    from dfcore.datasets.by_hash import find_by_hash

    left = [row.picture for row in rows if not row.image or store.image(row.picture.sha256) is None] if folders else []
    sizes = {one.bytes for one in left}
    found = find_by_hash(folders, [one.sha256 for one in left], () if 0 in sizes else sizes) if left else {}
    return found.get


def _judged(options: argparse.Namespace) -> "tuple[Store, list[Again]]":
    from dfcore.inspection.again import judge_again, present

    store, bar = open_store(), progress_bar("judging again")
    changed = store.changed(present(), case=options.case).rows
    pictures = _finder(options.pictures, [one.row for one in changed], store)
    result = []
    for one in judge_again(store, changed, by=user(), pictures=pictures, detector=options.detector):
        result.append(one)
        bar(len(result), len(changed))
    return store, result


def _changed(options: argparse.Namespace) -> int:
    _, judged = _judged(options)
    return _tell(options, judged, {})


def _judge_again(options: argparse.Namespace) -> int:
    from dfcore.inspection.again import keep

    store, judged = _judged(options)
    written = keep(store, judged)
    return _tell(options, judged, {"written": written})


def _tell(options: argparse.Namespace, judged: "list[Again]", more: dict[str, Any]) -> int:
    unknown = [one for one in judged if one.judgement is None]
    differ = [one for one in judged if one.changes]
    same = len(judged) - len(differ) - len(unknown)
    if options.json:
        changes, cannot = [_json(one) for one in differ], [_json(one) for one in unknown]
        print_json(more | {"judged_before": len(judged), "changes": changes, "same": same, "unknown": cannot})
        return INCOMPLETE if unknown else 0
    if not judged:
        print("No detector changed since it judged.")
        return 0
    if differ or unknown:
        print_table([_line(one) for one in [*differ, *unknown]])
    print(f"Of {len(judged):,} pictures whose detector changed, {len(differ):,} verdicts "
          f"{'changed' if more else 'would change'}, {same:,} stay, and of "
          f"{len(unknown):,} it cannot be told.")  # fmt: skip
    if more:
        print(f"{more['written']:,} new verdicts were written beside the old ones.")
    return INCOMPLETE if unknown else 0


def _line(one: "Again") -> dict[str, Any]:
    from dfcore.confidence import FINDINGS

    old, new = one.row.judgement, one.judgement
    assert old is not None  # Only what was judged can be judged again.
    said = FINDINGS[new.finding] if new and new.finding else new.error if new else f"cannot be told: {one.why}"
    return {"picture": one.row.picture.sha256[:12], "name": one.row.picture.name[-40:],
            "cases": ", ".join(str(case.id) for case in one.row.cases), "detector": f"{old.detector} {_HOW[one.how]}",
            "was": FINDINGS[old.finding] if old.finding else "-", "score": old.score,
            "is": said, "new score": new.score if new else None}  # fmt: skip


def _json(one: "Again") -> dict[str, Any]:
    old, new = one.row.judgement, one.judgement
    assert old is not None
    return {
        "picture": one.row.picture.sha256, "name": one.row.picture.name, "cases": [case.id for case in one.row.cases],
        "detector": old.detector, "how": one.how, "was": {"finding": old.finding, "score": old.score, "id": old.id},
        "is": {"finding": new.finding, "score": new.score, "detector": one.detector} if new else None,
        "from": one.source, "why": one.why or None,
    }  # fmt: skip


def _export(options: argparse.Namespace) -> int:
    from dfcore.cases import Query
    from dfcore.exchange.decisions import export
    from dfcore.labels import NAMES

    store = open_store()
    rows = [row for label in NAMES for row in store.search(Query(decided=label, case=options.case), limit=None).rows]
    done = export(store, options.out, case=options.case, pictures=_finder(options.pictures, rows, store))
    if options.json:
        missing = [asdict(one) for one in done.missing]
        listed = str(done.listed) if done.listed else None
        print_json({"folder": str(done.folder), "real": done.real, "fake": done.fake, "missing": missing,
                    "listed": listed})  # fmt: skip
        return INCOMPLETE if done.missing else 0
    print(printable(f"{done.folder}: {done.real:,} real and {done.fake:,} fake pictures. Pictures of a case have one "
                    "source and stay together."))  # fmt: skip
    for one in done.missing:
        print(printable(f"  missing: {one.name} ({one.sha256[:12]}, {one.decided}): {one.reason}"))
    if done.listed:
        print(printable(f"{len(done.missing):,} pictures are missing; they are listed in {done.listed}."))
    return INCOMPLETE if done.missing else 0
