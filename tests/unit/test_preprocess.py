"""What happens to decoded pixels before a model sees them."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from dfcore.errors import ConfigError, InputError
from dfcore.imaging import decoder
from dfcore.imaging.preprocess import RESIZE_HELP, VIEW_HELP, PreprocessSpec
from tests.conftest import make_card


def numbered(height: int, width: int) -> np.ndarray:
    """Pixels whose red and green tell their row and column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.zeros_like(rows)], axis=-1).astype(np.uint8)


BAD = [
    pytest.param({"size": 15}, "size", id="too-small"),
    pytest.param({"size": 1025}, "size", id="too-large"),
    pytest.param({"size": 32.0}, "size", id="no-whole-number"),
    pytest.param({"size": "32"}, "size", id="text"),
    pytest.param({"resize": "squash"}, "stretch, fit_crop, native_crop", id="unknown-policy"),
]
BAD_VIEWS = [
    pytest.param("stretch", ("left",), "expected some of native, native_tl.*Received: \\('left',\\)", id="unknown"),
    pytest.param("stretch", ("native", "native"), "each once", id="twice"),
    pytest.param("native_crop", ("native_tl", "native"), "sees already", id="the-first-view-again"),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_bad_values_are_refused_with_what_is_allowed(values, message):
    with pytest.raises(ConfigError, match=f"{message}.*Received: {next(iter(values.values()))!r}"):
        PreprocessSpec(**values)


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        PreprocessSpec(size=1, resize="squash")
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("resize", RESIZE_HELP)
@pytest.mark.parametrize(
    ("height", "width"), [(32, 32), (40, 100), (100, 40), (7, 300), (1, 1), (16, 16)], ids=lambda side: str(side)
)
def test_every_image_becomes_the_square(resize, height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    made = PreprocessSpec(32, resize).apply(pixels)
    assert made.shape == (32, 32, 3)
    assert made.dtype == np.uint8


REGIONS = [
    pytest.param("stretch", 40, 100, (0, 0, 100, 40), id="stretch-sees-all"),
    pytest.param("fit_crop", 40, 100, (30, 0, 70, 40), id="fit-crop-wide"),
    pytest.param("fit_crop", 100, 40, (0, 30, 40, 70), id="fit-crop-tall"),
    pytest.param("native_crop", 40, 100, (34, 4, 66, 36), id="native-crop-centre"),
    pytest.param("native_crop", 20, 100, (40, 0, 60, 20), id="native-crop-of-a-smaller-image"),
]


@pytest.mark.parametrize(("resize", "height", "width", "expected"), REGIONS)
def test_the_region_that_a_model_sees(resize, height, width, expected):
    assert PreprocessSpec(32, resize).region(height, width) == expected


@pytest.mark.parametrize(("resize", "views", "message"), BAD_VIEWS)
def test_views_that_there_are_not_are_refused(resize, views, message):
    with pytest.raises(ConfigError, match=message):
        PreprocessSpec(32, resize, views)


VIEWS = tuple(VIEW_HELP)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (40, 100, [(34, 4, 66, 36), (0, 0, 32, 32), (68, 0, 100, 32), (0, 8, 32, 40), (68, 8, 100, 40)]),
        (20, 100, [(40, 0, 60, 20), (0, 0, 20, 20), (80, 0, 100, 20), (0, 0, 20, 20), (80, 0, 100, 20)]),
        (32, 32, [(0, 0, 32, 32)] * 5),
    ],
    ids=["larger", "smaller on one side", "just as large"],
)
def test_views_are_native_pixels_from_their_regions(height, width, expected):
    spec, pixels = PreprocessSpec(32, "stretch", VIEWS), numbered(height, width)
    assert spec.regions(height, width) == ((0, 0, width, height), *expected)
    made = spec.apply(pixels)
    assert made.shape == spec.input_shape == (6, 32, 32, 3)
    assert made.dtype == np.uint8 and made.nbytes == spec.input_bytes
    for square, (left, top, right, bottom) in zip(made[1:], expected, strict=True):
        part = pixels[top:bottom, left:right]
        if part.shape[:2] != (32, 32):
            part = np.asarray(Image.fromarray(part).resize((32, 32), Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(square, part)


@pytest.mark.parametrize("resize", ["stretch", "fit_crop"])
def test_the_first_of_several_views_is_what_a_model_without_others_sees(resize):
    pixels = np.random.default_rng(2).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    alone, among = PreprocessSpec(32, resize), PreprocessSpec(32, resize, ("native",))
    np.testing.assert_array_equal(among.apply(pixels)[0], alone.apply(pixels))
    np.testing.assert_array_equal(among.apply(pixels)[1], PreprocessSpec(32, "native_crop").apply(pixels))
    assert alone.regions(50, 70) == (alone.region(50, 70),)


def test_a_view_is_known_by_number_and_name():
    spec = PreprocessSpec(32, "stretch", ("native_br", "native"))
    assert [spec.view_number(view) for view in (0, "0", "stretch", 2, "native", "native_br")] == [0, 0, 0, 2, 2, 1]
    for view in (3, -1, "native_tl", "", "²"):
        with pytest.raises(InputError, match=r"0 \(stretch\), 1 \(native_br\), 2 \(native\). Received"):
            spec.view_number(view)


def test_without_views_the_cache_keeps_its_folders():
    """Pixels that earlier versions cached are found by this name."""
    text = f"v1 pillow-bilinear 224 stretch decoder {decoder.VERSION}"
    assert PreprocessSpec(224).key == f"224px-stretch-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def test_an_image_of_the_right_size_is_not_touched():
    pixels = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    for resize in RESIZE_HELP:
        np.testing.assert_array_equal(PreprocessSpec(32, resize).apply(pixels), pixels)


def test_native_crop_keeps_pixels_as_they_are():
    made = PreprocessSpec(32, "native_crop").apply(numbered(40, 100))
    np.testing.assert_array_equal(made, numbered(40, 100)[4:36, 34:66])


def test_shrinking_averages():
    """A fine checkerboard becomes grey; picking single pixels would leave it black and white."""
    board = (255 * (np.indices((64, 64)).sum(axis=0) % 2)).astype(np.uint8)
    made = PreprocessSpec(16).apply(np.repeat(board[..., None], 3, axis=-1))
    assert abs(made.astype(int) - 127).max() < 20


def test_it_is_the_bilinear_filter_of_pillow():
    pixels = numbered(50, 70)
    expected = np.asarray(Image.fromarray(pixels).resize((32, 32), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(PreprocessSpec(32).apply(pixels), expected)


def test_the_cache_key_changes_with_every_setting():
    specs = [PreprocessSpec(size, resize) for size in (32, 64) for resize in RESIZE_HELP]
    specs += [PreprocessSpec(32, "stretch", views) for views in (("native",), ("native_tl",), VIEWS, VIEWS[::-1])]
    assert len({spec.key for spec in specs}) == len(specs)
    assert PreprocessSpec(32).key == PreprocessSpec(32).key


def test_it_survives_a_card():
    for spec in (PreprocessSpec(96, "fit_crop"), PreprocessSpec(96, "fit_crop", ("native", "native_tl"))):
        written = json.loads(json.dumps(spec.to_dict()))
        assert PreprocessSpec(**written) == spec
        card = make_card(preprocess=written)
        assert card.spec == spec
        assert type(card).model_validate_json(card.model_dump_json()).spec == spec
    assert make_card(preprocess={"size": 96, "resize": "fit_crop"}).spec.views == (), "as earlier versions wrote it"
