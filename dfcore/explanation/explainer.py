"""Where in an image a detector finds its evidence: the Grad-CAM family and saliency, Score-CAM through tf-keras-vis.

A heat-map tells where the network's answer is sensitive. It does not prove that something there was
manipulated, and it is only as fine as the layer it looks at.
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
from dfcore.imaging.preprocess import PreprocessSpec

if TYPE_CHECKING:
    import keras

Target = Literal["fake", "real"]
# Score-CAM runs the network once for each of the strongest channels.
_SCORECAM_CHANNELS = 32


@dataclass(frozen=True)
class Heatmap:
    """Evidence over an image.

    Attributes:
        values: float32 (H, W) of the image's own size; 0 no evidence to 1 the image's strongest, NaN
            where the network did not look (outside of its crop).
        peak: the strongest evidence before it was scaled to 1, in the method's own unit; 0 means that
            there is no evidence for the target at all and `values` is 0 everywhere.
        method, target, layer: what was computed; layer is None where the method looks at the image itself.
    """

    values: np.ndarray
    peak: float
    method: str
    target: Target
    layer: str | None


@dataclass(frozen=True)
class Shortcut:
    """A way to Grad-CAM at the default layer without Keras.

    Attributes:
        gradcam: of preprocessed pixels, uint8 (size, size, 3): Grad-CAM of fake before its rectifier, (h, w).
        layers: at which Keras could look.
    """

    gradcam: Callable[[np.ndarray], np.ndarray]
    layers: Sequence[str]


class Explainer:
    """Explains one model; keep it, for it holds the graphs that it needs. Threads may share it."""

    def __init__(
        self,
        model: "Callable[[], keras.Model]",
        spec: PreprocessSpec,
        default_layer: str,
        shortcut: Shortcut | None = None,
    ):
        """Takes what gives the model, which is asked for when it is needed, and only then."""
        self._given, self._making = model, threading.RLock()
        self._spec = spec
        self._shortcut = shortcut
        self.layers = list(shortcut.layers) if shortcut else heat_map_layers(model())
        self.default_layer = default_layer if default_layer in self.layers else self.layers[-1]

    def explain(
        self,
        rgb: np.ndarray,
        *,
        method: str = "gradcam",
        target: Target = "fake",
        layer: str | None = None,
    ) -> Heatmap:
        """Computes a heat-map.

        Args:
            rgb: decoded pixels, uint8 (H, W, 3).
            method: one of `METHODS`.
            target: evidence of "fake" or of "real".
            layer: one of `self.layers`; by default the last one before the head.

        Raises:
            InputError: naming what would be right.
        """
        return self.explain_prepared(self._spec.apply(rgb), rgb.shape[:2], method=method, target=target, layer=layer)

    def explain_prepared(
        self,
        pixels: np.ndarray,
        size: tuple[int, ...],
        factor: float = 1.0,
        *,
        method: str = "gradcam",
        target: Target = "fake",
        layer: str | None = None,
    ) -> Heatmap:
        """As `explain`, for an image that was preprocessed already.

        Args:
            pixels: what the model sees of it, uint8 (size, size, 3).
            size: height and width of the image.
            factor: the map is made for the image shrunk by this factor, in (0, 1].
            method: as for `explain`.
            target: as for `explain`.
            layer: as for `explain`.
        """
        layer = layer or self.default_layer
        for name, value, allowed in (
            ("method", method, list(METHODS)),
            ("target", target, get_args(Target)),
            ("layer", layer, self.layers),
        ):
            if value not in allowed:
                raise InputError(f"Expected a {name} out of {', '.join(allowed)}. Received: {value!r}.")
        raw = np.maximum(np.nan_to_num(self.raw(pixels, method, target, layer)), 0.0)
        peak = float(raw.max())
        scaled = raw / peak if peak > 0 else raw
        values = self._place(scaled, size[0], size[1], factor)
        return Heatmap(values, peak, method, target, None if METHODS[method].at_input else layer)

    def raw(self, pixels: np.ndarray, method: str, target: Target, layer: str) -> np.ndarray:
        """The map of what the network sees, in its own unit and size; a number below 0 is no evidence."""
        sign = 1.0 if target == "fake" else -1.0
        if self._shortcut and method == "gradcam" and layer == self.default_layer:
            return sign * self._shortcut.gradcam(pixels)
        batch = pixels.astype(np.float32)[None]
        with self._making:
            formula = METHODS[method].formula
            tool: Any = self._gradients if formula else self._scorecam
        if formula:
            return tool.map(batch, method, sign, layer)
        column = 1 if target == "fake" else 0
        with warnings.catch_warnings():
            # Keras remarks on the list in which tf-keras-vis hands over its input.
            warnings.filterwarnings("ignore", "The structure of `inputs`", UserWarning)
            # It has put the two logits through a softmax itself.
            return tool(
                lambda outputs: outputs[:, column],
                batch,
                penultimate_layer=layer,
                seek_penultimate_conv_layer=False,
                expand_cam=False,
                normalize_cam=False,
                max_N=_SCORECAM_CHANNELS,
            )[0]

    @cached_property
    def _model(self) -> "keras.Model":
        return _two_logits(self._given())

    @cached_property
    def _gradients(self) -> Gradients:
        return Gradients(self._model)

    @cached_property
    def _scorecam(self) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Please import `zoom`", DeprecationWarning)
            from tf_keras_vis.scorecam import Scorecam
        return Scorecam(self._model, clone=False)

    def _place(self, values: np.ndarray, height: int, width: int, factor: float) -> np.ndarray:
        """Lays a map of what the network saw over the whole image, bilinearly."""
        left, top, right, bottom = (round(factor * edge) for edge in self._spec.region(height, width))
        height, width = max(1, round(factor * height)), max(1, round(factor * width))
        right, bottom = max(right, left + 1), max(bottom, top + 1)
        size = (right - left, bottom - top)
        resized = Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
        placed = np.full((height, width), np.nan, np.float32)
        placed[top:bottom, left:right] = np.clip(np.asarray(resized), 0.0, 1.0)
        return placed


def _two_logits(model: "keras.Model") -> "keras.Model":
    """The same graph with the outputs (real, fake); one logit z becomes (0, z), which says the same."""
    import keras

    outputs = model.output
    if outputs.shape[-1] == 1:
        nothing = keras.layers.Rescaling(0.0, dtype="float32", name="explain_real")(outputs)
        outputs = keras.layers.Concatenate(dtype="float32", name="explain_logits")([nothing, outputs])
    add_gradcam = keras.Model(model.inputs, outputs)
    predict = add_gradcam.predict
    # Score-CAM predicts without asking whether anybody wants to see a progress bar.
    add_gradcam.predict = lambda *args, **options: predict(*args, **{"verbose": 0, **options})
    return add_gradcam
