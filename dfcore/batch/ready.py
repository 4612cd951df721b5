"""The detectors of a batch, loaded, with how their scores become decisions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfcore.batch.names import RUN, choices
from dfcore.confidence import ErrorBudget, Policy
from dfcore.detectors.card import Card
from dfcore.detectors.detector import Detector
from dfcore.detectors.remembered import card_sha256
from dfcore.engines.base import EngineName
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
        names: Names in the library, bundles or runs, "run:ID" for a run's; or "auto" alone.
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
