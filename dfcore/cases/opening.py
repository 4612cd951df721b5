"""Opening the store of this workspace: one for each process and address."""

import threading

from dfcore import workspace
from dfcore.cases.store import Store
from dfcore.errors import CasesOffError

_stores: dict[tuple[str, str], tuple[tuple[int, int] | None, Store]] = {}
_lock = threading.Lock()


def open_store() -> Store:
    """The store of this workspace, see `dfcore.workspace.cases_database`; made if there is none.

    Raises:
        CasesOffError: If nothing is to be kept (`DFCORE_CASES=off`).
        InputError: If the address is none of a database that can be used.
        StorageError: If the database is damaged, of a newer version or of something else, or cannot be reached.
    """
    if not workspace.keeps_cases():
        raise CasesOffError("Nothing is kept of judged pictures here: DFCORE_CASES is off.")
    address, folder = workspace.cases_database(), workspace.cases_dir()
    key = address, str(folder)
    with _lock:
        file, store = _stores.get(key, (None, None))
        # A file that was moved away meanwhile would be written on, and nobody would find it again.
        if store is None or file != _file(store):
            if store is not None:
                store.close()
            store = Store(address, folder / "images")
            _stores[key] = _file(store), store
        return store


def _file(store: Store) -> tuple[int, int] | None:
    """What tells one file of an SQLite database from another; None for other databases."""
    path = store.database.path
    try:
        found = path.stat() if path is not None else None
    except FileNotFoundError:
        return -1, -1
    return (found.st_dev, found.st_ino) if found else None
