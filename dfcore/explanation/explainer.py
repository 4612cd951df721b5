"""Heat-maps of a detector's evidence: the Grad-CAM family and saliency, and Score-CAM through tf-keras-vis.

A heat-map shows where the network's output is sensitive. It does not prove that something there was manipulated, and
its resolution is that of the layer it is computed at.
"""

import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from PIL import Image

from dfcore.architectures import heat_map_layers
from dfcore.errors import InputError
from dfcore.explanation.gradients import Gradients
from dfcore.explanation.methods import METHODS
from dfcore.imaging.preprocess import PreprocessSpec, Region

if TYPE_CHECKING:
    import keras

Target = Literal["fake", "real"]
# Score-CAM runs the network once for each of the strongest channels.
_SCORECAM_CHANNELS = 32


@dataclass(frozen=True)
class Heatmap:
    """Evidence over an image.

    Attributes:
        values: float32 (H, W) of the image's size: 0 is no evidence, 1 the strongest in this image, NaN outside the
            region the network sees.
        peak: Strongest evidence before scaling to 1, in the method's own unit; 0 means there is no evidence for the
            target, and `values` is 0 everywhere.
        method, target, layer: What was computed; layer is None for methods that work on the input image.
        view: Number of the explained view, 0 for the first.
        region: Part of the map that this view shows, (left, top, right, bottom) in pixels of `values`; None if unknown.
    """

    values: np.ndarray
    peak: float
    method: str
    target: Target
    layer: str | None
    view: int = 0
    region: Region | None = None

    @property
    def judged(self) -> Region:
        """The region, or the rectangle that holds all numbers where it is unknown; empty if there are none."""
        if self.region:
            return self.region
        rows, columns = (np.flatnonzero(np.isfinite(self.values).any(axis)) for axis in (1, 0))
        if not len(rows):
            return 0, 0, 0, 0
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@dataclass(frozen=True)
class Evidence:
    """A heat-map at the network's resolution: it takes kilobytes, and depends on the view alone.

    Attributes:
        values: float32 (h, w) in [0, 1]: 1 is the strongest evidence in this view.
        peak, method, target, layer, view: As of `Heatmap`.
    """

    values: np.ndarray
    peak: float
    method: str
    target: Target
    layer: str | None
    view: int = 0

    def over(self, spec: PreprocessSpec, size: tuple[int, ...], factor: float = 1.0) -> Heatmap:
        """Lays the evidence, resized bilinearly, over the region of the image that its view shows.

        Args:
            spec: Preprocessing of the detector.
            size: Height and width of the image in pixels.
            factor: Scale of the heat-map relative to the image, in (0, 1].
        """
        height, width = size[0], size[1]
        left, top, right, bottom = (round(factor * edge) for edge in spec.regions(height, width)[self.view])
        height, width = max(1, round(factor * height)), max(1, round(factor * width))
        right, bottom = max(right, left + 1), max(bottom, top + 1)
        resized = Image.fromarray(self.values).resize((right - left, bottom - top), Image.Resampling.BILINEAR)
        placed = np.full((height, width), np.nan, np.float32)
        np.clip(np.asarray(resized), 0.0, 1.0, out=placed[top:bottom, left:right])
        region = (left, top, right, bottom)
        return Heatmap(placed, self.peak, self.method, self.target, self.layer, self.view, region)


@dataclass(frozen=True)
class Shortcut:
    """Grad-CAM at the default layer without Keras.

    Attributes:
        gradcam: Maps the preprocessed pixels of one view, uint8 (size, size, 3), and its number to Grad-CAM of fake
            before its ReLU, (h, w).
        layers: Layers available in Keras.
    """

    gradcam: Callable[[np.ndarray, int], np.ndarray]
    layers: Sequence[str]


