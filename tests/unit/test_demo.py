"""The demonstration data set: the same by seed, honest about itself, no region in two splits."""

import numpy as np
import pytest

from dfcore.datasets import scan
from dfcore.datasets.demo import SIZE, _blocks, make_demo, sample_images, simulate_decoder
from dfcore.errors import InputError
from dfcore.imaging import decoder


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return make_demo(tmp_path_factory.mktemp("demo") / "set", crops_per_block=3)


def contents(folder) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_counts_and_size(demo):
    result = scan(demo)
    assert result.counts().to_dict("index") == {
        "train": {"real": 36, "fake": 36},
        "validation": {"real": 12, "fake": 12},
        "test": {"real": 12, "fake": 12},
    }
    assert set(result.usable.width) == set(result.usable.height) == {SIZE}
    assert set(result.usable.format) == {"JPEG"}, "both classes went through the same coding"
    assert result.unreadable.empty
    assert not [note for note in result.notes if "split" in note]


def test_it_says_that_it_is_a_demonstration(demo):
    assert scan(demo).demonstration
    text = (demo / "DEMONSTRATION.txt").read_text()
    assert text.startswith("DEMONSTRATION")
    assert "nothing about real deepfakes" in text.replace("\n", " ")


def test_the_same_seed_gives_the_same_files(demo, tmp_path):
    again = make_demo(tmp_path / "again", crops_per_block=3)
    assert contents(again) == contents(demo)
    other = make_demo(tmp_path / "other", crops_per_block=3, seed=1)
    assert contents(other).keys() == contents(demo).keys()
    assert contents(other) != contents(demo)


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="new or empty folder"):
        make_demo(tmp_path / "set")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="new or empty folder"):
        make_demo(tmp_path / "file")
    assert contents(tmp_path) == {"set/mine.txt": b"mine", "file": b""}


def test_an_empty_folder_and_missing_parents_will_do(tmp_path):
    (tmp_path / "empty").mkdir()
    assert make_demo(tmp_path / "empty", crops_per_block=1) == tmp_path / "empty"
    make_demo(tmp_path / "a" / "b", crops_per_block=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "empty"]


def test_an_attempt_that_was_broken_off_leaves_nothing(tmp_path):
    def stop(done, _):
        if done > 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_demo(tmp_path / "set", crops_per_block=1, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_to_the_end(tmp_path):
    text = []
    make_demo(tmp_path / "set", crops_per_block=1, progress=lambda done, total: text.append((done, total)))
    assert text[-1] == (40, 40)


def test_splits_never_share_a_region():
    """Cuts up a picture whose pixels are numbered, and looks which numbers each split got."""
    numbers = np.arange(427 * 640).reshape(427, 640)
    picture = np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=-1).astype(np.uint8)
    regions: dict[str, set] = {"train": set(), "validation": set(), "test": set()}
    for split, block in _blocks(picture):
        assert min(block.shape[:2]) >= SIZE
        parts = block.astype(int)
        regions[split] |= set((parts[..., 0] << 16 | parts[..., 1] << 8 | parts[..., 2]).ravel().tolist())
    assert all(regions.values())
    assert not regions["train"] & regions["validation"]
    assert not regions["train"] & regions["test"]
    assert not regions["validation"] & regions["test"]


def test_the_simulated_decoder_keeps_the_shape_and_blurs_fine_detail():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 48, 3)).astype(np.uint8)
    for seed in range(6):
        made = simulate_decoder(pixels, np.random.default_rng(seed))
        assert made.shape == pixels.shape
        assert made.dtype == np.uint8
        assert abs(made.mean() - pixels.mean()) < 5
        assert (
            np.abs(np.diff(made.astype(int), axis=1)).mean() < 0.5 * np.abs(np.diff(pixels.astype(int), axis=1)).mean()
        )


def test_samples_to_try_are_images():
    samples = sample_images()
    assert any("simulated" in name for name in samples)
    for data in samples.values():
        assert decoder.decode(data).shape[2] == 3
    assert samples == sample_images()
