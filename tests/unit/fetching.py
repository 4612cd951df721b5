"""What tests of fetching share: pictures, a Kaggle and a Hub at hand, and a home folder without credentials."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

VARIABLES = (
    "KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH",
    "HF_HOME",
)  # fmt: skip


def no_credentials(monkeypatch, home: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home / ".kaggle"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))


def picture(number: int, side: int = 24) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def set_of(folders: Iterable[str], each: int = 3) -> dict[str, bytes]:
    """{path: picture}, all different."""
    names = [f"{folder}/{number}.png" for folder in folders for number in range(each)]
    return {name: picture(number) for number, name in enumerate(names)}


def nothing(*_) -> None:
    """A progress that nobody looks at."""
