"""Cross-validated probes: honest on chance, on few images, and on images that belong together."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dfcore.audit import container, label_noise
from dfcore.audit.evidence import related, sample
from dfcore.audit.facts import exif_kinds
from dfcore.audit.probe import boosting, cross_validate, fold_numbers


def _weighted(learned, labels, held):
    """A classifier without scikit-learn: the difference of the class means, as a direction."""
    return held @ (learned[labels == 1].mean(axis=0) - learned[labels == 0].mean(axis=0))


@pytest.mark.slow
@pytest.mark.parametrize(("count", "fakes"), [(60, 30), (60, 15), (200, 20)])
def test_chance_raises_no_alarm(count, fakes):
    alarms = 0
    for seed in range(25):
        random = np.random.default_rng(seed)
        labels = (np.arange(count) < fakes).astype(int)
        auc = cross_validate(random.normal(size=(count, 6)), labels, np.arange(count), _weighted, seed=seed)
        alarms += auc.low > 0.5
        assert 0 <= auc.low <= auc.value <= auc.high <= 1
    assert alarms <= 3  # Fewer than one is expected.


def test_a_fact_that_tells_all_reaches_one():
    labels = np.arange(60) % 2
    auc = cross_validate(labels[:, None].astype(np.float32), labels, np.arange(60), boosting(0))
    assert (auc.value, auc.low, auc.high) == (1, 1, 1)


def test_a_constant_fact_is_a_half():
    labels = np.arange(60) % 2
    auc = cross_validate(np.ones((60, 1), np.float32), labels, np.arange(60), boosting(0))
    assert auc.value == pytest.approx(0.5) and auc.low <= 0.5 <= auc.high


def test_groups_keep_a_classifier_from_recalling_a_source():
    """Frames of 20 videos with features that tell the video and nothing of its class."""
    random = np.random.default_rng(3)
    video = np.repeat(np.arange(20), 8)
    labels = video % 2
    features = random.normal(size=(20, 6))[video] + random.normal(0, 0.05, (160, 6))
    parted = cross_validate(features, labels, np.arange(160), boosting(0))
    whole = cross_validate(features, labels, video, boosting(0))
    assert parted.value > 0.95 and whole.value < 0.75 and whole.low < 0.5


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 80), st.integers(0, 10**6))
@example(10, 724)  # A class of one image.
def test_folds_never_part_a_group(count, seed):
    random = np.random.default_rng(seed)
    groups = random.integers(0, count, count)
    labels = groups % 2
    labels[:2] = groups[:2] = 0, 1
    folds = fold_numbers(labels, groups, seed)
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))


def test_related_joins_pixels_sources_and_near_duplicates():
    rows = pd.DataFrame({"pixels_sha256": list("aabcdef"), "source_id": [None, "v", "v", None, None, "", ""]})
    rows["sha256"] = list("0123456")
    numbers = related(rows, pd.DataFrame({"i": [2], "j": [3]}))
    assert len(set(numbers[:4])) == 1 and len(set(numbers[3:])) == 4


def test_samples_hold_both_classes_and_repeat():
    labels = np.array([1] * 5 + [0] * 95)
    chosen = sample(labels, 20, seed=4)
    assert len(chosen) == 20 and labels[chosen].sum() == 5
    assert np.array_equal(chosen, sample(labels, 20, seed=4))
    assert len(sample(labels, 1000, seed=0)) == 100


def _scores(count: int, distance: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    return random.logistic(size=count) + distance * (labels - 0.5), labels


@pytest.mark.parametrize("seed", range(5))
def test_swapped_labels_are_found_where_scores_are_good(seed):
    scores, labels = _scores(1000, 10, seed)
    swapped = np.random.default_rng(seed).choice(1000, 50, replace=False)
    labels[swapped] = 1 - labels[swapped]
    found = label_noise.doubts(scores, labels)
    hits = len(set(found.flagged) & set(swapped))
    assert hits >= 45 and len(found.flagged) <= 60
    assert found.precision == pytest.approx(hits / len(found.flagged), abs=0.12)


@pytest.mark.parametrize("distance", [0, 1, 3, 10])
@pytest.mark.parametrize("seed", range(3))
def test_right_labels_are_not_doubted(distance, seed):
    assert not len(label_noise.doubts(*_scores(1000, distance, seed)).flagged)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"II*\0", b"MM\0*", b""]), st.binary(max_size=300)
)
def test_containers_of_any_bytes_have_words_or_none(start, rest):
    assert all(isinstance(word, str) for word in container.words(start + rest))


def test_kinds_of_exif():
    assert exif_kinds({"Make": "a", "GPSLatitude": "b"}) == {"EXIF", "EXIF camera", "EXIF place"}
    assert exif_kinds({}) == frozenset()


def test_few_rows_are_learned_on_one_thread_even_by_the_first_probe_of_a_process():
    code = """
import numpy as np
from threadpoolctl import threadpool_info
from dfcore.audit.probe import boosting, cross_validate

fit, seen = boosting(seed=0), set()

def watched(*given):
    scores = fit(*given)
    seen.update(one["num_threads"] for one in threadpool_info() if one["user_api"] == "openmp")
    return scores

numbers = np.arange(60)
cross_validate(numbers[:, None] * 1.0, numbers % 2, numbers, watched, repeats=1)
print(seen)
"""
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "{1}\n"
