"""How pixels were scaled for a network before it saw them, which its file does not say."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from dfcore.errors import InputError

RangeName = Literal["0..1", "-1..1", "0..255", "imagenet", "caffe"]
Colours = Literal["rgb", "bgr"]
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE = (103.939, 116.779, 123.68)


@dataclass(frozen=True)
class Range:
    """A scaling.

    Attributes:
        name: Its name.
        title: What it is, in words.
        scale, offset: What is done to pixels in [0, 255]: scale * x + offset, of each channel if these are several.
        bgr: Whether its channels are in the order BGR by definition.
    """

    name: RangeName
    title: str
    scale: float | tuple[float, ...]
    offset: float | tuple[float, ...]
    bgr: bool = False

    def apply(self, pixels: np.ndarray, colours: Colours) -> np.ndarray:
        """Scales pixels, uint8 RGB (N, H, W, 3), to what the network takes, float32."""
        images = pixels.astype(np.float32)
        if self.bgr or colours == "bgr":
            images = images[..., ::-1]
        return images * np.asarray(self.scale, np.float32) + np.asarray(self.offset, np.float32)

    def steps(self, colours: Colours) -> list[tuple[str, dict[str, Any]]]:
        """The same as layers of Keras or of ours: (kind, configuration) of each."""
        if self.bgr:
            return [("CaffeInput", {})]
        result: list[tuple[str, dict[str, Any]]] = [("ReverseChannels", {})] if colours == "bgr" else []
        if (self.scale, self.offset) != (1.0, 0.0):
            values = {"scale": self.scale, "offset": self.offset}
            result.append(("Rescaling", {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}))
        return result


RANGES: dict[str, Range] = {
    each.name: each
    for each in (
        Range("0..1", "pixels / 255", 1 / 255, 0.0),
        Range("-1..1", "pixels / 127.5 - 1 (MobileNet, Xception, Inception)", 1 / 127.5, -1.0),
        Range("0..255", "pixels as they are (EfficientNet, ConvNeXt, or scaling inside the network)", 1.0, 0.0),
        Range(
            "imagenet",
            "pixels / 255, less ImageNet's mean, by its deviation (DenseNet, networks from PyTorch)",
            tuple(1 / 255 / spread for spread in _SPREAD),
            tuple(-mean / spread for mean, spread in zip(_MEAN, _SPREAD, strict=True)),
        ),
        Range("caffe", "BGR, less ImageNet's mean (ResNet50, VGG)", 1.0, tuple(-mean for mean in _CAFFE), bgr=True),
    )
}


def range_of(name: str) -> Range:
    """A scaling by its name.

    Raises:
        InputError: If there is none of that name; lists those that exist.
    """
    if name not in RANGES:
        raise InputError(f"Expected a range out of {', '.join(RANGES)}. Received: {name!r}.")
    return RANGES[name]


def require_colours(colours: str, scaling: Range) -> Colours:
    """A colour order by its name.

    Raises:
        InputError: If it is none, or RGB for a range that is BGR by definition.
    """
    known: dict[str, Colours] = {each: each for each in get_args(Colours)}
    if colours not in known:
        raise InputError(f"Expected a colour order out of {', '.join(known)}. Received: {colours!r}.")
    return "bgr" if scaling.bgr else known[colours]
