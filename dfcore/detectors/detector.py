"""A detector: takes images, returns verdicts, with the same preprocessing and scores as in training."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from dfcore import architectures
from dfcore.confidence import NOT_CHECKED, OODDetector, OODResult, Policy, check_ood, flatness, saturation
from dfcore.detectors import on_tower, subject
from dfcore.detectors.bundle import MODEL, read_ood_detector, read_trained_on, verify
from dfcore.detectors.card import Card
from dfcore.detectors.fast_engine import fast_engine
from dfcore.detectors.library import find_bundle
from dfcore.detectors.model_validation import check_model
from dfcore.detectors.trained_on import Seen, TrainedOn
from dfcore.detectors.verdict import Scores, Verdict
from dfcore.engines import (
    Engine,
    EngineName,
    KerasEngine,
    OpenVinoEngine,
    TowerEngine,
)
from dfcore.errors import BundleError, ImageError
from dfcore.imaging import decoder, sandbox
from dfcore.imaging.prepared import PreparedImage
from dfcore.imaging.preprocess import PreprocessSpec, first_view
from dfcore.imaging.signature import Signature, signature
from dfcore.utils.files import sha256_file
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    import keras

    from dfcore.explanation import Explainer, Heatmap
    from dfcore.runs import Run


class Detector:
    """A loaded detector bundle.

    Example:
        >>> import dfcore, numpy as np
        >>> detector = dfcore.Detector.load("small")
        >>> grey = np.full((64, 64, 3), 128, np.uint8)  # Or a path, a file's bytes, a Pillow image.
        >>> (verdict,) = detector.predict([grey])
        >>> verdict.decision, 0 <= verdict.score <= 1
        ('inconclusive', True)
    """

    def __init__(
        self,
        card: Card,
        engine: Engine,
        model: "keras.Model | None" = None,
        folder: Path | None = None,
        ood_detector: OODDetector | None = None,
    ):
        self.card = card
        self.engine = engine
        self.folder = folder
        self.ood_detector = ood_detector
        self._model = model
        self._explainer: Explainer | None = None
        self._trained_on: TrainedOn | None = None
        self._lazy_lock = threading.RLock()

    @classmethod
    def load(cls, bundle: "str | Path | Run", engine: EngineName = "auto") -> "Detector":
        """Loads a bundle folder, a run, or a detector by its name in the library.

        Args:
            bundle: Folder, run or name.
            engine: "keras" is the reference; "openvino" is faster on CPUs. "auto" uses OpenVINO if the card confirms
                matching results and the bundle is in a folder that only this workbench writes (models, runs, shipped
                detectors); TensorFlow is then imported only when the Keras model is needed. "openvino-bf16" computes
                in bfloat16, about twice as fast; the card states the cost in accuracy.

        Raises:
            BundleError: If the bundle is missing, incomplete, altered or cannot be loaded here.
            InputError: If the requested engine is unknown or unavailable.
            MissingExtraError: If the requested engine is not installed.
        """
        folder = find_bundle(bundle)
        card = verify(folder)
        openvino = fast_engine(folder, card, engine)
        detector = cls(card, openvino, None, folder) if openvino else _with_keras(folder, card)
        _check_runs(detector)
        detector.ood_detector = read_ood_detector(folder, card)
        if detector.ood_detector is not None:
            _check_domain(detector, len(detector.ood_detector.mean))
        return detector

    @property
    def model(self) -> "keras.Model":
        """The Keras model, loaded on first access.

        Raises:
            BundleError: If it cannot be loaded here.
        """
        with self._lazy_lock:
            if self._model is None:
                assert self.folder is not None  # `load` sets either the model or the folder.
                if sha256_file(self.folder / MODEL) != self.card.model_sha256:
                    raise BundleError(f"{self.folder / MODEL} is not the model that its card was written for.")
                self._model = _load_model(self.folder, self.card)
            return self._model

    @property
    def has_spare_network(self) -> bool:
        """Whether the Keras model is in memory although scores do not need it."""
        return self._model is not None and self.folder is not None and not isinstance(self.engine, KerasEngine)

    def free_network(self) -> None:
        """Forgets the Keras model and what was compiled from it, if only heat-maps need it; both return on demand."""
        with self._lazy_lock:
            if not self.has_spare_network:
                return
            self._model, explainer = None, self._explainer
        # Without the lock: a heat-map that is being made holds the explainer's and waits for this one.
        if explainer is not None:
            explainer.forget()

    @property
    def trained_on(self) -> TrainedOn | None:
        """The list of its training images, read on first access; None if its bundle has none.

        Raises:
            BundleError: If it is missing, altered or unreadable although the card names it.
        """
        with self._lazy_lock:
            if self._trained_on is None and self.folder is not None:
                self._trained_on = read_trained_on(self.folder, self.card)
            return self._trained_on

    @property
    def spec(self) -> PreprocessSpec:
        """The preprocessing of this detector."""
        return self.card.spec

    @property
    def threshold(self) -> float:
        """Score from which an image is called fake in the two-way decision."""
        return self.card.threshold.value

    def predict(
        self,
        sources: Iterable[decoder.Source],
        *,
        batch_size: int = 32,
        workers: int = 4,
        progress: Callable[[int], None] | None = None,
        policy: Policy = Policy(),
    ) -> list[Verdict]:
        """Returns verdicts on images.

        Args:
            sources: Paths, bytes of files, Pillow images or uint8 arrays.
            batch_size: Images per forward pass; does not affect scores.
            workers: Number of decoding threads.
            progress: Called with the number of images done.
            policy: How scores become decisions; by default as on the card.

        Returns:
            One verdict per image, in order. An image that cannot be read has `error` set and no score.
        """
        verdicts: list[Verdict] = []
        with ThreadPoolExecutor(workers) as pool:
            waiting = iter(sources)
            while batch := list(islice(waiting, batch_size)):
                verdicts += self.judge(list(pool.map(self._prepare, batch)), policy)
                if progress:
                    progress(len(verdicts))
        return verdicts

    def judge(self, batch: Sequence[PreparedImage | ImageError], policy: Policy = Policy()) -> list[Verdict]:
        """Returns verdicts on images prepared for this detector; an error becomes a verdict with `error` set."""
        good = [item for item in batch if isinstance(item, PreparedImage)]
        judged = iter(self._verdicts(good, policy) if good else ())
        return [
            next(judged) if isinstance(item, PreparedImage) else Verdict(None, self.threshold, error=str(item))
            for item in batch
        ]

    def foreseen(self, image: PreparedImage) -> OODResult:
        """What is known of an image's domain without running the network, in tens of milliseconds.

        Its reasons and rules are among those of the verdict; where it has none, the features decide. Whether a detector
        that errs on portraits is given one is looked at only then, and has no rule here, since the features may refuse
        the image instead.
        """
        if self.ood_detector is None or self.card.ood is None:
            return NOT_CHECKED
        pixels = first_view(image.inputs[self.spec][None])
        looks = saturation(pixels)[0], flatness(pixels)[0]
        found = check_ood(self.card.ood.limits, 0.0, image.shorter_side, image.jpeg_quality, *looks)
        (told,) = subject.checked(self.card.subject, [found], pixels)
        for_faces = self.card.subject is not None and self.card.subject.kind == "face"
        return told if for_faces or found.is_ood else replace(told, rules=())

    def score(
        self,
        pixels: np.ndarray,
        shorter_sides: Sequence[int | None] | None = None,
        qualities: Sequence[float | None] | None = None,
    ) -> Scores:
        """Computes logits, calibrated scores and out-of-distribution results. The only path from pixels to scores.

        Args:
            pixels: Preprocessed, uint8 (N, *spec.input_shape), N >= 1.
            shorter_sides: Shorter sides of the files in pixels, None where unknown.
            qualities: JPEG qualities in [0, 100], None where unknown.
        """
        outputs = self.engine.outputs(pixels)
        scores = self.card.calibration.apply(outputs.logits)
        if self.ood_detector is None or self.card.ood is None:
            return Scores(outputs.logits, scores, (NOT_CHECKED,) * len(pixels))
        unknown = [None] * len(pixels)
        relative, handled = self.ood_detector.judged(outputs.features)
        rows = zip(
            relative.tolist(),
            shorter_sides or unknown,
            qualities or unknown,
            saturation(first_view(pixels)),
            flatness(first_view(pixels)),
            handled.tolist(),
            strict=True,
        )
        found = [check_ood(self.card.ood.limits, *row) for row in rows]
        return Scores(outputs.logits, scores, tuple(subject.checked(self.card.subject, found, first_view(pixels))))

    def explain(
        self, source: decoder.Source | PreparedImage, *, max_side: int | None = None, **options: Any
    ) -> "Heatmap":
        """Computes a heat-map of the evidence in an image.

        Args:
            source: As for `predict`, or an image prepared for this detector.
            max_side: Compute the heat-map for the image scaled down to this longer side in pixels; None keeps its size.
            options: As for `dfcore.explanation.Explainer.evidence`: method, target, layer, view.
        """
        if isinstance(source, (np.ndarray, Image.Image)):
            return self.explainer().explain(decoder.decode(source), **options)
        prepared = (
            source if isinstance(source, PreparedImage) else sandbox.prepare(decoder.read_bytes(source), [self.spec])
        )
        size = prepared.height, prepared.width
        factor = min(1.0, max_side / max(size)) if max_side else 1.0
        return self.explainer().explain_prepared(prepared.inputs[self.spec], size, factor, **options)

    def warm(self) -> None:
        """Prepares for the first heat-map, which takes seconds."""
        self.explainer().explain(np.zeros((self.spec.size, self.spec.size, 3), np.uint8))

    @property
    def has_quick_maps(self) -> bool:
        """Whether Grad-CAM at the default layer takes neither Keras nor longer than a score."""
        record, engine = self.card.openvino, self.engine
        covered = record is not None and self.card.cam_layer in record.layers
        return covered and isinstance(engine, OpenVinoEngine | TowerEngine) and engine.has_gradcam

    def explainer(self) -> "Explainer":
        """This detector's explainer, created on first use."""
        from dfcore.explanation import Explainer, Shortcut

        with self._lazy_lock:
            if self._explainer is None:
                engine, record, shortcut = self.engine, self.card.openvino, None
                if self.has_quick_maps and record is not None and isinstance(engine, OpenVinoEngine | TowerEngine):
                    shortcut = Shortcut(engine.gradcam, record.layers)
                self._explainer = Explainer(lambda: self.model, self.spec, self.card.cam_layer, shortcut, engine.heads)
            return self._explainer

    def _prepare(self, source: decoder.Source) -> PreparedImage | ImageError:
        try:
            if isinstance(source, (np.ndarray, Image.Image)):
                return PreparedImage.from_pixels(decoder.decode(source), [self.spec])
            return sandbox.prepare(decoder.read_bytes(source), [self.spec])
        except ImageError as error:
            return error

    def _verdicts(self, batch: Sequence[PreparedImage], policy: Policy) -> Iterator[Verdict]:
        pixels = np.stack([item.inputs[self.spec] for item in batch])
        result = self.score(pixels, [item.shorter_side for item in batch], [item.jpeg_quality for item in batch])
        thresholds = policy.thresholds or self.card.thresholds
        rows = zip(result.scores.tolist(), result.logits.tolist(), result.ood, self._seen(batch), strict=True)
        for score, logit, ood, seen in rows:
            yield Verdict(score, self.threshold, logit, None, thresholds, ood, policy.ignore_ood, seen)

    def _seen(self, batch: Sequence[PreparedImage]) -> list[Seen]:
        """Whether it was trained on these images; looks are compared where there is a preview to tell them by."""
        if self.trained_on is None:
            return [Seen.UNKNOWN] * len(batch)

        def looks(positions: list[int]) -> Iterator[Signature | None]:
            previews = (batch[position].preview for position in positions)
            return (None if preview is None else signature(preview) for preview in previews)

        facts = [item.facts for item in batch]
        found = self.trained_on.find(
            [each.pixels_sha256 if each else None for each in facts],
            [each.sha256 if each else None for each in facts],
            looks,
        )
        # Images without facts came as pixels, of which nothing is known.
        return [Seen.UNKNOWN if each is None else seen for each, seen in zip(facts, found, strict=True)]


