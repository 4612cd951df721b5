"""Images that are handled are judged by a head that did not learn from them, and are no references of the domain."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dfcore.detectors.card import Preprocess
from dfcore.detectors.detector import Detector
from dfcore.engines import TowerEngine
from dfcore.training import held_out as module
from dfcore.training.data import TrainingData
from dfcore.training.fitting import _references
from dfcore.training.held_out import held_out
from tests.conftest import make_card

WIDTH, PER_CLASS = 768 * 7, 64


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
    apart, told = held_out(bare, data, unseen(data), heads), []
    bank = apart.measured(data.dataset.root, lambda done, total: told.append((done, total)))
    assert apart.rows.label.value_counts().to_dict() == {0: 16, 1: 16}
    assert told == [(number, 32) for number in range(1, 33)]
    assert sorted(bank.table.image) == sorted([*range(32)] * 2) and len(bank.features) == 64
    for image, row in enumerate(apart.rows.itertuples()):
        mine = bank.table[(bank.table.image == image) & (bank.table.handling == "original")]
        engine = bare.engine.with_head(*heads[row.group])
        pixels = bare.spec.apply(np.asarray(Image.open(data.dataset.root / row.path)))
        assert (mine.label.item(), mine.logit.item()) == (row.label, engine.logits(pixels[None])[0])


def test_what_is_handled_is_no_reference_of_the_domain_nor_is_what_belongs_to_it(data, bare):
    heads = {"a": head(1), "b": head(2)}
    apart = held_out(bare, data, unseen(data), heads)
    references = set(data.rows.path.iloc[_references(data, apart)])
    learned = set(data.rows.path[data.rows.split == "train"])
    assert references == learned - set(apart.rows.path)
    assert data.rows.path[data.rows.group == "never"].isin(references).all()
    one, other = apart.rows.index[0], data.rows.index[data.rows.path.isin(references)][0]
    belongs = data.rows.assign(source_id=data.rows.source_id.where(data.rows.index != other, data.rows.source_id[one]))
    apart = held_out(bare, TrainingData(data.dataset, belongs, None, data.excluded), unseen(data), heads)
    assert apart.without[other]


def test_nothing_is_handled_where_it_would_say_nothing_or_there_is_no_head(data, bare):
    heads = {"a": head(1), "b": head(2)}
    few = TrainingData(data.dataset, data.rows.iloc[:112], None, data.excluded)
    assert held_out(bare, few, unseen(few), heads) is None, "a quarter of 56 a class is too few"
    assert held_out(bare, data, unseen(data), {}) is None
    assert held_out(bare, data, None, {}) is None


def test_a_validation_split_that_is_large_enough_is_handled_by_the_detector_itself(data, bare):
    rows = data.rows.assign(split=np.where(data.rows.index < 40, "validation", "train"))
    apart = held_out(bare, TrainingData(data.dataset, rows, None, data.excluded), None, {})
    assert len(apart.rows) == 40 and not apart.without.any()
    ((judge, positions),) = apart.judges
    assert judge is bare and positions.tolist() == list(range(40))
