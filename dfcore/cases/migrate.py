"""Brings the tables of a database to this version's; refuses those of a newer one."""

import logging
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from dfcore.cases.database import Database
from dfcore.errors import StorageError

# The newest revision in `migrations/versions`.
NEWEST = "0001"
_SCRIPTS = Path(__file__).parent / "migrations"


def bring_up_to_date(database: Database) -> None:
    """Makes the tables of a new database, or changes those of an older version; one process at a time.

    Raises:
        StorageError: If the database is of a newer version, of something else, or damaged; it is then unchanged.
    """
    if database.path is None or database.path.exists():
        with database.reading() as connection:
            if revision(connection) == NEWEST:
                return
    with database.writing() as connection:
        _upgrade(connection, database.address)


def revision(connection: Connection) -> str | None:
    """The revision of a database's tables; None if it has none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection, address: str) -> None:
    found = revision(connection)
    if found == NEWEST:  # Another process was faster.
        return
    others = set(inspect(connection).get_table_names()) - {"alembic_version"}
    if found is None and others:
        raise StorageError(
            f"{address} holds tables of something else ({', '.join(sorted(others)[:5])}). It was left as it is. "
            "Expected an empty database, or one of a store of cases."
        )
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StorageError(
            f"{address} was written by a newer version of dfcore (tables {found}, expected at most {NEWEST}). It was "
            "left as it is. Install that version, or point DFCORE_CASES elsewhere."
        )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    command.upgrade(config, NEWEST)
