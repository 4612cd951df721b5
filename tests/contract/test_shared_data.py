"""The real data sets of ../shared, where they are: every layout is recognised, every fault is told."""

import pytest

from dfcore.datasets import UNLABELLED, assign_splits, require_trainable, scan

pytestmark = pytest.mark.shared


@pytest.fixture
def scanned(shared):
    def get(name: str):
        if not (shared / "data" / name).is_dir():
            pytest.skip(f"{name} is not among the development data here")
        return scan(shared / "data" / name)

    return get


def counts(dataset) -> dict[str, tuple[int, int]]:
    return {str(split): (int(row["real"]), int(row["fake"])) for split, row in dataset.counts().iterrows()}


def test_cifake_is_read_with_its_faults(scanned):
    result = scanned("cifake")
    assert result.layout.startswith("competition")
    assert counts(result) == {"not yet split": (1000, 1000)}
    assert (result.table.split == UNLABELLED).sum() == 500
    assert result.unreadable.empty
    assert set(result.usable.width) == set(result.usable.height) == {32}
    # Its own label files contradict the folders: that is told, and the folders count.
    assert any("_preds.json" in note for note in result.notes), result.notes
    by_folder = result.usable.path.str.contains("fake_cifake_images").astype(int)
    assert (by_folder == result.usable.label).all()


def test_cifake_is_split_evenly_and_by_seed(scanned):
    result = scanned("cifake")
    dataset = assign_splits(result)
    require_trainable(dataset)
    for real, fake in counts(dataset).values():
        assert real == fake or abs(real - fake) <= 2
    assert sum(map(sum, counts(dataset).values())) == 2000
    assert dataset.usable.groupby("sha256").split.nunique().max() == 1, "copies stay together"
    assert assign_splits(result).fingerprint == dataset.fingerprint


SETS = {
    "faces": {"train": (750, 750), "validation": (150, 150)},
    "faces_stylegan2": {"not yet split": (539, 650)},
    "generators": {"not yet split": (30, 30)},
}


@pytest.mark.parametrize(("name", "expected"), SETS.items(), ids=SETS)
def test_class_folders_are_recognised(name, expected, scanned):
    result = scanned(name)
    assert counts(result) == expected
    assert result.unreadable.empty
    require_trainable(assign_splits(result))


def test_each_of_the_six_generators_is_a_group(scanned):
    result = scanned("photo_generators")
    sizes = result.usable.groupby(["group", "label"]).size().unstack()
    assert len(sizes) == 6
    assert (sizes == 25).all(axis=None)
    # Every split holds a share of every generator.
    usable = assign_splits(result).usable
    assert (usable.groupby("split").group.nunique() == 6).all()
