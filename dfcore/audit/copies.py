"""Neutralised copies of a data set, kept in the workspace, registered and audited."""

from collections.abc import Callable
from pathlib import Path

from dfcore.audit import stored
from dfcore.audit.neutralise import neutralise, plan_for
from dfcore.audit.run import audit
from dfcore.datasets import Dataset, registry, scan

_SUFFIX = "-neutralised"
Step = Callable[[str], Callable[[int, int], None]]


def make(dataset: Dataset, step: Step, *, should_stop: Callable[[], bool]) -> Path | None:
    """Makes a copy, registers it and audits it, so that the probes of both can be compared.

    Args:
        dataset: The original.
        step: Called with the title of each step; returns what is called with (units done, units in all).
        should_stop: Asked before each image of the copy.

    Returns:
        The copy's folder; None if it was stopped before it was complete.

    Raises:
        DatasetError, InputError, StorageError: See `neutralise`.
    """
    made = neutralise(
        dataset,
        registry.free_folder(dataset.name, _SUFFIX),
        plan_for(dataset),
        progress=step("Making images alike"),
        should_stop=should_stop,
    )
    if made is None:
        return None
    copy = registry.register(made.folder)
    read = scan(copy, progress=step("Reading the copy"))
    stored.keep(copy, audit(read, progress=step("Auditing the copy"), networks=False))
    return copy


def registered_copies(dataset: Dataset) -> list[Path]:
    """The registered copies of a data set, by their names."""
    return registry.made_of(dataset.name, _SUFFIX)
