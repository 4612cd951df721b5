"""Images of the kind that a detector learned are known again, others are not, and the reason is told."""

import numpy as np
import pytest

from dfcore.confidence import NOT_CHECKED, FileRange, OODDetector, check_ood, flatness, saturation

MIX = np.random.default_rng(0).normal(size=(40, 40))


def images(number, seed, dimensions=40):
    """Features with a direction of their own for each spread, float32 as from a network."""
    points = np.random.default_rng(seed).normal(size=(number, dimensions))
    return (points @ MIX[:dimensions, :dimensions] + 3).astype(np.float32)


@pytest.fixture(scope="module")
def domain():
    return OODDetector.fit(images(2000, 1), images(1000, 2))


# === Features ===


def test_the_limit_refuses_a_known_share_of_familiar_images(domain):
    assert (domain.relative(images(1000, 2)) > 1).mean() == pytest.approx(0.02, abs=0.001)
    assert (domain.relative(images(1000, 3)) > 1).mean() == pytest.approx(0.02, abs=0.02)


FAR = [
    pytest.param(lambda features: features + 30, id="shifted"),
    pytest.param(lambda features: 6 * features, id="stretched"),
    pytest.param(lambda features: np.full_like(features, 50), id="one-point-far-off"),
]


@pytest.mark.parametrize("change", FAR)
def test_images_far_off_are_outside(domain, change):
    assert (domain.relative(change(images(100, 4))) > 1).all()


def test_farther_is_farther(domain):
    start = images(1, 5)
    result = domain.relative(np.concatenate([start + step for step in (0, 20, 40, 80)]))
    assert (np.diff(result) > 0).all()


def test_the_distance_by_hand():
    """To the fifth nearest of 0 to 9, in units of their standard deviation; an image itself counts as one."""
    line = np.arange(10.0)[:, None]
    result = OODDetector.fit(line, line).distances(np.array([[0.0], [4.0], [20.0]]))
    assert result == pytest.approx(np.array([4, 2, 15]) / line.std(ddof=1), rel=2e-3)


def test_an_image_s_distance_depends_on_itself_alone(domain):
    batch = images(50, 6)
    alone = np.concatenate([domain.distances(batch[n : n + 1]) for n in range(50)])
    assert domain.distances(batch) == pytest.approx(alone, rel=1e-5)
    assert domain.distances(batch[::-1])[::-1] == pytest.approx(alone, rel=1e-5)


def test_the_scale_of_a_feature_does_not_matter(domain):
    scale = np.logspace(-2, 2, 40)
    scaled = OODDetector.fit(images(2000, 1) * scale, images(1000, 2) * scale)
    assert scaled.relative(images(50, 7) * scale) == pytest.approx(domain.relative(images(50, 7)), rel=1e-2)


SMALL = [
    pytest.param(images(1, 1), id="one-image"),
    pytest.param(images(3, 1), id="fewer-images-than-neighbours"),
    pytest.param(images(10, 1), id="fewer-images-than-features"),
    pytest.param(np.repeat(images(20, 1), 2, axis=0), id="every-image-twice"),
    pytest.param(images(30, 1) * (np.arange(40) > 5), id="dead-features"),
]


@pytest.mark.parametrize("features", SMALL)
def test_little_to_learn_from_gives_finite_distances(features):
    result = OODDetector.fit(features, images(20, 2)).relative(images(20, 3))
    assert np.isfinite(result).all()
    assert (result >= 0).all()


def test_of_many_images_a_seeded_sample_is_kept():
    first, again, other = (OODDetector.fit(images(500, 1), images(100, 2), most=100, seed=seed) for seed in (0, 0, 1))
    assert len(first.references) == 100
    np.testing.assert_array_equal(first.references, again.references)
    assert not np.array_equal(first.references, other.references)
    assert (first.relative(images(200, 3)) <= 1).mean() > 0.9


def test_a_file_keeps_what_is_known(domain):
    read = OODDetector.from_bytes(domain.to_bytes())
    assert read.limit == domain.limit
    new = np.concatenate([images(100, 8), images(100, 9) + 30])
    assert read.relative(new) == pytest.approx(domain.relative(new), rel=0.01)


# === Files ===

