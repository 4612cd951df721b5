"""What a scan keeps of an image's pixels: small, the same after packing, and telling what it says it tells."""

import io

import numpy as np
import pytest
from PIL import Image

from dfcore.imaging import decoder
from dfcore.imaging.signature import SIZE, THUMB, Signature, signature


def picture(seed: int, height: int = 120, width: int = 160) -> np.ndarray:
    """A picture with the spectrum of natural ones."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = np.inf
    noise = np.fft.rfft2(rng.normal(size=(3, height, width))) / frequency
    waves = np.fft.irfft2(noise, (height, width)) + 2 * np.fft.irfft2(noise[:1], (height, width))
    return np.ascontiguousarray((128 + 50 * waves / waves.std()).clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


def as_jpeg(rgb: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality)
    return decoder.decode(file.getvalue())


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (31, 33), (700, 900)])
def test_it_packs_into_few_bytes_and_back(shape):
    before = signature(picture(1, *shape) if min(shape) > 1 else np.full((1, 1, 3), 9, np.uint8))
    packed = before.to_bytes()
    assert len(packed) == SIZE <= 4500
    after = Signature.from_bytes(packed)
    assert after.to_bytes() == packed
    assert after.side == min(shape)
    assert (after.thumb == before.thumb).all() and after.thumb.shape == (THUMB, THUMB, 3)
    assert (after.hashes == before.hashes).all()


@pytest.mark.parametrize(
    "packed",
    [b"", bytes(SIZE - 1), bytes(SIZE + 1), bytes(SIZE - 6) + np.float32(np.nan).tobytes() + b"\0\0"],
    ids=["empty", "short", "long", "not-a-number"],
)
def test_what_is_no_signature_is_refused(packed):
    with pytest.raises(ValueError, match=r"Expected a signature of .* Received: "):
        Signature.from_bytes(packed)


@pytest.mark.parametrize("seed", range(4))
def test_the_hashes_are_those_of_the_picture_and_its_mirror_image(seed):
    rgb = picture(seed)
    whole, mirror = signature(rgb).hashes
    turned = signature(np.ascontiguousarray(rgb[:, ::-1]))
    copy = signature(np.array(Image.fromarray(as_jpeg(rgb, 40)).resize((80, 60))))
    other = signature(picture(seed + 100))
    assert np.bitwise_count(mirror ^ turned.hashes[0]) <= 2
    assert np.bitwise_count(whole ^ copy.hashes[0]) <= 10
    assert np.bitwise_count(whole ^ other.hashes[0]) > 10


def test_mean_and_spread_are_those_of_the_pixels():
    rgb = picture(3)
    result = signature(rgb)
    assert result.mean == pytest.approx(rgb.mean((0, 1)), abs=1)
    assert result.spread == pytest.approx(np.std(rgb @ [0.299, 0.587, 0.114]), rel=0.01)


def test_a_blank_image_has_neither_spread_nor_blocks():
    result = signature(np.full((50, 60, 3), 200, np.uint8))
    assert result.spread == pytest.approx(0, abs=1e-3)
    assert result.blockiness == 0


@pytest.mark.parametrize("shape", [(120, 160), (500, 700), (9, 200)])
def test_blocks_show_after_jpeg_alone_and_more_the_stronger_it_was(shape):
    rgb = picture(5, *shape)
    never, mild, strong = (signature(image).blockiness for image in (rgb, as_jpeg(rgb, 40), as_jpeg(rgb, 15)))
    assert abs(never) < 0.1
    assert never < mild < strong
    assert strong > 0.3
