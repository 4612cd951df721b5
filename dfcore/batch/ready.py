"""The detectors of a batch, loaded, with how their scores become decisions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfcore import workspace
from dfcore.batch.names import AUTO, RUN
from dfcore.confidence import ErrorBudget, Policy
from dfcore.detectors.card import Card
from dfcore.detectors.detector import Detector
from dfcore.detectors.library import answering, find_bundle, list_bundles
from dfcore.detectors.remembered import card_sha256
from dfcore.engines.base import EngineName
from dfcore.errors import InputError
from dfcore.evaluation import thresholds_for


@dataclass(frozen=True)
class Ready:
    """Loaded detectors by name, and their policies.

    Attributes:
        detectors: By name.
        policies: By name.
    """

    detectors: Mapping[str, Detector]
    policies: Mapping[str, Policy]

    def identity(self) -> dict[str, Any]:
        """What the verdicts depend on, by name: hashes of the cards, and the engines."""
        return {
            "detectors": {name: card_sha256(detector.card) for name, detector in self.detectors.items()},
            "engines": {name: detector.engine.name for name, detector in self.detectors.items()},
        }


def make_ready(
    names: Sequence[str],
    budget: Callable[[Card], ErrorBudget | None],
    *,
    ignore_ood: bool = False,
    engine: EngineName = "auto",
) -> Ready:
    """Loads detectors.

    Args:
        names: Names in the library, bundles or runs, "run:ID" for a run's; or `AUTO` alone.
        budget: The error budget for a card; None for the card's own.
        ignore_ood: Whether images that are out of distribution are decided too.
        engine: See `Detector.load`.

    Raises:
        InputError: If a detector is missing or damaged, or has no stored predictions to choose thresholds on.
    """
    detectors, policies = {}, {}
    for given in choices(names):
        name = given if given.startswith(RUN) else Path(given).name
        detector = detectors[name] = Detector.load(given.removeprefix(RUN), engine)
        wanted = budget(detector.card)
        thresholds = thresholds_for(detector.folder, detector.card, wanted) if wanted else None
        policies[name] = Policy(thresholds, ignore_ood)
    return Ready(detectors, policies)


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
