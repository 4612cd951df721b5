"""Remembers what was judged in bulk in the store of cases."""

from collections.abc import Sequence
from dataclasses import replace

from dfcore.batch.predict import Judged
from dfcore.batch.ready import Ready
from dfcore.cases import open_store
from dfcore.cases.values import Judgement, Picture, Via
from dfcore.detectors import remembered
from dfcore.errors import TransientImageError
from dfcore.imaging.prepared import PreparedImage
from dfcore.utils.texts import storable


class Memory:
    """Writes verdicts into the store of cases; the same verdict once.

    Raises:
        InputError, StorageError: If the store cannot be opened.
    """

    def __init__(self, ready: Ready, by: str, via: Via = "batch"):
        self._ready, self._by, self._via = ready, by, via
        self._store = open_store()

    def add(self, judged: Sequence[Judged]) -> None:
        """Remembers verdicts, also that a file is no picture; not what may be read another time.

        Raises:
            StorageError: If they cannot be written.
        """
        self._store.remember_many(
            (picture, self._judgement(one)) for one in judged if (picture := _picture(one)) is not None
        )

    def _judgement(self, judged: Judged) -> Judgement:
        detector = self._ready.detectors[judged.detector]
        return remembered.judgement(
            detector.card, judged.verdict, key=judged.detector, title=detector.card.title, by=self._by,
            via=self._via, engine=detector.engine.name, name=storable(judged.file.path),
        )  # fmt: skip


def _picture(judged: Judged) -> Picture | None:
    file, name = judged.file, storable(judged.file.path)
    if file.sha256 is None or isinstance(file.image, TransientImageError):
        return None
    if not isinstance(file.image, PreparedImage) or file.image.facts is None:
        return Picture(file.sha256, name=name)
    signature = file.image.signature
    whole, mirrored = ("", "") if signature is None else (f"{int(value):016x}" for value in signature.hashes)
    return replace(remembered.picture(file.image.facts, name), phash=whole, mirrored=mirrored)
