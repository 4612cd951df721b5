"""Aligned fakes of registered data sets, kept in the workspace and registered."""

from collections.abc import Callable
from pathlib import Path

from dfcore.datasets import registry
from dfcore.synthesis import taef2
from dfcore.synthesis.align import align
from dfcore.synthesis.plan import Aligned, Plan
from dfcore.synthesis.sources import real_pictures

SUFFIX = "-aligned"
Step = Callable[[str], Callable[[int, int], None]]


def name_of(root: Path) -> str:
    """What a data set is called in the names of what is made of it."""
    return root.name if root.is_dir() else root.parent.name


def make(root: Path, plan: Plan, step: Step, *, should_stop: Callable[[], bool]) -> Aligned | None:
    """Makes a data set of pairs from the real pictures of another, and registers it.

    Args:
        root: Folder or manifest of the other.
        plan: How.
        step: Called with the title of each step; returns what is called with (units done, units in all).
        should_stop: Asked before each pair.

    Returns:
        The data set; None if it was stopped before it was complete.

    Raises:
        LayoutError, DatasetError, InputError, StorageError: See `real_pictures` and `align`.
    """
    pictures = real_pictures(root, seed=plan.seed, progress=step("Reading the pictures"))
    place = registry.free_folder(name_of(root), SUFFIX)
    try:
        made = align(pictures, place, plan, progress=step("Making pairs"), should_stop=should_stop)
    finally:
        taef2.release()  # A server has better uses for its memory.
    if made is not None:
        registry.register(made.folder)
    return made
