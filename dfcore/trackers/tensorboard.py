"""Event files of TensorBoard beside runs, made from their history without TensorFlow.

Nothing heavy is imported before a figure is there: a training process imports TensorFlow first.

A run has one file, `tensorboard/events.out.tfevents.…`: whoever goes on with it writes the history anew, so that no
figure is there twice, and begins with a start mark, by which an open TensorBoard drops what it had read.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from dfcore.errors import DfcoreError
from dfcore.runs.run import Run
from dfcore.runs.store import RunStore
from dfcore.utils.files import explained, make_folder, share

FOLDER = "tensorboard"
_MARK = "tfevents"
_DESCRIPTIONS = {
    "loss": "Loss on the training images, mean over the epoch.",
    "accuracy": "Accuracy on the training images at a score of 0.5, mean over the epoch.",
    "lr": "Learning rate at the end of the epoch.",
    "images_per_second": "Speed of training.",
    "val_loss": "Loss on the validation images.",
    "val_accuracy": "Accuracy on the validation images at a score of 0.5.",
    "val_auc": "ROC AUC on the validation images.",
}


class Board:
    """Writes the figures of a run that is being trained, an epoch at a time; what hinders is said, once.

    Args:
        say: Called with a line for the log.
    """

    def __init__(self, say: Callable[[str], None]):
        self._say = say
        self._file: Any = None
        # Epochs that the file holds.
        self._written = 0
        self._told = False

    def write(self, run: Run) -> None:
        """Writes the epochs that are not in the file yet."""
        try:
            if self._file is None:
                self._file = _begun(run)
                self._written = 0
            rows = [event for event in _events(run) if event.step > self._written]
            for event in rows:
                self._file.write(event.SerializeToString())
            self._file.flush()
            self._written = max((event.step for event in rows), default=self._written)
        except (DfcoreError, OSError) as error:
            # No run fails for its curves' sake. The next epoch writes all of them anew.
            self.close()
            if not self._told:
                reason = explained(error, run.folder) if isinstance(error, OSError) else str(error)
                self._say(f"The figures for TensorBoard could not be written: {reason}.")
                self._told = True

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None


def write_missing(folder: Path) -> list[str]:
    """Makes event files for runs in a folder that have a history and none; returns the ids of those runs.

    Runs that are at work write theirs themselves. What cannot be read or written is left out.
    """
    made = []
    for run in RunStore(folder):
        with suppress(DfcoreError, OSError):
            if _files(run) or run.status().state.active or not run.history():
                continue
            board = Board(lambda _: None)
            board.write(run)
            board.close()
            if _files(run):
                made.append(run.id)
    return made


def _begun(run: Run) -> Any:
    """A new file for a run with its settings; the older ones are gone."""
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.summary.writer.record_writer import RecordWriter

    before = _files(run)
    make_folder(run.folder / FOLDER)
    # TensorBoard goes through the files of a folder by name.
    path = run.folder / FOLDER / f"events.out.{_MARK}.{time.time():017.6f}.{os.getpid()}"
    file = RecordWriter(open(path, "ab"))  # noqa: SIM115  (stays open while the run is trained)
    share(path)
    now = time.time()
    file.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
    start = SessionLog(status=SessionLog.START)
    file.write(Event(wall_time=now, step=1, session_log=start).SerializeToString())
    file.write(Event(wall_time=now, summary=_settings(run)).SerializeToString())
    file.flush()
    for old in before:
        old.unlink(missing_ok=True)
    return file


def _settings(run: Run) -> Any:
    """The settings as TensorBoard's HParams tab takes them."""
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    from dfcore.trackers import content

    values = {
        name: value if isinstance(value, (bool, int, float, str)) else content.parameters(run)[name]
        for name, value in content.settings(run).items()
    }
    return hparams_pb(values, trial_id=run.id, start_time_secs=run.created.timestamp())


def _events(run: Run) -> Iterator[Any]:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.types_pb2 import DT_FLOAT
    from tensorboard.plugins.scalar.metadata import create_summary_metadata

    from dfcore.trackers import content

    times = content.epoch_times(run)
    for row in run.history():
        epoch = int(row["epoch"])
        values = [
            Summary.Value(
                tag=content.key(name),
                tensor=TensorProto(dtype=DT_FLOAT, float_val=[value]),
                metadata=create_summary_metadata(name, _DESCRIPTIONS.get(name, "")),
            )
            for name, value in row.items()
            if name != "epoch"
        ]
        yield Event(wall_time=times[epoch], step=epoch, summary=Summary(value=values))


def _files(run: Run) -> list[Path]:
    return sorted(path for path in (run.folder / FOLDER).glob(f"*{_MARK}*"))
