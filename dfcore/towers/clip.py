"""The image tower of CLIP ViT-B/16 (Radford et al., 2021), 86 million weights, in 8 bits.

Weights by OpenAI (https://github.com/openai/CLIP, MIT licence), in `models/parts`. Kernels are int8 with a scale per
output: `NAME.kernel_q`, (in, out), and `NAME.scale`, (out,). All engines multiply these back to float32, so that they
compute with the same numbers.
"""

from collections.abc import Mapping

import numpy as np

from dfcore import workspace
from dfcore.parts import part_file, read_part, require_part
from dfcore.utils.mapped import Mapped

NAME, FILE = "clip_vit_b16", "clip_vit_b16_image_int8.npz"
_WHAT = "CLIP ViT-B/16, which this detector builds on,"
SHA256 = "fc1794ca9680080b10a226a0a08fc2706c1626b32b062bb7df55f129e801ce8d"
SIDE, PATCH, WIDTH, INNER, HEADS, BLOCKS = 224, 16, 768, 3072, 12, 12
# Tokens of an image: that of the class, and one per patch.
TOKENS = 1 + (SIDE // PATCH) ** 2
EPSILON = 1e-5
# The block whose patch tokens are the default map: the last that several blocks of class tokens still depend on.
MAP_BLOCK = 6
_KERNEL = ".kernel_q"
# Mean and standard deviation of the colours that it was trained on, of pixels in [0, 1].
MEAN = (0.48145466, 0.4578275, 0.40821073)
SPREAD = (0.26862954, 0.26130258, 0.27577711)


class Tower:
    """The weights, by the names of the file; kernels stay in 8 bits, in a file, until they are asked for."""

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        kernels = {n: np.ascontiguousarray(array.T) for n, array in arrays.items() if n.endswith(_KERNEL)}
        self._vectors = {name: array for name, array in arrays.items() if name not in kernels}
        self._kernels = Mapped(kernels, workspace.cache_dir())

    def let_go(self) -> None:
        """Gives back the memory of the kernels, which what was compiled from them has packed; see `Mapped`."""
        self._kernels.let_go()

    def vector(self, name: str) -> np.ndarray:
        """A bias, a norm's factor or an embedding, float32."""
        return self._vectors[name].astype(np.float32)

    def quantised(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A kernel in 8 bits, (out, in), the same array whenever it is asked for, and its scales, float32 (out,)."""
        return self._kernels.arrays[f"{name}{_KERNEL}"], self.vector(f"{name}.scale")

    def kernel(self, name: str) -> np.ndarray:
        """A kernel as float32 (in, out)."""
        values, scale = self.quantised(name)
        return values.T.astype(np.float32) * scale


def require_tower() -> None:
    """Checks that the tower is there.

    Raises:
        BundleError: If it is missing, unreadable or another.
    """
    require_part(part_file(FILE), SHA256, _WHAT)


def tower(blocks: int = BLOCKS) -> Tower:
    """Reads the shipped tower, 0.1 GB, or its first blocks, 7 MB each.

    What is compiled from it holds on to its kernels and keeps a packed copy besides: see `Tower.let_go`.

    Raises:
        BundleError: As `require_tower`.
    """
    rest = tuple(f"layers.{number}." for number in range(blocks, BLOCKS))
    return Tower(read_part(part_file(FILE), SHA256, _WHAT, lambda name: not name.startswith(rest)))
