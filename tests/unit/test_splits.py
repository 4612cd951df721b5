"""Splits that the folders do not give: stratified, by seed, copies together."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfcore.datasets import SplitPolicy, assign_splits, require_trainable
from dfcore.datasets.dataset import COLUMNS, Dataset
from dfcore.errors import DatasetError
from dfcore.utils.files import sha256_bytes


def dataset(tmp_path, *parts: dict) -> Dataset:
    """A data set of rows that were never files; each part gives count, label, and maybe split, group, content."""
    rows = []
    for number, part in enumerate(parts):
        for copy in range(part["count"]):
            content = part.get("content", f"{number}-{copy}")
            row = dict.fromkeys(COLUMNS) | {"path": f"{number}/{copy}.png", "sha256": content}
            rows.append(row | {name: part.get(name) for name in ("label", "split", "group", "error")})
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"label": "Int8", "split": "str", "group": "str",
                                                              "error": "str"})  # fmt: skip
    return Dataset(tmp_path, "class folders", table)


def both(count: int, **more) -> tuple[dict, dict]:
    return {"count": count, "label": 0, **more}, {"count": count, "label": 1, **more}


def splits(result: Dataset) -> dict[str, str]:
    return dict(result.table[["path", "split"]].itertuples(index=False))


def test_shares_are_kept_in_each_class(tmp_path):
    result = assign_splits(dataset(tmp_path, {"count": 200, "label": 0}, {"count": 40, "label": 1}))
    assert result.counts().to_dict("index") == {
        "train": {"real": 140, "fake": 28},
        "validation": {"real": 30, "fake": 6},
        "test": {"real": 30, "fake": 6},
    }


def test_shares_are_kept_in_each_group(tmp_path):
    parts = [part for group in "abc" for part in both(20, group=group)]
    usable = assign_splits(dataset(tmp_path, *parts)).usable
    assert set(usable.groupby(["group", "label", "split"]).size().unstack()["test"]) == {3}


def test_many_small_groups_still_give_every_split_its_share(tmp_path):
    """Three images of each of forty people: rounding each by itself would leave nothing to validate on."""
    parts = [part for person in range(40) for part in both(3, group=f"person {person}")]
    result = assign_splits(dataset(tmp_path, *parts))
    require_trainable(result)
    counts = result.counts()
    assert (counts.loc["validation"] - 18).abs().max() <= 4
    assert (counts.loc["test"] - 18).abs().max() <= 4


def test_the_same_seed_gives_the_same_splits_whatever_the_order(tmp_path):
    result = dataset(tmp_path, *both(30))
    shuffled = result.with_table(result.table.sample(frac=1, random_state=1))
    drawn = splits(assign_splits(result, SplitPolicy(seed=3)))
    assert drawn == splits(assign_splits(result, SplitPolicy(seed=3)))
    assert drawn == splits(assign_splits(shuffled, SplitPolicy(seed=3)))
    assert drawn != splits(assign_splits(result, SplitPolicy(seed=4)))


def test_more_images_leave_most_of_the_others_where_they_were(tmp_path):
    few = splits(assign_splits(dataset(tmp_path, *both(100))))
    more = splits(assign_splits(dataset(tmp_path, *both(102))))
    assert sum(few[path] == more[path] for path in few) > 0.9 * len(few)


def test_copies_are_never_parted(tmp_path):
    parts = [{"count": 3, "label": label, "content": f"{label} {number}"} for number in range(40) for label in (0, 1)]
    result = assign_splits(dataset(tmp_path, *parts))
    assert result.usable.groupby("sha256").split.nunique().max() == 1
    assert set(result.usable.split) == {"train", "validation", "test"}


def test_copies_under_both_classes_and_in_two_groups_are_not_parted_either(tmp_path):
    parts = [
        {"count": 1, "label": label, "group": group, "content": f"{number}"}
        for number in range(40)
        for label, group in ((0, "a"), (1, "b"))
    ]
    result = assign_splits(dataset(tmp_path, *parts))
    assert result.usable.groupby("sha256").split.nunique().max() == 1


def test_a_copy_of_an_image_whose_split_is_given_goes_where_that_one_is(tmp_path):
    given = [{"count": 1, "label": n % 2, "split": "test", "content": f"{n}"} for n in range(40)]
    free = [{"count": 1, "label": n % 2, "content": f"{n}"} for n in range(40)]
    result = assign_splits(dataset(tmp_path, *given, *free, *both(40)))
    assert result.usable.groupby("sha256").split.nunique().max() == 1


def test_validation_is_drawn_from_train_where_only_train_and_test_are_given(tmp_path):
    before = dataset(tmp_path, *both(40, split="train"), *both(10, split="test"))
    counts = assign_splits(before).counts().to_dict("index")
    assert counts == {
        "train": {"real": 34, "fake": 34},
        "validation": {"real": 6, "fake": 6},
        "test": {"real": 10, "fake": 10},
    }
    given_as_test = set(before.table.path[before.table.split == "test"])
    assert given_as_test == {path for path, split in splits(assign_splits(before)).items() if split == "test"}


def test_train_and_validation_only_stay_as_they_are(tmp_path):
    before = dataset(tmp_path, *both(40, split="train"), *both(10, split="validation"))
    assert splits(assign_splits(before)) == splits(before)


def test_validation_as_test_is_kept_untouched_and_a_new_one_drawn(tmp_path):
    before = dataset(tmp_path, *both(40, split="train"), *both(10, split="validation"))
    after = assign_splits(before, SplitPolicy(valid_as_test=True))
    assert after.counts()["real"].to_dict() == {"train": 34, "validation": 6, "test": 10}
    was = {path for path, split in splits(before).items() if split == "validation"}
    assert was == {path for path, split in splits(after).items() if split == "test"}


def test_validation_as_test_changes_nothing_where_there_is_a_test(tmp_path):
    parts = (*both(9, split="train"), *both(5, split="validation"), *both(5, split="test"))
    before = dataset(tmp_path, *parts)
    assert splits(assign_splits(before, SplitPolicy(valid_as_test=True))) == splits(before)


def test_all_given_stays_as_it_is(tmp_path):
    parts = (*both(9, split="train"), *both(5, split="validation"), *both(5, split="test"))
    before = dataset(tmp_path, *parts)
    assert splits(assign_splits(before)) == splits(before)


def test_images_that_cannot_be_used_get_no_split(tmp_path):
    unlabelled = {"count": 5, "label": None, "split": "unlabelled"}
    damaged = {"count": 5, "label": 0, "error": "damaged"}
    after = assign_splits(dataset(tmp_path, *both(40), unlabelled, damaged))
    assert after.table[after.table.error.notna()].split.isna().all()
    assert (after.table.split == "unlabelled").sum() == 5


def test_the_data_set_given_is_not_changed(tmp_path):
    before = dataset(tmp_path, *both(40))
    assign_splits(before)
    assert before.table.split.isna().all()


def test_no_test_share_draws_no_test(tmp_path):
    after = assign_splits(dataset(tmp_path, *both(40)), SplitPolicy(validation=0.25, test=0.0))
    assert after.counts()["fake"].to_dict() == {"train": 30, "validation": 10}


def test_both_classes_in_both_splits_can_be_trained_on(tmp_path):
    require_trainable(assign_splits(dataset(tmp_path, *both(40))))


UNTRAINABLE = [
    pytest.param([{"count": 40, "label": 0}], ["no fake images in train", "no fake images in validation"], id="one"),
    pytest.param(both(9, split="train"), [], id="drawn-from-train"),
    pytest.param(
        [*both(9, split="train"), {"count": 3, "label": 1, "split": "validation"}],
        ["no real images in validation"],
        id="validation-lacks-a-class",
    ),
    pytest.param(both(9, split="test"), ["no real images in train", "test: 9 real, 9 fake"], id="test-only"),
    pytest.param(
        [*both(40), {"count": 2, "label": 1, "split": "train", "error": "damaged"}], [], id="damaged-do-not-matter"
    ),
    pytest.param(
        [{"count": 40, "label": 0}, {"count": 2, "label": 1, "error": "damaged"}],
        ["no fake images", "2 images that cannot be used"],
        id="all-of-a-class-damaged",
    ),
]


@pytest.mark.parametrize(("parts", "message"), UNTRAINABLE)
def test_what_cannot_be_trained_on_is_told_with_what_is_there(tmp_path, parts, message):
    result = assign_splits(dataset(tmp_path, *parts))
    if not message:
        return require_trainable(result)
    with pytest.raises(DatasetError, match="Expected both classes in train and validation") as caught:
        require_trainable(result)
    for text in message:
        assert text in str(caught.value)
    return None


def related(tmp_path, units: list[tuple[int, int, str | None]], seed: int = 0) -> Dataset:
    """A data set of units: (real images, fake images, group), each with a source of its own."""
    rows = []
    for number, (real, fake, group) in enumerate(units):
        for copy in range(real + fake):
            row = dict.fromkeys(COLUMNS) | {"path": f"{number}/{copy}.png", "sha256": f"{number}-{copy}-{seed}"}
            rows.append(row | {"label": int(copy >= real), "group": group, "source_id": f"source {number}"})
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(
        {"label": "Int8"} | dict.fromkeys(("split", "group", "source_id", "pixels_sha256", "error"), "str")
    )
    return Dataset(tmp_path, "class folders", table)


UNIT = st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from([None, "a", "b"])).filter(lambda u: u[0] + u[1])


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(units=st.lists(UNIT, min_size=1, max_size=40), seed=st.integers(0, 3))
def test_images_of_one_source_never_part_whatever_their_order(tmp_path_factory, units, seed):
    data = related(tmp_path_factory.mktemp("set"), units)
    policy = SplitPolicy(seed=seed)
    usable = assign_splits(data, policy).usable
    assert usable.split.notna().all()
    assert (usable.groupby("source_id").split.nunique() == 1).all()
    shuffled = data.with_table(data.table.sample(frac=1, random_state=seed))
    assert splits(assign_splits(shuffled, policy)) == splits(assign_splits(data, policy))
    for label, name in enumerate(("real", "fake")):
        holders = usable[usable.label == label].source_id.nunique()
        mixed = usable.groupby("source_id").label.nunique().max() > 1
        if holders >= 3 and not mixed:
            assert set(usable[usable.label == label].split) == {"train", "validation", "test"}, name


@pytest.mark.parametrize("seed", range(3))
def test_sources_of_many_sizes_keep_the_shares(tmp_path, seed):
    units = [(n % 17 + 1, 0, None) for n in range(90)] + [(0, n % 23 + 1, None) for n in range(90)]
    counts = assign_splits(related(tmp_path, units, seed), SplitPolicy(seed=seed)).counts()
    shares = counts / counts.sum()
    assert shares.loc["train"].between(0.66, 0.74).all()
    assert shares.loc[["validation", "test"]].stack().between(0.12, 0.18).all()


def test_pixels_and_sources_belong_together_in_chains(tmp_path):
    """a shares pixels with b, b a source with c, and c's split is given."""
    data = dataset(tmp_path, *both(20), {"count": 3, "label": 0})
    table = data.table
    chain = table.index[-3:]
    table.loc[chain[:2], "pixels_sha256"] = "the same"
    table.loc[chain[1:], "source_id"] = "one video"
    table.loc[chain[2], "split"] = "test"
    assert set(assign_splits(data).table.split[chain]) == {"test"}


def test_a_single_source_is_named_as_the_reason(tmp_path):
    data = assign_splits(related(tmp_path, [(30, 30, None)]))
    with pytest.raises(DatasetError, match="come from 1 unrelated source"):
        require_trainable(data)


def test_single_images_are_split_as_in_earlier_versions(tmp_path):
    """Figures of detectors that were trained before stay comparable."""
    data = dataset(tmp_path, *both(40, group="a"), *both(25), {"count": 3, "label": 1, "content": "copies"})
    drawn = splits(assign_splits(data, SplitPolicy(seed=5)))
    text = "".join(drawn[path][0] + drawn[path][1] for path in sorted(drawn))
    assert sha256_bytes(text.encode())[:16] == "307cf427cb65d1b4"
