"""A detector: images in, verdicts out, with the pixels and the numbers of its training."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from PIL import Image

from dfcore import architectures, workspace
from dfcore.confidence import NOT_CHECKED, OODDetector, Policy, check_ood, flatness, saturation
from dfcore.detectors.bundle import MODEL, Card, read_ood_detector, read_openvino, verify
from dfcore.detectors.library import find_bundle
from dfcore.detectors.model_validation import check_model, read_weights
from dfcore.detectors.verdict import Scores, Verdict
from dfcore.engines import Engine, EngineName, KerasEngine, OpenVinoEngine, has_bfloat16, installed, weight_dedup
from dfcore.errors import BundleError, ImageError, InputError
from dfcore.imaging import decoder, sandbox
from dfcore.imaging.prepared import PreparedImage
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.utils import extras
from dfcore.utils.files import sha256_file
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    import keras

    from dfcore.explanation import Explainer, Heatmap


class Detector:
    """A loaded bundle.

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
        self._making = threading.RLock()

    @classmethod
    def load(cls, bundle: str | Path, engine: EngineName = "auto") -> "Detector":
        """Loads a bundle folder, a run, or a detector by its name in the library.

        Args:
            bundle: which.
            engine: "keras" is the reference; "openvino" is fast on CPUs; "auto" takes the fast one where the card says
                that it answers alike and the bundle lies where only this workbench writes (its models, its runs, the
                detectors that ship), and then imports TensorFlow only when the Keras model is asked for.
                "openvino-bf16" computes in bfloat16, about twice as fast; what that costs stands on the card.

        Raises:
            BundleError: when it is missing, incomplete, altered, or cannot be loaded here.
            InputError: when the engine asked for is not to be had.
            MissingExtraError: when it is not installed.
        """
        folder = find_bundle(bundle)
        card = verify(folder)
        openvino = _openvino_engine(folder, card, engine)
        detector = cls(card, openvino, None, folder) if openvino else _with_keras(folder, card)
        _require_answer(detector)
        detector.ood_detector = read_ood_detector(folder, card)
        width = detector.engine.width
        if detector.ood_detector is not None and len(detector.ood_detector.mean) != width:
            raise BundleError(
                f"{folder}: the record of training images has {len(detector.ood_detector.mean)} features, not {width}."
            )
        return detector

    @property
    def model(self) -> "keras.Model":
        """The Keras model, loaded when first asked for.

        Raises:
            BundleError: when it cannot be loaded here.
        """
        with self._making:
            if self._model is None:
                assert self.folder is not None  # `load` gives the one or the other.
                if sha256_file(self.folder / MODEL) != self.card.model_sha256:
                    raise BundleError(f"{self.folder / MODEL} is not the model that its card was written for.")
                self._model = _load_model(self.folder, self.card)
            return self._model

    @property
    def spec(self) -> PreprocessSpec:
        """The preprocessing that this detector owns."""
        return self.card.spec

    @property
    def threshold(self) -> float:
        """From this score on an image is called fake."""
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
        """Judges images.

        Args:
            sources: paths, bytes of files, Pillow images or uint8 arrays.
            batch_size: images a forward pass; it does not change any score.
            workers: threads that decode.
            progress: called with the number of images done.
            policy: how scores become decisions, by default as the card says.

        Returns:
            One verdict an image, in order; an image that cannot be read has `error` instead of a score.
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
        """Judges images that were prepared for this detector; an error becomes a verdict that tells it."""
        good = [item for item in batch if isinstance(item, PreparedImage)]
        judged = iter(self._verdicts(good, policy) if good else ())
        return [
            next(judged) if isinstance(item, PreparedImage) else Verdict(None, self.threshold, error=str(item))
            for item in batch
        ]

    def score(
        self,
        pixels: np.ndarray,
        shorter_sides: Sequence[int | None] | None = None,
        qualities: Sequence[float | None] | None = None,
    ) -> Scores:
        """Logit, calibrated score and out-of-distribution check: the one way from pixels to scores.

        Args:
            pixels: preprocessed, uint8 (N, size, size, 3), N >= 1.
            shorter_sides: of the files in pixels, None where unknown.
            qualities: JPEG qualities, None where unknown.
        """
        outputs = self.engine.outputs(pixels)
        scores = self.card.calibration.apply(outputs.logits)
        if self.ood_detector is None or self.card.ood is None:
            return Scores(outputs.logits, scores, (NOT_CHECKED,) * len(pixels))
        unknown = [None] * len(pixels)
        rows = zip(
            self.ood_detector.relative(outputs.features).tolist(),
            shorter_sides or unknown,
            qualities or unknown,
            saturation(pixels),
            flatness(pixels),
            strict=True,
        )
        return Scores(outputs.logits, scores, tuple(check_ood(self.card.ood.files, *row) for row in rows))

    def explain(
        self, source: decoder.Source | PreparedImage, *, max_side: int | None = None, **options: Any
    ) -> "Heatmap":
        """Where in an image the evidence lies.

        Args:
            source: as for `predict`, or an image that was prepared for this detector.
            max_side: the heat-map is made for the image shrunk to so many pixels a side; None keeps its size.
            options: as in `dfcore.explanation.Explainer.explain`.
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
        """Makes what the first heat-map needs: it takes seconds."""
        self.explainer().explain(np.zeros((self.spec.size, self.spec.size, 3), np.uint8))

    def explainer(self) -> "Explainer":
        """The explainer of this detector, made once."""
        from dfcore.explanation import Explainer, Shortcut

        with self._making:
            if self._explainer is None:
                engine, record, shortcut = self.engine, self.card.openvino, None
                known = record is not None and self.card.cam_layer in record.layers
                if record is not None and known and isinstance(engine, OpenVinoEngine) and engine.has_gradcam:
                    shortcut = Shortcut(engine.gradcam, record.layers)
                self._explainer = Explainer(lambda: self.model, self.spec, self.card.cam_layer, shortcut)
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
        for score, logit, ood in zip(result.scores.tolist(), result.logits.tolist(), result.ood, strict=True):
            yield Verdict(score, self.threshold, logit, None, thresholds, ood, policy.ignore_ood)