class Explainer:
    """Explains one model. Reuse it: it caches compiled functions. Thread-safe."""

    def __init__(
        self,
        model: "Callable[[], keras.Model]",
        spec: PreprocessSpec,
        default_layer: str,
        shortcut: Shortcut | None = None,
        heads: int = 1,
    ):
        """Creates an explainer.

        Args:
            model: Returns the Keras model; called only when the model is needed.
            spec: Preprocessing of the model.
            default_layer: Layer for heat-maps; the last available one if unknown.
            shortcut: Replaces Keras for Grad-CAM at the default layer.
            heads: Number of units of the model of which each judges its own view.
        """
        self._load_model, self._lazy_lock = model, threading.RLock()
        self._spec = spec
        self._shortcut, self._heads = shortcut, heads
        self._networks: dict[int, _Network] = {}
        self.layers = list(shortcut.layers) if shortcut else heat_map_layers(model())
        self.default_layer = default_layer if default_layer in self.layers else self.layers[-1]

    def explain(self, rgb: np.ndarray, **options: Any) -> Heatmap:
        """Computes a heat-map.

        Args:
            rgb: Decoded pixels, uint8 (H, W, 3).
            options: As for `evidence`: method, target, layer, view.

        Raises:
            InputError: As `evidence` does.
        """
        return self.explain_prepared(self._spec.apply(rgb), rgb.shape[:2], **options)

    def explain_prepared(
        self, pixels: np.ndarray, size: tuple[int, ...], factor: float = 1.0, **options: Any
    ) -> Heatmap:
        """Like `explain`, for a preprocessed image.

        Args:
            pixels: Preprocessed pixels, uint8 of the spec's `input_shape`.
            size: Height and width of the original image.
            factor: Scale of the map relative to the original image, in (0, 1].
            options: As for `evidence`.
        """
        return self.evidence(pixels, **options).over(self._spec, size, factor)

    def evidence(
        self,
        pixels: np.ndarray,
        *,
        method: str = "gradcam",
        target: Target = "fake",
        layer: str | None = None,
        view: int | str = 0,
    ) -> Evidence:
        """What a heat-map shows, before it is laid over the image.

        Args:
            pixels: Preprocessed pixels, uint8 of the spec's `input_shape`.
            method: One of `METHODS`.
            target: Evidence for "fake" or "real".
            layer: One of `self.layers`; by default the last one before the head.
            view: Number or name of the view to explain, by default the first.

        Raises:
            InputError: If the method, target, layer or view is unknown; lists the valid ones.
        """
        number = self._spec.view_number(view)
        layer = layer or self.default_layer
        for name, value, allowed in (
            ("method", method, list(METHODS)),
            ("target", target, get_args(Target)),
            ("layer", layer, self.layers),
        ):
            if value not in allowed:
                raise InputError(f"Expected one of the {name}s {', '.join(allowed)}. Received: {value!r}.")
        square = pixels[number] if pixels.ndim == 4 else pixels
        raw = np.maximum(np.nan_to_num(self.raw(square, method, target, layer, number)), 0.0)
        peak = float(raw.max())
        scaled = (raw / peak if peak > 0 else raw).astype(np.float32)
        return Evidence(scaled, peak, method, target, None if METHODS[method].at_input else layer, number)

    def raw(self, pixels: np.ndarray, method: str, target: Target, layer: str, view: int = 0) -> np.ndarray:
        """The unscaled map of one view, (size, size, 3), at the network's resolution, in the method's own unit.

        Negative values mean no evidence.
        """
        sign = 1.0 if target == "fake" else -1.0
        if self._shortcut and method == "gradcam" and layer == self.default_layer:
            return sign * self._shortcut.gradcam(pixels, view)
        batch = pixels.astype(np.float32)[None]
        with self._lazy_lock:
            formula, network = METHODS[method].formula, self.network(view)
            backend: Any = network.gradients if formula else network.scorecam
        if formula:
            return backend.map(batch, method, sign, layer)
        column = 1 if target == "fake" else 0
        with warnings.catch_warnings():
            # tf-keras-vis passes its input as a list, which Keras warns about.
            warnings.filterwarnings("ignore", "The structure of `inputs`", UserWarning)
            # tf-keras-vis applies a softmax to the two logits.
            return backend(
                lambda outputs: outputs[:, column],
                batch,
                penultimate_layer=layer,
                seek_penultimate_conv_layer=False,
                expand_cam=False,
                normalize_cam=False,
                max_N=_SCORECAM_CHANNELS,
            )[0]

    def network(self, view: int = 0) -> "_Network":
        """What explains a view: the same for all, unless each has its own head."""
        head = view if self._heads > 1 else 0
        if head not in self._networks:
            self._networks[head] = _Network(self._load_model(), head if self._heads > 1 else None)
        return self._networks[head]

    def forget(self) -> None:
        """Frees the model and its compiled functions; the next heat-map that needs them makes them anew."""
        with self._lazy_lock:
            self._networks.clear()


class _Network:
    """A model with two logits and its compiled functions, each made on first use."""

    def __init__(self, model: "keras.Model", head: int | None):
        self.model = _two_logits(model, head)

    @cached_property
    def gradients(self) -> Gradients:
        """For methods with a formula."""
        return Gradients(self.model)

    @cached_property
    def scorecam(self) -> Any:
        """For Score-CAM."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Please import `zoom`", DeprecationWarning)
            from tf_keras_vis.scorecam import Scorecam
        return Scorecam(self.model, clone=False)


def _two_logits(model: "keras.Model", head: int | None = None) -> "keras.Model":
    """The same graph with two logits (real, fake); a single logit z, or that of one head, becomes (0, z)."""
    import keras

    outputs = model.output
    if head is not None:
        outputs = outputs[:, head : head + 1]
    if outputs.shape[-1] == 1:
        zero = keras.layers.Rescaling(0.0, dtype="float32", name="explain_real")(outputs)
        outputs = keras.layers.Concatenate(dtype="float32", name="explain_logits")([zero, outputs])
    two_logits = keras.Model(model.inputs, outputs)
    predict = two_logits.predict
    # Score-CAM calls `predict` with its default progress bar.
    two_logits.predict = lambda *args, **options: predict(*args, **{"verbose": 0, **options})
    return two_logits
