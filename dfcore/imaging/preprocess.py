"""Preprocessing of decoded pixels: specified by the model, applied here only.

Scaling of pixel values (to [0, 1] or [-1, 1]) is a layer inside each model, so the output of this module is uint8 and
can be cached, displayed and compared directly.

A model may judge several views of an image, all with the same side: the first, given by `resize`, and crops at native
pixels, which keep the fine traces that resizing blurs.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

from dfcore.errors import ConfigError, InputError
from dfcore.imaging import decoder
from dfcore.imaging.resizing import resized
from dfcore.utils.files import sha256_bytes

Resize = Literal["stretch", "fit_crop", "native_crop"]
RESIZE_HELP = {
    "stretch": "The whole image is resized to a square; its proportions change.",
    "fit_crop": "The shorter side is resized to fit and the centre square is kept.",
    "native_crop": "The centre square is cut out without resizing (enlarged only if the image is smaller).",
}
# Further views of an image: {name: help}. Each is a square at native pixels, enlarged only if the image is smaller.
VIEW_HELP = {
    "native": "The centre square, cut out without resizing.",
    "native_tl": "The square in the top left corner, cut out without resizing.",
    "native_tr": "The square in the top right corner, cut out without resizing.",
    "native_bl": "The square in the bottom left corner, cut out without resizing.",
    "native_br": "The square in the bottom right corner, cut out without resizing.",
}
VIEW_TITLES = {
    "native": "centre at native pixels",
    "native_tl": "top left at native pixels",
    "native_tr": "top right at native pixels",
    "native_bl": "bottom left at native pixels",
    "native_br": "bottom right at native pixels",
}
_FIRST_TITLES = {
    "stretch": "whole image",
    "fit_crop": "centre square, resized",
    "native_crop": VIEW_TITLES["native"],
}
MOST_VIEWS = 1 + len(VIEW_HELP)
MIN_SIZE, MAX_SIZE = 16, 1024

Region = tuple[int, int, int, int]


@dataclass(frozen=True)
class PreprocessSpec:
    """How an image of any size is converted to the square input of a model.

    Attributes:
        size: Side of the square in pixels, 16 to 1024.
        resize: "stretch", "fit_crop" or "native_crop", see `RESIZE_HELP`. Resampling is bilinear (Pillow), with
            antialiasing when downscaling.
        views: Names of further views that are judged beside this first one, see `VIEW_HELP`; none by default.
    """

    size: int = 224
    resize: Resize = "stretch"
    views: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Cards and requests to other processes hold a list.
        object.__setattr__(self, "views", tuple(self.views))
        problems = []
        if not isinstance(self.size, int) or not MIN_SIZE <= self.size <= MAX_SIZE:
            problems.append(f"size: expected {MIN_SIZE} to {MAX_SIZE} pixels. Received: {self.size!r}")
        if self.resize not in get_args(Resize):
            problems.append(f"resize: expected one of {', '.join(get_args(Resize))}. Received: {self.resize!r}")
        unknown = [name for name in self.views if name not in VIEW_HELP]
        if unknown or len(set(self.views)) < len(self.views):
            problems.append(f"views: expected some of {', '.join(VIEW_HELP)}, each once. Received: {self.views!r:.200}")
        elif self.resize == "native_crop" and "native" in self.views:
            problems.append("views: native is what resize=native_crop sees already. Received: 'native' beside it")
        if problems:
            raise ConfigError(problems)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of `apply`'s result: (size, size, 3), or (views, size, size, 3) if there are further views."""
        square = (self.size, self.size, 3)
        return (1 + len(self.views), *square) if self.views else square

    @property
    def input_bytes(self) -> int:
        """Size of `apply`'s result in bytes."""
        return math.prod(self.input_shape)

    @property
    def view_titles(self) -> tuple[str, ...]:
        """What each view shows, in words; the first view first."""
        return (_FIRST_TITLES[self.resize], *(VIEW_TITLES[name] for name in self.views))

    @property
    def key(self) -> str:
        """Short name for cache keys; changes whenever the pixels could."""
        views = f" views {' '.join(self.views)}" if self.views else ""
        text = f"v1 pillow-bilinear {self.size} {self.resize} decoder {decoder.VERSION}{views}"
        count = f"-{self.input_shape[0]}views" if views else ""
        return f"{self.size}px-{self.resize}{count}-{sha256_bytes(text.encode())[:8]}"

    def regions(self, height: int, width: int) -> tuple[Region, ...]:
        """The parts of an image that the model sees, one for each view: (left, top, right, bottom) in image pixels."""
        return (self.region(height, width), *(self._native(name, height, width) for name in self.views))

    def region(self, height: int, width: int) -> Region:
        """The part of an image that the first view shows: (left, top, right, bottom) in image pixels."""
        if self.resize == "stretch":
            return 0, 0, width, height
        if self.resize == "native_crop":
            return self._native("native", height, width)
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        return left, top, left + side, top + side

    def _native(self, name: str, height: int, width: int) -> Region:
        side = min(height, width, self.size)
        corner = name.removeprefix("native").removeprefix("_")
        top = {"": (height - side) // 2, "t": 0, "b": height - side}[corner[:1]]
        left = {"": (width - side) // 2, "l": 0, "r": width - side}[corner[1:]]
        return left, top, left + side, top + side

    def apply(self, rgb: np.ndarray) -> np.ndarray:
        """Maps RGB uint8 (H, W, 3) to uint8 of `input_shape`."""
        squares = [self._square(rgb, region) for region in self.regions(*rgb.shape[:2])]
        return np.stack(squares) if self.views else squares[0]

    def _square(self, rgb: np.ndarray, region: Region) -> np.ndarray:
        left, top, right, bottom = region
        part = rgb[top:bottom, left:right]
        if part.shape[:2] == (self.size, self.size):
            return part.copy()
        return resized(part, self.size, self.size, Image.Resampling.BILINEAR)

    def view_number(self, view: int | str) -> int:
        """The number of a view, 0 for the first, from its number or name.

        Raises:
            InputError: If there is no such view; lists those that exist.
        """
        names, text = (self.resize, *self.views), str(view)
        number = int(text) if text.isascii() and text.isdecimal() else [*names, text].index(text)
        if not 0 <= number < len(names):
            listed = ", ".join(f"{place} ({name})" for place, name in enumerate(names))
            raise InputError(f"Expected one of the views {listed}. Received: {view!r}.")
        return number

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a card or a config."""
        return asdict(self)


def parse_views(text: str) -> tuple[str, ...]:
    """Reads further views from a comma list such as "native,native_tl"; empty for none."""
    return tuple(word.strip().lower() for word in text.split(",") if word.strip())


def first_view(pixels: np.ndarray) -> np.ndarray:
    """The first view of preprocessed images, (N, size, size, 3), of (N, size, size, 3) or (N, V, size, size, 3)."""
    return pixels[:, 0] if pixels.ndim == 5 else pixels