def _openvino_engine(folder: Path, card: Card, asked: EngineName) -> OpenVinoEngine | None:
    """The fast engine where it is to be taken, else None."""
    if asked not in get_args(EngineName):
        raise InputError(f"Expected an engine out of {', '.join(get_args(EngineName))}. Received: {asked!r}.")
    # OpenVINO trusts what it reads; a graph that somebody else made is not given to it unasked.
    enabled = card.openvino is not None and card.openvino.enabled and installed() and workspace.is_own(folder)
    bfloat16 = asked == "openvino-bf16"
    if asked == "keras" or (asked == "auto" and not enabled):
        return None
    files = read_openvino(folder, card)
    if files is None and asked == "auto":
        return None
    extras.require("openvino", "openvino", f"The engine {asked!r}")
    if files is None:
        why = card.openvino.reason if card.openvino and card.openvino.reason else "it was made without"
        raise InputError(f"{folder} has no network for OpenVINO ({why}). 'dfcore optimize' makes one.")
    graph, weights = files
    assert card.openvino is not None  # There are files.
    if bfloat16 and not has_bfloat16():
        raise InputError("This processor does not compute in bfloat16; use --engine openvino.")
    if bfloat16 and card.openvino.bfloat16 is None:
        raise InputError(f"{folder}: what bfloat16 costs was not measured. 'dfcore optimize' does it.")
    weights = weight_dedup.unpack(weights, read_weights(folder / MODEL))
    engine = OpenVinoEngine(graph, weights, thread_invariant=card.openvino.thread_invariant, bfloat16=bfloat16)
    if engine.size != card.preprocess.size or engine.tta_flip != card.tta_flip:
        raise BundleError(f"{folder}: the network in OpenVINO's form takes other images than the card says.")
    return engine


def _with_keras(folder: Path, card: Card) -> Detector:
    model = _load_model(folder, card)
    try:
        return Detector(card, KerasEngine(model, tta_flip=card.tta_flip), model, folder)
    except Exception as error:  # A network whose ends are not where ours has them.
        raise BundleError(f"{folder}: its network cannot be compiled: {printable(error)[:300]}") from error


def _require_answer(detector: Detector) -> None:
    """Judges a black image: what Keras or OpenVINO builds need not run."""
    size = detector.spec.size
    try:
        outputs = detector.engine.outputs(np.zeros((1, size, size, 3), np.uint8))
        shapes = outputs.logits.shape, outputs.features.shape
    except Exception as error:  # Of all sorts.
        raise BundleError(f"{detector.folder}: its network does not run: {printable(error)[:300]}") from error
    if shapes != ((1,), (1, detector.engine.width)):
        raise BundleError(f"{detector.folder}: its network gives {shapes}, expected a logit and features.")


def _load_model(folder: Path, card: Card) -> "keras.Model":
    import keras

    try:
        check_model(folder / MODEL)
    except BundleError as error:
        if card.arch in architectures.names():
            raise
        raise BundleError(
            f"{folder}: its architecture {card.arch!r} is not registered here. Install the package that brings it, or "
            f"name its file with --arch-file. {error}"
        ) from None
    try:
        model = keras.saving.load_model(folder / MODEL, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises all sorts on a file that is no model of its own.
        raise BundleError(f"{folder / MODEL} cannot be loaded: {printable(error)[:300]}") from error
    expected = (card.preprocess.size, card.preprocess.size, 3)
    if model.input_shape[1:] != expected:
        raise BundleError(
            f"{folder}: the card's preprocessing gives {expected}, the model takes {model.input_shape[1:]}."
        )
    return model
