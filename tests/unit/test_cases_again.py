"""Cases after a detector changed: what is said again, from the picture or the stored logit; decisions as a data set."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfcore import workspace
from dfcore.cases import Query, open_store
from dfcore.cli import main
from dfcore.confidence import Calibration, DecisionThresholds, Policy
from dfcore.datasets import assign_splits, scan
from dfcore.detectors.bundle import read_card, write_card
from dfcore.detectors.detector import Detector
from dfcore.detectors.remembered import judgement, picture
from dfcore.errors import InputError
from dfcore.exchange.decisions import export
from dfcore.imaging import sandbox
from dfcore.inspection.again import bundles, judge_again, keep, present
from dfcore.runs import Run
from tests.conftest import make_image
from tests.unit.cases import a_judgement, a_picture


@pytest.fixture
def mine(knowing) -> Path:
    """A detector of the workspace."""
    return Path(shutil.copytree(knowing["thumbnails"], workspace.models_dir() / "mine"))


def judged(folder: Path, detector: Path, number: int = 4, side: int = 32, ignore_ood: bool = False) -> list[Path]:
    """Pictures that were judged by a detector and are remembered."""
    loaded, files = Detector.load(detector), []
    folder.mkdir(exist_ok=True)
    for seed in range(number):
        files.append(folder / f"{side}-{seed}.png")
        like_those = _like_training_images(seed).resize((side, side), Image.Resampling.BILINEAR)
        like_those.save(files[-1])
        image = sandbox.prepare(files[-1].read_bytes(), [loaded.spec])
        (verdict,) = loaded.judge([image], Policy(ignore_ood=ignore_ood))
        made = judgement(
            loaded.card, verdict, key=detector.name, title="Mine", by="ada", via="batch", engine=loaded.engine.name,
            name=files[-1].name,
        )  # fmt: skip
        open_store().remember(picture(image.facts, files[-1].name), made)
    return files


def _like_training_images(seed: int) -> Image.Image:
    """As those of `small_dataset`."""
    coarse = np.random.default_rng(seed).integers(40, 200, (4, 4, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((32, 32), Image.Resampling.BILINEAR)


def recalibrated(detector: Path) -> None:
    """Changes the detector's calibration and thresholds so that everything is likely fake."""
    settings = {
        "calibration": Calibration(method="platt", slope=0.5, offset=9.0),
        "decision_thresholds": DecisionThresholds(real_below=0.1, fake_from=0.9),
    }
    write_card(detector, read_card(detector).model_copy(update=settings))


def test_the_stored_logit_and_the_picture_give_the_same_verdict(mine, tmp_path):
    files = judged(tmp_path, mine) + judged(tmp_path, mine, 2, side=80)  # The larger ones are refused.
    store = open_store()
    assert store.changed(present()).total == 0
    recalibrated(mine)
    changed = store.changed(present()).rows
    assert {one.how for one in changed} == {"settings"}
    by_logit = list(judge_again(store, changed, by="bob"))
    assert {one.source for one in by_logit} == {"logit"}
    for file in files:
        sha256 = next(one.row.picture.sha256 for one in by_logit if one.row.picture.name == file.name)
        store.keep_image(sha256, file.read_bytes(), by="ada")
    by_picture = list(judge_again(store, changed, by="bob"))
    assert {one.source for one in by_picture} == {"picture"}
    for one, other in zip(by_logit, by_picture, strict=True):
        for name in ("score", "logit", "finding", "decision", "reason", "thresholds", "ood", "card_sha256"):
            assert getattr(one.judgement, name) == getattr(other.judgement, name), name
    assert [one.changes for one in by_logit] == [False] * 2 + [True] * 4  # What is refused stays refused.
    assert keep(store, by_picture) == 6
    history = store.history(by_picture[0].row.picture.sha256)
    assert [one.via for one in history.judgements] == ["batch", "again"] and history.judgements[1].record
    assert store.changed(present()).total == 0 and store.verify().holds


def test_where_it_cannot_be_told_it_says_why(mine, tmp_path):
    files, store = judged(tmp_path, mine, 2), open_store()
    card = read_card(mine)
    write_card(mine, card.model_copy(update={"model_sha256": "0" * 64}))
    changed = store.changed(present()).rows
    assert {(one.how, one.source, one.why) for one in zip_again(store, changed)} == {
        ("network", None, "The picture was not kept.")
    }
    store.keep_image(changed[0].row.picture.sha256, files[1].read_bytes(), by="ada")
    assert "model" in zip_again(store, changed)[0].why  # The bundle is damaged, which is told, not raised.
    shutil.rmtree(mine)
    gone = store.changed(present()).rows
    assert {(one.how, one.source) for one in zip_again(store, gone)} == {("gone", None)}
    assert "mine is gone" in zip_again(store, gone)[0].why


