"""A PostgreSQL server for tests: Debian's programs, a data folder of its own, a socket instead of a port."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PLACES = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), None)


def program(name: str) -> str | None:
    """Path of one of its programs; None where it is not installed."""
    found = (shutil.which(name, path=str(place) if place else None) for place in _PLACES)
    return next((path for path in found if path), None)


def why_not() -> str | None:
    """Why no server can be started here; None if one can."""
    if program("initdb") is None or program("pg_ctl") is None:
        return "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    if os.geteuid() == 0 and (shutil.which("setpriv") is None or _account() is None):
        return "PostgreSQL refuses to be run by root, and there is no account postgres to run it"
    return None


def _account() -> int | None:
    import pwd

    try:
        return pwd.getpwnam("postgres").pw_uid
    except KeyError:
        return None


@contextmanager
def server() -> Iterator[str]:
    """Starts a server; gives the address of its database, and removes everything at the end."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    account = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        account = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]

    def run(name: str, *arguments: str) -> None:
        path = program(name)
        assert path is not None
        with open(folder / f"{name}.log", "ab") as log:
            subprocess.run(
                [*account, path, *arguments], check=True, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    data = str(folder / "data")
    try:
        run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        run("pg_ctl", "-D", data, "-w", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def empty(address: str) -> None:
    """Removes all tables of a database."""
    import psycopg

    with psycopg.connect(address.replace("+psycopg", "")) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
