"""Images that are handled are judged by a head that did not learn from them, and are no references of the domain."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dfcore.confidence import OODDetector, ood
from dfcore.detectors.card import Preprocess
from dfcore.detectors.detector import Detector
from dfcore.engines import TowerEngine
from dfcore.errors import ImageError
from dfcore.training import fitting
from dfcore.training import gate_images as module
from dfcore.training.data import TrainingData
from dfcore.training.fitting import _references
from dfcore.training.gate_images import GateImages, gate_images
from tests.conftest import make_card

WIDTH, PER_CLASS = 768 * 7, 64
KEYS = ("side", "quality", "colour", "flat")


def head(seed):
    return np.random.default_rng(seed).normal(size=(WIDTH, 1)).astype(np.float32), np.full(1, seed, np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Images of two folds with both classes, a few of a third source that is held out in none, 8 for validation."""
    root, random, rows = tmp_path_factory.mktemp("held_out"), np.random.default_rng(0), []
    for number in range(2 * PER_CLASS + 12):
        group = "never" if number >= 2 * PER_CLASS + 8 else "ab"[number // 2 % 2]
        Image.fromarray(random.integers(0, 256, (24, 24, 3)).astype(np.uint8)).save(root / f"{number}.png")
        split = "validation" if 2 * PER_CLASS <= number < 2 * PER_CLASS + 8 else "train"
        rows.append((f"{number}.png", str(number), number % 2, group, split, 24, 24))
    table = pd.DataFrame(rows, columns=["path", "sha256", "label", "group", "split", "width", "height"])
    table["source_id"] = table.sha256
    return TrainingData(SimpleNamespace(root=root), table, None, pd.DataFrame())


@pytest.fixture(scope="module")
def bare():
    return Detector(make_card(preprocess=Preprocess(size=224, resize="stretch")), TowerEngine(*head(9)))


def unseen(data):
    some = data.rows[(data.rows.split == "train") & (data.rows.group != "never")]
    return pd.DataFrame({"path": some.path, "fold": some.group})


def test_each_image_is_judged_by_the_head_of_its_fold(data, bare, monkeypatch):
    monkeypatch.setattr(module, "HANDLINGS", ("original", "half"))
    heads = {"a": head(1), "b": head(2)}
    images, told = gate_images(bare, data, unseen(data), heads), []
    bank = images.measured(data.dataset.root, lambda done, total: told.append((done, total)))
    assert images.rows.label.value_counts().to_dict() == {0: 16, 1: 16}
    assert told == [(number, 32) for number in range(1, 33)]
    assert sorted(bank.table.image) == sorted([*range(32)] * 2) and len(bank.features) == 64
    for image, row in enumerate(images.rows.itertuples()):
        mine = bank.table[(bank.table.image == image) & (bank.table.handling == "original")]
        engine = bare.engine.with_head(*heads[row.group])
        pixels = bare.spec.apply(np.asarray(Image.open(data.dataset.root / row.path)))
        assert (mine.label.item(), mine.logit.item()) == (row.label, engine.logits(pixels[None])[0])


def test_what_is_handled_is_no_reference_of_the_domain_nor_is_what_belongs_to_it(data, bare):
    heads = {"a": head(1), "b": head(2)}
    images = gate_images(bare, data, unseen(data), heads)
    references = set(data.rows.path.iloc[_references(data, images)])
    learned = set(data.rows.path[data.rows.split == "train"])
    assert references == learned - set(images.rows.path)
    assert data.rows.path[data.rows.group == "never"].isin(references).all()


def test_films_leave_references_whatever_of_them_is_handled(data, bare):
    """Of a film of eight frames one is handled and none is a reference."""
    rows = data.rows[data.rows.split == "train"]
    films = rows.assign(source_id=[f"{row.group}{row.label}{row.Index // 32}" for row in rows.itertuples()])
    more = [films.assign(path=f"{n}/" + films.path, sha256=f"{n}/" + films.sha256, source_id=f"{n}/" + films.source_id)
            for n in range(15)]  # fmt: skip
    many = TrainingData(data.dataset, pd.concat(more, ignore_index=True), None, data.excluded)
    images = gate_images(bare, many, unseen(many), {"a": head(1), "b": head(2)})
    assert images.rows.source_id.is_unique
    assert (images.without == many.rows.source_id.isin(images.rows.source_id)).all()
    assert len(_references(many, images)) >= 0.7 * len(many.rows)


def test_the_distance_of_what_a_fold_held_out_is_to_the_other_folds(data, bare, monkeypatch):
    """Images of a fold are alike, so each is at no distance from its own; four more were held out in none."""
    place = {"a": 0.0, "b": 10.0, "never": 13.0}
    points = np.array([[place[group]] for group in data.rows.group], np.float32)
    monkeypatch.setattr(fitting, "_known_features", lambda bare, data, positions: points[positions])
    monkeypatch.setattr(ood, "NEIGHBOURS", 4)
    whole = OODDetector(np.zeros(1), np.ones((1, 1), np.float32), points.astype(np.float16), 1.0)
    folds = np.where(data.rows.group == "never", "", data.rows.group)
    rows = data.rows[folds != ""].iloc[:20]
    images, references = GateImages(rows, [], np.zeros(len(points), bool), folds), np.arange(len(points))
    distances = fitting._between_folds(whole, bare, data, images, references)
    np.testing.assert_array_equal(distances, np.repeat([10.0, 3.0], [(rows.group == name).sum() for name in "ab"]))
    assert fitting._between_folds(whole, bare, data, replace(images, folds=None), references) is None
    only = references[folds == "a"]
    assert set(fitting._between_folds(whole, bare, data, images, only)) == {10.0}, "a has nothing to compare with"


def test_small_sources_count_as_one_and_say_nothing_if_still_few():
    def facts(**counts):
        rows = [(float(number), group) for group, count in counts.items() for number in range(count)]
        return pd.DataFrame([(value, value, value, value, group) for value, group in rows], columns=[*KEYS, "group"])

    assert [len(part["side"]) for part in fitting._by_source(facts(a=30, b=12, c=9, d=25))] == [21, 30, 25]
    assert [len(part["side"]) for part in fitting._by_source(facts(a=30, b=12))] == [30]


def test_a_fold_whose_files_are_gone_leaves_the_others(data, bare, monkeypatch):
    monkeypatch.setattr(module, "HANDLINGS", ("original",))
    images = gate_images(bare, data, unseen(data), {"a": head(1), "b": head(2)})
    gone = replace(images, rows=images.rows.assign(path=images.rows.path.where(images.rows.group == "a", "gone.png")))
    bank = gone.measured(data.dataset.root, lambda *_: None)
    assert set(images.rows.group.iloc[bank.table.image]) == {"a"}
    with pytest.raises(ImageError):
        replace(images, rows=images.rows.assign(path="gone.png")).measured(data.dataset.root, lambda *_: None)


def test_nothing_is_handled_where_it_would_say_nothing_or_there_is_no_head(data, bare):
    heads = {"a": head(1), "b": head(2)}
    few = TrainingData(data.dataset, data.rows.iloc[:112], None, data.excluded)
    assert gate_images(bare, few, unseen(few), heads) is None, "a quarter of 56 a class is too few"
    assert gate_images(bare, data, unseen(data), {}) is None
    assert gate_images(bare, data, None, {}) is None


def test_a_validation_split_that_is_large_enough_is_handled_by_the_detector_itself(data, bare):
    rows = data.rows.assign(split=np.where(data.rows.index < 40, "validation", "train"))
    images = gate_images(bare, TrainingData(data.dataset, rows, None, data.excluded), None, {})
    assert len(images.rows) == 40 and not images.without.any()
    ((judge, positions),) = images.judges
    assert judge is bare and positions.tolist() == list(range(40))