def zip_again(store, changed, **options):
    return list(judge_again(store, changed, by="bob", **options))


def test_a_gate_that_changed_needs_the_picture(mine, tmp_path):
    judged(tmp_path, mine, 1)
    card = read_card(mine)
    write_card(mine, card.model_copy(update={"tta_flip": True}))
    assert [one.source for one in zip_again(open_store(), open_store().changed(present()).rows)] == [None]


def test_the_commands_list_what_would_change_and_write_it_beside(mine, tmp_path, capsys):
    judged(tmp_path / "pictures", mine, 3)
    store = open_store()
    assert main(["cases", "changed"]) == 0 and "No detector changed" in capsys.readouterr().out
    recalibrated(mine)
    store.remember(a_picture(), a_judgement(detector="lost"))
    head = store.head()
    assert main(["cases", "changed", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert [len(told["changes"]), told["same"], len(told["unknown"])] == [3, 0, 1]
    assert told["changes"][0]["is"]["finding"] == "fake" and told["changes"][0]["from"] == "logit"
    assert store.head() == head
    assert main(["cases", "changed"]) == 3
    assert "lost is gone" in capsys.readouterr().out
    (tmp_path / "pictures" / "32-0.png").rename(tmp_path / "pictures" / "renamed.png")
    assert main(["cases", "judge-again", "--pictures", str(tmp_path / "pictures"), "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["written"] == 3 and {one["from"] for one in told["changes"]} == {"picture"}
    assert store.search(Query(via="again")).total == 3 and store.verify(head).holds
    assert main(["cases", "judge-again", "--detector", "mine"]) == 3  # That picture was not kept.
    assert "was not kept" in capsys.readouterr().out


def test_completed_runs_are_detectors_too(tmp_path, knowing, monkeypatch):
    folder = workspace.runs_dir() / "20260101-000000-000-cnn"
    shutil.copytree(knowing["thumbnails"], folder / "bundle")
    (folder / "config.json").write_text("{}")
    status = {"state": "completed", "heartbeat": 0, "phase": "", "epoch": 1, "epochs": 1, "reason": ""}
    (folder / "status.json").write_text(json.dumps(status))
    assert bundles() == {"run:20260101-000000-000-cnn": Run(folder).bundle}


def decided(folder: Path, keep_them: bool = True) -> list[Path]:
    """Pictures of three cases that were decided on, two of which share one."""
    store, files = open_store(), []
    for seed in range(8):
        files.append(make_image(folder / f"{seed}.png", (64, 64), seed=seed))
        image = sandbox.prepare(files[-1].read_bytes(), [])
        sha256 = image.facts.sha256
        store.remember(picture(image.facts, f"=picture {seed}.PNG"), a_judgement(seed / 8))
        store.decide(sha256, ["real", "fake"][seed % 2], by="ada")
        if keep_them:
            store.keep_image(sha256, files[-1].read_bytes(), by="ada")
    names = [row.picture.sha256 for row in store.search(order="name").rows]
    for case, members in enumerate((names[:2], names[1:4], names[4:6])):
        store.create_case(f"Case {case}", by="ada")
        store.file(case + 1, members, by="ada")
    store.decide(names[7], "undecided", by="ada")
    return files


def test_decisions_become_a_data_set_that_is_read_as_meant(tmp_path):
    decided(tmp_path / "pictures")
    done = export(open_store(), tmp_path / "set")
    assert (done.real, done.fake, done.missing, done.listed) == (4, 3, (), None)
    data = assign_splits(scan(tmp_path / "set", cache=tmp_path / "cache"))
    table = data.usable
    assert dict(zip(table.path.str[:4], table.label, strict=True)) == {"real": 0, "fake": 1}
    assert len(table) == 7 and not data.doubts and not len(data.unreadable)
    sources = table.groupby("source_id").path.apply(len).sort_values().tolist()
    assert sources == [1, 2, 4]  # A picture in no case, one case, and two that share a picture.
    with pytest.raises(InputError, match="empty folder"):
        export(open_store(), tmp_path / "set")


def test_decided_pictures_that_were_not_kept_are_listed(tmp_path, capsys):
    files = decided(tmp_path / "pictures", keep_them=False)
    with pytest.raises(InputError, match="--pictures"):
        export(open_store(), tmp_path / "set")
    files[0].unlink()
    out = tmp_path / "set"
    assert main(["cases", "export", str(out), "--pictures", str(tmp_path / "pictures"), "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["real"], told["fake"], len(told["missing"])) == (3, 3, 1)
    assert "'=picture 0.PNG" in Path(told["listed"]).read_text()
    assert len(list(out.glob("*/*.png"))) == 6
    assert (
        main(["cases", "export", str(tmp_path / "one"), "--case", "3", "--pictures", str(tmp_path / "pictures")]) == 0
    )
    assert "1 real and 1 fake" in capsys.readouterr().out
