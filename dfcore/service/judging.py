"""The detectors of a service, and what they do for a request: the same steps as `dfcore predict` takes."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from dfcore.batch.entries import Entry
from dfcore.batch.names import AUTO
from dfcore.batch.predict import PREVIEW_SIDE, BatchOptions, File, Judged, judge_read, read_file
from dfcore.batch.ready import Ready, make_ready
from dfcore.confidence import DecisionThresholds, ErrorBudget, Policy
from dfcore.detectors import spare_networks
from dfcore.detectors.card import Card
from dfcore.detectors.detector import Detector
from dfcore.errors import ImageError, InputError
from dfcore.evaluation import MeasuredRates, measured_rates, thresholds_for
from dfcore.explanation import Heatmap, layer, overlay
from dfcore.imaging.prepared import PreparedImage
from dfcore.provenance import Evidence, read_evidence
from dfcore.service.answers import heatmap_of, png, row_with_words
from dfcore.service.problems import Problem
from dfcore.service.queue import Job
from dfcore.service.settings import Settings
from dfcore.service.uploads import Upload

# Longest side in pixels of a heat-map that is drawn.
DRAWN_SIDE = 900


@dataclass(frozen=True)
class Choice:
    """How pictures are to be judged.

    Attributes:
        detector: Name of a detector, or "auto".
        ignore_ood: Whether pictures that are out of distribution are decided too.
        max_fpr: Share of real pictures that may be called fake; None for the card's.
        max_fnr: Share of fakes that may be called real; None for the card's.
        provenance: Whether to read what the file says of itself.
    """

    detector: str = AUTO
    ignore_ood: bool = False
    max_fpr: float | None = None
    max_fnr: float | None = None
    provenance: bool = False


@dataclass(frozen=True)
class Explained:
    """What is asked of a heat-map.

    Attributes:
        method: See `dfcore.explanation.METHODS`.
        target: Class whose evidence is shown.
        view: Number or name of the view.
        layer: Layer; None for the default one.
        side: Longest side of the values in pixels.
        drawn: "overlay" or "map" for a PNG, None for values.
    """

    method: str = "gradcam"
    target: str = "fake"
    view: str = "0"
    layer: str | None = None
    side: int = 64
    drawn: str | None = None


class Bench:
    """The detectors, loaded once.

    Attributes:
        ready: The detectors; None until they are loaded.
    """

    def __init__(self, ready: Ready | None = None):
        self.ready = ready
        # Of each way to ask that callers think of, a few kilobytes.
        self._how = lru_cache(128)(self._made)
        self._rates = lru_cache(256)(self._measured)

    def load(self, settings: Settings) -> None:
        """Loads the detectors and runs each once.

        Raises:
            InputError: If one is missing or damaged.
        """
        engine: Any = settings.engine
        self.ready = make_ready(settings.detectors, lambda _: None, engine=engine)

    @property
    def detectors(self) -> Mapping[str, Detector]:
        """By name.

        Raises:
            Problem: If they are still being loaded.
        """
        if self.ready is None:
            raise Problem(503, "loading", "The detectors are still being loaded. Try again in a moment.", 5)
        return self.ready.detectors

    def check(self, choice: Choice) -> None:
        """Raises a Problem if there is no such detector, or they are still being loaded."""
        known = self.detectors
        if choice.detector != AUTO and choice.detector not in known:
            raise Problem(
                422, "detector",
                f"Expected one of the detectors {', '.join([AUTO, *known])}. Received: {choice.detector!r}.",
            )  # fmt: skip

    def how(self, choice: Choice) -> tuple[Mapping[str, Detector], BatchOptions]:
        """The detectors for a choice, and how their scores become decisions.

        Raises:
            InputError: If a detector has no stored predictions to choose thresholds on.
        """
        return self._how(choice)

    def rates(self, name: str, thresholds: DecisionThresholds) -> MeasuredRates | None:
        """What a detector was measured to do at thresholds."""
        return self._rates(name, thresholds)

    def _made(self, choice: Choice) -> tuple[Mapping[str, Detector], BatchOptions]:
        known = self.detectors
        chosen = known if choice.detector == AUTO else {choice.detector: known[choice.detector]}
        policies = {}
        for name, detector in chosen.items():
            wanted = _budget(choice, detector.card)
            thresholds = thresholds_for(detector.folder, detector.card, wanted) if wanted else None
            policies[name] = Policy(thresholds, choice.ignore_ood)
        return chosen, BatchOptions(policies=policies)

    def _measured(self, name: str, thresholds: DecisionThresholds) -> MeasuredRates | None:
        detector = self.detectors[name]
        return measured_rates(detector.folder, detector.card, thresholds)

    def row(self, judged: Judged, evidence: Evidence | None) -> dict[str, Any]:
        """The record of a picture, see `row_with_words`."""
        card, verdict = self.detectors[judged.detector].card, judged.verdict
        rates = (
            self.rates(judged.detector, verdict.thresholds or card.thresholds) if verdict.score is not None else None
        )
        return row_with_words(judged, card, rates, evidence)


def _budget(choice: Choice, card: Card) -> ErrorBudget | None:
    asked = {name: value for name in ErrorBudget.model_fields if (value := getattr(choice, name)) is not None}
    if not asked:
        return None
    own = card.decision_thresholds.budget if card.decision_thresholds else ErrorBudget()
    return ErrorBudget(**(own.model_dump() | asked))


class PictureJob(Job):
    """A picture to judge; its answer is its record."""

    preview_side = PREVIEW_SIDE

    def __init__(self, bench: Bench, upload: Upload, choice: Choice, key: Hashable = None):
        super().__init__(key or choice)
        self.bench, self.choice = bench, choice
        self._upload = upload
        self.file: File | None = None
        self.evidence: Evidence | None = None

    def read(self) -> None:
        """See `Job.read`."""
        detectors, options = self.bench.how(self.choice)
        entry = Entry(self._upload.name, self._upload.read)
        options = BatchOptions(policies=options.policies, preview_side=self.preview_side)
        self.file = read_file(entry, [one.spec for one in detectors.values()], options)
        if self.choice.provenance and isinstance(self.file.image, PreparedImage):
            self.evidence = _evidence(self._upload)

    def judged(self, jobs: "Sequence[PictureJob]") -> list[Judged]:
        """Judges these pictures in one call."""
        detectors, options = self.bench.how(self.choice)
        return judge_read([job.file for job in jobs if job.file], detectors, options)

    def run(self, jobs: "Sequence[PictureJob]") -> list[Any]:
        """See `Job.run`."""
        pairs = zip(self.judged(jobs), jobs, strict=True)
        return [self.bench.row(judged, job.evidence) for judged, job in pairs]


class HeatmapJob(PictureJob):
    """A picture to judge and explain; its answer is its record with the heat-map, or that and a PNG."""

    def __init__(self, bench: Bench, upload: Upload, choice: Choice, asked: Explained):
        super().__init__(bench, upload, choice, object())
        self._asked = asked
        self.preview_side = DRAWN_SIDE if asked.drawn else PREVIEW_SIDE

    def run(self, jobs: "Sequence[PictureJob]") -> list[Any]:
        """See `Job.run`."""
        (judged,) = self.judged(jobs)
        image = judged.file.image
        if isinstance(image, ImageError):
            raise image
        detector, row = self.bench.detectors[judged.detector], self.bench.row(judged, self.evidence)
        asked = self._asked
        _require_layer(asked.layer, judged.detector, detector)
        heatmap = detector.explain(
            image, max_side=DRAWN_SIDE if asked.drawn else asked.side,
            method=asked.method, target=asked.target, layer=asked.layer, view=asked.view,
        )  # fmt: skip
        spare_networks.used(detector)
        title = detector.spec.view_titles[heatmap.view]
        return [(row, heatmap_of(heatmap, title, image), _drawn(heatmap, image, asked.drawn))]


def _require_layer(layer: str | None, name: str, detector: Detector) -> None:
    """Raises a Problem if a detector has no such layer; it may have hundreds, which /v1/detectors lists."""
    if layer and layer not in (known := detector.explainer().layers):
        raise Problem(
            422, "input",
            f"Expected one of the layers that /v1/detectors lists for {name}, such as {known[-1]}. Received: {layer!r}."
        )  # fmt: skip


def _drawn(heatmap: Heatmap, image: PreparedImage, how: str | None) -> bytes | None:
    if how is None:
        return None
    assert image.preview is not None
    return png(layer(heatmap) if how == "map" else overlay(_fitted(image.preview, heatmap.values.shape), heatmap))


def _fitted(rgb: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The picture at a map's size; they differ by a pixel where sides were rounded otherwise."""
    from PIL import Image

    height, width = shape
    return rgb if rgb.shape[:2] == (height, width) else np.asarray(Image.fromarray(rgb).resize((width, height)))


def _evidence(upload: Upload) -> Evidence:
    try:
        return read_evidence(upload.read())
    except (ImageError, InputError) as error:
        return Evidence(summary="What the file says of itself could not be read.", unreadable=(str(error),))
