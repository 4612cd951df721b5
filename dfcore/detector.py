"""A detector: images in, verdicts out, with the pixels and the numbers of its training."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfcore import images
from dfcore.bundles import MODEL, Card, find_bundle, verify
from dfcore.engines import Engine, KerasEngine
from dfcore.errors import BundleError, ImageError
from dfcore.files import sha256_bytes
from dfcore.labels import FAKE, REAL, name_of
from dfcore.preprocess import PreprocessSpec

if TYPE_CHECKING:
    import keras

    from dfcore.explain import Explainer, Heatmap


@dataclass(frozen=True)
class Verdict:
    """What a detector says of one image.

    Attributes:
        score: P(fake) in [0, 1] as the network gives it, or None where the image cannot be judged.
        threshold: from this score on the image is called fake.
        logit: the network's output before the sigmoid.
        error: why the image cannot be judged, or None.
    """

    score: float | None
    threshold: float
    logit: float | None = None
    error: str | None = None

    @property
    def label(self) -> str | None:
        """ "real", "fake", or None where the image cannot be judged."""
        if self.score is None:
            return None
        return name_of(FAKE if self.score >= self.threshold else REAL)


def score_of(logits: np.ndarray) -> np.ndarray:
    """Maps logits to P(fake) in [0, 1], float64."""
    wide = np.asarray(logits, np.float64)
    return np.where(wide >= 0, 1 / (1 + np.exp(-np.abs(wide))), 1 - 1 / (1 + np.exp(-np.abs(wide))))


class Detector:
    """A loaded bundle.

    Example:
        detector = Detector.load("faces")
        verdict, = detector.predict(["photo.jpg"])
        print(verdict.label, verdict.score, verdict.threshold)
    """

    def __init__(self, card: Card, engine: Engine, model: "keras.Model", folder: Path | None = None):
        self.card = card
        self.engine = engine
        self.model = model
        self.folder = folder
        self._explainer: Explainer | None = None

    @classmethod
    def load(cls, bundle: str | Path) -> "Detector":
        """Loads a bundle folder, a run, or a detector by its name under the models folder.

        Raises:
            BundleError: when it is missing, incomplete, altered, or cannot be loaded here.
        """
        folder = find_bundle(bundle)
        card = verify(folder)
        model = _load_model(folder)
        expected = (card.preprocess.size, card.preprocess.size, 3)
        if model.input_shape[1:] != expected:
            raise BundleError(
                f"{folder}: the card's preprocessing gives {expected}, the model takes {model.input_shape[1:]}."
            )
        return cls(card, KerasEngine(model), model, folder)

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
    ) -> list[Verdict]:
        """Judges images.

        Args:
            sources: paths, bytes of files, Pillow images or uint8 arrays.
            batch_size: images a forward pass; it does not change any score.
            workers: threads that decode.
            progress: called with the number of images done.

        Returns:
            One verdict an image, in order; an image that cannot be read has `error` instead of a score.
        """
        verdicts: list[Verdict] = []
        for batch in self.stream(sources, batch_size=batch_size, workers=workers):
            verdicts += batch
            if progress:
                progress(len(verdicts))
        return verdicts

    def stream(
        self, sources: Iterable[images.Source], *, batch_size: int = 32, workers: int = 4
    ) -> Iterator[list[Verdict]]:
        """Judges images a batch at a time, so that any number of them fits in memory."""
        with ThreadPoolExecutor(workers) as pool:
            waiting = iter(sources)
            while batch := list(islice(waiting, batch_size)):
                yield self._judge(list(pool.map(self._pixels, batch)))

    def rows(
        self, paths: Sequence[Path], *, batch_size: int = 32, progress: Callable[[int], None] | None = None
    ) -> list[dict[str, Any]]:
        """Judges files; one row each with path, sha256, score, verdict and error, in order."""
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

        verdicts = self.predict(read(), batch_size=batch_size, progress=progress)
        return [
            {"path": str(p), "sha256": d, "score": v.score, "verdict": v.label, "error": v.error}
            for p, d, v in zip(paths, digests, verdicts, strict=True)
        ]

    def score_pixels(
        self, pixels: Callable[[np.ndarray], np.ndarray], count: int, *, batch_size: int = 32
    ) -> np.ndarray:
        """Logits, float32 (count,), of already preprocessed images that `pixels(positions)` gathers."""
        starts = range(0, count, batch_size)
        parts = [self.engine.logits(pixels(np.arange(start, min(start + batch_size, count)))) for start in starts]
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def explain(self, source: images.Source, **options: Any) -> "Heatmap":
        """Where in an image the evidence lies; options as in `dfcore.explain.Explainer.explain`."""
        rgb = images.decode(source)
        return self.explainer().explain(rgb, **options)

    def explainer(self) -> "Explainer":
        """The explainer of this detector, made once."""
        from dfcore.explain import Explainer

        if self._explainer is None:
            self._explainer = Explainer(self.model, self.spec, self.card.cam_layer)
        return self._explainer

    def _pixels(self, source: images.Source) -> np.ndarray | ImageError:
        try:
            return self.spec.apply(images.decode(source))
        except ImageError as error:
            return error

    def _judge(self, batch: Sequence[np.ndarray | ImageError]) -> list[Verdict]:
        good = [item for item in batch if not isinstance(item, ImageError)]
        logits = iter(self.engine.logits(np.stack(good)).tolist() if good else [])
        verdicts = []
        for item in batch:
            if isinstance(item, ImageError):
                verdicts.append(Verdict(None, self.threshold, error=str(item)))
            else:
                logit = next(logits)
                verdicts.append(Verdict(float(score_of(np.array(logit))), self.threshold, logit))
        return verdicts


def _load_model(folder: Path) -> "keras.Model":
    import keras

    import dfcore.architectures.layers  # noqa: F401  (registers our layers)

    try:
        return keras.saving.load_model(folder / MODEL, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises all sorts on a file that is no model of its own.
        raise BundleError(f"{folder / MODEL} cannot be loaded: {error}") from error
