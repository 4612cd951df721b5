"""Actions that change state or use significant compute: the only place where roles are checked and actions logged.

Pages go through these functions for every such action; a test enforces it.
"""

import threading
from collections.abc import Callable, Collection, Iterable
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dashboard import background, error_reporting, roles
from dashboard.roles import Role
from dfcore import architectures, runs, workspace
from dfcore.detectors import library
from dfcore.errors import AccessError
from dfcore.exchange import import_export
from dfcore.runs import Run, RunStore

if TYPE_CHECKING:
    from dfcore.batch.sources import Source
    from dfcore.batch.store import BatchStore
    from dfcore.confidence import ErrorBudget
    from dfcore.datasets import Dataset
    from dfcore.datasets.reading import Reading
    from dfcore.synthesis.plan import Aligned, Plan
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


_UNCONFIRMED = {"confirmed": False, "confirmed_of": ""}


@needs(Role.ANALYST, "Judging images", noted=False)
def require_judging() -> None:
    """Call before judging images; not logged per image."""


@needs(Role.ANALYST, "Measuring a detector", noted=False)
def require_measuring() -> None:
    """Call before measuring a detector on a data set."""


# === Batches ===


@needs(Role.ANALYST, "Starting a batch")
def start_batch(
    sources: "Iterable[Source]", detectors: list[str], *, budget: "ErrorBudget | None", ignore_ood: bool,
    remember: bool, title: str,
) -> str:  # fmt: skip
    """See `BatchStore.start`; returns its id."""
    from dfcore.batch.job import Options
    from dfcore.batch.store import BatchStore

    options = Options(ignore_ood=ignore_ood, remember=remember)
    return BatchStore().start(sources, detectors, budget=budget, options=options, by=roles.who(), title=title).id


@needs(Role.ANALYST, "Stopping a batch")
def stop_batch(batch_id: str) -> None:
    """See `BatchStore.stop`; does nothing if it has already ended."""
    if _batches().get(batch_id).status().state.active:
        _batches().stop(batch_id)


@needs(Role.ANALYST, "Going on with a batch")
def resume_batch(batch_id: str) -> None:
    """See `BatchStore.resume`; does nothing if it is at work already."""
    if not _batches().get(batch_id).status().state.active:
        _batches().resume(batch_id)


@needs(Role.ANALYST, "Closing a batch")
def close_batch(batch_id: str) -> None:
    """See `BatchStore.close`."""
    _batches().close(batch_id)


@needs(Role.TRAINER, "Deleting a batch")
def delete_batch(batch_id: str) -> None:
    """See `BatchStore.delete`."""
    _batches().delete(batch_id)


def _batches() -> "BatchStore":
    from dfcore.batch.store import BatchStore

    return BatchStore()


# === Reports ===


@needs(Role.ANALYST, "Making a report", noted=False)
def report(make: Callable[[], bytes]) -> Callable[[], bytes]:
    """Returns a function that makes a report on download; who made one is logged then.

    Streamlit calls it outside any session, so the role is checked here.
    """
    who = roles.who()

    def made() -> bytes:
        result = make()
        error_reporting.log().info("%s: Making a report", who)
        return result

    return made


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


@needs(Role.TRAINER, "Removing a data set from the list")
def forget(root: Path) -> None:
    """See `dfcore.datasets.registry.forget`."""
    from dfcore.datasets import registry

    registry.forget(root)


@needs(Role.TRAINER, "Relocating a data set")
def relocate(old: Path, new: str) -> Path:
    """Puts a data set's new place on the list; what was said of it and its audit go along."""
    from dfcore.audit import stored
    from dfcore.datasets import reading, registry

    place = next(iter(registry.relocate(old, new.strip() or "(nothing)")))
    with _reading_lock:
        if reading.recall(place) == reading.Reading():
            reading.remember(place, reading.recall(old))
    audit = stored.recall(old)
    if audit is not None and stored.recall(place) is None:
        stored.keep(place, audit)
    return place


@needs(Role.TRAINER, "Confirming how a data set is read")
def confirm(root: Path, confirmed: bool, seen: str = "") -> None:
    """Remembers whether a person has confirmed what was understood, with the `labelled_fingerprint` that was seen."""
    _change_reading(root, lambda _: {"confirmed": confirmed, "confirmed_of": seen})


@needs(Role.TRAINER, "Swapping real and fake")
def swap(root: Path) -> None:
    """Turns around real and fake; a second time turns them back. What was confirmed before no longer is."""
    _change_reading(root, lambda reading: {"swapped": not reading.swapped} | _UNCONFIRMED)


