"""Self-made fakes: TAEF2 against a NumPy forward, decoders that keep the content, pairs that are treated alike."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from dfcore import synthesis
from dfcore.errors import BundleError, InputError, MissingExtraError
from dfcore.synthesis import taef2
from dfcore.synthesis.drawn import WAYS, draw_decoder
from dfcore.synthesis.pairs import make_pair
from dfcore.synthesis.partial import draw_mask
from dfcore.synthesis.taef2 import Taef2, read_weights
from dfcore.synthesis.treatment import MOST, draw_treatment
from tests.unit.audit_sets import picture

GREY = 127


def photo(width: int = 96, height: int = 80, seed: int = 0) -> np.ndarray:
    return np.asarray(picture(np.random.default_rng(seed), (width, height)))


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


# === TAEF2 ===


class _Reference:
    """The network by the words of its description, in NumPy."""

    def __init__(self, weights):
        self.weights = weights

    def conv(self, name, x, stride=1):
        kernel = self.weights[f"{name}.weight"]
        pad = kernel.shape[-1] // 2
        padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
        views = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], (1, 2))[:, ::stride, ::stride]
        result = np.einsum("chwij,ocij->ohw", views, kernel, optimize=True)
        bias = self.weights.get(f"{name}.bias")
        return result if bias is None else result + bias[:, None, None]

    def block(self, name, x):
        if f"{name}.pool.0.weight" in self.weights:
            inner = self.conv(f"{name}.pool.0", x)
            groups = inner.reshape(4, -1)
            groups = (groups - groups.mean(1, keepdims=True)) / np.sqrt(groups.var(1, keepdims=True) + 1e-5)
            scale, shift = (self.weights[f"{name}.pool.1.{part}"][:, None, None] for part in ("weight", "bias"))
            x = x + self.conv(f"{name}.pool.3", np.maximum(groups.reshape(inner.shape) * scale + shift, 0))
        inner = x
        for number in (0, 2, 4):
            inner = self.conv(f"{name}.conv.{number}", inner)
            inner = np.maximum(inner, 0) if number < 4 else inner
        return np.maximum(inner + x, 0)

    def layer(self, name, x, stride=1):
        return self.block(name, x) if f"{name}.conv.0.weight" in self.weights else self.conv(name, x, stride)

    def encode(self, rgb):
        x = rgb.transpose(2, 0, 1).astype(np.float32) / 255
        for number in range(15):
            x = self.layer(f"encoder.{number}", x, 2 if number in (2, 6, 10) else 1)
        return x

    def decode(self, x):
        for number in range(20):
            if number == 0:
                x = np.tanh(x / 3) * 3
            elif number == 2:
                x = np.maximum(x, 0)
            elif number in (6, 11, 16):
                x = x.repeat(2, axis=1).repeat(2, axis=2)
            else:
                x = self.layer(f"decoder.{number}", x)
        return np.clip(x, 0, 1).transpose(1, 2, 0) * 255


@pytest.fixture(scope="module")
def net() -> Taef2:
    return taef2.taef2()


def test_taef2_is_the_network_that_its_description_says(net):
    rgb, reference = photo(56, 40), _Reference(read_weights())
    latents = net.encode(rgb)
    assert latents.shape == (32, 5, 7)
    np.testing.assert_allclose(latents, reference.encode(rgb), atol=1e-4)
    expected = reference.decode(latents)
    assert np.abs(net.decode(latents) - expected).max() <= 0.51  # Half a grey level is rounding.


@pytest.mark.parametrize("size", [(8, 8), (33, 50), (1, 7)])
def test_taef2_keeps_any_size_and_the_content(size):
    width, height = size
    ramp = np.linspace(60, 180, max(size))
    rgb = np.stack([ramp[:height, None] + 0 * ramp[:width], 0 * ramp[:height, None] + ramp[:width]], axis=-1)
    rgb = np.concatenate([rgb, rgb.mean(axis=2, keepdims=True)], axis=2).astype(np.uint8)
    made = synthesis.reconstruct(rgb)
    assert made.shape == rgb.shape and made.dtype == np.uint8
    assert difference(made, rgb) < 12 or min(size) < 32  # Of a few pixels little can be kept.


def test_tiles_give_the_picture_of_one_piece(net, monkeypatch):
    rgb = photo(208, 104)
    whole = net.reconstruct(rgb)
    monkeypatch.setattr(taef2, "_TILE", 104)
    tiled = net.reconstruct(rgb)
    assert np.abs(whole.astype(int) - tiled.astype(int)).max() <= 1  # Sums are rounded in another order.
    # The test can fail: with less of the neighbourhood than the layers see, seams appear.
    monkeypatch.setattr(taef2, "_HALO", 8)
    assert np.abs(whole.astype(int) - net.reconstruct(rgb).astype(int)).max() > 1


def test_taef2_says_what_is_missing(monkeypatch, tmp_path):
    with pytest.raises(InputError, match="Expected a picture, uint8"):
        synthesis.reconstruct(photo().astype(np.float32))
    with pytest.raises(BundleError, match="Received none named"):
        Taef2({"encoder.0.weight": np.zeros((64, 3, 3, 3), np.float32)})
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"needs openvino.*pip install"):
        Taef2()


# === Decoders ===


@pytest.mark.parametrize("seed", range(12))
def test_drawn_decoders_keep_content_and_leave_a_periodic_trace(seed):
    decoder = draw_decoder(np.random.default_rng(seed))
    rgb = photo(97, 83)
    made = decoder(rgb)
    assert made.shape == rgb.shape
    assert 0.1 < difference(made, rgb) < 12
    # A period of f pixels: moved by that, a picture gives the same, moved; moved by one pixel less, it does not.
    assert _moved(decoder, rgb, decoder.factor) < 0.2 * _moved(decoder, rgb, decoder.factor - 1)


def _moved(decoder, rgb, by):
    """How much the result differs from that of the picture moved, in grey levels, away from the edges."""
    first, second = decoder(rgb)[:, by:], decoder(rgb[:, by:])
    return difference(first[16:-16, 16:-16], second[16:-16, 16:-16])


def test_drawn_decoders_are_many():
    decoders = [draw_decoder(np.random.default_rng(seed)) for seed in range(40)]
    assert {decoder.way for decoder in decoders} == set(WAYS)
    assert len({float(decoder.last.ravel()[0]) for decoder in decoders}) == 40


# === Pairs ===


@pytest.mark.parametrize("kind", synthesis.KINDS)
def test_a_pair_has_one_size_one_coding_one_content_and_depends_on_its_seed_alone(kind):
    rgb = photo(200, 150)
    made = make_pair(rgb, kind, 7)
    real, fake = (Image.open(io.BytesIO(data)) for data in (made.real, made.fake))
    assert real.size == fake.size
    assert real.quantization == fake.quantization
    assert [one[1:3] for one in real.layer] == [one[1:3] for one in fake.layer]  # Chroma subsampling.
    assert 0 < difference(np.asarray(real), np.asarray(fake)) < 16
    again = make_pair(rgb, kind, 7)
    assert (again.real, again.fake) == (made.real, made.fake)
    assert make_pair(rgb, kind, 8).real != made.real


def test_without_a_decoder_both_sides_of_a_pair_are_the_same(monkeypatch):
    monkeypatch.setattr(taef2, "reconstruct", lambda rgb, precision: rgb.copy())
    for seed in range(20):
        real, fake = synthesis.pair(photo(150, 130), "taef2", seed)
        np.testing.assert_array_equal(real, fake)


def test_treatments_fit_the_picture_and_differ():
    drawn = [draw_treatment(1500, 3000, np.random.default_rng(seed)) for seed in range(50)]
    for one in drawn:
        left, top, right, bottom = one.window
        assert 0 <= left < right <= one.shrunk[0] and 0 <= top < bottom <= one.shrunk[1]
        assert max(right - left, bottom - top) <= MOST
        assert one.shrunk[0] < 3000
    assert len({str(one) for one in drawn}) == 50
    assert {one.shrunk[0] > MOST for one in drawn} == {True, False}


def test_pairs_refuse_what_they_cannot_use():
    with pytest.raises(InputError, match="taef2, simulated, drawn, blended, partly"):
        synthesis.pair(photo(), "gan")
    with pytest.raises(InputError, match="at least 16 x 16"):
        synthesis.pair(photo(40, 15))


# === Partly generated pictures ===


@pytest.mark.parametrize("share", [0.03, 0.2, 0.6])
def test_a_mask_covers_the_share_that_was_asked_for(share):
    for seed in range(12):
        mask = draw_mask(120, 160, share, np.random.default_rng(seed))
        assert mask.mean() / 255 == pytest.approx(share, abs=0.02)
        assert mask.max() == 255 or share < 0.05


def test_partly_changes_the_picture_inside_its_mask_alone():
    rgb = photo(160, 120)
    made, mask = synthesis.partly(rgb, 0.25, seed=3)
    assert made.shape == rgb.shape and mask.shape == rgb.shape[:2]
    np.testing.assert_array_equal(made[mask == 0], rgb[mask == 0])
    np.testing.assert_array_equal(made[mask == 255], synthesis.reconstruct(rgb)[mask == 255])
    assert ((mask > 0) & (mask < 255)).any()
    with pytest.raises(InputError, match="between 0 and 1"):
        synthesis.partly(rgb, 1.0)
