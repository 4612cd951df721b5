"""Actions on trackers: roles are checked and actions logged, as in `actions`."""

from dashboard import tensorboard_server
from dashboard.actions import needs
from dashboard.roles import Role
from dfcore import workspace
from dfcore.errors import RunError
from dfcore.runs import RunStore
from dfcore.trackers import start_mirror


@needs(Role.TRAINER, "Opening TensorBoard")
def open_tensorboard() -> str:
    """Opens TensorBoard on the runs, unless it is open; returns its address."""
    return tensorboard_server.opened()


@needs(Role.TRAINER, "Closing TensorBoard")
def close_tensorboard() -> None:
    """Closes TensorBoard; does nothing if it is not open."""
    tensorboard_server.close()


@needs(Role.TRAINER, "Sending a run to MLflow")
def mirror(run_id: str, *, anew: bool = False) -> None:
    """Sends a run to the tracking server, in a process of its own; as a new run there, if the old one was deleted.

    Raises:
        RunError: If that cannot be started.
    """
    told: list[str] = []
    if not start_mirror(RunStore(workspace.runs_dir()).get(run_id), told.append, anew=anew):
        raise RunError(f"Run {run_id}: {' '.join(told) or 'no tracking server is named'}.")
