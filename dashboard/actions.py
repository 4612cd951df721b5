"""Actions that change state or use significant compute: the only place where roles are checked and actions logged.

Pages go through these functions for every such action; a test enforces it.
"""

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dashboard import error_reporting, roles
from dashboard.roles import Role
from dfcore import runs, workspace
from dfcore.detectors import library
from dfcore.errors import AccessError
from dfcore.exchange import import_export
from dfcore.runs import Run, RunStore

if TYPE_CHECKING:
    from dfcore.training.config import TrainConfig

_Result = TypeVar("_Result")


def needs(role: Role, what: str, *, noted: bool = True) -> Callable[[Callable[..., _Result]], Callable[..., _Result]]:
    """Decorator that requires a role and, if `noted`, logs who did what.

    Args:
        role: Lowest role that may call the function.
        what: Name of the action, for the log and for the error.
        noted: Whether each call is logged.
    """

    def decorate(function: Callable[..., _Result]) -> Callable[..., _Result]:
        @wraps(function)
        def checked(*args: Any, **kwargs: Any) -> _Result:
            roles.require(role, what)
            result = function(*args, **kwargs)
            if not noted:
                return result
            subject = next((arg for arg in args if isinstance(arg, (str, Path))), "")
            error_reporting.log().info("%s: %s %s", roles.who(), what, subject)
            return result

        return checked

    return decorate


# === Images ===


@needs(Role.ANALYST, "Judging images", noted=False)
def require_judging() -> None:
    """Call before judging images; not logged per image."""


@needs(Role.ANALYST, "Measuring a detector", noted=False)
def require_measuring() -> None:
    """Call before measuring a detector on a data set."""


# === Data sets ===


@needs(Role.TRAINER, "Making the demonstration set")
def make_demo(progress: Callable[[int, int], None]) -> Path:
    """Creates the demonstration set and registers it."""
    from dfcore.datasets import demo, registry

    return registry.register(demo.make_demo(registry.demo_folder(), progress=progress))


@needs(Role.TRAINER, "Registering a data set")
def register(root: str) -> Path:
    """See `dfcore.datasets.registry.register`."""
    from dfcore.datasets import registry

    return registry.register(root)


@needs(Role.TRAINER, "Taking a data set off the list")
def forget(root: Path) -> None:
    """See `dfcore.datasets.registry.forget`."""
    from dfcore.datasets import registry

    registry.forget(root)


# === Runs ===


@needs(Role.TRAINER, "Starting a training run")
def start(config: "TrainConfig") -> Run:
    """See `dfcore.runs.start`."""
    _require_readable(config)
    return runs.start(RunStore(workspace.runs_dir()), config.to_dict(), epochs=config.epochs)


@needs(Role.TRAINER, "Estimating the time of a training run")
def estimate(config: "TrainConfig", *, training_images: int, validation_images: int) -> float:
    """See `dfcore.runs.estimate`."""
    _require_readable(config)
    return runs.estimate(config.to_dict(), training_images=training_images, validation_images=validation_images)


@needs(Role.TRAINER, "Stopping a training run")
def stop(run_id: str) -> None:
    """See `Run.request_stop`; does nothing if the run has already ended."""
    run = _run(run_id)
    if run.status().state.active:
        run.request_stop()


@needs(Role.TRAINER, "Resuming a training run")
def resume(run_id: str) -> None:
    """See `dfcore.runs.resume`; does nothing if the run is already active."""
    run = _run(run_id)
    if not run.status().state.active:
        runs.require_data(run)
        runs.resume(run)


@needs(Role.TRAINER, "Deleting a training run")
def delete_run(run_id: str) -> None:
    """See `RunStore.delete`."""
    RunStore(workspace.runs_dir()).delete(run_id)


@needs(Role.ANALYST, "Writing notes on a training run")
def write_notes(run_id: str, text: str) -> None:
    """See `Run.write_notes`."""
    _run(run_id).write_notes(text)


# === Detectors ===


@needs(Role.TRAINER, "Promoting a run's detector")
def promote(run_id: str, name: str) -> None:
    """See `dfcore.detectors.library.promote`."""
    library.promote(_run(run_id).bundle, workspace.models_dir(), name)


@needs(Role.TRAINER, "Taking in a detector")
def take_in(name: str, data: bytes) -> None:
    """See `dfcore.exchange.import_export.unpack`."""
    import_export.unpack(data, workspace.models_dir(), name)


@needs(Role.ANALYST, "Passing a detector on", noted=False)
def pack(folder: Path) -> Callable[[], bytes]:
    """Returns a function that packs a detector on download.

    Streamlit calls it outside any session, so the role is checked here.
    """
    return partial(import_export.pack, folder)


@needs(Role.TRAINER, "Making a detector the default")
def set_default(name: str) -> None:
    """See `dfcore.detectors.library.set_default`."""
    library.set_default(workspace.models_dir(), name)


@needs(Role.TRAINER, "Renaming a detector")
def rename(name: str, new: str) -> None:
    """See `dfcore.detectors.library.rename`."""
    library.rename(workspace.models_dir(), name, new)


@needs(Role.TRAINER, "Deleting a detector")
def delete_detector(name: str) -> None:
    """See `dfcore.detectors.library.delete`."""
    library.delete(workspace.models_dir(), name)


def _run(run_id: str) -> Run:
    return RunStore(workspace.runs_dir()).get(run_id)


def _require_readable(config: "TrainConfig") -> None:
    if config.arch_file:
        raise AccessError(
            f"A file of code is named on the command line only: dfcore train --arch-file. Received: {config.arch_file}."
        )
    workspace.require_readable(Path(config.data_root))
    if config.weights not in ("none", "imagenet"):
        workspace.require_readable(Path(config.weights))
