"""Forensic views: what every one of them keeps, and what those that claim something find."""

import io
import json
from itertools import product

import numpy as np
import pytest
from PIL import Image

from dfcore.errors import ImageError, InputError
from dfcore.forensics import VIEWS, compute, figures
from dfcore.forensics.grid import log10_nfa
from dfcore.forensics.spectrum import azimuthal, frequencies, power, reference
from dfcore.forensics.view import subject

KEYS = tuple(VIEWS)


def textured(height: int = 256, width: int = 320, seed: int = 0) -> np.ndarray:
    """A picture with texture at all scales, as photographs have; never a JPEG."""
    random = np.random.default_rng(seed)
    waves = np.fft.rfft2(random.normal(size=(height, width, 3)), axes=(0, 1))
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    waves /= np.maximum(radius, 1 / max(height, width))[..., None] ** 1.1
    light = np.fft.irfft2(waves, (height, width), axes=(0, 1))
    return np.clip(128 + 45 * light / light.std(), 0, 255).astype(np.uint8)


def coded(rgb: np.ndarray, quality: int = 0, **options) -> bytes:
    """A JPEG of this quality, or a PNG."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(
        file, **({"format": "JPEG", "quality": quality} if quality else {"format": "PNG"}), **options
    )
    return file.getvalue()


def through_jpeg(rgb: np.ndarray, quality: int) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(coded(rgb, quality))))


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3)).astype(np.uint8)


PICTURES = {
    "one pixel": noise(1, 1),
    "one block": noise(8, 8),
    "a row": noise(1, 300),
    "very long": noise(3000, 20),
    "odd sides": noise(67, 131),
    "flat": np.full((70, 90, 3), 200, np.uint8),
    "black": np.zeros((40, 40, 3), np.uint8),
    "grey": np.repeat(noise(64, 80)[..., :1], 3, -1),
    "two levels": (noise(64, 64) > 127).astype(np.uint8) * 255,
    "textured": textured(96, 128),
}


@pytest.mark.parametrize(("key", "name"), list(product(KEYS, PICTURES)))
def test_every_view_of_any_picture_is_whole_and_the_same_twice(key, name):
    rgb = PICTURES[name]
    before = rgb.copy()
    first, second = compute(key, rgb), compute(key, rgb)
    np.testing.assert_array_equal(rgb, before)
    assert first.pictures
    assert first.words
    for one, again in zip(first.pictures, second.pictures, strict=True):
        assert one.rgb.dtype == np.uint8
        assert one.rgb.shape[2:] == (3,)
        if one.aligned:
            assert one.rgb.shape == rgb.shape
        np.testing.assert_array_equal(one.rgb, again.rgb)
    told = json.dumps(first.to_dict(), allow_nan=False)
    assert told == json.dumps(second.to_dict(), allow_nan=False)
    for chart in first.charts:
        for curve in chart.curves:
            assert len(curve.x) == len(curve.y)
            assert np.isfinite(np.array(curve.y, float)).all()


def settings():
    for kind in VIEWS.values():
        for parameter in kind.parameters:
            ends = list(parameter.choices) or [parameter.low, parameter.high]
            for value in ends:
                yield pytest.param(kind.key, parameter.key, value, id=f"{kind.key}-{parameter.key}-{value}")


@pytest.mark.parametrize(("key", "name", "value"), list(settings()))
def test_every_setting_works_over_its_range_and_is_told(key, name, value):
    view = compute(key, PICTURES["textured"], **{name: value})
    assert view.parameters[name] == value
    assert view.pictures[0].rgb.size


@pytest.mark.parametrize("key", KEYS)
def test_settings_out_of_range_and_unknown_ones_are_refused_by_name(key):
    rgb = PICTURES["one block"]
    with pytest.raises(InputError, match=r"expected as settings.*'brightness'"):
        compute(key, rgb, brightness=1)
    for parameter in VIEWS[key].parameters:
        for wrong in (parameter.low - 1, parameter.high + 1, 1.5, "", None, True, [1]):
            with pytest.raises(InputError, match=f"{parameter.key}: expected"):
                compute(key, rgb, **{parameter.key: wrong})


def test_an_unknown_view_is_refused_with_those_that_exist():
    with pytest.raises(InputError, match=r"error_level.*'magic'"):
        compute("magic", PICTURES["one block"])


def test_a_file_and_its_pixels_give_the_same_pictures():
    data = coded(textured(64, 80), 90)
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    for key in KEYS:
        np.testing.assert_array_equal(compute(key, data).pictures[0].rgb, compute(key, pixels).pictures[0].rgb)


def test_transparency_lies_over_white():
    rgba = np.concatenate([noise(40, 40), np.zeros((40, 40, 1), np.uint8)], -1)
    assert compute("colour_channels", coded(rgba)).figures["white_share"] == 1
    assert compute("colour_channels", rgba).figures["white_share"] == 1


@pytest.mark.parametrize("data", [b"", b"not a picture", coded(noise(50, 50), 90)[:400]])
def test_what_is_no_picture_is_refused(data):
    for call in (lambda: compute("bit_planes", data), lambda: figures(data)):
        with pytest.raises(ImageError):
            call()


def test_quick_figures_hold_all_views_but_those_that_are_named():
    result = figures(coded(textured(), 85))
    assert set(result["views"]) | set(result["left_out"]) == set(VIEWS)
    assert not set(result["views"]) & set(result["left_out"])
    assert all(row["words"] and row["title"] for row in result["views"].values())
    json.dumps(result, allow_nan=False)


# === The part that is examined ===


def test_above_the_limit_the_middle_is_examined_at_native_pixels_on_the_grid():
    rgb = noise(300, 500)
    part = subject(rgb, None, most_pixels=30_000)
    x, y, w, h = part.region
    assert w * h <= 30_000
    assert (x % 16, y % 16) == (0, 0)
    np.testing.assert_array_equal(part.rgb, rgb[y : y + h, x : x + w])
    assert abs(x + w / 2 - 250) <= 16
    assert abs(y + h / 2 - 150) <= 16
    assert f"{w:,} x {h:,} pixels of 500 x 300" in part.note


def test_no_side_is_longer_than_a_jpeg_can_hold():
    part = subject(np.zeros((70_000, 2, 3), np.uint8), None)
    assert part.rgb.shape == (65_000, 2, 3)
    assert compute("error_level", np.zeros((70_000, 2, 3), np.uint8)).pictures[0].rgb.shape == (65_000, 2, 3)


def test_a_region_gives_what_its_pixels_give():
    rgb = textured()
    view = compute("bit_planes", rgb, region=(16, 32, 100, 80))
    np.testing.assert_array_equal(view.pictures[0].rgb, compute("bit_planes", rgb[32:112, 16:116]).pictures[0].rgb)
    assert view.region == (16, 32, 100, 80)
    assert "(16, 32)" in view.note


@pytest.mark.parametrize("region", [(0, 0, 0, 1), (-1, 0, 5, 5), (300, 0, 21, 5), (0, 250, 5, 7)])
def test_a_region_outside_the_picture_is_refused(region):
    with pytest.raises(InputError, match="within 320 x 256 pixels"):
        compute("bit_planes", textured(), region=region)


# === What the views claim ===


@pytest.mark.parametrize(("x", "y"), [(0, 0), (3, 5), (7, 1)])
def test_the_grid_of_a_cropped_jpeg_is_found(x, y):
    crop = through_jpeg(textured(), 85)[y:, x:]
    found = compute("block_grid", coded(np.ascontiguousarray(crop))).figures
    assert found["origin"] == [-x % 8, -y % 8]
    assert found["from_corner"] is ((x, y) == (0, 0))
    assert not found["parts"]


def test_a_region_tells_the_grid_in_the_pixels_of_the_whole():
    rgb = through_jpeg(textured(), 85)
    found = compute("block_grid", rgb, region=(5, 3, 200, 200)).figures
    assert found["origin"] == [0, 0]


def test_a_picture_that_never_was_a_jpeg_has_no_grid():
    for seed in range(5):
        found = compute("block_grid", textured(seed=seed)).figures
        assert found["origin"] is None
        assert not found["parts"]


def test_straight_edges_of_a_drawing_are_no_grid():
    drawing = np.full((256, 256, 3), 255, np.uint8)
    drawing[3::8] = np.random.default_rng(0).integers(0, 200, (32, 1, 3))
    found = compute("block_grid", drawing).figures
    assert found["origin"] is None
    assert found["parts"] == []


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_jpegs_own_grid_is_known_as_its_own(turn):
    exif = Image.Exif()
    exif[274] = turn
    found = compute("block_grid", coded(textured(251, 317), 80, exif=exif)).figures
    assert found["from_corner"] is True, found


def test_a_part_from_another_jpeg_is_framed():
    rgb = through_jpeg(textured(), 90).copy()
    rgb[67:195, 101:229] = through_jpeg(textured(seed=1), 80)[:128, :128]
    (part,) = compute("block_grid", coded(rgb)).figures["parts"]
    x, y, w, h = part["region"]
    assert part["origin"] == [5, 3]
    assert abs(x - 101) < 16
    assert abs(y - 67) < 16
    assert abs(w - 128) < 24
    assert abs(h - 128) < 24


def test_votes_by_chance_are_no_grid():
    assert log10_nfa(1000 / 64, 1000, 64) > 0
    assert log10_nfa(0, 0, 64) > 0
    assert log10_nfa(100, 1000, 64) < -20
    assert log10_nfa(1000, 1000, 64) == pytest.approx(np.log10(64) + 1000 * np.log10(1 / 64))


def test_a_part_that_was_saved_at_a_lower_quality_is_found():
    rgb = textured()
    forged = rgb.copy()
    forged[64:160, 96:208] = through_jpeg(rgb, 65)[64:160, 96:208]
    found = compute("ghosts", coded(forged, 90)).figures
    x, y, w, h = found["ghost_region"]
    assert found["ghost_quality"] == 65
    assert abs(x - 96) + abs(y - 64) + abs(w - 112) + abs(h - 96) <= 64
    assert compute("ghosts", coded(rgb, 90)).figures["ghost_region"] is None


def test_an_earlier_quality_of_the_whole_is_told():
    assert compute("ghosts", coded(through_jpeg(textured(), 60), 90)).figures["saved_before_at"] == 60


def test_a_picture_saved_once_was_not_saved_before():
    for quality in (0, 70, 90):
        assert compute("ghosts", coded(textured(), quality)).figures["saved_before_at"] is None


@pytest.mark.parametrize("quality", [0, 90])
def test_a_copied_part_is_found_with_its_shift(quality):
    rgb = textured()
    rgb[150:230, 200:280] = rgb[20:100, 40:120]
    (pair,) = compute("copy_move", coded(rgb, quality)).figures["pairs"]
    assert pair["shift"] == [160, 130]
    x, y, w, h = pair["first"]
    assert x >= 30
    assert y >= 10
    assert x + w <= 130
    assert y + h <= 110
    assert pair["pixels"] > 2500


def test_a_picture_without_copies_has_none():
    for seed in range(5):
        assert compute("copy_move", textured(seed=seed)).figures["pairs"] == []


def test_edges_that_are_like_themselves_further_on_are_no_copies():
    bars = np.repeat(np.random.default_rng(0).integers(0, 200, 40), 8)[None, :, None]
    rgb = np.clip(bars + textured() // 16, 0, 255).astype(np.uint8)
    assert compute("copy_move", rgb).figures["pairs"] == []


def test_the_noise_level_is_that_of_the_noise():
    random = np.random.default_rng(0)
    grey = np.clip(128 + random.normal(0, 7, (256, 256, 1)), 0, 255).round().astype(np.uint8)
    found = compute("noise_residual", np.repeat(grey, 3, -1)).figures
    assert found["noise"] == pytest.approx(7, rel=0.05)
    assert found["noise_p10"] == pytest.approx(7, rel=0.15)


def test_a_periodic_trace_is_the_strongest_peak():
    across = np.cos(2 * np.pi * 0.25 * np.arange(320))
    rgb = np.clip(textured() + 12 * across[:, None], 0, 255).astype(np.uint8)
    found = compute("log_spectrum", rgb).figures
    assert found["peak_frequency"] == [0.25, 0]
    assert found["peak_db"] > 15


def test_white_noise_has_a_level_azimuthal_average_and_blur_a_falling_one():
    noisy = noise(512, 512)[..., 0].astype(np.float32)
    # The first bin has few points, and no mean of its own.
    assert np.abs(azimuthal(power(noisy)))[1:].max() < 2
    blurred = noisy[1:] + noisy[:-1]
    blurred = blurred[:, 1:] + blurred[:, :-1]
    assert azimuthal(power(blurred))[-1] < -6


def test_only_what_is_like_the_reference_is_compared_with_it():
    known = reference()
    assert len(known.mean) == len(known.low) == len(known.high) == len(frequencies())
    assert all(low < mean < high for low, mean, high in zip(known.low, known.mean, known.high, strict=True))
    assert compute("log_spectrum", coded(textured(), 85)).figures["comparable"]
    for data in (coded(textured()), coded(textured(), 20), coded(textured(100, 120), 85)):
        view = compute("log_spectrum", data)
        assert view.figures["outside_band"] is None
        assert "Not compared" in " ".join(view.words)


def test_stretched_contrast_leaves_gaps_in_the_histogram():
    rgb = (64 + textured() // 3).astype(np.uint8)
    stretched = ((rgb.astype(int) - 64) * 3).astype(np.uint8)
    assert max(compute("colour_channels", textured()).figures["missing_levels"]) == 0
    assert min(compute("colour_channels", stretched).figures["missing_levels"]) > 0.5


def test_bits_of_noise_equal_their_neighbours_by_half():
    found = compute("bit_planes", noise(200, 200), channel="green").figures
    assert found["equal_to_neighbour"] == pytest.approx([0.5] * 8, abs=0.02)
    assert compute("bit_planes", PICTURES["flat"]).figures["equal_to_neighbour"] == [1.0] * 8
