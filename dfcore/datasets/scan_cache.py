"""Remembers what earlier scans read, so that unchanged files need not be read again.

A file is unchanged when its size and its time of modification are. What is remembered lies in the cache
folder, one table a data set, and may be deleted at any time.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from dfcore.errors import StorageError
from dfcore.imaging import decoder
from dfcore.utils.files import sha256_bytes, write_atomic

READ = ("width", "height", "format", "quality", "bytes", "sha256", "pixels_sha256", "error")
_VERSION = f"4 {decoder.VERSION}"


class ScanMemory:
    """What was read of the files under one folder."""

    def __init__(self, cache: Path, root: Path):
        self._root = root
        self._path = cache / "scans" / f"{sha256_bytes(f'{_VERSION} {root}'.encode())[:24]}.parquet"
        self._known: dict[str, dict[str, Any]] = {}
        self._new: dict[str, dict[str, Any]] = {}
        if self._path.is_file():
            try:
                table = pd.read_parquet(self._path).astype(object)
                table = table.where(table.notna(), None).set_index("path")
                self._known = {str(path): dict(row) for path, row in table.iterrows()}
            except Exception:  # A damaged memory is no memory; the files are read again.
                self._known = {}

    def recall(self, path: str) -> dict[str, Any] | None:
        """What was read of a file (the keys `READ`), if it has not changed since."""
        row = self._known.get(path)
        if row is None or row["stamp"] != self._stamp(path):
            return None
        self._new[path] = row
        return {name: row[name] for name in READ}

    def keep(self, path: str, row: dict[str, Any]) -> None:
        """Notes what was read of a file."""
        stamp = self._stamp(path)
        if stamp is not None:
            self._new[path] = {name: row[name] for name in READ} | {"stamp": stamp}

    def store(self) -> None:
        """Writes the memory; a full disk costs only time."""
        if self._new == self._known:
            return
        table = pd.DataFrame([{"path": path, **row} for path, row in self._new.items()])
        try:
            write_atomic(self._path, lambda temporary: table.to_parquet(temporary, index=False))
        except StorageError:
            return

    def _stamp(self, path: str) -> str | None:
        try:
            stat = (self._root / path).stat()
        except OSError:
            return None
        return f"{stat.st_size} {stat.st_mtime_ns}"
