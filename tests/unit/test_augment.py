"""Random changes of training images: what may be asked for, what they keep, and that seeds decide."""

import numpy as np
import pytest

from dfcore.datasets.augment import (
    HELP,
    NAMED,
    OPERATIONS,
    augmenter,
    has_random_crop,
    parse,
    random_crop_side,
    without_random_crop,
)
from dfcore.datasets.cache import Pixels
from dfcore.datasets.pipeline import epoch_order, training_batches
from dfcore.errors import ConfigError

PARSED = [
    pytest.param("none", {}, id="none"),
    pytest.param("", {}, id="nothing"),
    pytest.param("light", {"flip": 0.5}, id="light-moves-no-trace"),
    pytest.param("flip", {"flip": 0.5}, id="one"),
    pytest.param(" FLIP , Noise ", {"flip": 0.5, "noise": 5.0}, id="spaces-and-letter-case"),
    pytest.param("jpeg:strong,flip", {"flip": 0.5, "jpeg": 40}, id="strength"),
    pytest.param("noise:light,", {"noise": 2.0}, id="trailing-comma"),
    pytest.param("rotation:", {"rotation": 10.0}, id="empty-strength-is-standard"),
]


@pytest.mark.parametrize(("text", "expected"), PARSED)
def test_parse(text, expected):
    assert parse(text) == expected


def test_strong_holds_everything_but_patches():
    """Those make the images smaller, which not every network takes: they are asked for by name."""
    assert set(parse("strong")) == set(OPERATIONS) - {"random_crop"}
    assert set(parse("standard")) < set(parse("strong"))


PATCHED = [
    pytest.param("flip,random_crop", True, "flip", id="one-of-two"),
    pytest.param("random_crop:strong", True, "none", id="alone"),
    pytest.param(" Random_Crop : light , jpeg:strong", True, " jpeg:strong", id="spaces-and-letter-case"),
    pytest.param("strong", False, "strong", id="a-named-one"),
    pytest.param("none", False, "none", id="none"),
]


@pytest.mark.parametrize(("text", "has_patches", "rest"), PATCHED)
def test_patches_can_be_told_and_left_out(text, has_patches, rest):
    assert has_random_crop(text) == has_patches
    assert without_random_crop(text) == rest
    assert parse(without_random_crop(text)) == {name: v for name, v in parse(text).items() if name != "random_crop"}


def test_every_operation_is_explained():
    assert set(HELP) == set(OPERATIONS)


UNKNOWN = [("flop", "flop"), ("flip,jpg", "jpg"), ("flip:mighty", "flip:mighty"), ("none,flip", "none"),
           ("a,b:c", "b:c")]  # fmt: skip


@pytest.mark.parametrize(("text", "received"), UNKNOWN)
def test_unknown_words_are_refused_with_what_is_allowed(text, received):
    with pytest.raises(ConfigError, match=f"Received: .*{received}") as caught:
        parse(text)
    for name in (*NAMED, *OPERATIONS):
        assert name in str(caught.value)


# === Operations ===


