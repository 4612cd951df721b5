"""Fixtures for all tests: a workspace of its own for every test, small images, a small data set."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
from PIL import Image

_SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(autouse=True)
def _own_workspace(tmp_path, monkeypatch):
    """Keeps every test out of the checkout's own folders."""
    for name in ("runs", "models", "data", "cache"):
        monkeypatch.setenv(f"DFCORE_{name.upper()}", str(tmp_path / name))


@pytest.fixture
def shared() -> Path:
    """The development data, where there are any."""
    if not _SHARED.is_dir():
        pytest.skip("the development data in ../shared are not on this machine")
    return _SHARED


def make_image(path: Path, size: tuple[int, int] = (32, 32), mode: str = "RGB", seed: int = 0, **options) -> Path:
    """Writes a small image of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory) -> Path:
    """{train,validation,test}/{real,fake}, 12 PNGs of 32 px each: smooth noise, and the same with a checkerboard."""
    root = tmp_path_factory.mktemp("data") / "small"
    random = np.random.default_rng(0)
    board = 24 * (np.indices((32, 32)).sum(axis=0) % 2)[..., None]
    for split in ("train", "validation", "test"):
        for label in ("real", "fake"):
            for number in range(12):
                coarse = random.integers(40, 200, (4, 4, 3)).astype(np.uint8)
                pixels = np.asarray(Image.fromarray(coarse).resize((32, 32), Image.Resampling.BILINEAR)).astype(int)
                pixels = pixels + (board if label == "fake" else 0) + random.integers(0, 4, pixels.shape)
                path = root / split / label / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return root
