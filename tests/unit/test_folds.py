"""Folds hold every training image out once, and no copy of it is learned from meanwhile."""

import numpy as np
import pandas as pd
import pytest

from dfcore.datasets import TEST, TRAIN, VALIDATION
from dfcore.errors import DatasetError
from dfcore.training.config import make_config
from dfcore.training.data import TrainingData
from dfcore.training.folds import fold_count, fold_data, fold_numbers


def rows(labels, *, groups=None, contents=None, splits=TRAIN):
    images = len(labels)
    table = pd.DataFrame(
        {
            "path": [f"{number}.png" for number in range(images)],
            "sha256": contents or [f"{number:064x}" for number in range(images)],
            "label": pd.array(labels, "Int8"),
            "group": groups or [None] * images,
            "split": splits,
        }
    )
    return table.astype({"path": "str", "sha256": "str", "group": "str", "split": "str"})


def data_of(table):
    """As `prepare` gives it; folds need neither pixels nor the data set."""
    return TrainingData(None, table, None, pd.DataFrame())


# 40 real images and 20 fakes of two generators.
PLAIN = rows([0] * 40 + [1] * 20, groups=["camera"] * 40 + ["one", "two"] * 10)
# Of each class four images in four copies, and eight alone.
COPIED = rows([0] * 24 + [1] * 24,
              contents=[f"{label}{number % 4 if number < 16 else number}" for label in "rf" for number in range(24)],
              groups=["a", "b", "c"] * 16)  # fmt: skip


# === By content ===


@pytest.mark.parametrize("table", [PLAIN, COPIED], ids=["plain", "with-copies"])
@pytest.mark.parametrize("folds", [2, 4])
def test_every_image_is_in_one_fold_with_its_copies(table, folds):
    numbers = fold_numbers(table, folds, "content", 0)
    assert len(numbers) == len(table)
    assert sorted(set(numbers)) == list(range(folds))
    assert (pd.Series(numbers).groupby(table.sha256.to_numpy()).nunique() == 1).all()


def test_folds_are_alike_in_class_and_generator():
    numbers = fold_numbers(PLAIN, 5, "content", 0)
    result = pd.crosstab(numbers, PLAIN.group)
    assert result[["camera", "one", "two"]].to_numpy().tolist() == [[8, 2, 2]] * 5


def test_a_content_under_both_classes_is_held_out_at_once():
    table = rows([0, 1] * 10, contents=["both"] * 4 + [str(number) for number in range(16)])
    assert len(set(fold_numbers(table, 3, "content", 0)[:4])) == 1


def test_a_seed_draws_the_same_folds_again():
    first, again, other = (fold_numbers(PLAIN, 4, "content", seed).tolist() for seed in (0, 0, 1))
    assert first == again != other


FEW = [
    pytest.param(rows([0] * 20 + [1] * 3), "Received: 3 of one", id="few-fakes"),
    pytest.param(rows([0] * 4 + [1] * 20), "Received: 4 of one", id="few-real-images"),
    pytest.param(rows([0] * 20 + [1] * 20, contents=[f"r{n}" for n in range(20)] + ["f1", "f2"] * 10),
                 "Received: 2 of one", id="copies-do-not-count"),
    pytest.param(rows([0] * 20), "Received: 0 of one", id="one-class"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "message"), FEW)
def test_too_few_images_are_refused(table, message):
    with pytest.raises(DatasetError, match=f"5 folds .* {message}"):
        fold_numbers(table, 5, "content", 0)


def test_as_many_images_as_folds_will_do():
    numbers = fold_numbers(rows([0] * 5 + [1] * 5), 5, "content", 0)
    assert sorted(numbers[:5]) == sorted(numbers[5:]) == [0, 1, 2, 3, 4]


# === By group ===


def test_a_group_is_a_fold():
    table = rows([0, 1] * 6, groups=["b", "b", "a", "a", "c", "c"] * 2)
    numbers = fold_numbers(table, 5, "group", 0)
    assert numbers.tolist() == [1, 1, 0, 0, 2, 2] * 2


UNGROUPED = [
    pytest.param(["a"] * 4, "Received: a", id="one-group"),
    pytest.param([None] * 4, "Received: images without a group", id="no-groups"),
    pytest.param(["a", "b", "b", None], "Received: images without a group, a, b", id="one-image-without"),
    pytest.param(["a", "b", "b", ""], "Received: images without a group, a, b", id="an-empty-name"),
]


@pytest.mark.parametrize(("groups", "message"), UNGROUPED)
def test_holding_out_by_group_needs_groups(groups, message):
    with pytest.raises(DatasetError, match=message):
        fold_numbers(rows([0, 1, 0, 1], groups=groups), 5, "group", 0)


# === What is trained on ===


@pytest.fixture
def mixed():
    """A third each of training, validation and test images, in turn, with copies among them."""
    table = rows(
        [0] * 30 + [1] * 30,
        groups=["a", "a", "a", "b", "b", "b"] * 10,
        contents=[f"{label}{number // 3 % 8}" for label in "rf" for number in range(30)],
        splits=[TRAIN, VALIDATION, TEST] * 20,
    )
    return data_of(table)


