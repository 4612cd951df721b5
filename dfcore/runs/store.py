"""The runs in a folder: creating, finding, queueing and deleting them."""

import time
from typing import Any

from dfcore.runs.jobs import JobStore
from dfcore.runs.run import Run
from dfcore.runs.status import State, Status
from dfcore.utils.files import write_json


class RunStore(JobStore[Run]):
    """The runs in a folder."""

    kind = Run

    def create(self, config: dict[str, Any], *, epochs: int) -> Run:
        """Creates a queued run.

        Args:
            config: Validated configuration.
            epochs: Number of planned epochs.

        Raises:
            StorageError: If the folder cannot be written.
        """
        with self._new() as folder:
            now = time.time()
            write_json(folder / "config.json", config)
            write_json(folder / "created.json", {"time": now})
            status = Status(State.QUEUED, heartbeat=now, phase="starting its process", epochs=epochs)
            write_json(folder / "status.json", status.__dict__)
            return self._named(folder, str(config.get("arch", "run")))
