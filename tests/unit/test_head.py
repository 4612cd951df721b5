"""Training a head on kept features: the solver, the weights of images, and what is kept."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.training import frozen, head
from dfcore.training.config import make_config
from dfcore.training.data import TrainingData
from dfcore.training.frozen import AS_IT_IS, Frozen, Variant, load_features
from dfcore.training.head import HeadTrainer, cell_weights, matched
from dfcore.training.logistic import Part, fit
from dfcore.training.progress import Watcher
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


BLOCKS = 8
WIDTH = BLOCKS * 768


class Tower:
    """Features that tell the image, of which each is counted."""

    def __init__(self):
        self.seen = 0

    def features(self, squares):
        self.seen += len(squares)
        means = squares.reshape(len(squares), -1).mean(1, keepdims=True) / 255
        return np.repeat(means, WIDTH, axis=1).astype(np.float32)


@pytest.fixture
def tower(monkeypatch):
    made = Tower()
    monkeypatch.setattr(frozen, "shared_tower", lambda precision, blocks: made)
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
    first, errors = load_features(
        paths, digests, SPEC, wanted={AS_IT_IS: every}, blocks=BLOCKS, folder=tmp_path / "cache"
    )
    assert not errors and tower.seen == 10
    told = []
    again, _ = load_features(
        paths, digests, SPEC, wanted={AS_IT_IS: every, DRAWN: some}, blocks=BLOCKS, folder=tmp_path / "cache",
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert tower.seen == 14 and told == [(1, 2), (2, 2)], "two images in one more form, of two views"
    np.testing.assert_array_equal(again.gather(AS_IT_IS, np.arange(5)), first.gather(AS_IT_IS, np.arange(5)))
    assert again.gather(AS_IT_IS, np.arange(5)).shape == (5, 2, WIDTH)
    assert (again.rows[DRAWN] >= 0).tolist() == some.tolist()
    one_view = PreprocessSpec(224, "fit_crop")
    load_features(paths, digests, one_view, wanted={AS_IT_IS: every}, blocks=BLOCKS, folder=tmp_path / "cache")
    assert tower.seen == 19, "other views are other features"


def test_a_stop_keeps_what_was_computed(tower, pictures, tmp_path, monkeypatch):
    paths, digests = pictures
    monkeypatch.setattr(frozen, "_SLICE", 2)

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    wanted = {AS_IT_IS: np.ones(5, bool)}
    with pytest.raises(KeyboardInterrupt):
        load_features(paths, digests, SPEC, wanted=wanted, blocks=BLOCKS, folder=tmp_path / "cache", progress=stop)
    assert tower.seen == 6
    load_features(paths, digests, SPEC, wanted=wanted, blocks=BLOCKS, folder=tmp_path / "cache")
    assert tower.seen == 6 + 6, "the two of the written slice are kept"


def test_a_file_that_has_changed_is_told(tower, pictures, tmp_path):
    paths, digests = pictures
    paths[2].write_bytes(paths[1].read_bytes())
    found, errors = load_features(
        paths, digests, SPEC, wanted={AS_IT_IS: np.ones(5, bool)}, blocks=BLOCKS, folder=tmp_path / "cache"
    )
    assert list(errors) == [2] and "changed" in errors[2]
    assert found.rows[AS_IT_IS][2] == -1


def test_handled_copies_and_pairs_are_the_same_every_time():
    rgb = np.random.default_rng(0).integers(0, 256, (90, 520, 3)).astype(np.uint8)
    for variant in (DRAWN, Variant("drawn", 2), Variant("fake", 0)):
        first, again = (frozen.forms(rgb, "ab", variant) for _ in range(2))
        assert variant in first and first.keys() == again.keys()
        for form, pixels in first.items():
            np.testing.assert_array_equal(pixels, again[form])
    assert set(first) == {Variant("real", 0), Variant("fake", 0)}, "both sides are made together"
    assert first[Variant("real", 0)].shape == first[Variant("fake", 0)].shape
    assert frozen.forms(rgb, "ab", AS_IT_IS)[AS_IT_IS] is rgb


def test_a_copy_is_computed_once_and_stands_in_for_one_that_is_gone(tower, pictures, tmp_path):
    paths, digests = pictures
    copy = tmp_path / "copy.png"
    copy.write_bytes(paths[0].read_bytes())
    gone = tmp_path / "gone.png"
    wanted = {AS_IT_IS: np.ones(7, bool)}
    every, hashes = [gone, *paths, copy], [digests[1], *digests, digests[0]]
    found, errors = load_features(every, hashes, SPEC, wanted=wanted, blocks=BLOCKS, folder=tmp_path / "cache")
    assert tower.seen == 10 and list(errors) == [0]
    assert found.rows[AS_IT_IS][6] == found.rows[AS_IT_IS][1]


# === The trainer ===


class Silent(Watcher):
    """Stops after some steps of the solver; `told` are the phases."""

    def __init__(self, steps: int = 10**6):
        self.left, self.told = steps, []

    def phase(self, text):
        self.told.append(text)

    def step(self, row):
        self.left -= 1

    def epoch(self, history):
        pass

    def should_stop(self):
        return self.left <= 0


def features_of(rows: pd.DataFrame, variants=(AS_IT_IS,), seed: int = 0) -> Frozen:
    """Features of two views; those of fakes are shifted in blocks that are looked at, and in the first."""
    random = np.random.default_rng(seed)
    store = random.normal(0, 0.03, (len(variants) * len(rows), 2, WIDTH)).astype(np.float16)
    shift = np.tile(rows.label.to_numpy(), len(variants))[:, None] * np.float16(0.1)
    store[:, 0, 4 * 768 : 4 * 768 + 40] += shift
    store[:, 1, 5 * 768 : 5 * 768 + 40] += shift
    store[:, :, :40] += shift[:, None]
    numbers = np.arange(len(rows))
    return Frozen(store, {variant: numbers + k * len(rows) for k, variant in enumerate(variants)})


def data_of(sides=((300, 400), (300, 400)), variants=(AS_IT_IS,), count: int = 60) -> TrainingData:
    """Two sources with both classes and a validation split; `sides` are those of real and fake in the second one."""
    number = np.arange(count)
    rows = pd.DataFrame({"label": number % 2, "group": np.where(number % 4 < 2, "a", "b")})
    rows["split"] = np.where(number % 10 >= 8, "validation", "train")
    side = np.where(rows.group == "a", 300 + number % 7, np.array(sides)[rows.label, number // 2 % 2])
    rows["width"] = rows["height"] = side
    return TrainingData(None, rows, None, pd.DataFrame(), features_of(rows, variants))


def config_of(**changes):
    values = {"data_root": ".", "arch": "clip_vit_b16", "weights": "shipped", "image_size": 224, "views": "native",
              "resize": "fit_crop", "view_heads": "own", "handled": 1}  # fmt: skip
    return make_config(values | changes)


@pytest.mark.parametrize("first", [2, 4])
def test_a_head_for_each_view_looks_at_its_blocks_and_further_views_weigh_a_third(first, tmp_path):
    data = data_of()
    trainer = HeadTrainer(config_of(handled=0, first_block=first), data, tmp_path, Silent())
    assert trainer.run()
    kernel, bias = trainer._head
    looked = np.flatnonzero((kernel != 0).any(1))
    assert (looked.min(), looked.max()) == ((first - 1) * 768, WIDTH - 1)
    learned = data.positions("train")
    parts = [data.features.store[learned, view].astype(np.float32) @ kernel[:, view] + bias[view] for view in (0, 1)]
    np.testing.assert_allclose(trainer.logits(learned), np.mean(parts, 0), atol=1e-4)
    assert np.std(parts[1]) <= head.FURTHER_SHARE * np.std(parts[0]) * 1.001
    validation = data.labels("validation")
    assert roc_auc_score(validation, trainer.held_out_logits()) > 0.9


def test_late_blocks_have_a_head_of_their_own_in_the_first_view(tmp_path):
    data, early = data_of(), 7 * 768
    store = data.features.store
    # Blocks 8 to 12 as the first five; the block 5 of the first view tells the classes apart.
    data = replace(
        data, features=replace(data.features, store=np.concatenate([store[..., :early], store[..., : 5 * 768]], 2))
    )

    def head_of(name, **changes):
        trainer = HeadTrainer(config_of(handled=0, last_block=7, **changes), data, tmp_path / name, Silent())
        assert trainer.run()
        return trainer._head

    (plain, _), (late, _) = head_of("plain"), head_of("late", late_weight=0.25)
    np.testing.assert_allclose(late[:early, 0], 0.75 * plain[:, 0], rtol=1e-5)
    assert late[early:, 0].any() and not late[early:, 1].any(), "further views look no higher"
    learned = data.positions("train")
    late_logits = data.features.store[learned, 0].astype(np.float32)[:, early:] @ late[early:, 0]
    assert roc_auc_score(data.labels("train"), late_logits) > 0.9, "late blocks tell by themselves"


def test_a_finished_head_is_taken_from_its_checkpoint_and_a_stopped_one_solved_anew(tmp_path):
    stopped = HeadTrainer(config_of(handled=0), data_of(), tmp_path, Silent(steps=2))
    assert not stopped.run() and stopped.progress.epoch == 0
    first = HeadTrainer(config_of(handled=0), data_of(), tmp_path, Silent())
    assert first.run()
    again = HeadTrainer(config_of(handled=0), data_of(), tmp_path, Silent(steps=0))
    assert again.run(), "nothing is left to solve"
    for one, other in zip(first._head, again._head, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_native_view_learns_only_where_sizes_tell_nothing(tmp_path):
    data = data_of(sides=((200, 220), (900, 950)))
    watcher = Silent()
    parts = HeadTrainer(config_of(handled=0), data, tmp_path, watcher)._parts([1], slice(None))
    rows = data.rows.iloc[np.concatenate([part.rows for part in parts])]
    weights = np.concatenate([part.weights for part in parts])
    assert set(rows.group[weights > 0]) == {"a"} and watcher.told[-1].endswith("taught by a")
    whole = HeadTrainer(config_of(handled=0), data, tmp_path, watcher)._parts([0], slice(None))
    assert set(data.rows.group.iloc[whole[0].rows[whole[0].weights > 0]]) == {"a", "b"}
    everywhere = data_of(sides=((200, 220), (900, 950)))
    everywhere.rows["group"] = "b"
    everywhere.rows.loc[everywhere.rows.label == 1, ["width", "height"]] = 900
    parts = HeadTrainer(config_of(handled=0), everywhere, tmp_path, watcher)._parts([1], slice(None))
    assert parts[0].weights.sum() == pytest.approx(len(everywhere.positions("train"))), "else all teach it"


def test_copies_and_pairs_weigh_as_stated(tmp_path):
    pairs = (Variant("real", 0), Variant("fake", 0))
    data = data_of(variants=(AS_IT_IS, DRAWN, *pairs))
    real = (data.rows.label == 0).to_numpy()
    for side in pairs:
        data.features.rows[side] = np.where(real, data.features.rows[side], -1)
    plain, drawn, *sides = HeadTrainer(config_of(pairs=1), data, tmp_path, Silent())._parts([1], slice(None))
    assert drawn.weights.sum() == pytest.approx(head.HANDLED_SHARE * plain.weights.sum())
    assert [set(part.labels.tolist()) for part in sides] == [{0}, {1}]
    assert sum(part.weights.sum() for part in sides) == pytest.approx(head.PAIR_SHARE * plain.weights.sum())
    assert all((data.rows.label.iloc[part.rows] == 0).all() for part in sides)
    assert len(HeadTrainer(config_of(pairs=1), data, tmp_path, Silent())._parts([0], slice(None))) == 2, (
        "the whole learns no pairs"
    )


def test_sizes_tell_classes_apart_in_either_direction():
    sources = np.repeat(["larger fakes", "larger real", "alike", "one class"], 20)
    labels = np.tile([0, 1], 40)
    labels[60:] = 1
    sides = np.full(80, 300.0) + np.arange(80) % 7
    sides[:20] += 500 * labels[:20]
    sides[20:40] -= 200 * labels[20:40]
    assert set(sources[matched(sources, labels, sides)]) == {"alike"}
