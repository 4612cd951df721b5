"""Remembers what scans have read, so that unchanged files need not be decoded again.

One SQLite file per data set, which may be deleted at any time. `files` maps a path and a stamp of the file to the hash
of its content, `contents` maps that hash to what was decoded. So a file that was moved or touched is only hashed again,
and a scan that was killed goes on where it was.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from dfcore.imaging import decoder
from dfcore.imaging.signature import Signature
from dfcore.utils.extras import installed
from dfcore.utils.files import make_folder, sha256_bytes, share, stamp

READ = ("width", "height", "format", "quality", "bytes", "sha256", "pixels_sha256", "error")
# Raised when the tables or a signature change.
_FORMAT = 3
_BATCH = 200
_TABLES = """
    CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, sha256 TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS contents (sha256 TEXT PRIMARY KEY, facts TEXT NOT NULL, signature BLOB) WITHOUT ROWID;
"""
_READERS = "readers"


class ScanMemory:
    """What was read of the files under one folder; threads may share it, and processes its file.

    Without a writable cache folder, on a full disk or with a damaged file it remembers nothing and files are read anew:
    that costs time only.
    """

    def __init__(self, cache: Path, root: Path):
        self._root = root
        self._path = cache / "scans" / f"{sha256_bytes(str(root).encode())[:24]}.sqlite"
        self._guard = threading.Lock()
        self._files: dict[str, tuple[str, str]] = {}
        self._contents: dict[str, tuple[str, bytes | None]] = {}
        # What could not be read may be readable once another of the optional readers is installed.
        self._readers = [name for name in ("pillow_heif",) if installed(name)]
        self._known = self._load()

    def __enter__(self) -> "ScanMemory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stamp(self, path: str) -> str | None:
        """A file's stamp, to be taken before it is read; None if it is gone or may change without a new stamp."""
        return stamp(self._root / path)

    def recall(self, path: str, seen: str | None) -> dict[str, Any] | None:
        """What was read of a file (the keys `READ`), if it still has the stamp it was seen with."""
        known = self._known.get(path)
        if seen is None or known is None or known[0] != seen:
            return None
        return self.recall_content(known[1])

    def recall_content(self, sha256: str) -> dict[str, Any] | None:
        """What was decoded from a content (the keys `READ`), wherever the file was."""
        with self._guard:
            row = self._contents.get(sha256) or self._ask("SELECT facts FROM contents WHERE sha256 = ?", sha256)
        try:
            facts = json.loads(row[0]) if row else None
        except ValueError:
            return None
        if not isinstance(facts, dict) or set(facts) != {*READ, _READERS}:
            return None
        readers = facts.pop(_READERS)
        return facts if facts["error"] is None or readers == self._readers else None

    def keep(self, path: str, seen: str | None, read: dict[str, Any], signature: Signature | None = None) -> None:
        """Notes what was read of a file; written in batches, by `store` at the latest."""
        packed = signature.to_bytes() if signature else None
        with self._guard:
            facts = {name: read[name] for name in READ} | {_READERS: self._readers}
            self._contents[read["sha256"]] = json.dumps(facts), packed
            if seen is not None:
                self._files[path] = seen, read["sha256"]
            if len(self._contents) + len(self._files) >= _BATCH:
                self._write()

    def note(self, path: str, seen: str | None, sha256: str) -> None:
        """Notes the stamp of a file whose content is known already."""
        with self._guard:
            if seen is not None:
                self._files[path] = seen, sha256
            if len(self._files) >= _BATCH:
                self._write()

    def store(self) -> None:
        """Writes what has not been written yet."""
        with self._guard:
            self._write()

    def signatures(self, contents: Iterable[str]) -> Iterator[Signature | None]:
        """The signature of each content, None where it is not known."""
        for sha256 in contents:
            with self._guard:
                row = self._ask("SELECT signature FROM contents WHERE sha256 = ?", sha256)
            try:
                yield Signature.from_bytes(row[0]) if row and row[0] else None
            except ValueError:
                yield None

    def _load(self) -> dict[str, tuple[str, str]]:
        version = 1000 * _FORMAT + decoder.VERSION
        self._connection: sqlite3.Connection | None = None
        for _ in range(2):
            try:
                make_folder(self._path.parent)
                connection = sqlite3.connect(self._path, timeout=30, check_same_thread=False, isolation_level=None)
                self._connection = connection
                share(self._path)
                connection.execute("PRAGMA synchronous = NORMAL")
                if connection.execute("PRAGMA user_version").fetchone()[0] != version:
                    # Made by another version of the decoder or of this file.
                    connection.executescript("DROP TABLE IF EXISTS files; DROP TABLE IF EXISTS contents;")
                    connection.execute(f"PRAGMA user_version = {version}")
                connection.executescript(_TABLES)
                rows = connection.execute("SELECT path, stamp, sha256 FROM files").fetchall()
                return {path: (stamp, sha256) for path, stamp, sha256 in rows}
            except sqlite3.Error as error:
                if not self._damaged(error):  # Locked for long, or not writable.
                    break
            except OSError:
                break
        self._disconnect()
        return {}

    def close(self) -> None:
        """Writes what has not been written yet and closes the file; nothing is remembered afterwards."""
        with self._guard:
            self._write()
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None

    def _damaged(self, error: sqlite3.Error) -> bool:
        """Whether the file is damaged; then it is removed, and the next scan begins it anew."""
        if type(error) is not sqlite3.DatabaseError:  # Subclasses tell of a full disk, a lock, and the like.
            return False
        self._disconnect()
        for suffix in ("", "-journal", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{self._path}{suffix}").unlink()
        return True

    def _ask(self, query: str, value: str) -> tuple | None:
        if self._connection is None:
            return None
        try:
            with closing(self._connection.execute(query, (value,))) as answer:
                return answer.fetchone()
        except sqlite3.Error as error:
            self._damaged(error)
            return None

    def _write(self) -> None:
        if self._connection is not None and (self._files or self._contents):
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                contents = [(sha256, *row) for sha256, row in self._contents.items()]
                self._connection.executemany("INSERT OR REPLACE INTO contents VALUES (?, ?, ?)", contents)
                files = [(path, *row) for path, row in self._files.items()]
                self._connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", files)
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                if not self._damaged(error):
                    with suppress(sqlite3.Error):
                        self._connection.execute("ROLLBACK")
        self._files.clear()
        self._contents.clear()
