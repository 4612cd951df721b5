"""The database of the store: SQLite in the workspace or PostgreSQL elsewhere; transactions and errors in words.

Writers come one after another, in every process: SQLite's BEGIN IMMEDIATE, PostgreSQL's advisory lock. So the log never
forks. What was confirmed is on the disk (synchronous=FULL).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from dfcore.errors import BusyError, InputError, StorageError
from dfcore.utils import extras
from dfcore.utils.files import explained, make_folder, share
from dfcore.utils.texts import printable

# Seconds for which a writer waits for others.
_PATIENCE = 60
# Any number of our own: the key of PostgreSQL's lock.
_LOCK = 0x6466636F
_DAMAGED = ("malformed", "not a database", "corrupt", "disk image", "file is encrypted")


class Database:
    """A database, with transactions that read and transactions that write.

    Attributes:
        address: Its address without a password, for messages.
        path: The file of an SQLite database; None for another.
    """

    def __init__(self, address: str):
        try:
            url = make_url(address)
        except ArgumentError:
            raise InputError(f"Expected {_EXPECTED} Received one that cannot be read.") from None
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        if url.drivername not in ("sqlite", "postgresql+psycopg"):
            raise InputError(f"Expected {_EXPECTED} Received one of {url.drivername}.")
        self.is_sqlite = url.drivername == "sqlite"
        self.address = url.render_as_string(hide_password=True)
        if self.is_sqlite:
            if not url.database or url.database == ":memory:":
                raise InputError(f"Expected {_EXPECTED} Received one without a file.")
            self.path: Path | None = Path(url.database)
            self._engine = create_engine(url, connect_args={"timeout": _PATIENCE}, max_overflow=100)
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        else:
            extras.require("psycopg", "postgresql", "A store of cases in PostgreSQL")
            self.path = None
            self._engine = create_engine(url, pool_pre_ping=True, max_overflow=100)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database, whatever others write meanwhile.

        Raises:
            StorageError: If the database cannot be read.
        """
        with self._errors(), self._engine.connect() as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other writer shares: all of it is on the disk when the block is left, or nothing.

        Raises:
            BusyError: If others write for a minute.
            StorageError: If the database cannot be written.
        """
        with self._errors():
            if self.path is not None:
                self._make_file(self.path)
            with self._engine.connect() as connection:
                connection = connection.execution_options(writes=True)
                with connection.begin():
                    if not self.is_sqlite:
                        connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}s'"))
                        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                    yield connection

    def truncate_journal(self) -> None:
        """Writes SQLite's journal into the file and empties it, so that what was deleted is not left in it."""
        if self.is_sqlite:
            with self._errors(), self._engine.connect() as connection:
                raw = connection.connection.dbapi_connection
                assert raw is not None
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Closes connections that nobody uses; the next use opens others."""
        self._engine.dispose()

    def _make_file(self, path: Path) -> None:
        if not path.exists():
            make_folder(path.parent)
            path.touch(exist_ok=True)
            share(path)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turns the errors of the database into words."""
        try:
            yield
        except OSError as error:
            raise StorageError(f"{self.address} cannot be written: {explained(error, self.path or Path())}.") from error
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._in_words(error) from error

    def _in_words(self, error: SQLAlchemyError | sqlite3.Error) -> StorageError | BusyError:
        cause: Any = error.orig if isinstance(error, DBAPIError) else error
        said = printable(" ".join(str(cause).split()))[:300]
        if "database is locked" in said or "lock timeout" in said:
            return BusyError(f"The store of cases is being written by others for {_PATIENCE} seconds. Try again later.")
        if isinstance(cause, sqlite3.DatabaseError) and any(word in said for word in _DAMAGED):
            return StorageError(
                f"{self.path} is damaged ({said}). It was left as it is. Move it aside, then bring back a backup with "
                "'dfcore cases restore FILE'."
            )
        return StorageError(f"The store of cases at {self.address} cannot be used: {said}.")


_EXPECTED = "an address such as sqlite:////srv/cases.db or postgresql://user@host/database in DFCORE_CASES_DATABASE."


def _prepare_sqlite(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # The driver would begin transactions of its own.
    # Deleted content is overwritten with zeros.
    for setting in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
        raw.execute(f"PRAGMA {setting}").close()


def _begin_sqlite(connection: Connection) -> None:
    kind = "IMMEDIATE" if connection.get_execution_options().get("writes") else "DEFERRED"
    connection.exec_driver_sql(f"BEGIN {kind}")
