"""`dfcore cases`: what was judged, what people said of it, and how it is kept."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dfcore.commands import cases_again, cases_keep
from dfcore.commands.base import command, subcommands
from dfcore.commands.store_of_cases import PICTURE_HELP, open_store, picture_of, user
from dfcore.commands.terminal import print_json, print_table
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    from dfcore.cases import Case, History, Row, Store


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    commands = subcommands(parser)
    listed = command(commands, "list", _list, "list cases, the most recently changed first")
    listed.add_argument("text", metavar="WORD", nargs="*", help="words in titles, notes and tags, or a case's number")
    listed.add_argument("--tag")
    listed.add_argument("--open", action="store_true", help="only cases that are open")
    _add_page(listed)
    shown = command(commands, "show", _show, "show a case, or all that is known of a picture")
    shown.add_argument("what", metavar="CASE|PICTURE", help=f"number of a case; or of a picture {PICTURE_HELP}")
    _add_search(command(commands, "search", _search, "search pictures, one row each"))
    create = command(commands, "create", _create, "open a case")
    create.add_argument("title", metavar="TITLE")
    create.add_argument("--tag", action="append", default=[], help="a tag; may be given several times")
    change = command(commands, "change", _change, "rename, close or open a case again")
    change.add_argument("case", type=int, metavar="CASE")
    change.add_argument("--title")
    state = change.add_mutually_exclusive_group()
    state.add_argument("--close", dest="closed", action="store_true", default=None)
    state.add_argument("--reopen", dest="closed", action="store_false", default=None)
    file = command(commands, "file", _file, "file pictures that were judged in a case")
    file.add_argument("case", type=int, metavar="CASE")
    file.add_argument("pictures", nargs="+", metavar="PICTURE", help=PICTURE_HELP)
    file.add_argument("--take-out", action="store_true", help="take them out of it instead")
    note = command(commands, "note", _note, "write a note on a case, a picture, or a picture within a case")
    note.add_argument("text", metavar="TEXT")
    _add_subject(note)
    decide = command(commands, "decide", _decide, "write what you decided of a picture; older decisions stay")
    decide.add_argument("picture", metavar="PICTURE", help=PICTURE_HELP)
    decide.add_argument("decided", metavar="DECISION", help="real, fake or undecided")
    decide.add_argument("--why", default="", help="reason")
    decide.add_argument("--case", type=int, help="case in which it was decided")
    tag = command(commands, "tag", _tag, "give a case or a picture a tag")
    tag.add_argument("tag", metavar="TAG")
    _add_subject(tag)
    tag.add_argument("--remove", action="store_true", help="take the tag away instead")
    cases_keep.add(commands)
    cases_again.add(commands)


def _add_subject(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--case", type=int, metavar="CASE", help="number of a case")
    parser.add_argument("--picture", metavar="PICTURE", help=f"a picture: {PICTURE_HELP}")


def _add_page(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="rows to show (default: 50)")
    parser.add_argument("--offset", type=int, default=0, metavar="N", help="rows to pass over (default: 0)")


def _add_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "text", metavar="WORD", nargs="*", help="words in names, notes and tags, or the SHA-256's start"
    )
    parser.add_argument("--finding", help="what the newest verdict says: real, no_sign, inconclusive, fake or none")
    parser.add_argument("--decided", help="what people decided: real, fake, undecided or none")
    parser.add_argument("--detector", help="detector of the newest verdict, by its name or run:ID")
    parser.add_argument("--via", help="what made the newest verdict: inspect, batch, watch or again")
    parser.add_argument("--tag")
    parser.add_argument("--case", type=int, metavar="CASE")
    parser.add_argument("--since", metavar="DAY", help="judged on this day (UTC) or later; a time is possible too")
    parser.add_argument("--until", metavar="DAY", help="judged on this day (UTC) or earlier")
    parser.add_argument("--lowest", type=float, metavar="SCORE", help="with at least this score, in [0, 1]")
    parser.add_argument("--highest", type=float, metavar="SCORE", help="with at most this score, in [0, 1]")
    parser.add_argument("--order", default="newest", help="newest (default), oldest, highest, lowest or name")
    _add_page(parser)


def _list(options: argparse.Namespace) -> None:
    found = open_store().cases(
        " ".join(options.text), tag=options.tag, is_open=True if options.open else None,
        limit=options.limit, offset=options.offset,
    )  # fmt: skip
    if options.json:
        print_json({"total": found.total, "cases": [asdict(case) for case in found.rows]})
        return
    if not found.total:
        print("No cases. Open one with: dfcore cases create TITLE")
        return
    print_table([_case_line(case) for case in found.rows])
    _tell_rest(len(found.rows), found.total)


def _case_line(case: "Case") -> dict[str, Any]:
    state = f"closed {case.closed[:10]}" if case.closed else "open"
    return {"case": case.id, "title": case.title, "state": state, "pictures": case.pictures,
            "tags": ", ".join(case.tags), "opened": f"{case.created[:10]} by {case.by}"}  # fmt: skip


def _tell_rest(shown: int, total: int) -> None:
    if shown < total:
        print(f"{shown:,} of {total:,}; --limit and --offset show others.")


def picture_line(row: "Row") -> dict[str, Any]:
    """A row of a list of pictures."""
    from dfcore.confidence import FINDINGS

    judged, decided = row.judgement, row.decision
    says = FINDINGS[judged.finding] if judged and judged.finding else "not judged"
    return {"picture": row.picture.sha256[:12], "name": row.picture.name[-60:], "verdict": says,
            "score": judged.score if judged else None, "detector": judged.detector if judged else None,
            "judged": judged.at[:16].replace("T", " ") if judged else None,
            "decided": decided.decided if decided else None, "tags": ", ".join(row.tags),
            "cases": ", ".join(str(case.id) for case in row.cases)}  # fmt: skip


def _search(options: argparse.Namespace) -> None:
    from dfcore.cases import Query

    names = ("finding", "decided", "detector", "via", "tag", "case", "since", "until", "lowest", "highest")
    query = Query(text=" ".join(options.text), **{name: getattr(options, name) for name in names})
    found = open_store().search(query, order=options.order, limit=options.limit, offset=options.offset)
    if options.json:
        print_json({"total": found.total, "pictures": [asdict(row) for row in found.rows]})
        return
    if not found.total:
        print("Nothing was found.")
        return
    print_table([picture_line(row) for row in found.rows])
    _tell_rest(len(found.rows), found.total)


def _show(options: argparse.Namespace) -> None:
    store = open_store()
    if options.what.isdecimal() and len(options.what) < 8:
        _show_case(store, int(options.what), options.json)
        return
    history = store.history(picture_of(store, options.what))
    print_json(asdict(history)) if options.json else print("\n".join(_history_lines(history)))


def _show_case(store: "Store", number: int, as_json: bool) -> None:
    from dfcore.cases import Query

    case, notes = store.case(number), store.case_notes(number)
    rows = store.search(Query(case=number), limit=None).rows
    if as_json:
        pictures = [asdict(row) for row in rows]
        print_json({"case": asdict(case), "notes": [asdict(note) for note in notes], "pictures": pictures})
        return
    for name, value in _case_line(case).items():
        print(printable(f"{name}: {value}"))
    for note in notes:
        on = f" on {note.picture[:12]}" if note.picture else ""
        print(printable(f"note{on} by {note.by}, {note.at[:16]}: {note.text}"))
    if rows:
        print_table([picture_line(row) for row in rows])


def _history_lines(history: "History") -> list[str]:
    """A picture's history as lines of text."""
    from dfcore.confidence import FINDINGS

    picture = history.picture
    lines = [f"{picture.name}: {picture.format} {picture.width} x {picture.height}, SHA-256 {picture.sha256}",
             f"kept: {'yes' if history.image else 'no, only its hash'}"]  # fmt: skip
    for one in history.judgements:
        score = "" if one.score is None else f", score {one.score:.4f}"
        says = FINDINGS[one.finding] if one.finding else f"not judged: {one.error}"
        lines.append(f"{one.at[:16]} {one.detector} ({one.via}, dfcore {one.tool}) by {one.by}: {says}{score}")
    lines += [f"{one.at[:16]} note by {one.by}: {one.text}" for one in history.notes]
    lines += [f"{one.at[:16]} decided by {one.by}: {one.decided} {one.why}" for one in history.decisions]
    lines += [f"tags: {', '.join(history.tags)}"] if history.tags else []
    lines += [f"case {one.id}: {one.title}" for one in history.cases]
    return [printable(line) for line in lines]