def _with_keras(folder: Path, card: Card) -> Detector:
    model = _load_model(folder, card)
    try:
        engine = KerasEngine(model, tta_flip=card.tta_flip, views=len(card.spec.view_titles), loss=card.loss)
        return Detector(card, engine, model, folder)
    except Exception as error:  # A network with other inputs or outputs than ours.
        raise BundleError(f"{folder}: its network cannot be compiled: {printable(error)[:300]}") from error


def _check_runs(detector: Detector) -> None:
    """Runs the network on a black image: a network that loads does not necessarily run."""
    try:
        outputs = detector.engine.outputs(np.zeros((1, *detector.spec.input_shape), np.uint8))
        shapes = outputs.logits.shape, outputs.features.shape
    except Exception as error:  # Keras and OpenVINO raise many exception types here.
        raise BundleError(f"{detector.folder}: its network does not run: {printable(error)[:300]}") from error
    if shapes != ((1,), (1, detector.engine.width)):
        raise BundleError(
            f"{detector.folder}: its network has wrong outputs. Expected shapes {((1,), (1, detector.engine.width))} "
            f"of logit and features. Received: {shapes}."
        )


def _check_domain(detector: Detector, width: int) -> None:
    card, folder = detector.card, detector.folder
    assert folder is not None
    widths = {detector.engine.width, *([on_tower.shared_width(folder, card)] if card.tower is not None else [])}
    if width not in widths:
        raise BundleError(
            f"{folder}: the out-of-distribution data do not fit the network. Expected "
            f"{' or '.join(map(str, sorted(widths)))} features. Received: {width}."
        )


def _load_model(folder: Path, card: Card) -> "keras.Model":
    import keras

    try:
        check_model(folder / MODEL)
    except BundleError as error:
        if card.adopted is not None or card.arch in architectures.names():
            raise
        raise BundleError(
            f"{folder}: its architecture {card.arch!r} is not registered here. Install the package that brings it, or "
            f"name its file with --arch-file. {error}"
        ) from None
    try:
        model = keras.saving.load_model(folder / MODEL, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many exception types on files that are not valid models.
        raise BundleError(f"{folder / MODEL} cannot be loaded: {printable(error)[:300]}") from error
    if card.tower is not None:
        model = on_tower.network(folder, card, model)
    expected = (card.preprocess.size, card.preprocess.size, 3)
    if model.input_shape[1:] != expected:
        raise BundleError(
            f"{folder}: the model does not match the card's preprocessing. Expected input shape {expected}. Received: "
            f"{model.input_shape[1:]}."
        )
    return model
