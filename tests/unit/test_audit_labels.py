"""Doubts about labels: found where features are good, and not claimed where they are not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dfcore.audit import labels as checks
from dfcore.audit.evidence import Evidence
from dfcore.audit.features import Features
from dfcore.datasets import Dataset

COUNT = 500


def _judged(distance: float, wrong: int, seed: int = 0):
    """The finding on features that lie `distance` apart by class, and which labels are wrong."""
    random = np.random.default_rng(seed)
    truth = np.arange(COUNT) % 2
    values = random.normal(size=(COUNT, 20)).astype(np.float32)
    values[:, 0] += distance * truth
    swapped = random.choice(COUNT, wrong, replace=False)
    labels = truth.copy()
    labels[swapped] = 1 - labels[swapped]
    names = [f"{number}.jpg" for number in range(COUNT)]
    rows = pd.DataFrame({"path": names, "label": labels, "pixels_sha256": names})
    numbers = np.arange(COUNT)
    evidence = Evidence(Dataset(Path("/nowhere"), "", rows), rows, [], numbers, pd.DataFrame(), seed)
    finding = checks._judged(evidence, Features("network", numbers, values), numbers, labels, numbers)
    return finding, {f"{number}.jpg" for number in swapped}


@pytest.mark.parametrize(("wrong", "seed"), [(25, 0), (25, 1), (50, 2)])
def test_swapped_labels_are_flagged_with_an_honest_precision(wrong, seed):
    finding, swapped = _judged(8, wrong, seed)
    hits = len(swapped & set(finding.images))
    assert finding.severity == "high" and hits >= 0.8 * wrong
    assert finding.figures["expected precision"] <= hits / finding.count + 0.1
    assert len(finding.exclude) == finding.count and "expected to be wrong" in finding.title


@pytest.mark.parametrize("seed", range(2))
def test_right_labels_pass_with_what_a_trial_found(seed):
    finding, _ = _judged(8, 0, seed)
    assert finding.severity == "ok" and "No label" in finding.title
    assert finding.figures["trial recall"] > 0.8 and "swapped on purpose" in finding.meaning


@pytest.mark.parametrize(("distance", "wrong"), [(0, 25), (1, 25), (2.5, 25), (2.5, 0)])
def test_weak_features_cannot_say(distance, wrong):
    finding, _ = _judged(distance, wrong)
    assert finding.severity == "ok" and finding.count == 0 and "cannot be said" in finding.title