@needs(Role.TRAINER, "Changing how a data set is read")
def read_as(root: Path, **changes: Any) -> None:
    """Remembers columns, labels, class folders or groups of a data set; what was confirmed before no longer is."""
    _change_reading(root, lambda _: changes | _UNCONFIRMED)


@needs(Role.TRAINER, "Excluding images, or restoring them")
def exclude(root: Path, hashes: Collection[str], *, out: bool) -> None:
    """Takes images out of use by the hashes of their pixels, without touching files, or puts them back."""
    _change_reading(root, lambda reading: {"excluded": _with(reading.excluded, hashes, out)})


@needs(Role.TRAINER, "Grouping images")
def keep_together(root: Path, groups: Collection[tuple[str, ...]], *, together: bool) -> None:
    """Remembers groups of images, by the hashes of their pixels, that never part between splits, or forgets them."""
    _change_reading(root, lambda reading: {"together": _with(reading.together, groups, together)})


@needs(Role.TRAINER, "Auditing a data set")
def start_audit(root: Path, dataset: "Dataset") -> None:
    """Audits a data set in the background and stores the result; does nothing if that is under way."""

    def work(task: background.Task) -> None:
        from dfcore.audit import stored
        from dfcore.audit.run import audit

        stored.keep(root, audit(dataset, progress=task.step("Auditing")))

    background.start(background.audit_key(root), f"Auditing {dataset.name}", work)


@needs(Role.TRAINER, "Making a neutralised copy")
def start_neutralising(root: Path, dataset: "Dataset") -> None:
    """Makes, registers and audits a neutralised copy in the background; does nothing if that is under way."""

    def work(task: background.Task) -> None:
        from dfcore.audit import copies

        if copies.make(dataset, task.step, should_stop=lambda: task.stopping) is None:
            raise background.StoppedError

    background.start(background.neutralise_key(root), f"Making a neutralised copy of {dataset.name}", work)


@needs(Role.TRAINER, "Making aligned fakes")
def start_aligning(root: Path, plan: "Plan") -> None:
    """Makes and registers aligned fakes in the background; does nothing if that is under way."""

    def work(task: background.Task) -> "Aligned":
        from dfcore.synthesis import stored

        made = stored.make(root, plan, task.step, should_stop=lambda: task.stopping)
        if made is None:
            raise background.StoppedError
        return made

    background.start(background.align_key(root), f"Making aligned fakes of {root.name}", work)


@needs(Role.TRAINER, "Stopping long work")
def stop_work(key: str) -> None:
    """Asks work in the background to stop; does nothing if it has ended."""
    task = background.find(key)
    if task is not None:
        task.stop()


@needs(Role.TRAINER, "Putting away how long work ended", noted=False)
def close_work(key: str) -> None:
    """Forgets work in the background that has ended; does nothing if the current user did not begin it."""
    background.drop(key)


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


@needs(Role.TRAINER, "Importing a detector")
def take_in(name: str, data: bytes) -> None:
    """See `dfcore.exchange.import_export.unpack`."""
    import_export.unpack(data, workspace.models_dir(), name)


@needs(Role.ANALYST, "Downloading a detector", noted=False)
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
def delete_detector(name: str, successor: str | None = None) -> None:
    """See `dfcore.detectors.library.delete`."""
    library.delete(workspace.models_dir(), name, successor=successor)


def _with(before: "tuple[_Result, ...]", ones: "Collection[_Result]", there: bool) -> "tuple[_Result, ...]":
    """The same with or without some."""
    return (*(one for one in before if one not in ones), *(ones if there else ()))


_reading_lock = threading.Lock()


def _change_reading(root: Path, change: "Callable[[Reading], dict[str, Any]]") -> None:
    """Changes what is remembered of a data set; `change` gives the new values, by name."""
    from dfcore.datasets import reading

    with _reading_lock:
        before = reading.recall(root)
        reading.remember(root, reading.Reading.model_validate(before.model_dump() | change(before)))


def _run(run_id: str) -> Run:
    return RunStore(workspace.runs_dir()).get(run_id)


def _require_readable(config: "TrainConfig") -> None:
    if config.arch_file:
        raise AccessError(
            "A file with code can be given on the command line only: dfcore train --arch-file. "
            f"Received: {config.arch_file}."
        )
    workspace.require_readable(Path(config.data_root))
    if config.weights not in architectures.BY_NAME:
        workspace.require_readable(Path(config.weights))
