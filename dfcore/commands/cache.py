"""`dfcore cache`: shows and frees the disk space used by decoded images and pictures of films."""

import argparse
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dfcore import workspace
from dfcore.commands.base import command, subcommands
from dfcore.commands.terminal import print_json, print_table
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    from dfcore.datasets.pixel_store import CacheEntry
    from dfcore.films.dataset.cached import CachedFilms


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    commands = subcommands(parser)
    command(commands, "info", _info, "show sizes, last use and what is in use")
    command(commands, "clear", _clear, "remove everything not in use; images are decoded again when needed")


def _info(options: argparse.Namespace) -> None:
    from dfcore.datasets.pixel_store import entries, limit_bytes, scan_bytes
    from dfcore.films.dataset import cached

    folder, limit = workspace.cache_dir(), limit_bytes()
    films, days = sum(one.bytes for one in cached.entries(folder)), cached.days()
    rows, scans = [_row(entry) for entry in entries(folder)], scan_bytes(folder)
    taken = sum(row["bytes"] for row in rows)
    if options.json:
        print_json({"folder": str(folder), "limit_bytes": limit, "bytes": taken, "scan_bytes": scans,
                    "film_bytes": films, "entries": rows})  # fmt: skip
        return
    print(printable(f"{folder}: {_megabytes(taken)} of decoded images, at most {_megabytes(limit)} (DFCORE_CACHE_GB)"))
    print(f"Cached scan results: {_megabytes(scans)}")
    if films:
        kept = f"at most as much again, for {days:g} days after their last use ({cached.DAYS})"
        print(f"Pictures of films: {_megabytes(films)}, {kept}")
    if rows:
        print_table([_in_words(row) for row in rows])


def _clear(options: argparse.Namespace) -> None:
    from dfcore.datasets.pixel_store import clear
    from dfcore.films.dataset import cached

    pixels, films = clear(workspace.cache_dir()), cached.clear(workspace.cache_dir())
    removed: list[CacheEntry | CachedFilms] = [*pixels[0], *films[0]]
    left: list[CacheEntry | CachedFilms] = [*pixels[1], *films[1]]
    freed = sum(entry.bytes for entry in removed)
    if options.json:
        print_json({"freed_bytes": freed, "removed": [e.name for e in removed], "in_use": [e.name for e in left]})
        return
    print(f"{_megabytes(freed)} of decoded images and pictures of films removed.")
    for entry in left:
        print(f"{entry.name} is in use and stays ({_megabytes(entry.bytes)}).")


def _row(entry: "CacheEntry") -> dict[str, Any]:
    used = datetime.fromtimestamp(entry.last_use, UTC).isoformat(timespec="seconds")
    return asdict(entry) | {"last_use": used}


def _in_words(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "preprocessing": row["name"],
        "images": f"{row['images']:,}",
        "size": _megabytes(row["bytes"]),
        "last use": row["last_use"],
        "in use": "yes" if row["in_use"] else "no",
    }


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MB"