def _create(options: argparse.Namespace) -> None:
    _tell_case(options, open_store().create_case(options.title, by=user(), tags=options.tag))


def _change(options: argparse.Namespace) -> None:
    _tell_case(options, open_store().change_case(options.case, by=user(), title=options.title, closed=options.closed))


def _tell_case(options: argparse.Namespace, case: "Case") -> None:
    print_json(asdict(case)) if options.json else print_table([_case_line(case)])


def _file(options: argparse.Namespace) -> None:
    store = open_store()
    names = [picture_of(store, given) for given in options.pictures]
    move = store.take_out if options.take_out else store.file
    done = move(options.case, names, by=user())
    says = "taken out of" if options.take_out else "filed in"
    _tell(options, {"case": options.case, "pictures": done}, f"{done} of {len(names)} pictures {says} it.")


def _note(options: argparse.Namespace) -> None:
    store = open_store()
    number = store.note(options.text, by=user(), case=options.case, picture=_subject(store, options))
    _tell(options, {"note": number}, "Noted.")


def _decide(options: argparse.Namespace) -> None:
    store = open_store()
    picture = picture_of(store, options.picture)
    number = store.decide(picture, options.decided, by=user(), case=options.case, why=options.why)
    _tell(options, {"decision": number, "picture": picture}, f"Decided: {options.decided}.")


def _tag(options: argparse.Namespace) -> None:
    store = open_store()
    change = store.untag if options.remove else store.tag
    changed = change(options.tag, by=user(), case=options.case, picture=_subject(store, options))
    already = "It did not have it." if options.remove else "It has it already."
    _tell(options, {"tag": options.tag, "changed": changed}, "Done." if changed else already)


def _subject(store: "Store", options: argparse.Namespace) -> str | None:
    return None if options.picture is None else picture_of(store, options.picture)


def _tell(options: argparse.Namespace, values: dict[str, Any], text: str) -> None:
    print_json(values) if options.json else print(text)
