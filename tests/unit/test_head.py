"""Training a head on kept features: the solver, the weights of images, and what is kept."""

import numpy as np
import pytest
from PIL import Image

from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.training import frozen
from dfcore.training.frozen import AS_IT_IS, Variant, load_features
from dfcore.training.head import cell_weights
from dfcore.training.logistic import Part, fit
from dfcore.utils.files import sha256_bytes


@pytest.mark.parametrize("kept", [0, 2**20], ids=["read anew", "kept"])
@pytest.mark.parametrize("seed", range(3))
def test_the_solver_agrees_with_scikit_learn(seed, kept, monkeypatch):
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    monkeypatch.setattr("dfcore.training.logistic._ROWS", 7)
    monkeypatch.setattr("dfcore.training.logistic._MOST_KEPT", kept)
    random = np.random.default_rng(seed)
    features = (random.normal(3, 1, (90, 12)) * random.uniform(0.01, 5, 12)).astype(np.float32)
    features[:, 4] = 2.5  # Constant.
    labels = ((features[:, 0] - features[:, 0].mean()) / features[:, 0].std() + random.normal(size=90) > 0).astype(int)
    weights = random.uniform(0.1, 2, 90)
    scaled = StandardScaler().fit(features)
    expected = LogisticRegression(C=0.3, tol=1e-8, max_iter=5000).fit(scaled.transform(features), labels, weights)
    everything, steps = np.arange(90), []
    # Two parts, each read in slices.
    halves = everything[:40], everything[40:]
    parts = [Part(lambda some: features[some], rows, labels[rows], weights[rows]) for rows in halves]
    kernel, bias, loss = fit(parts, 0.3, lambda step, loss: steps.append((step, loss)))
    logits = features @ kernel + bias
    np.testing.assert_allclose(logits, expected.decision_function(scaled.transform(features)), atol=2e-3)
    signs = 1 - 2 * labels
    assert loss == pytest.approx((weights * np.logaddexp(0, signs * logits)).sum() / weights.sum(), rel=1e-3)
    assert [step for step, _ in steps] == list(range(1, len(steps) + 1)) and steps[-1][1] < steps[0][1]


def test_classes_count_alike_and_sources_like_the_root_of_their_size():
    random = np.random.default_rng(0)
    sources, labels = random.choice(["a", "b", "c"], 300, p=[0.8, 0.15, 0.05]), random.integers(0, 2, 300)
    weights = cell_weights(sources, labels)
    assert weights.sum() == pytest.approx(300)
    for label in (0, 1):
        cells = {name: (labels == label) & (sources == name) for name in "abc"}
        assert weights[labels == label].sum() == pytest.approx(150)
        shares = [weights[cell].sum() / np.sqrt(cell.sum()) for cell in cells.values()]
        assert np.ptp(shares) < 1e-9 and all(np.ptp(weights[cell]) == 0 for cell in cells.values())


class Tower:
    """Features that tell the image, of which each is counted."""

    def __init__(self):
        self.seen = 0

    def features(self, squares):
        self.seen += len(squares)
        means = squares.reshape(len(squares), -1).mean(1, keepdims=True) / 255
        return np.repeat(means, frozen.WIDTH, axis=1).astype(np.float32)


@pytest.fixture
def tower(monkeypatch):
    made = Tower()
    monkeypatch.setattr(frozen, "shared_tower", lambda precision: made)
    return made


@pytest.fixture
def pictures(tmp_path):
    paths = []
    for number in range(5):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(
            np.random.default_rng(number).integers(0, 50 * (number + 1), (60, 80, 3)).astype(np.uint8)
        ).save(paths[-1])
    return paths, [sha256_bytes(path.read_bytes()) for path in paths]


DRAWN = Variant("drawn", 1)
SPEC = PreprocessSpec(224, "fit_crop", ("native",))


def test_features_are_computed_once_for_each_image_and_form(tower, pictures, tmp_path):
    paths, digests = pictures
    every, some = np.ones(5, bool), np.array([True, False, True, False, False])
    first, errors = load_features(paths, digests, SPEC, wanted={AS_IT_IS: every}, folder=tmp_path / "cache")
    assert not errors and tower.seen == 10
    told = []
    again, _ = load_features(
        paths, digests, SPEC, wanted={AS_IT_IS: every, DRAWN: some}, folder=tmp_path / "cache",
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert tower.seen == 14 and told == [(1, 2), (2, 2)], "two images in one more form, of two views"
    np.testing.assert_array_equal(again.gather(AS_IT_IS, np.arange(5)), first.gather(AS_IT_IS, np.arange(5)))
    assert again.gather(AS_IT_IS, np.arange(5)).shape == (5, 2, frozen.WIDTH)
    assert (again.rows[DRAWN] >= 0).tolist() == some.tolist()
    one_view = PreprocessSpec(224, "fit_crop")
    load_features(paths, digests, one_view, wanted={AS_IT_IS: every}, folder=tmp_path / "cache")
    assert tower.seen == 19, "other views are other features"


def test_a_stop_keeps_what_was_computed(tower, pictures, tmp_path, monkeypatch):
    paths, digests = pictures
    monkeypatch.setattr(frozen, "_SLICE", 2)

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    wanted = {AS_IT_IS: np.ones(5, bool)}
    with pytest.raises(KeyboardInterrupt):
        load_features(paths, digests, SPEC, wanted=wanted, folder=tmp_path / "cache", progress=stop)
    assert tower.seen == 6
    load_features(paths, digests, SPEC, wanted=wanted, folder=tmp_path / "cache")
    assert tower.seen == 6 + 6, "the two of the written slice are kept"


def test_a_file_that_has_changed_is_told(tower, pictures, tmp_path):
    paths, digests = pictures
    paths[2].write_bytes(paths[1].read_bytes())
    found, errors = load_features(paths, digests, SPEC, wanted={AS_IT_IS: np.ones(5, bool)}, folder=tmp_path / "cache")
    assert list(errors) == [2] and "changed" in errors[2]
    assert found.rows[AS_IT_IS][2] == -1


def test_handled_copies_and_pairs_are_the_same_every_time():
    rgb = np.random.default_rng(0).integers(0, 256, (90, 520, 3)).astype(np.uint8)
    for variant in (DRAWN, Variant("drawn", 2), Variant("fake", 0)):
        first, again = (frozen._forms(rgb, "ab", variant) for _ in range(2))
        assert variant in first and first.keys() == again.keys()
        for form, pixels in first.items():
            np.testing.assert_array_equal(pixels, again[form])
    assert set(first) == {Variant("real", 0), Variant("fake", 0)}, "both sides are made together"
    assert first[Variant("real", 0)].shape == first[Variant("fake", 0)].shape
    assert frozen._forms(rgb, "ab", AS_IT_IS)[AS_IT_IS] is rgb
