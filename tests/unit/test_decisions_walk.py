"""From decisions to a detector, in one walk: decided, exported, audited, trained on."""

import json

import pytest

from dfcore import workspace
from dfcore.cases import Judgement, Picture, open_store
from dfcore.cli import main
from dfcore.runs import RunStore, State
from dfcore.utils.files import sha256_bytes

pytestmark = pytest.mark.slow


def test_decisions_are_exported_audited_and_trained_on(small_dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    store, files = open_store(), sorted(small_dataset.rglob("*.png"))
    for number, file in enumerate(files):
        data = file.read_bytes()
        sha256 = sha256_bytes(data)
        store.remember(Picture(sha256, name=file.name), Judgement("", "small", "c" * 64, score=0.5, finding="fake"))
        if number:  # One was not kept, and is told as missing.
            store.keep_image(sha256, data, by="ada")
        # What the analyst says counts, whatever the detector said.
        store.decide(sha256, file.parent.name, by="ada", why="seen")
    out = tmp_path / "decisions"
    assert main(["cases", "export", str(out)]) == 3, "complete but for one"
    missing = out.with_name("decisions.missing.csv").read_text()
    assert sha256_bytes(files[0].read_bytes()) in missing and "not kept" in missing
    assert len(list((out / "real").iterdir())) + len(list((out / "fake").iterdir())) == len(files) - 1
    capsys.readouterr()
    report = tmp_path / "audit.html"
    assert main(["data", "audit", str(out), "--no-networks", "--out", str(report)]) in (0, 1, 3)
    assert report.is_file()
    assert main(["train", "--data-root", str(out), "--epochs", "1", "--image-size", "32", "--arch", "cnn"]) == 0
    (run,) = RunStore(workspace.runs_dir())
    assert run.status().state is State.COMPLETED
    card = json.loads((run.bundle / "card.json").read_text())
    assert card["training"]["dataset"] == "decisions"
    # The new detector judges.
    assert main(["predict", str(run.bundle), str(files[1]), "--json"]) == 0
