"""`dfcore serve`: verdicts and heat-maps over HTTP; and its keys."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcore.batch.names import AUTO, choices
from dfcore.commands.base import BUNDLE_HELP, add_arch_file, add_engine, command, subcommands
from dfcore.commands.terminal import print_json, print_table
from dfcore.errors import InputError
from dfcore.service.settings import KEYS, Limits, Settings, keys_file, provider
from dfcore.utils import extras

if TYPE_CHECKING:
    from dfcore.service.keys import Key

_MB = 2**20


def add(commands: Any) -> None:
    """Adds the command."""
    text = "answer other programs, and a page, over HTTP: verdicts, heat-maps, figures"
    serve = commands.add_parser("serve", help=text, description=text)
    serve.set_defaults(command=_serve)
    own, limits = Settings(), Limits()
    serve.add_argument(
        "--host", default=own.host, metavar="ADDRESS", help=f"address to listen on (default: {own.host})"
    )
    serve.add_argument("--port", type=_port, default=own.port, metavar="N", help=f"port (default: {own.port})")
    serve.add_argument(
        "--detector",
        action="append",
        metavar="BUNDLE",
        help=f"{BUNDLE_HELP}; may be repeated (default: auto, all that fit)",
    )
    add_engine(serve)
    add_arch_file(serve)
    serve.add_argument("--keys", metavar="FILE", help=f"file of keys (default: {KEYS})")
    for flag, default, what in (
        ("--max-files", limits.files, "files of a request"),
        ("--max-file-mb", limits.file_bytes // _MB, "MB of a file"),
        ("--max-body-mb", limits.body_bytes // _MB, "MB of a request"),
        ("--max-spool-mb", limits.spool_bytes // _MB, "MB of all requests that are held at once, on disk"),
        ("--queue", limits.queue, "pictures that wait or are judged at once"),
        ("--rate", limits.rate, "pictures a minute for each caller, 0 for any number"),
    ):
        serve.add_argument(flag, type=_whole, default=default, metavar="N", help=f"{what} (default: {default})")
    for flag, seconds, what in (
        ("--seconds", limits.seconds, "seconds in which a request must be judged"),
        ("--upload-seconds", limits.upload_seconds, "seconds in which a body must arrive"),
        ("--grace", own.grace, "seconds that accepted requests get when it is told to stop"),
        ("--linger", own.linger, "seconds for which it still accepts then, while it says that it is not ready"),
    ):
        serve.add_argument(flag, type=float, default=seconds, metavar="SECONDS", help=f"{what} (default: {seconds:g})")
    serve.add_argument(
        "--cors", action="append", metavar="ORIGIN", help="origin whose pages may call it; may be repeated"
    )
    serve.add_argument(
        "--allowed-host", action="append", metavar="NAME",
        help="name by which it may be called without keys, beside those of this machine; may be repeated",
    )  # fmt: skip
    serve.add_argument(
        "--root-path", default="", metavar="PATH", help="path under which a proxy shows it, such as /dfcore"
    )
    serve.add_argument(
        "--forwarded-allow-ips", default="", metavar="ADDRESSES",
        help="addresses of proxies whose X-Forwarded headers are believed, separated by commas (default: none)",
    )  # fmt: skip
    _add_keys(serve)


def _add_keys(serve: argparse.ArgumentParser) -> None:
    several = serve.add_subparsers(metavar="keys", parser_class=type(serve))
    keys = subcommands(several.add_parser("keys", help="add, list and remove keys"))
    for name, call, text in (
        ("add", _add, "make a key; it is printed once, and only its hash is kept"),
        ("list", _list, "list the keys by name"),
        ("remove", _remove, "remove a key; a running service refuses it from then on"),
    ):
        parser = command(keys, name, call, text)
        # Without a default of its own it does not undo the option of `serve`.
        parser.add_argument("--keys", default=argparse.SUPPRESS, metavar="FILE", help=f"file of keys (default: {KEYS})")
        if name != "list":
            parser.add_argument("name", metavar="NAME", help="who has the key; it appears in the log")
        if name == "add":
            parser.add_argument("--rate", type=_whole, metavar="N", help="pictures a minute (default: the service's)")


def _serve(options: argparse.Namespace) -> None:
    for module in ("fastapi", "uvicorn", "prometheus_client", "python_multipart", "jwt"):
        extras.require(module, "serve", "The service")
    settings = settings_of(options)
    choices(settings.detectors)
    from dfcore.service.server import run

    run(settings)


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings by options and environment.

    Raises:
        InputError: If they cannot be.
    """
    limits = Limits(
        file_bytes=options.max_file_mb * _MB, files=options.max_files, body_bytes=options.max_body_mb * _MB,
        spool_bytes=options.max_spool_mb * _MB, queue=options.queue, upload_seconds=options.upload_seconds,
        seconds=options.seconds, rate=options.rate,
    )  # fmt: skip
    return Settings(
        host=options.host, port=options.port, detectors=tuple(options.detector or (AUTO,)), engine=options.engine,
        limits=limits, keys=Path(options.keys).expanduser() if options.keys else keys_file(), provider=provider(),
        origins=tuple(options.cors or ()), hosts=tuple(options.allowed_host or ()),
        root_path=options.root_path.rstrip("/"), proxies=options.forwarded_allow_ips, grace=options.grace,
        linger=options.linger,
    )  # fmt: skip


def _add(options: argparse.Namespace) -> None:
    from dfcore.service import keys

    path = _file(options)
    key = keys.add(path, options.name, options.rate)
    if options.json:
        print_json({"name": options.name, "key": key, "file": str(path)})
    else:
        print(f"The key of {options.name}, told this once (its hash is in {path}):\n{key}")


def _list(options: argparse.Namespace) -> None:
    from dfcore.service import keys

    rows = [_row(one) for one in keys.read(_file(options))]
    if options.json:
        print_json(rows)
    else:
        print_table(rows)


def _remove(options: argparse.Namespace) -> None:
    from dfcore.service import keys

    keys.remove(_file(options), options.name)
    if options.json:
        print_json({"removed": options.name})
    else:
        print(f"The key of {options.name} is removed.")


def _row(key: "Key") -> dict[str, Any]:
    shown = asdict(key)
    del shown["sha256"]
    return shown


def _file(options: argparse.Namespace) -> Path:
    path = Path(options.keys).expanduser() if options.keys else keys_file()
    if path is None:
        raise InputError(f"Expected the file of keys by --keys FILE or {KEYS}. Received: neither.")
    return path


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0. Received: {text}")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 65535, 0 for any free port. Received: {text}")
    return int(text)