@pytest.mark.parametrize("by", ["content", "group"])
def test_every_training_image_is_held_out_once_and_others_never(mixed, by):
    held = np.concatenate([fold.positions(VALIDATION) for _, fold in fold_data(mixed, 4, by, 0)])
    assert sorted(held) == mixed.positions(TRAIN).tolist()


@pytest.mark.parametrize("by", ["content", "group"])
def test_neither_what_is_held_out_nor_a_copy_of_it_is_learned(mixed, by):
    for _, fold in fold_data(mixed, 4, by, 0):
        learned, held = fold.positions(TRAIN), fold.positions(VALIDATION)
        assert len(learned) > 0
        assert not set(fold.rows.sha256.iloc[learned]) & set(fold.rows.sha256.iloc[held])


@pytest.mark.parametrize("by", ["content", "group"])
def test_training_images_that_are_no_copies_are_all_learned(mixed, by):
    for _, fold in fold_data(mixed, 4, by, 0):
        held = set(fold.rows.sha256.iloc[fold.positions(VALIDATION)])
        own = mixed.positions(TRAIN)
        expected = [position for position in own if mixed.rows.sha256[position] not in held]
        assert fold.positions(TRAIN).tolist() == expected


@pytest.mark.parametrize("by", ["content", "group"])
def test_the_splits_for_validation_and_test_take_no_part(mixed, by):
    before = mixed.rows.copy()
    own = set(mixed.positions(TRAIN))
    for _, fold in fold_data(mixed, 4, by, 0):
        assert {*fold.positions(TRAIN), *fold.positions(VALIDATION)} <= own
        assert len(fold.positions(TEST)) == 0
    pd.testing.assert_frame_equal(mixed.rows, before)


def test_a_copy_in_another_group_is_not_learned():
    table = rows([0, 1] * 4, groups=["a"] * 4 + ["b"] * 4, contents=["x", "1", "2", "3", "x", "4", "5", "6"])
    folds = dict(fold_data(data_of(table), 5, "group", 0))
    assert folds["a"].positions(VALIDATION).tolist() == [0, 1, 2, 3]
    assert folds["a"].positions(TRAIN).tolist() == [5, 6, 7]
    assert folds["b"].positions(TRAIN).tolist() == [1, 2, 3]


NAMES = [
    pytest.param("content", ["fold 1 of 3", "fold 2 of 3", "fold 3 of 3"], id="by-content"),
    pytest.param("group", ["a", "b"], id="by-group"),
]


@pytest.mark.parametrize(("by", "expected"), NAMES)
def test_a_fold_has_a_name_for_people(mixed, by, expected):
    assert [name for name, _ in fold_data(mixed, 3, by, 0)] == expected


COUNTS = [
    pytest.param({}, 0, id="off"),
    pytest.param({"cross_validation": "content", "folds": 3}, 3, id="by-content"),
    pytest.param({"cross_validation": "group", "folds": 3}, 2, id="by-group"),
]


@pytest.mark.parametrize(("values", "expected"), COUNTS)
def test_the_number_of_further_networks_is_known_beforehand(mixed, values, expected):
    config = make_config({"data_root": "data", "early_stopping": "off"} | values)
    assert fold_count(mixed.rows, config) == expected


def test_many_small_groups_still_give_folds_with_both_classes():
    table = rows([0, 1] * 20, groups=[f"g{number // 4}" for number in range(40)])
    numbers = fold_numbers(table, 5, "content", 0)
    assert all(set(table.label[numbers == fold]) == {0, 1} for fold in range(5))


def test_a_group_that_holds_all_of_a_class_cannot_be_held_out():
    table = rows([0] * 6 + [1] * 6, groups=["camera"] * 6 + ["one", "two"] * 3)
    with pytest.raises(DatasetError, match="Without camera both classes must remain"):
        list(fold_data(data_of(table), 5, "group", 0))


def test_a_source_holds_both_classes_and_is_held_out_as_a_whole():
    sources = rows([0, 1] * 20, groups=["a"] * 20 + ["b"] * 20)
    numbers = fold_numbers(sources, 5, "source", 0)
    assert numbers.tolist() == [0] * 20 + [1] * 20
    # One of photographs alone is learned from in every fold, and held out in none.
    more = rows([0, 1] * 20 + [0] * 5, groups=["a"] * 20 + ["b"] * 20 + ["camera"] * 5)
    assert fold_numbers(more, 5, "source", 0).tolist() == [0] * 20 + [1] * 20 + [-1] * 5
    for _, fold in fold_data(data_of(more), 5, "source", 0):
        assert (fold.rows.split[fold.rows.group == "camera"] == "train").all()
    with pytest.raises(DatasetError, match=r"two sources with photographs and fakes.*one class in camera, one, two"):
        fold_numbers(PLAIN, 5, "source", 0)
    assert set(fold_numbers(PLAIN, 5, "group", 0)) == {0, 1, 2}
