"""Bundles, cards, runs and command lines of version 0.4: they are read, and give the same scores to the last bit."""

import json
from pathlib import Path

import numpy as np
import pytest

from dfcore import compat
from dfcore.cli import main
from dfcore.detectors.bundle import read_card
from dfcore.detectors.detector import Detector
from dfcore.evaluation import read_predictions
from dfcore.runs import Run
from dfcore.training.config import make_config
from dfcore.utils.files import write_json
from tests.conftest import ROOT

DATA = Path(__file__).parents[1] / "data"
RECORDED = {
    version: json.loads((DATA / f"recorded_scores_{version.replace('.', '_')}.json").read_text())
    for version in ("0.4", "0.7")
}
# Further kinds of processors, on which the same networks round otherwise by more than the tolerance between kinds.
FURTHER = [json.loads(path.read_text()) for path in sorted(DATA.glob("recorded_scores_on_*.json"))]
OLD_CARDS = sorted((DATA / "cards_0_4").glob("*.json"))


def pictures() -> dict[str, np.ndarray]:
    """The images on which version 0.4 was recorded: integers alone, so that they are the same everywhere."""
    random = np.random.default_rng(20261125)
    made = {}
    for side in (32, 64, 224, 256, 500):
        wide = side + side // 4
        made[f"noise-{side}"] = random.integers(0, 256, (side, wide, 3), dtype=np.uint8)
        rows, columns = np.indices((side, wide))
        ramp = [rows * 255 // side, columns * 255 // wide, (rows + columns) % 256]
        made[f"ramp-{side}"] = np.stack(ramp, -1).astype(np.uint8)
        blocks = random.integers(0, 256, (8, 10, 3), dtype=np.uint8)
        made[f"blocks-{side}"] = blocks[(rows * 8 // side), (columns * 10 // wide)]
        made[f"flat-{side}"] = np.full((side, wide, 3), int(random.integers(0, 256)), np.uint8)
    return made


def processor() -> list[str]:
    """Features of this processor on which the last bits depend; empty if they are not known."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return sorted(flag for flag in flags if flag.startswith(("avx", "fma", "amx")))


def on_this_processor(key: str) -> dict | None:
    """Scores of a detector by picture, recorded on a processor of this kind beside those of `RECORDED`."""
    return next(
        (one["scores"][key] for one in FURTHER if one["processor"] == processor() and key in one["scores"]), None
    )


def refitted(card) -> bool:
    """Whether thresholds and gate were fitted by handled images, as since 0.7."""
    return card.ood is not None and card.ood.gate is not None


@pytest.mark.parametrize(
    ("version", "key"),
    [
        pytest.param(version, key, marks=[pytest.mark.slow] * (version != "0.4"))
        for version, recorded in RECORDED.items()
        for key in recorded["scores"]
    ],
)
def test_shipped_detectors_score_as_recorded(version, key):
    """To the last bit on a processor of the same kind; elsewhere kernels round otherwise.

    Where a further kind of processor was recorded, scores are held to that to the last bit.

    `photographs` is another network since 0.7, and was recorded anew when its gate was fitted by handled images. A
    detector whose card carries a gate has the scores of 0.4; its domain
    and its verdicts were fitted anew for 0.7, and are recorded as they are since. `faces` did not say then of pictures
    that it refuses anyway that they show no face.
    """
    (name, engine), recorded = key.split("/"), RECORDED[version]
    detector = Detector.load(ROOT / "models" / name, engine)
    verdicts = dict(zip(pictures(), detector.predict(pictures().values()), strict=True))
    fitted_since = version == "0.4" and refitted(detector.card)
    for picture, before in recorded["scores"][key].items():
        verdict = verdicts[picture]
        ours = {"score": verdict.score, "logit": verdict.logit, "distance": verdict.ood.distance}
        if fitted_since:
            del ours["distance"]
        same = processor() == recorded.get("processors", {}).get(key, recorded["processor"])
        further = None if same else on_this_processor(key)
        theirs = {part: float.fromhex((further[picture] if further else before)[part]) for part in ours}
        assert ours == (theirs if same or further else pytest.approx(theirs, rel=1e-4, abs=1e-5)), picture
        if not fitted_since:
            faceless = "faceless" in verdict.ood.rules
            assert faceless == (name == "faces")
            assert (verdict.decision, len(verdict.ood.reasons) - faceless) == (before["verdict"], before["reasons"])
            assert verdict.finding == before.get("finding", verdict.finding)


@pytest.mark.parametrize("path", OLD_CARDS, ids=lambda path: path.stem)
def test_an_old_card_says_the_same_under_the_names_of_today(path, tmp_path):
    old = json.loads(path.read_text())
    write_json(tmp_path / "card.json", old)
    card = read_card(tmp_path)
    assert card.arch == compat.architecture(old["arch"]) and card.tta_flip == old["mirrored"]
    thresholds, before = card.decision_thresholds, old["operating"]
    assert (thresholds.real_below, thresholds.fake_from) == (before["real_below"], before["fake_from"])
    assert thresholds.budget.max_fpr == before["budget"]["false_alarms"]
    assert thresholds.budget.max_fnr == before["budget"]["misses"]
    assert thresholds.abstention_rate == before["undecided"]
    assert card.ood.sha256 == old["known"]["sha256"]
    assert card.openvino.enabled == old["fast"]["taken"]
    assert card.openvino.thread_invariant == old["fast"]["steady"]
    assert card.openvino.gradcam_difference == old["fast"]["evidence"]
    for split, metrics in old["results"].items():
        three_way = card.results[split]["three_way"]
        assert {name: three_way[compat.THREE_WAY[name]] for name in compat.THREE_WAY} == {
            name: metrics["three_way"][name] for name in compat.THREE_WAY
        }
    for row, written in zip(card.measured, old["measured"], strict=True):
        assert (row["three_way_fpr"], row["abstention_rate"]) == (written["false_alarms"], written["undecided"])
    rows = [row for table in card.robustness for row in table["rows"]]
    assert [row["abstention_rate"] for row in rows] == [r["undecided"] for t in old["robustness"] for r in t["rows"]]
    new = card.model_dump(mode="json")
    assert not {*compat.CARD} & set(new), "what is written has the names of today alone"
    write_json(tmp_path / "card.json", new)
    assert read_card(tmp_path).model_dump() == card.model_dump()


def test_shipped_cards_say_what_they_said_in_0_4(tmp_path):
    for path in OLD_CARDS:
        if path.stem == "photographs":
            continue  # Another network since 0.7.
        write_json(tmp_path / "card.json", json.loads(path.read_text()))
        card = read_card(ROOT / "models" / path.stem)
        assert card.trained_on is not None, "the list of its images was added since"
        old = read_card(tmp_path)
        if refitted(card):
            kept = ("title", "arch", "preprocess", "calibration", "threshold", "training", "openvino", "model_sha256")
            assert [getattr(card, name) for name in kept] == [getattr(old, name) for name in kept]
        else:
            assert card.model_copy(update={"trained_on": None}) == old


def test_an_old_run_is_read_and_can_be_trained_again(tmp_path):
    settings = {"data_root": "x", "arch": "mobilenetv2_levels", "augmentation": "flip,patch:light,jpeg:strong"}
    settings |= {"head_epochs": 3, "whole_epochs": 2, "mirrored": True}
    write_json(tmp_path / "config.json", settings)
    metrics = {"three_way": {"false_alarms": 0.1, "misses": 0.2, "undecided": 0.3, "unlike": 0.0}}
    write_json(tmp_path / "metrics.json", {"test": metrics})
    run = Run(tmp_path)
    config = make_config(run.config())
    assert (config.arch, config.freeze_epochs, config.full_image_epochs) == ("mobilenetv2_multiscale", 3, 2)
    assert config.tta_flip and config.augmentation == "flip,random_crop:light,jpeg:strong"
    three_way = {"fpr": 0.1, "fnr": 0.2, "abstention_rate": 0.3, "ood_rate": 0.0}
    assert run.metrics()["test"]["three_way"] == three_way


def test_old_predictions_are_read():
    table = read_predictions(ROOT / "models" / "small" / "predictions_test.parquet")
    assert "is_ood" in table and "unlike" not in table


@pytest.mark.parametrize("old", compat.OPTIONS)
def test_an_old_option_is_taken_with_a_hint(old):
    given, hints = compat.arguments(["train", f"{old}=3", "x"])
    assert given == ["train", f"{compat.OPTIONS[old]}=3", "x"]
    assert len(hints) == 1 and compat.OPTIONS[old] in hints[0]


@pytest.mark.parametrize(("old", "new"), compat.COMMANDS.items())
def test_an_old_command_is_taken_with_a_hint(old, new, capsys):
    with pytest.raises(SystemExit) as ended:
        main([old, "--help"])
    assert ended.value.code == 0 and f"dfcore {new}" in capsys.readouterr().out
    assert compat.arguments(["predict", old])[0] == ["predict", old], "a file of that name is a file"
