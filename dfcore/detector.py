"""A detector: images in, verdicts out, with the pixels and the numbers of its training."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from dfcore import decoding, images
from dfcore.bundles import MODEL, Card, find_bundle, read_domain, verify
from dfcore.confidence import NOT_COMPARED, Call, Domain, Familiarity, Operating, familiarity, flatness, saturation
from dfcore.engines import Engine, KerasEngine
from dfcore.errors import BundleError, ImageError
from dfcore.files import sha256_bytes
from dfcore.labels import FAKE, REAL, name_of
from dfcore.model_gate import check_model
from dfcore.preprocess import PreprocessSpec
from dfcore.texts import printable, storable

if TYPE_CHECKING:
    import keras

    from dfcore.explain import Explainer, Heatmap


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
class _Prepared:
    """One image on its way to the network: its square of pixels, and what its file says."""

    pixels: np.ndarray
    side: int
    quality: int | None


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
        model: "keras.Model",
        folder: Path | None = None,
        domain: Domain | None = None,
    ):
        self.card = card
        self.engine = engine
        self.model = model
        self.folder = folder
        self.domain = domain
        self._explainer: Explainer | None = None

    @classmethod
    def load(cls, bundle: str | Path) -> "Detector":
        """Loads a bundle folder, a run, or a detector by its name under the models folder.

        Raises:
            BundleError: when it is missing, incomplete, altered, or cannot be loaded here.
        """
        folder = find_bundle(bundle)
        card = verify(folder)
        model = _load_model(folder, card)
        expected = (card.preprocess.size, card.preprocess.size, 3)
        if model.input_shape[1:] != expected:
            raise BundleError(
                f"{folder}: the card's preprocessing gives {expected}, the model takes {model.input_shape[1:]}."
            )
        engine = KerasEngine(model, mirrored=card.mirrored)
        domain, width = read_domain(folder, card), model.layers[-1].input.shape[-1]
        if domain is not None and len(domain.mean) != width:
            raise BundleError(f"{folder}: the record of known images has {len(domain.mean)} features, not {width}.")
        return cls(card, engine, model, folder, domain)

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
        sources: Iterable[images.Source],
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
        for batch in self.stream(sources, batch_size=batch_size, workers=workers):
            verdicts += batch
            if progress:
                progress(len(verdicts))
        return [replace(v, operating=operating or v.operating, insist=insist) for v in verdicts]

    def stream(
        self, sources: Iterable[images.Source], *, batch_size: int = 32, workers: int = 4
    ) -> Iterator[list[Verdict]]:
        """Judges images a batch at a time, so that any number of them fits in memory."""
        with ThreadPoolExecutor(workers) as pool:
            waiting = iter(sources)
            while batch := list(islice(waiting, batch_size)):
                yield self._judge(list(pool.map(self._prepare, batch)))

    def rows(self, paths: Sequence[Path], **options: Any) -> list[dict[str, Any]]:
        """Judges files; one row each, in order; options as for `predict`.

        A row holds path, sha256, score, verdict (the three-way answer), label (the two-way one), reason (why it
        is inconclusive), distance and unlike (see `Familiarity`), and error.
        """
        digests: list[str | None] = []

        def read() -> Iterator[bytes | Path]:
            for path in paths:
                try:
                    content = images.read_bytes(path)
                except ImageError:
                    digests.append(None)
                    yield path  # Fails again, where the reason is noted.
                else:
                    digests.append(sha256_bytes(content))
                    yield content

        verdicts = self.predict(read(), **options)
        return [
            {"path": storable(p), "sha256": d, "score": v.score, "verdict": v.call, "label": v.label,
             "reason": v.reason, "distance": v.familiarity.distance, "unlike": list(v.familiarity.reasons),
             "error": v.error}
            for p, d, v in zip(paths, digests, verdicts, strict=True)
        ]  # fmt: skip

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

    def explain(self, source: images.Source, *, most: int | None = None, **options: Any) -> "Heatmap":
        """Where in an image the evidence lies.

        Args:
            source: as for `predict`.
            most: the heat-map is made for the image shrunk to so many pixels a side; None keeps its size.
            options: as in `dfcore.explain.Explainer.explain`.
        """
        if isinstance(source, (np.ndarray, Image.Image)):
            return self.explainer().explain(images.decode(source), **options)
        data = images.read_bytes(source)
        seen = decoding.prepare(data, self.spec)
        size = seen.facts.height, seen.facts.width
        factor = min(1.0, most / max(size)) if most else 1.0
        return self.explainer().explain_seen(seen.pixels, size, factor, **options)

    def explainer(self) -> "Explainer":
        """The explainer of this detector, made once."""
        from dfcore.explain import Explainer

        if self._explainer is None:
            self._explainer = Explainer(self.model, self.spec, self.card.cam_layer)
        return self._explainer

    def _prepare(self, source: images.Source) -> _Prepared | ImageError:
        try:
            if isinstance(source, (np.ndarray, Image.Image)):
                rgb = images.decode(source)
                return _Prepared(self.spec.apply(rgb), min(rgb.shape[:2]), None)
            found = decoding.prepare(images.read_bytes(source), self.spec)
            return _Prepared(found.pixels, min(found.facts.width, found.facts.height), found.facts.jpeg_quality)
        except ImageError as error:
            return error

    def _judge(self, batch: Sequence[_Prepared | ImageError]) -> list[Verdict]:
        good = [item for item in batch if not isinstance(item, ImageError)]
        judged = iter(self._verdicts(good) if good else [])
        return [
            Verdict(None, self.threshold, error=str(item)) if isinstance(item, ImageError) else next(judged)
            for item in batch
        ]

    def _verdicts(self, batch: Sequence[_Prepared]) -> Iterator[Verdict]:
        pixels = np.stack([item.pixels for item in batch])
        outputs = self.engine.outputs(pixels)
        scores = self.card.calibration.apply(outputs.logits)
        sides, qualities = [item.side for item in batch], [item.quality for item in batch]
        known = self.familiarities(outputs.features, pixels, sides, qualities)
        for score, logit, familiar in zip(scores.tolist(), outputs.logits.tolist(), known, strict=True):
            yield Verdict(score, self.threshold, logit, None, self.card.decision, familiar)


def _load_model(folder: Path, card: Card) -> "keras.Model":
    import keras

    check_model(folder / MODEL)
    try:
        return keras.saving.load_model(folder / MODEL, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises all sorts on a file that is no model of its own.
        raise BundleError(f"{folder / MODEL} cannot be loaded: {printable(error)[:300]}") from error
