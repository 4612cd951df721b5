"""The automatic choice runs no more networks than it takes, and says what all of them would."""

from pathlib import Path

import numpy as np
import pytest

from dfcore.batch.predict import predict_files
from dfcore.detectors.detector import Detector
from dfcore.detectors.library import answering, list_bundles
from dfcore.detectors.selection import needed, select_detector
from dfcore.imaging import SUFFIXES, sandbox
from tests.conftest import ROOT

DATA = ROOT.parent / "shared" / "data"
_OF_EACH = 1


def pictures() -> list[Path]:
    """Some of each folder, drawn by seed."""
    random, by_folder = np.random.default_rng(0), {}
    for path in sorted(DATA.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            by_folder.setdefault(path.parent, []).append(path)
    return [paths[i] for paths in by_folder.values() for i in random.permutation(len(paths))[:_OF_EACH]]


@pytest.mark.shared
@pytest.mark.slow
def test_the_choice_is_the_one_that_all_networks_would_give():
    detectors = {path.name: Detector.load(path) for path in answering(list_bundles(ROOT / "models"))}
    records = {name: detector.card.record[1].get("roc_auc") for name, detector in detectors.items()}
    files = pictures()
    rows = [row for batch in predict_files(files, detectors) for row in batch]
    runs = 0
    for path, row in zip(files, rows, strict=True):
        image = sandbox.prepare(path.read_bytes(), [each.spec for each in detectors.values()])
        verdicts = {name: detector.judge([image])[0] for name, detector in detectors.items()}
        full = {name: verdict.ood for name, verdict in verdicts.items()}
        expected = select_detector(full, records)
        foreseen, known = {name: detector.foreseen(image) for name, detector in detectors.items()}, {}
        for name, before in foreseen.items():
            assert set(before.rules) <= set(full[name].rules) and bool(before.reasons) <= full[name].is_ood
        while (name := needed(foreseen, known, records)) is not None:
            known[name] = full[name]
        assert select_detector(foreseen | known, records) == expected, path
        runs += len(known)
        verdict = verdicts[expected.name]
        assert (row["detector"], row["finding"]) == (expected.name, verdict.finding), path
        assert row["score"] == verdict.score and row["ood_reasons"] == list(verdict.ood.reasons), path
    assert runs < 0.7 * len(files) * len(detectors), "networks that cannot be chosen do not run"
