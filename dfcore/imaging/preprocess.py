"""Preprocessing of decoded pixels: specified by the model, applied here only.

Scaling of pixel values (to [0, 1] or [-1, 1]) is a layer inside each model, so the output of this module is uint8 and
can be cached, displayed and compared directly.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

from dfcore.errors import ConfigError
from dfcore.imaging import decoder
from dfcore.utils.files import sha256_bytes

Resize = Literal["stretch", "fit_crop", "native_crop"]
RESIZE_HELP = {
    "stretch": "The whole image is resized to a square; its proportions change.",
    "fit_crop": "The shorter side is resized to fit and the centre square is kept.",
    "native_crop": "The centre square is cut out without resizing (enlarged only if the image is smaller).",
}
MIN_SIZE, MAX_SIZE = 16, 1024


@dataclass(frozen=True)
class PreprocessSpec:
    """How an image of any size is converted to the square input of a model.

    Attributes:
        size: Side of the square in pixels, 16 to 1024.
        resize: "stretch", "fit_crop" or "native_crop", see `RESIZE_HELP`. Resampling is bilinear (Pillow), with
            antialiasing when downscaling.
    """

    size: int = 224
    resize: Resize = "stretch"

    def __post_init__(self) -> None:
        problems = []
        if not isinstance(self.size, int) or not MIN_SIZE <= self.size <= MAX_SIZE:
            problems.append(f"size: expected {MIN_SIZE} to {MAX_SIZE} pixels. Received: {self.size!r}")
        if self.resize not in get_args(Resize):
            problems.append(f"resize: expected one of {', '.join(get_args(Resize))}. Received: {self.resize!r}")
        if problems:
            raise ConfigError(problems)

    @property
    def key(self) -> str:
        """Short name for cache keys; changes whenever the pixels could."""
        text = f"v1 pillow-bilinear {self.size} {self.resize} decoder {decoder.VERSION}"
        return f"{self.size}px-{self.resize}-{sha256_bytes(text.encode())[:8]}"

    def region(self, height: int, width: int) -> tuple[int, int, int, int]:
        """The part of an image that the model sees: (left, top, right, bottom) in image pixels."""
        if self.resize == "stretch":
            return 0, 0, width, height
        side = min(height, width)
        if self.resize == "native_crop":
            side = min(side, self.size)
        left, top = (width - side) // 2, (height - side) // 2
        return left, top, left + side, top + side

    def apply(self, rgb: np.ndarray) -> np.ndarray:
        """Maps RGB uint8 (H, W, 3) to uint8 (size, size, 3)."""
        height, width = rgb.shape[:2]
        left, top, right, bottom = self.region(height, width)
        image = Image.fromarray(rgb[top:bottom, left:right])
        if image.size != (self.size, self.size):
            image = image.resize((self.size, self.size), Image.Resampling.BILINEAR)
        return np.asarray(image)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a card or a config."""
        return asdict(self)
