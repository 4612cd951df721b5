"""`dfcore cases verify`, `head`, `delete`, `prune`, `backup` and `restore`: how long and how safely all is kept."""

import argparse
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dfcore.commands.base import INCOMPLETE, command
from dfcore.commands.store_of_cases import PICTURE_HELP, open_store, picture_of, user
from dfcore.commands.terminal import print_json
from dfcore.errors import InputError
from dfcore.utils.texts import printable

# Of problems, so many are printed; --json has all of them.
_MOST = 50


def add(commands: Any) -> None:
    """Adds the commands."""
    verify = command(commands, "verify", _verify, "check that nothing was altered, removed or inserted")
    verify.epilog = "Exit code 0: all holds; 1: something does not, each named; 2: the request is invalid."
    verify.add_argument(
        "--head", metavar="NUMBER:HASH", help="an earlier output of 'dfcore cases head', or a file with it: shows "
        "whether newest entries were removed since"
    )  # fmt: skip
    head = command(commands, "head", _head, "print number and hash of the newest entry, to be kept elsewhere")
    head.add_argument("--out", metavar="FILE", help="write it to a file")
    delete = command(commands, "delete", _delete, "delete a case, or all that is known of a picture; a tombstone stays")
    what = delete.add_mutually_exclusive_group(required=True)
    what.add_argument("--case", type=int, metavar="CASE", help="the case and all that was said in it; pictures stay")
    what.add_argument("--picture", metavar="PICTURE", help=f"a picture: {PICTURE_HELP}")
    what.add_argument("--image", metavar="PICTURE", help="only the picture that was kept, not what is known of it")
    delete.add_argument("--why", required=True, help="reason, which stays")
    prune = command(
        commands, "prune", _prune,
        "delete closed cases, and pictures in no open case, of which nothing was said for some time",
    )  # fmt: skip
    age = prune.add_mutually_exclusive_group(required=True)
    age.add_argument("--before", metavar="DAY", help="of which nothing was said since this day (UTC)")
    age.add_argument("--days", type=int, metavar="N", help="of which nothing was said for so many days")
    prune.add_argument("--dry-run", action="store_true", help="only say how many")
    backup = command(commands, "backup", _backup, "write all of it to one file, also while others write")
    backup.epilog = "Exit code 0: all was written; 3: kept pictures were missing or altered, each named."
    backup.add_argument("file", metavar="FILE", help="a new file, e.g. cases-2026-11-26.zip")
    restore = command(commands, "restore", _restore, "read a backup into an empty store, in SQLite or PostgreSQL")
    restore.epilog = "Exit code 0: all was restored; 1: something does not hold; 3: kept pictures are missing."
    restore.add_argument("file", metavar="FILE", help="a file of 'dfcore cases backup'")


def _verify(options: argparse.Namespace) -> int:
    head = options.head
    if head is not None and Path(head).is_file():
        head = Path(head).read_text(encoding="utf-8", errors="replace").split()[:1]
        head = head[0] if head else ""
    found = open_store().verify(head)
    code = _tell_checked(found, options.json)
    if found.holds and not options.head and not options.json:
        print("Whether entries at its end were removed shows only against a head that was kept elsewhere (--head).")
    return code


def _tell_checked(found: Any, as_json: bool) -> int:
    if as_json:
        print_json(asdict(found) | {"holds": found.holds})
        return 0 if found.holds else 1
    for problem in found.problems[:_MOST]:
        print(printable(f"{problem.kind}: {problem.text}"))
    if len(found.problems) > _MOST:
        print(f"and {len(found.problems) - _MOST:,} more, see --json")
    says = "all hold" if found.holds else f"{len(found.problems):,} problems"
    print(f"{found.rows:,} entries were checked: {says}. Newest: {found.head.number}:{found.head.hash}")
    return 0 if found.holds else 1


def _head(options: argparse.Namespace) -> None:
    from dfcore.utils.files import write_text

    head = open_store().head()
    text = f"{head.number}:{head.hash}  {head.at}"
    if options.out:
        write_text(Path(options.out), text + "\n")
    print_json(asdict(head)) if options.json else print(text if head.number else "There are no entries yet.")


def _delete(options: argparse.Namespace) -> None:
    store = open_store()
    if options.case is not None:
        store.delete_case(options.case, by=user(), why=options.why)
        done = {"case": options.case}
    else:
        sha256 = picture_of(store, options.picture or options.image)
        done = {"picture": sha256}
        if options.picture:
            store.forget(sha256, by=user(), why=options.why)
        elif not store.drop_image(sha256, by=user(), why=options.why):
            raise InputError(f"Expected a picture that is kept. Received: {options.image}, of which only the hash is.")
    print_json({"deleted": done}) if options.json else print("Deleted; a tombstone says by whom, when and why.")


def _prune(options: argparse.Namespace) -> None:
    if options.days is not None and options.days < 1:
        raise InputError(f"Expected at least 1 day. Received: {options.days}.")
    before = options.before or (datetime.now(UTC) - timedelta(days=options.days)).isoformat(timespec="seconds")
    store = open_store()
    done = store.old(before) if options.dry_run else store.prune(before, by=user())
    if options.json:
        print_json(asdict(done) | {"before": before, "dry_run": options.dry_run})
        return
    says = "Would be deleted" if options.dry_run else "Deleted"
    print(f"{says}, since nothing was said of them after {before}: {done.pictures:,} pictures, {done.cases:,} cases.")
    if done.spared:
        print(f"{done.spared:,} as old stay: they are filed in open cases.")


def _backup(options: argparse.Namespace) -> int:
    done = open_store().backup(options.file)
    if options.json:
        print_json(asdict(done) | {"file": options.file})
    else:
        print(printable(f"{options.file}: {done.head.number:,} entries and {done.images:,} kept pictures."))
        _tell_missing(done.missing)
    return INCOMPLETE if done.missing else 0


def _restore(options: argparse.Namespace) -> int:
    store = open_store()
    done = store.restore(options.file)
    found = store.verify(done.head)
    if options.json:
        checked = asdict(found) | {"holds": found.holds}
        print_json(asdict(done) | {"file": options.file, "verification": checked})
    else:
        print(f"Restored: {done.head.number:,} entries and {done.images:,} kept pictures.")
        _tell_missing(done.missing)
        _tell_checked(found, as_json=False)
    missed = len(done.missing) and all(one.kind == "image" for one in found.problems)
    return INCOMPLETE if missed else int(not found.holds)


def _tell_missing(missing: tuple[str, ...]) -> None:
    for sha256 in missing:
        print(f"  missing or altered: the picture {sha256}")