FILES = FileRange(sides=(100, 200), qualities=(70, 95), colourfulness=0.2, flatness=0.1)
FITTING = {"side": 150, "quality": 80, "colour": 0.3, "flat": 0.05}
MISFITS = [
    pytest.param({}, [], id="fits"),
    pytest.param({"side": 67}, [], id="somewhat-small"),
    pytest.param({"side": 66}, ["66 pixels; the training images had 100 to 200"], id="too-small"),
    pytest.param({"side": 300}, [], id="somewhat-large"),
    pytest.param({"side": 301}, ["301 pixels"], id="too-large"),
    pytest.param({"quality": 55}, [], id="somewhat-compressed"),
    pytest.param({"quality": 54}, ["JPEG quality about 54"], id="compressed-harder"),
    pytest.param({"quality": 100}, [], id="better-quality-is-no-fault"),
    pytest.param({"colour": 0.1}, [], id="pale"),
    pytest.param({"colour": 0.09}, ["hardly any colour"], id="almost-grey"),
    pytest.param({"flat": 0.24}, [], id="a-clear-sky"),
    pytest.param({"flat": 0.3}, ["30% of it is perfectly flat"], id="a-drawing"),
    pytest.param({"side": None, "quality": None}, [], id="what-is-not-known-is-passed-over"),
    pytest.param({"side": None, "quality": 5, "colour": 0.0}, ["quality about 5)", "hardly any colour"],
                 id="every-reason-is-told"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), MISFITS)
def test_what_is_unlike_the_training_files_is_told_in_words(change, expected):
    result = [phrase for _, phrase in FILES.misfits(**FITTING | change)]
    assert len(result) == len(expected)
    for text, part in zip(result, expected, strict=True):
        assert part in text


def test_training_images_of_one_size_are_told_by_one_number():
    ((_, text),) = FileRange(sides=(32, 32)).misfits(500, None, 0.0, 0.0)
    assert text.endswith("had 32")


def test_any_quality_will_do_where_the_training_files_had_none():
    assert list(FileRange(sides=(32, 32)).misfits(32, 1, 0.0, 1.0)) == []


def test_the_range_of_training_files_leaves_single_strays_out():
    sides, qualities = np.full(1000, 64.0), np.full(1000, 90.0)
    sides[:2], qualities[:2] = (1, 9999), (1, 100)
    assert FileRange.of(sides, qualities, np.full(1000, 0.25), np.full(1000, 0.5)) == FileRange(
        sides=(64, 64), qualities=(90, 90), colourfulness=0.25, flatness=0.5
    )


MIXED = [
    pytest.param(0.0, None, id="lossless"),
    pytest.param(0.5, None, id="half-of-them-jpeg"),
    pytest.param(0.6, (80, 80), id="mostly-jpeg"),
]


@pytest.mark.parametrize(("share", "expected"), MIXED)
def test_a_quality_is_expected_where_most_training_files_had_one(share, expected):
    qualities = np.where(np.arange(100) < 100 * share, 80.0, np.nan)
    assert FileRange.of(np.full(100, 64), qualities, np.zeros(100), np.zeros(100)).qualities == expected


def test_a_card_keeps_the_range():
    assert FileRange.model_validate_json(FILES.model_dump_json()) == FILES


# === Colour ===

COLOURS = [
    pytest.param((90, 90, 90), 0.0, id="grey"),
    pytest.param((0, 0, 0), 0.0, id="black"),
    pytest.param((255, 0, 0), 1.0, id="red"),
    pytest.param((0, 51, 102), 0.4, id="dull-blue"),
]


@pytest.mark.parametrize(("colour", "expected"), COLOURS)
def test_saturation_by_hand(colour, expected):
    assert saturation(np.full((2, 5, 7, 3), colour, np.uint8)) == pytest.approx([expected, expected])


def test_saturation_is_the_mean_over_the_pixels_of_each_image():
    pixels = np.zeros((2, 2, 2, 3), np.uint8)
    pixels[1, 0, 0] = (255, 0, 0)
    assert saturation(pixels) == pytest.approx([0, 1 / 4])


def test_flatness_is_the_share_of_pixels_like_their_neighbours():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 9, 3)).astype(np.uint8)
    pixels[1] = 7
    pixels[0, 0, 0] = pixels[0, 0, 1]
    assert flatness(pixels) == pytest.approx([1 / 64, 1])


# === Both ===

FAMILIAR = [
    pytest.param(0.4, FITTING, [], id="alike"),
    pytest.param(1.0, FITTING, [], id="at-the-limit"),
    pytest.param(2.34, FITTING, ["2.3 times the distance limit"], id="far-off"),
    pytest.param(0.4, FITTING | {"side": 20}, ["20 pixels"], id="another-size"),
    pytest.param(3.0, FITTING | {"side": 20}, ["20 pixels", "3.0 times"], id="both"),
]


@pytest.mark.parametrize(("relative", "file", "expected"), FAMILIAR)
def test_an_image_is_unlike_for_reasons(relative, file, expected):
    result = check_ood(FILES, relative, **file)
    assert result.distance == relative
    assert result.is_ood == bool(expected)
    assert len(result.reasons) == len(expected)
    for text, part in zip(result.reasons, expected, strict=True):
        assert part in text


def test_without_a_record_nothing_is_said():
    assert (NOT_CHECKED.distance, NOT_CHECKED.is_ood) == (None, False)
