"""`dfcore push` and `dfcore pull`: detectors to and from the Hugging Face Hub."""

import argparse
from typing import Any

from dfcore import workspace
from dfcore.commands.base import BUNDLE_HELP, command
from dfcore.commands.terminal import Progress, print_json, print_table, progress_bar
from dfcore.utils.texts import printable


def add(commands: Any) -> None:
    """Adds the commands."""
    push = command(
        commands, "push", _push, "publish a detector on the Hugging Face Hub, privately unless said otherwise"
    )
    push.add_argument("bundle", metavar="DETECTOR", help=BUNDLE_HELP)
    push.add_argument("address", metavar="hf:OWNER/NAME", help="where it goes; @BRANCH after it for another branch")
    push.add_argument("--public", action="store_true", help="make it visible to all (default: to its owner only)")
    push.add_argument(
        "--revision", default="", metavar="BRANCH", help="branch, made if it is not there (default: main)"
    )
    push.add_argument("--message", default="", metavar="TEXT", help="message of the commit")
    push.add_argument(
        "--license",
        "--licence",
        default="",
        metavar="ID",
        help="its licence, as the Hub names it: apache-2.0, cc-by-nc-sa-4.0, … (default: as stated where it was pulled "
        "from, else what its card states)",
    )
    tables = push.add_mutually_exclusive_group()
    tables.add_argument(
        "--without-predictions",
        dest="predictions",
        action="store_false",
        default=None,
        help="leave out the scores of its images, which name them by their paths",
    )
    tables.add_argument(
        "--with-predictions",
        dest="predictions",
        action="store_true",
        default=None,
        help="send them where an earlier push left them out",
    )
    push.add_argument("--dry-run", action="store_true", help="only show what would be sent; asks nobody")

    pull = command(commands, "pull", _pull, "fetch a detector from the Hugging Face Hub and check it in isolation")
    pull.add_argument("address", metavar="hf:OWNER/NAME[@REVISION]", help="branch, tag or commit (default: main)")
    pull.add_argument("--name", default="", help="its name here (default: its name there)")
    pull.add_argument("--digest", default="", help="refuse it unless its files have this digest, as push printed it")
    pull.add_argument("--models-dir", default="", metavar="DIR", help="folder of detectors (default: models)")
    pull.add_argument("--dry-run", action="store_true", help="only show what is there; loads nothing")


def _bar(title: str) -> Progress:
    return progress_bar(printable(title))


def _push(options: argparse.Namespace) -> None:
    from dfcore.detectors.library import find_bundle
    from dfcore.errors import InputError
    from dfcore.hub import push
    from dfcore.hub.addresses import parse

    address = parse(options.address)
    if options.revision and address.revision not in ("", options.revision):
        raise InputError(
            f"Expected one branch. Received: {address.revision} in the address and --revision {options.revision}."
        )
    plan = push.prepare(
        find_bundle(options.bundle),
        address.at(options.revision or address.revision),
        public=options.public,
        licence=options.license,
        message=options.message,
        predictions=options.predictions,
    )
    if options.dry_run:
        _show(plan, as_json=options.json)
        return
    done = push.push(plan, step=_bar)
    if options.json:
        print_json(
            {"address": str(done.address), "page": done.page, "private": done.private, "sent": done.sent,
             "removed": done.removed, "digest": done.digest}
        )  # fmt: skip
        return
    sent = f"{len(done.sent)} files sent" if done.sent else "all of it was there already"
    removed = f", {len(done.removed)} removed ({', '.join(done.removed)})" if done.removed else ""
    print(printable(f"{done.page}: {'private' if done.private else 'public'}, {sent}{removed}"))
    print(printable(f"dfcore pull {done.address} --digest {done.digest}"))


def _show(plan: Any, *, as_json: bool) -> None:
    visible = "public" if plan.public else "private"
    licence = plan.licence or "none stated"
    if as_json:
        print_json(
            {"address": str(plan.address), "public": plan.public, "licence": plan.licence, "message": plan.message,
             "files": plan.files, "digest": plan.digest, "readme": plan.readme}
        )  # fmt: skip
        return
    print(printable(f"{plan.address}: {visible}, licence: {licence}, message: {plan.message}"))
    if plan.card.licence:
        print(printable(f"The card says of its licence: {plan.card.licence}"))
    print_table(plan.rows())
    print(f"\n{plan.readme}\nNothing was sent.")


def _pull(options: argparse.Namespace) -> None:
    from pathlib import Path

    from dfcore.hub import pull
    from dfcore.hub.addresses import parse
    from dfcore.utils.texts import volume

    offer = pull.look(parse(options.address))
    folder = Path(options.models_dir).resolve() if options.models_dir else workspace.models_dir()
    told = {
        "address": str(offer.address), "commit": offer.commit, "bytes": offer.size, "licence": offer.licence,
        "private": offer.private, "files": {name: file.size for name, file in offer.files.items()},
        "not_loaded": offer.others,
    }  # fmt: skip
    if not options.json:
        licence = offer.licence or "none stated"
        print(
            printable(
                f"{offer.address}: commit {offer.commit}, {len(offer.files)} files, {volume(offer.size)}, licence: "
                f"{licence}" + (f". Not loaded: {', '.join(offer.others)}" if offer.others else "")
            )
        )
    if options.dry_run:
        if options.json:
            print_json(told)
        return
    name = options.name or offer.address.name
    place = pull.pull(offer, folder, name, digest=options.digest, step=_bar)
    if options.json:
        from dfcore.hub import pinned

        record = pinned.read(place)
        print_json(told | {"folder": str(place), "digest": record.digest if record else None})
        return
    print(printable(f"{place}: checked and ready. dfcore predict {name} IMAGE"))
