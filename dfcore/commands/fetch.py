"""`dfcore data fetch`: data sets from Kaggle and the Hugging Face Hub, and from where somebody loaded them."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcore.commands.base import command
from dfcore.commands.terminal import print_json, print_table, progress_bar
from dfcore.errors import InputError
from dfcore.utils.texts import pasted, printable, volume

if TYPE_CHECKING:
    from dfcore.hub.fetch import Outcome, Wanted
    from dfcore.hub.record import Differences, Fetched

# Of files, so many are named; --json has all of them.
_MOST = 20


def add(commands: Any) -> None:
    """Adds the command."""
    fetch = command(commands, "fetch", _fetch, "load a data set from Kaggle or the Hugging Face Hub")
    fetch.epilog = (
        "Without SET the known sets are listed. A download that was stopped goes on with the same command. Credentials "
        "come from KAGGLE_API_TOKEN, KAGGLE_USERNAME with KAGGLE_KEY or ~/.kaggle/kaggle.json, and HF_TOKEN. Exit code "
        "0: the data set is there; 1: it could not be loaded, or --verify found differences; 2: the request is invalid."
    )
    fetch.add_argument(
        "set",
        metavar="SET",
        nargs="?",
        help="a known set, kaggle:OWNER/NAME, hf:OWNER/NAME or its page; to --verify or --discard, its folder too",
    )
    fetch.add_argument("--name", default="", help="name of its folder (default: the set's)")
    what = fetch.add_mutually_exclusive_group()
    what.add_argument("--about", action="store_true", help="only ask the service for title, size and licence")
    what.add_argument("--from", dest="given", metavar="PATH", help="a folder or archive that was loaded by hand")
    what.add_argument("--verify", action="store_true", help="compare all files with what was fetched")
    what.add_argument("--discard", action="store_true", help="delete what an unfinished download left")


def _fetch(options: argparse.Namespace) -> int:
    from dfcore.hub import fetch

    if options.set is None:
        given = options.about or options.given or options.verify or options.discard or options.name
        if given:
            raise InputError("Expected the name or address of a data set before the options. Received none.")
        _list(options.json)
        return 0
    if options.verify:
        folder = _folder(options)
        return _tell_differences(fetch.verify(folder, progress()), folder, options.json)
    if options.discard:
        name = _folder(options).name
        fetch.discard(name)
        print(f"Deleted what was left of {name}.")
        return 0
    what = fetch.wanted(options.set, options.name)
    if options.given:
        return _tell(fetch.take(what, Path(options.given), progress()), options.json)
    if options.about:
        _tell_about(what, options.json)
        return 0
    fetch.require_loadable(what)
    if not options.json:
        _tell_wanted(what)
        _tell_shortage(what.known.size if what.known else None, what)
    try:
        return _tell(fetch.fetch(what, progress()), options.json)
    except KeyboardInterrupt:
        print("\ndfcore: what was loaded is kept; the same command goes on with it.", file=sys.stderr)
        raise


def _folder(options: argparse.Namespace) -> Path:
    """The folder that is meant of a set that was fetched: what has no sign of an address is its name."""
    from dfcore import workspace
    from dfcore.hub import fetch
    from dfcore.hub.known import known
    from dfcore.hub.sources import require_folder_name

    if not options.name and ({":", "/"} & {*options.set} or known(options.set)):
        return fetch.wanted(options.set).folder
    return workspace.data_dir() / require_folder_name(options.name or pasted(options.set))


def progress() -> Callable[[str, int, int, str], None]:
    """A progress line on stderr for each phase, only on a terminal."""
    shown: dict[str, Callable[[int, int], None]] = {}
    whole: set[str] = set()

    def show(phase: str, done: int, total: int, unit: str) -> None:
        # The line counts in whole numbers.
        scale, name = (10**6, "MB") if total >= 10**8 else (10**3, "kB") if unit == "bytes" else (1, unit)
        if total:
            line = shown.setdefault(phase, progress_bar(f"{phase} ({name})"))
            if done < total:
                line(done // scale, max(total // scale, 1))
                whole.discard(phase)
            elif phase not in whole:  # Said once: it ends the line.
                line(1, 1)
                whole.add(phase)

    return show


def _list(as_json: bool) -> None:
    from dfcore.hub.fetch import half_fetched
    from dfcore.hub.known import KNOWN

    half = half_fetched()
    if as_json:
        print_json({"known": [asdict(one) for one in KNOWN.values()], "unfinished": half})
        return
    print_table([
        {"name": one.name, "title": one.title, "size": volume(one.size), "from": one.address or "a signed request"}
        for one in KNOWN.values()
    ])  # fmt: skip
    for one in KNOWN.values():
        print(f"\n{one.name}: {one.images}.\n  Layout: {one.layout}.\n  Licence: {one.licence}.")
        print(f"  Good for: {one.good}\n  Bad for: {one.bad}\n  Page: {one.page}")
        if one.request:
            print(f"  {one.request}")
    print("\nSizes and licences as the pages of the sets state them; --about asks the service.")
    for name, size in half.items():
        print(f"Not finished: {printable(name)} ({volume(size)}); fetch it again to go on, or --discard it.")


def _tell_wanted(what: "Wanted") -> None:
    from dfcore.hub.credentials import half_of, where_from
    from dfcore.utils.space import free_bytes

    assert what.source is not None
    print(f"{printable(what.title)}\n  From: {what.source} ({what.source.page})")
    if what.known is not None:
        print(
            f"  Size: about {volume(what.known.size)}\n  Licence: {what.known.licence}\n  Layout: {what.known.layout}"
        )
    print(f"  Folder: {printable(what.folder)}, where {volume(free_bytes(what.folder.parent))} are free")
    service = what.source.service
    none = f"{half_of(service) or 'none found'}; public sets often need none"
    print(f"  Credentials: {where_from(service) or none}")


def _tell_shortage(size: int | None, what: "Wanted") -> None:
    from dfcore.utils.space import shortage

    if told := shortage(size, what.folder, what.half):
        print(f"  {told}")


def _tell_about(what: "Wanted", as_json: bool) -> None:
    from dfcore.hub import fetch
    from dfcore.hub.credentials import where_from
    from dfcore.utils.space import free_bytes

    fetch.require_loadable(what)
    assert what.source is not None
    offer, free = fetch.describe(what.source), free_bytes(what.folder.parent)
    if as_json:
        print_json(asdict(offer) | {"source": str(offer.source), "page": offer.source.page, "free_bytes": free,
                                    "credentials": where_from(what.source.service)})  # fmt: skip
        return
    _tell_wanted(what)
    files = f", {offer.files:,} files" if offer.files is not None else ""
    print(f"The service says:\n  Title: {printable(offer.title)}\n  Version: {printable(offer.source.version)}")
    print(f"  Size: {volume(offer.download_bytes)}{files}; {volume(free)} are free")
    _tell_shortage(offer.download_bytes, what)
    print(f"  Licence: {printable(offer.licence) or 'not stated'}")
    if offer.gated:
        print("  Its owners want their terms accepted on its page first.")


def _tell(outcome: "Outcome", as_json: bool) -> int:
    """Prints what became of it; the exit code is 3 where something was left out, or not understood."""
    fetched = outcome.fetched
    incomplete = outcome.counts is None or bool(fetched is not None and fetched.left_out_in_all)
    code = 3 if incomplete and not outcome.there else 0
    if as_json:
        values = asdict(outcome) | {"folder": str(outcome.folder)}
        if fetched is not None:
            values["fetched"] = {k: v for k, v in asdict(fetched).items() if k != "files"} | {
                "files": len(fetched.files)
            }
        print_json(values)
        return code
    if outcome.there and fetched is not None:
        print(f"It is there already: {printable(outcome.folder)}, version {fetched.version}, fetched {fetched.at}.")
        if outcome.differences:
            _print_differences(outcome.differences)
            print("Delete the folder and fetch it again, or leave it as it is.")
        else:
            print("--verify compares the content of all files with what was fetched.")
        return 0
    if fetched is not None:
        print(f"Fetched {printable(fetched.title)}, version {printable(fetched.version) or 'unknown'}: ", end="")
        licence = printable(fetched.licence) or "not stated"
        print(f"{len(fetched.files):,} files, {volume(fetched.size)}, licence: {licence}.")
        for note in fetched.notes:
            print(f"Note: {printable(note)}")
        _print_left_out(fetched)
    print(f"It is in {printable(outcome.folder)} and registered.")
    if outcome.counts is not None:
        counts = ", ".join(f"{number:,} {name}" for name, number in outcome.counts.items())
        print(f"Layout: {printable(outcome.layout)} ({counts}).")
    else:
        print("What it holds was not understood:")
        print("\n".join(f"  {printable(line)}" for line in outcome.trouble.splitlines()))
    return code


def _print_left_out(fetched: "Fetched") -> None:
    named, total = fetched.left_out, fetched.left_out_in_all
    if total:
        print(f"Left out: {total:,}")
    for name, reason in named[:_MOST]:
        print(f"  {printable(name)}: {printable(reason)}")
    if total > _MOST:
        print(f"  … and {total - _MOST:,} more; fetched.json names {len(named):,} of all.")


def _tell_differences(found: "Differences", folder: Path, as_json: bool) -> int:
    if as_json:
        print_json(asdict(found) | {"folder": str(folder)})
    else:
        print(f"{printable(folder)}: {found.checked:,} files were compared.")
        _print_differences(found)
        if not found:
            print("All are what was fetched.")
    return int(bool(found))


def _print_differences(found: "Differences") -> None:
    for what, names in (("Changed", found.changed), ("Missing", found.missing), ("Added", found.added)):
        if names:
            print(f"{what}: {len(names):,}")
            print("\n".join(f"  {printable(name)}" for name in names[:_MOST]))
            if len(names) > _MOST:
                print(f"  … and {len(names) - _MOST:,} more")
