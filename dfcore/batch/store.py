"""The batches in a folder: starting, stopping, going on, closing and deleting them."""

import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from dfcore import workspace
from dfcore.batch import sources as what
from dfcore.batch.job import Batch, BatchStatus, Options, Request, now
from dfcore.batch.names import AUTO, choices
from dfcore.batch.sources import Source
from dfcore.confidence import ErrorBudget
from dfcore.runs.closing import ClosingStore, hours
from dfcore.runs.status import State
from dfcore.utils.files import write_json


class BatchStore(ClosingStore[Batch]):
    """The batches in a folder, by default that of the workspace.

    Going through them closes those whose time is up.
    """

    kind, worker = Batch, "dfcore.batch.worker"
    marks = ("status.json", "batch.json")

    def __init__(self, folder: str | Path | None = None):
        super().__init__(folder or workspace.batches_dir())

    def start(
        self,
        sources: Iterable[Source],
        detectors: Sequence[str] = (AUTO,),
        *,
        budget: ErrorBudget | None = None,
        options: Options = Options(),
        by: str = "",
        title: str = "",
    ) -> Batch:
        """Creates a batch and starts its process, which waits for its turn.

        Args:
            sources: What to judge; uploads are copied one after the other, so they need not be held together.
            detectors: Names in the library or "run:ID"; `AUTO` alone lets the one that fits judge each picture.
            budget: Acceptable errors; None for the cards' own.
            options: How to judge.
            by: Who asks.
            title: Name for people; by default what is judged.

        Raises:
            InputError: If there is nothing to judge, something may not be read, or a detector is missing.
            StorageError: If there is no space.
            DfcoreError: If the process cannot be started.
        """
        choices(detectors)
        hours()
        self._remove_half_made()
        with self._new() as folder:
            records = what.take(sources, folder)
            words = what.in_words(records)
            request = Request(
                title.strip() or _title(words), by, now(), tuple(detectors), budget, options, words
            )  # fmt: skip
            write_json(folder / "sources.json", {"sources": records})
            write_json(folder / "batch.json", request.to_dict())
            status = BatchStatus(State.QUEUED, heartbeat=time.time(), phase="starting its process")
            write_json(folder / "status.json", status.__dict__)
            batch = self._named(folder, "batch")
        self.launch(batch)
        return batch

    def _delete_files(self, job: Batch) -> None:
        shutil.rmtree(job.spool, ignore_errors=True)
        job.thumbnails.unlink(missing_ok=True)


def _title(words: Sequence[str]) -> str:
    names = [Path(words[0]).name or words[0], *words[1:]]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
