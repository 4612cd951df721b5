"""Pictures that were judged before: the same file, the same pixels, or pixels that look alike."""

import threading

import numpy as np
from sqlalchemy import Connection, select

from dfcore.cases.find import judgements_of, rows_of
from dfcore.cases.tables import PICTURES
from dfcore.cases.values import How, Picture, Seen

# Bits of 64 by which perceptual hashes of copies differ at most, as for training images (`detectors.trained_on`).
MOST_BITS = 4
# Of those that are merely alike, so many are told, the nearest first.
MOST_ALIKE = 50


class Looks:
    """Perceptual hashes of all pictures, kept in memory; only new ones are read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._known: dict[str, int] = {}
        self._names: list[str] = []
        self._hashes = np.zeros(0, np.uint64)

    def near(self, connection: Connection, phash: str, mirrored: str) -> list[tuple[str, int, bool]]:
        """Pictures that look alike: their hashes, the bits that differ, and whether as the mirror image."""
        with self._lock:
            self._read_new(connection)
            names, hashes = self._names, self._hashes
        nearest: dict[str, tuple[int, bool]] = {}
        for look, turned in ((phash, False), (mirrored, True)):
            if look:
                bits = np.bitwise_count(hashes ^ np.uint64(int(look, 16)))
                for index in np.flatnonzero(bits <= MOST_BITS).tolist():
                    found = int(bits[index]), turned
                    nearest[names[index]] = min(found, nearest.get(names[index], found))
        result = sorted((bits, turned, name) for name, (bits, turned) in nearest.items())
        return [(name, bits, turned) for bits, turned, name in result]

    def _read_new(self, connection: Connection) -> None:
        p = PICTURES.c
        new = connection.execute(select(p.sha256, p.phash, p.last).where(p.last > self._last).order_by(p.last)).all()
        changed = {row.sha256: int(row.phash, 16) for row in new if row.phash}
        self._last = new[-1].last if new else self._last
        if changed.items() - self._known.items():
            self._known |= changed
            self._names = list(self._known)
            self._hashes = np.fromiter(self._known.values(), np.uint64, len(self._known))


def seen(connection: Connection, looks: Looks, picture: Picture) -> list[Seen]:
    """Pictures of the store that are the same as a given one; the same file first, then the nearest."""
    how: dict[str, tuple[How, int, bool]] = {}
    p = PICTURES.c
    if connection.execute(select(p.sha256).where(p.sha256 == picture.sha256)).first():
        how[picture.sha256] = "file", 0, False
    if picture.pixels_sha256:
        same = select(p.sha256).where(p.pixels_sha256 == picture.pixels_sha256).order_by(p.first)
        for name in connection.execute(same).scalars():
            how.setdefault(name, ("pixels", 0, False))
    alike = 0
    for name, bits, turned in looks.near(connection, picture.phash, picture.mirrored):
        if name not in how and alike < MOST_ALIKE:
            how[name] = "alike", bits, turned
            alike += 1
    rows = rows_of(connection, list(how))
    judged = judgements_of(connection, [row.picture.sha256 for row in rows])
    return [
        Seen(row.picture, *how[row.picture.sha256], tuple(judged[row.picture.sha256]), row.decision, row.cases)
        for row in rows
    ]