def batch(count: int = 8, size: int = 24) -> np.ndarray:
    """Smooth images with a fine texture, so that every operation has something to change."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size]
    smooth = np.stack([rows * 6, columns * 6, 255 - rows * 4], axis=-1)[None]
    return (smooth + random.integers(-30, 30, (count, size, size, 3))).clip(0, 255).astype(np.uint8)


# Of a side of 24 pixels: 87.5, 75 and 62.5%, on a grid of 8 pixels.
PATCH_SIDES = {"random_crop:light": 24, "random_crop": 16, "random_crop:strong": 16}


def augmented(text: str, images: np.ndarray, seed: tuple[int, int] = (1, 2)) -> np.ndarray:
    import tensorflow as tf

    return augmenter(text)(tf.constant(images), tf.constant(seed, tf.int32)).numpy()


TEXTS = [*OPERATIONS, *(f"{name}:strong" for name in OPERATIONS), "light", "standard", "strong"]


@pytest.mark.parametrize("text", TEXTS)
def test_every_operation_keeps_the_shape_and_follows_its_seed(text):
    images = batch()
    made = augmented(text, images)
    side = PATCH_SIDES.get(text, 24)
    assert made.shape == (len(images), side, side, 3), "only patches make them smaller"
    assert made.dtype == np.uint8
    assert not np.array_equal(made, images)
    np.testing.assert_array_equal(made, augmented(text, images))
    assert not np.array_equal(made, augmented(text, images, seed=(1, 3)))
    assert not np.array_equal(made, augmented(text, images, seed=(5, 2)))


@pytest.mark.parametrize("text", OPERATIONS)
def test_standard_changes_are_small(text):
    if text in ("flip", "random_crop"):
        pytest.skip("a flipped or moved image is another one, pixel by pixel")
    images = batch()
    assert np.abs(augmented(text, images).astype(int) - images).mean() < 25


@pytest.mark.parametrize("text", ["flip", "light"])
def test_flip_mirrors_about_half_of_the_images_exactly(text):
    images = batch(64, 16)
    made = augmented(text, images)
    saved = (made == images).all(axis=(1, 2, 3))
    tta_flip = (made == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (saved ^ tta_flip).all()
    assert 16 < tta_flip.sum() < 48


@pytest.mark.parametrize("text", ["jpeg", "blur", "resize"])
def test_half_of_the_images_are_left_exactly_as_they_are(text):
    images = batch(64, 16)
    saved = (augmented(text, images) == images).all(axis=(1, 2, 3)).sum()
    assert 16 <= saved <= 48


def test_blur_takes_fine_texture_away_and_noise_adds_some():
    def texture(images):
        return np.abs(np.diff(images.astype(int), axis=2)).mean()

    images = batch(32)
    flat = np.full_like(images, 128)
    assert texture(augmented("blur:strong", images)) < 0.9 * texture(images)
    assert texture(augmented("noise:strong", flat)) > 1


def test_geometry_leaves_an_even_image_alone():
    flat = np.full((8, 24, 24, 3), 77, np.uint8)
    np.testing.assert_array_equal(augmented("rotation:strong,crop:strong", flat), flat)


PATCHES = [
    pytest.param("random_crop:light", 64, 56, id="light"),
    pytest.param("random_crop", 64, 48, id="standard"),
    pytest.param("random_crop:strong", 64, 40, id="strong"),
    pytest.param("random_crop:light", 20, 16, id="sides-are-rounded-to-the-grid"),
    pytest.param("random_crop:strong", 8, 8, id="never-smaller-than-a-block"),
    pytest.param("random_crop:light", 23, 16, id="never-larger-than-the-image"),
]


@pytest.mark.parametrize(("text", "size", "side"), PATCHES)
def test_a_patch_is_a_piece_of_the_image_untouched_with_its_jpeg_blocks_in_place(text, size, side):
    images = batch(16, size)
    made = augmented(text, images)
    corners = range(0, size - side + 1, 8)
    result = []
    for image, patch in zip(images, made, strict=True):
        places = [(y, x) for y in corners for x in corners if np.array_equal(image[y : y + side, x : x + side], patch)]
        assert len(places) == 1
        result += places
    assert random_crop_side(text, size) == side
    assert len(set(result)) == 1 if len(corners) == 1 else len(set(result)) > 2, "from anywhere in the image"


def test_what_follows_a_patch_is_done_to_the_patch():
    images = batch(16, 24)
    pieces = augmented("random_crop", images)
    assert np.abs(augmented("random_crop,noise:light", images).astype(int) - pieces).max() < 20
    tta_flip = augmented("random_crop,flip", images)
    assert tta_flip.shape == pieces.shape


@pytest.mark.parametrize("text", [*OPERATIONS, "strong", "flip,random_crop,jpeg"])
@pytest.mark.parametrize("count", [1, 2])
def test_small_batches_of_which_none_may_be_chosen(text, count):
    """As at the end of an epoch: with one image, every other seed chooses nothing to change."""
    for seed in range(8):
        side = 16 if "random_crop" in text else 24
        assert augmented(text, batch(count), seed=(seed, 1)).shape == (count, side, side, 3)


def test_none_needs_no_function():
    assert augmenter("none") is None


# === Batches ===

COUNT = 22


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    """Images whose first pixel is their number."""
    store = batch(COUNT, 16)
    store[:, 0, 0, 0] = np.arange(COUNT)
    return Pixels(store, np.arange(COUNT), {})


def epoch(pixels, **options) -> list[tuple[np.ndarray, ...]]:
    positions = np.arange(COUNT)
    options = {"batch_size": 5, "seed": 3} | options
    made = training_batches(pixels, positions, positions.astype(np.float32), **options)
    return [tuple(part.numpy() for part in parts) for parts in made]


def assert_same(left: list[tuple], right: list[tuple]) -> None:
    assert len(left) == len(right)
    for some, other in zip(left, right, strict=True):
        for a, b in zip(some, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_every_image_comes_once_with_its_target_and_the_last_batch_is_smaller(pixels):
    batches = epoch(pixels)
    assert [len(images) for images, _ in batches] == [5, 5, 5, 5, 2]
    for images, targets in batches:
        np.testing.assert_array_equal(images[:, 0, 0, 0], targets)
        np.testing.assert_array_equal(images, pixels.store[targets.astype(int)])
    assert sorted(np.concatenate([targets for _, targets in batches])) == list(range(COUNT))


@pytest.mark.parametrize("augmentation", ["none", "light", "strong", "random_crop:strong"])
def test_seed_and_epoch_decide_everything(pixels, augmentation):
    first = epoch(pixels, augmentation=augmentation, epoch=1)
    assert_same(first, epoch(pixels, augmentation=augmentation, epoch=1))
    for other in ({"epoch": 2}, {"seed": 4, "epoch": 1}):
        assert not np.array_equal(first[0][0], epoch(pixels, augmentation=augmentation, **other)[0][0])


@pytest.mark.parametrize("augmentation", ["none", "strong", "flip,random_crop:strong"])
@pytest.mark.parametrize("skip", [0, 1, 3, 5])
def test_skip_continues_an_epoch_exactly_where_it_was_left(pixels, augmentation, skip):
    whole = epoch(pixels, augmentation=augmentation)
    assert_same(whole[skip:], epoch(pixels, augmentation=augmentation, skip=skip))


def test_batches_of_an_epoch_are_changed_differently(pixels):
    same = Pixels(np.repeat(pixels.store[:1], COUNT, axis=0), pixels.rows, {})
    first, second, *_ = epoch(same, augmentation="noise")
    assert not np.array_equal(first[0], second[0])


def test_weights_go_with_their_images(pixels):
    batches = epoch(pixels, weights=np.arange(COUNT) / 10)
    for _, targets, weights in batches:
        np.testing.assert_allclose(weights, targets / 10, rtol=1e-6)


@pytest.mark.parametrize("augmentation", ["none", "light", "strong", "random_crop:strong"])
def test_views_of_an_image_are_examples_that_are_changed_alike(augmentation):
    store = np.repeat(batch(COUNT, 16)[:, None], 3, axis=1)
    targets = np.stack([np.arange(COUNT)] * 3, axis=1)[..., None] + np.array([[[0], [100], [200]]], np.float32)
    positions, weights = np.arange(COUNT), np.arange(COUNT) / 10
    made = training_batches(Pixels(store, positions, {}), positions, targets, batch_size=5, weights=weights,
                            augmentation=augmentation, seed=3)  # fmt: skip
    for images, wanted, weight in ([part.numpy() for part in parts] for parts in made):
        images = images.reshape(-1, 3, *images.shape[1:])
        np.testing.assert_array_equal(images[:, 1:], images[:, :1].repeat(2, axis=1))
        numbers = wanted.reshape(-1, 3) - [0, 100, 200]
        np.testing.assert_array_equal(numbers[:, 1:], numbers[:, :1].repeat(2, axis=1))
        np.testing.assert_allclose(weight.reshape(-1, 3), numbers / 10, rtol=1e-6)


def test_only_the_wanted_positions_take_part(pixels):
    positions = np.array([1, 4, 9])
    made = training_batches(pixels, positions, positions, batch_size=2, seed=0)
    assert sorted(int(t) for _, targets in made for t in targets) == [1, 4, 9]


def test_the_order_of_an_epoch_is_a_seeded_permutation():
    order = epoch_order(100, seed=1, epoch=2)
    assert sorted(order) == list(range(100))
    np.testing.assert_array_equal(order, epoch_order(100, seed=1, epoch=2))
    assert not np.array_equal(order, epoch_order(100, seed=2, epoch=1))
    assert not np.array_equal(order, np.arange(100))


def test_nothing_is_tuned_while_an_epoch_runs(pixels):
    """The thread that tunes sleeps, and whoever drops the iterator at the end of an epoch waits for it."""
    made = training_batches(pixels, np.arange(COUNT), np.zeros(COUNT), batch_size=5)
    assert made.options().autotune.enabled is False
