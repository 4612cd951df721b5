"""A demonstration data set, made in seconds from two photographs that scikit-learn ships.

Real images are crops. Fakes are other crops passed through a simulated generator decoder: shrunk to
half the size and brought back by zero insertion or nearest neighbour and a small smoothing kernel,
which leaves the periodic spectral replicas known from GAN decoders (Zhang et al., "Detecting and
Simulating Artifacts in GAN Fake Images", 2019; Durall et al., "Watch your Up-Convolution", 2020).
Both classes then go through the same JPEG coding. Train, validation and test take their crops from
different blocks of the photographs and never share a region.

A detector trained on it detects this simulation, nothing else.
"""

import importlib.util
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import convolve1d

from dfcore.datasets.aside import require_new
from dfcore.datasets.layouts import TEST, TRAIN, VALIDATION
from dfcore.imaging import decoder
from dfcore.labels import NAMES

SIZE = 64
NOTICE = """DEMONSTRATION DATA SET

Made by dfcore from two photographs that scikit-learn ships (china.jpg, flower.jpg, both CC BY). The
"fake" images are crops of the same photographs passed through a simulated generator decoder. A
detector that is trained on them recognises this simulation and says nothing about real deepfakes.
"""
_TRIES = 3
_KERNELS = (np.array([1, 2, 1]) / 4, np.array([1, 4, 6, 4, 1]) / 16)
_COLUMNS, _ROWS = 5, 3
# Of the 15 blocks of a photograph the 10 with most detail: where all is sky or out of focus, there is
# nothing to detect.
_BLOCK_SPLITS = (TRAIN, TEST, TRAIN, VALIDATION, TRAIN, TRAIN, TEST, TRAIN, VALIDATION, TRAIN)


def make_demo(
    folder: str | Path,
    *,
    crops_per_block: int = 36,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Writes the demonstration data set as {train,validation,test}/{real,fake}/*.jpg, 64 x 64 pixels.

    Args:
        folder: a folder that does not exist yet or is empty.
        crops_per_block: images a class from each of the 20 blocks (12 train, 4 validate, 4 test).
        seed: the same seed gives the same files.
        progress: called with (images written, images in all).

    Raises:
        InputError: when the folder holds something already.
    """
    folder = Path(folder)
    require_new(folder, "demonstration data set")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made aside and moved into place, so that a broken-off attempt is never taken for the whole.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".demo-") as aside:
        _write_demo(Path(aside) / "set", crops_per_block, seed, progress)
        if folder.exists():
            folder.rmdir()
        (Path(aside) / "set").rename(folder)
    return folder


def sample_images(seed: int = 0) -> dict[str, bytes]:
    """A few images to try a detector on: {name: PNG bytes}; two photographs, and one simulated decoding."""
    random = np.random.default_rng(seed)
    china, flower = _photographs()
    even = china[: china.shape[0] // 2 * 2]
    pixels = {
        "photograph-temple.png": china,
        "photograph-flower.png": flower,
        "simulated-decoder-temple.png": simulate_decoder(even, random),
    }
    return {name: _png(image) for name, image in pixels.items()}


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _write_demo(folder: Path, crops_per_block: int, seed: int, progress: Callable[[int, int], None] | None) -> None:
    random = np.random.default_rng(seed)
    blocks = [(split, block) for photo in _photographs() for split, block in _blocks(photo)]
    total = len(blocks) * crops_per_block * len(NAMES)
    done = 0
    for split in (TRAIN, VALIDATION, TEST):
        for label in NAMES:
            (folder / split / label).mkdir(parents=True)
    (folder / "DEMONSTRATION.txt").write_text(NOTICE, encoding="utf-8")
    for number, (split, block) in enumerate(blocks):
        for label in NAMES:
            for copy in range(crops_per_block):
                pixels = _crop(block, random)
                if label == "fake":
                    pixels = simulate_decoder(pixels, random)
                quality = int(random.integers(92, 99))
                file = folder / split / label / f"{number:02d}_{copy:03d}.jpg"
                Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=0)
                done += 1
            if progress:
                progress(done, total)


def simulate_decoder(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Passes RGB uint8 (H, W, 3), even sides, through a simulated up-sampling decoder.

    Nearest neighbour or zero insertion is followed by a smoothing kernel. After zero insertion its
    taps are not quite balanced, as learned ones are not, which leaves the faint checkerboard of
    transposed convolutions (Odena et al., "Deconvolution and Checkerboard Artifacts", 2016).
    """
    height, width = pixels.shape[:2]
    small = np.asarray(Image.fromarray(pixels).resize((width // 2, height // 2), Image.Resampling.BOX), np.float32)
    kernel = _KERNELS[random.integers(len(_KERNELS))]
    if random.random() < 0.5:
        large = small.repeat(2, axis=0).repeat(2, axis=1)
    else:
        large = np.zeros((height, width, 3), np.float32)
        large[::2, ::2] = small
        tilt = 1 + random.uniform(0.03, 0.06) * random.choice((-1, 1))
        # Even and odd taps meet the samples by turns; they no longer add up to the same.
        kernel = 2 * kernel * np.where(np.arange(len(kernel)) % 2, tilt, 2 - tilt)
    for axis in (0, 1):
        large = convolve1d(large, kernel, axis=axis, mode="reflect")
    return np.clip(np.round(large), 0, 255).astype(np.uint8)


def _photographs() -> list[np.ndarray]:
    # Without importing it: that takes 120 MB.
    result = importlib.util.find_spec("sklearn")
    assert result is not None and result.submodule_search_locations  # requirements.txt sees to that.
    folder = Path(result.submodule_search_locations[0]) / "datasets" / "images"
    return [decoder.decode(decoder.read_bytes(folder / name)) for name in ("china.jpg", "flower.jpg")]


def _blocks(photo: np.ndarray) -> list[tuple[str, np.ndarray]]:
    height, width = photo.shape[0] // _ROWS, photo.shape[1] // _COLUMNS
    places = [(row, column) for row in range(_ROWS) for column in range(_COLUMNS)]
    blocks = [photo[row * height :, column * width :][:height, :width] for row, column in places]
    saved = sorted(sorted(range(len(blocks)), key=lambda i: -_detail(blocks[i]))[: len(_BLOCK_SPLITS)])
    return [(split, blocks[i]) for split, i in zip(_BLOCK_SPLITS, saved, strict=True)]


def _detail(pixels: np.ndarray) -> float:
    """Mean absolute difference of neighbouring pixels, in grey levels."""
    return float(np.abs(np.diff(pixels.astype(int), axis=1)).mean())


def _crop(block: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The most detailed of a few random crops: where nothing is in focus there is nothing to detect."""
    height, width = block.shape[0] - SIZE + 1, block.shape[1] - SIZE + 1
    places = zip(random.integers(height, size=_TRIES), random.integers(width, size=_TRIES), strict=True)
    crops = [block[top : top + SIZE, left : left + SIZE] for top, left in places]
    return max(crops, key=_detail)
