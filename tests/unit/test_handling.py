"""What happens to pictures on their way: always the same, always an image, with the facts that its file would state."""

import io

import numpy as np
import pytest
from PIL import Image

from dfcore.errors import InputError
from dfcore.imaging import decoder, handling
from dfcore.imaging.handling import GRADED, HANDLINGS

NAMES = [each.name for each in HANDLINGS]
DRAWN = [handling.drawn(seed) for seed in range(60)]


def noise_of(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def picture(height=96, width=128):
    """Smooth, as photographs are: edits keep it recognisable."""
    y, x = np.mgrid[:height, :width]
    wave = np.stack([np.sin(x / 9) + np.cos(y / 7), np.sin((x + y) / 11), np.cos((x - y) / 8)], -1)
    grain = np.random.default_rng(0).normal(0, 3, wave.shape)
    return np.clip(128 + 45 * wave + grain, 0, 255).astype(np.uint8)


SHAPES = {"wide": (61, 100), "tiny": (9, 7), "one line": (1, 8), "one pixel": (1, 1)}


@pytest.mark.parametrize("each", HANDLINGS, ids=NAMES)
def test_any_image_stays_an_image_and_comes_out_the_same_every_time(each):
    for rgb in (*(noise_of(*shape) for shape in SHAPES.values()), np.full((16, 16, 3), 255, np.uint8)):
        before = rgb.copy()
        result = each.apply(rgb)
        assert (result.dtype, result.ndim, result.shape[-1]) == (np.uint8, 3, 3)
        assert result.size > 0
        np.testing.assert_array_equal(each.apply(rgb), result)
        np.testing.assert_array_equal(rgb, before, "the original stays")


@pytest.mark.parametrize("each", (*HANDLINGS, *DRAWN), ids=lambda each: each.name)
def test_the_picture_stays_recognisable(each):
    rgb = picture()
    result = each.apply(rgb)
    if each in HANDLINGS:
        assert not np.array_equal(result, rgb)
    if each.name == "grey":
        rgb = np.asarray(Image.fromarray(rgb).convert("L").convert("RGB"))
    as_large = np.asarray(Image.fromarray(result).resize((128, 96), Image.Resampling.BICUBIC))
    part = rgb if each.name != "crop" else np.asarray(Image.fromarray(rgb).crop((6, 5, 122, 91)).resize((128, 96)))
    assert np.corrcoef(as_large.ravel(), part.ravel())[0, 1] > 0.7


@pytest.mark.parametrize("each", (*HANDLINGS, *DRAWN), ids=lambda each: each.name)
def test_the_stated_quality_is_the_one_that_the_file_would_state(each):
    """The last step hands on Pillow's opened file, whose facts the decoder reads the same way."""
    made = each.make(Image.fromarray(picture()))
    stated = decoder.facts.jpeg_quality(made) if made.format == "JPEG" else None
    assert each.handle(picture())[1] == each.jpeg_quality
    assert each.jpeg_quality == stated or abs(each.jpeg_quality - stated) <= 1


def test_names_and_titles_are_told_apart_and_found_again():
    assert len(set(NAMES)) == len({each.title for each in HANDLINGS}) == len(HANDLINGS)
    assert "original" not in NAMES
    assert all(handling.get(name).name == name for name in NAMES)
    assert {name for names in GRADED.values() for name in names} <= set(NAMES)


@pytest.mark.parametrize("name", ["original", "jpeg", "jpeg_99", "drawn_", "drawn_-1", "drawn_x", ""])
def test_what_is_no_handling_is_told_with_those_that_are(name):
    with pytest.raises(InputError, match=r"jpeg_50.*drawn_SEED.*Received"):
        handling.get(name)


@pytest.mark.parametrize("kind", sorted(set(GRADED) - {"enlarged", "larger", "light"}))
def test_every_grade_costs_more_than_the_one_before(kind):
    rgb = picture(240, 320)
    lost = []
    for name in GRADED[kind]:
        back = Image.fromarray(handling.get(name).apply(rgb)).resize((320, 240), Image.Resampling.BICUBIC)
        lost.append(np.abs(np.asarray(back, int) - rgb).mean())
    assert lost == sorted(set(lost))


def test_no_two_handlings_do_the_same():
    """On a small and a large picture: sharing leaves small ones at their size, enlarging leaves large ones."""
    pictures = picture(240, 320), picture(960, 1280)
    results = {b"".join(each.apply(rgb).tobytes() for rgb in pictures) for each in HANDLINGS}
    assert len(results) == len(HANDLINGS)


def test_sizes_are_what_titles_say():
    side = {name: handling.get(name).apply(noise_of(90, 120)).shape[:2] for name in NAMES}
    assert (side["half"], side["third"], side["quarter"]) == ((45, 60), (30, 40), (22, 30))
    assert (side["double"], side["fourfold"]) == ((180, 240), (360, 480))
    assert (side["enlarged_512"], side["resize_half"], side["crop"]) == ((512, 683), (90, 120), (82, 108))
    assert (side["phone"], side["jpeg_50"]) == ((90, 120), (90, 120))
    large = noise_of(800, 1000)
    assert handling.get("phone").apply(large).shape == (576, 720, 3)
    np.testing.assert_array_equal(handling.get("enlarged_512").apply(large), large, "nothing is enlarged that is")


def test_what_a_format_cannot_hold_is_scaled_down():
    assert handling.get("webp_90").apply(noise_of(2, 20_000)).shape == (2, 16_383, 3)
    assert handling.get("enlarged_1024").apply(noise_of(1, 200_000)).shape[1] <= decoder.MAX_PIXELS


def test_a_drawn_handling_is_drawn_by_its_seed_alone():
    rgb = picture()
    for each in DRAWN[:20]:
        again = handling.get(each.name)
        assert (again.title, again.jpeg_quality) == (each.title, each.jpeg_quality)
        np.testing.assert_array_equal(again.apply(rgb), each.apply(rgb))
    titles = " ".join(each.title for each in DRAWN)
    assert all(word in titles for word in ("resized", "and back", "blur", "noise", "JPEG", "WebP", "then", "unchanged"))
    assert len({each.title for each in DRAWN}) > 40


def test_files_of_a_handled_image_decode_to_the_same_pixels():
    """What is given is what a file would give: the coding is part of it."""
    rgb = picture()
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=50)
    np.testing.assert_array_equal(handling.get("jpeg_50").apply(rgb), decoder.decode(file.getvalue()))
