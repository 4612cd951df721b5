"""Names of detectors as they are given to commands and batches; checks them without loading anything."""

from collections.abc import Sequence

from dfcore import workspace
from dfcore.detectors.library import answering, find_bundle, list_bundles
from dfcore.errors import InputError

# In place of a detector's name: all that may be chosen, of which the one that fits judges each image.
AUTO = "auto"
# Before the id of the run whose detector is meant.
RUN = "run:"


def choices(names: Sequence[str]) -> list[str]:
    """The names of detectors, `AUTO` replaced; checks that each is there.

    Raises:
        InputError: If one is missing, or there is none to choose from.
    """
    if list(names) != [AUTO]:
        for name in names:
            find_bundle(name.removeprefix(RUN))
        return list(names)
    found = [path.name for path in answering(list_bundles())]
    if not found:
        raise InputError(
            f"There is no detector in {workspace.models_dir()} to choose from; those of the demonstration set answer "
            "only by their name."
        )
    return found
