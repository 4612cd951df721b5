"""A detector: images in, verdicts out, with the pixels and the numbers of its training."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from PIL import Image

from dfcore import workspace
from dfcore.confidence import NOT_COMPARED, Call, Domain, Familiarity, Operating, familiarity, flatness, saturation
from dfcore.detectors.bundle import MODEL, Card, read_domain, read_fast, verify
from dfcore.detectors.library import find_bundle
from dfcore.detectors.model_validation import check_model, read_weights
from dfcore.engines import Engine, EngineName, KerasEngine, OpenVinoEngine, has_bfloat16, installed, weight_dedup
from dfcore.errors import BundleError, ImageError, InputError
from dfcore.imaging import decoder, sandbox
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.labels import FAKE, REAL, name_of
from dfcore.utils.files import sha256_file
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    import keras

    from dfcore.explanation import Explainer, Heatmap


@dataclass(frozen=True)
class Verdict:
    """What a detector says of one image.

    Attributes:
        score: P(fake) in [0, 1], calibrated where the card says so, or None where the image cannot be judged.
        threshold: from this score on the image is called fake where only two answers are allowed.
        logit: the network's output before calibration and sigmoid.
        error: why the image cannot be judged, or None.
        operating: the thresholds of the three-way verdict, or None for the one threshold.
        familiarity: how the image compares with the training images, where that is known.
        insist: whether an image unlike the training images gets its verdict all the same.
    """

    score: float | None
    threshold: float
    logit: float | None = None
    error: str | None = None
    operating: Operating | None = None
    familiarity: Familiarity = NOT_COMPARED
    insist: bool = False

    @property
    def label(self) -> str | None:
        """The two-way answer: "real", "fake", or None where the image cannot be judged."""
        if self.score is None:
            return None
        return name_of(FAKE if self.score >= self.threshold else REAL)

    @property
    def call(self) -> Call | None:
        """The three-way answer: "real", "inconclusive", "fake", or None where the image cannot be judged."""
        if self.score is None:
            return None
        if self.familiarity.unlike and not self.insist:
            return "inconclusive"
        return (self.operating or Operating.single(self.threshold)).call(self.score)

    @property
    def reason(self) -> str | None:
        """Why the answer is inconclusive, or None where it is not."""
        if self.call != "inconclusive":
            return None
        if self.familiarity.unlike and not self.insist:
            return "The image is unlike those that the detector was trained on: " + "; ".join(self.familiarity.reasons)
        return "The score lies between the two thresholds"


@dataclass(frozen=True)
class Seen:
    """One image on its way to the network.

    Attributes:
        pixels: preprocessed, uint8 (size, size, 3).
        side: shorter side of the image in pixels.
        quality: its JPEG quality, where it has one.
    """

    pixels: np.ndarray
    side: int
    quality: int | None

    @classmethod
    def of(cls, found: sandbox.Prepared) -> "Seen":
        """From what the decoding processes give."""
        return cls(found.pixels, min(found.facts.width, found.facts.height), found.facts.jpeg_quality)


class Detector:
    """A loaded bundle.

    Example:
        detector = Detector.load("faces")
        verdict, = detector.predict(["photo.jpg"])
        print(verdict.call, verdict.score, verdict.reason)
    """

    def __init__(
        self,
        card: Card,
        engine: Engine,
        model: "keras.Model | None" = None,
        folder: Path | None = None,
        domain: Domain | None = None,
    ):
        self.card = card
        self.engine = engine
        self.folder = folder
        self.domain = domain
        self._model = model
        self._explainer: Explainer | None = None
        self._making = threading.RLock()

    @classmethod
    def load(cls, bundle: str | Path, engine: EngineName = "auto") -> "Detector":
        """Loads a bundle folder, a run, or a detector by its name under the models folder.

        Args:
            bundle: which.
            engine: "keras" is the reference; "openvino" is fast on CPUs; "auto" takes the fast one where the card says
                that it answers alike and the bundle lies where only this workbench writes (its models and runs), and
                then imports TensorFlow only when the Keras model is asked for. "openvino-bf16" computes in bfloat16,
                about twice as fast; what that costs stands on the card.

        Raises:
            BundleError: when it is missing, incomplete, altered, or cannot be loaded here.
            InputError: when the engine asked for is not to be had.
        """
        folder = find_bundle(bundle)
        card = verify(folder)
        fast = _fast_engine(folder, card, engine)
        detector = cls(card, fast, None, folder) if fast else _with_keras(folder, card)
        _require_answer(detector)
        detector.domain = read_domain(folder, card)
        width = detector.engine.width
        if detector.domain is not None and len(detector.domain.mean) != width:
            raise BundleError(
                f"{folder}: the record of known images has {len(detector.domain.mean)} features, not {width}."
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
        operating: Operating | None = None,
        insist: bool = False,
    ) -> list[Verdict]:
        """Judges images.

        Args:
            sources: paths, bytes of files, Pillow images or uint8 arrays.
            batch_size: images a forward pass; it does not change any score.
            workers: threads that decode.
            progress: called with the number of images done.
            operating: thresholds of the three-way verdict, by default the card's.
            insist: whether images unlike the training images get a verdict all the same.

        Returns:
            One verdict an image, in order; an image that cannot be read has `error` instead of a score.
        """
        verdicts: list[Verdict] = []
        with ThreadPoolExecutor(workers) as pool:
            waiting = iter(sources)
            while batch := list(islice(waiting, batch_size)):
                verdicts += self.judge(list(pool.map(self._prepare, batch)))
                if progress:
                    progress(len(verdicts))
        return [replace(v, operating=operating or v.operating, insist=insist) for v in verdicts]

    def judge(self, batch: Sequence[Seen | ImageError]) -> list[Verdict]:
        """Judges images that were preprocessed already; an error becomes a verdict that tells it."""
        good = [item for item in batch if isinstance(item, Seen)]
        judged = iter(self._verdicts(good) if good else [])
        return [
            next(judged) if isinstance(item, Seen) else Verdict(None, self.threshold, error=str(item)) for item in batch
        ]

    def familiarities(
        self,
        features: np.ndarray,
        pixels: np.ndarray,
        sides: Sequence[int | None],
        qualities: Sequence[float | None],
    ) -> list[Familiarity]:
        """How images compare with the training images.

        Args:
            features: as the engine gives them, (N, D).
            pixels: preprocessed, uint8 (N, S, S, 3).
            sides: shorter sides of the files in pixels, None where unknown.
            qualities: JPEG qualities, None where unknown.
        """
        if self.domain is None or self.card.known is None:
            return [NOT_COMPARED] * len(features)
        files = self.card.known.files
        distances, colours, flat = self.domain.relative(features).tolist(), saturation(pixels), flatness(pixels)
        found = zip(distances, sides, qualities, colours, flat, strict=True)
        return [familiarity(files, *one) for one in found]

    def explain(
        self, source: decoder.Source | sandbox.Prepared, *, most: int | None = None, **options: Any
    ) -> "Heatmap":
        """Where in an image the evidence lies.

        Args:
            source: as for `predict`, or what the decoding processes gave.
            most: the heat-map is made for the image shrunk to so many pixels a side; None keeps its size.
            options: as in `dfcore.explanation.Explainer.explain`.
        """
        if isinstance(source, (np.ndarray, Image.Image)):
            return self.explainer().explain(decoder.decode(source), **options)
        if isinstance(source, sandbox.Prepared):
            seen = source
        else:
            seen = sandbox.prepare(decoder.read_bytes(source), self.spec)
        size = seen.facts.height, seen.facts.width
        factor = min(1.0, most / max(size)) if most else 1.0
        return self.explainer().explain_seen(seen.pixels, size, factor, **options)

    def warm(self) -> None:
        """Makes what the first heat-map needs: it takes seconds."""
        self.explainer().explain(np.zeros((self.spec.size, self.spec.size, 3), np.uint8))

    def explainer(self) -> "Explainer":
        """The explainer of this detector, made once."""
        from dfcore.explanation import Explainer, Shortcut

        with self._making:
            if self._explainer is None:
                engine, fast, shortcut = self.engine, self.card.fast, None
                if (
                    isinstance(engine, OpenVinoEngine)
                    and engine.explains
                    and fast
                    and self.card.cam_layer in fast.layers
                ):
                    shortcut = Shortcut(engine.evidence, fast.layers)
                self._explainer = Explainer(lambda: self.model, self.spec, self.card.cam_layer, shortcut)
            return self._explainer

    def _prepare(self, source: decoder.Source) -> Seen | ImageError:
        try:
            if isinstance(source, (np.ndarray, Image.Image)):
                rgb = decoder.decode(source)
                return Seen(self.spec.apply(rgb), min(rgb.shape[:2]), None)
            return Seen.of(sandbox.prepare(decoder.read_bytes(source), self.spec))
        except ImageError as error:
            return error

    def _verdicts(self, batch: Sequence[Seen]) -> Iterator[Verdict]:
        pixels = np.stack([item.pixels for item in batch])
        outputs = self.engine.outputs(pixels)
        scores = self.card.calibration.apply(outputs.logits)
        sides, qualities = [item.side for item in batch], [item.quality for item in batch]
        known = self.familiarities(outputs.features, pixels, sides, qualities)
        for score, logit, familiar in zip(scores.tolist(), outputs.logits.tolist(), known, strict=True):
            yield Verdict(score, self.threshold, logit, None, self.card.decision, familiar)


def _fast_engine(folder: Path, card: Card, asked: EngineName) -> OpenVinoEngine | None:
    """The fast engine where it is to be taken, else None."""
    if asked not in get_args(EngineName):
        raise InputError(f"Expected an engine out of {', '.join(get_args(EngineName))}. Received: {asked!r}.")
    # OpenVINO trusts what it reads; a graph that somebody else made is not given to it unasked.
    taken = card.fast is not None and card.fast.taken and installed() and workspace.is_own(folder)
    bfloat16 = asked == "openvino-bf16"
    if asked == "keras" or (asked == "auto" and not taken):
        return None
    files = read_fast(folder, card)
    if files is None or not installed():
        if asked == "auto":
            return None
        why = card.fast.reason if card.fast and card.fast.reason else "it was made without"
        raise InputError(
            f"{folder} has no network for OpenVINO ({why}). 'dfcore quicken' makes one."
            if installed() else "OpenVINO is not installed; 'pip install openvino' does it, or use --engine keras."
        )  # fmt: skip
    graph, weights = files
    assert card.fast is not None  # There are files.
    if bfloat16 and not has_bfloat16():
        raise InputError("This processor does not compute in bfloat16; use --engine openvino.")
    if bfloat16 and card.fast.bfloat16 is None:
        raise InputError(f"{folder}: what bfloat16 costs was not measured. 'dfcore quicken' does it.")
    weights = weight_dedup.unpack(weights, read_weights(folder / MODEL))
    engine = OpenVinoEngine(graph, weights, steady=card.fast.steady, bfloat16=bfloat16)
    if engine.size != card.preprocess.size or engine.mirrored != card.mirrored:
        raise BundleError(f"{folder}: the network in OpenVINO's form takes other images than the card says.")
    return engine


def _with_keras(folder: Path, card: Card) -> Detector:
    model = _load_model(folder, card)
    try:
        return Detector(card, KerasEngine(model, mirrored=card.mirrored), model, folder)
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

    check_model(folder / MODEL)
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
