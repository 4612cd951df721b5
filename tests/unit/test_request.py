"""What is asked of a new run: presets, files and options together, sizes by architecture, nothing without effect."""

import json

import pytest

from dfcore import architectures
from dfcore.cli import main
from dfcore.errors import ConfigError, DatasetError
from dfcore.runs import RunStore
from dfcore.training import presets
from dfcore.training.config import make_config
from dfcore.training.folds import fold_count
from dfcore.training.request import check_request, without_effect

# Asked for, needed for it to do anything.
IDLE = [
    pytest.param({"warmup_epochs": 2}, {"schedule": "cosine"}, id="warm-up"),
    pytest.param({"weight_decay": 0.1}, {"optimizer": "adamw"}, id="weight-decay"),
    pytest.param({"plateau_patience": 5}, {"schedule": "plateau"}, id="plateau"),
    pytest.param({"patience": 9, "early_stopping": "off"}, {"early_stopping": "loss"}, id="patience"),
    pytest.param({"folds": 3, "early_stopping": "off"}, {"cross_validation": "content"}, id="folds"),
    pytest.param({"full_image_epochs": 2, "arch": "mobilenetv2"}, {"augmentation": "random_crop"}, id="full-images"),
    pytest.param({"freeze_epochs": 5}, {"weights": "FILE"}, id="frozen-layers"),
    pytest.param({"head_lr": 0.1}, {"weights": "FILE"}, id="rate-of-the-head"),
    pytest.param({"head_lr": 0.1, "weights": "FILE", "freeze_epochs": 0}, {"freeze_epochs": 1}, id="no-head-epochs"),
    pytest.param({"lr": 0.1, "weights": "FILE", "freeze_epochs": 30}, {"epochs": 31}, id="the-head-alone"),
    pytest.param({"augmentation": "random_crop", "arch": "mobilenetv2", "full_image_epochs": 30}, {"epochs": 31},
                 id="nothing-is-cropped"),
    pytest.param({"validation_share": 0.3}, None, id="validation-is-given"),
    pytest.param({"test_share": 0.3}, None, id="test-is-given"),
    pytest.param({"valid_as_test": True}, None, id="there-is-a-test-split"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "needed"), IDLE)
def test_what_would_do_nothing_is_refused_with_what_it_needs(asked, needed, small_dataset, tmp_path):
    weights = tmp_path / "some.weights.h5"
    weights.touch()

    def request(values):
        filled = {name: str(weights) if value == "FILE" else value for name, value in values.items()}
        return check_request({"data_root": str(small_dataset)} | filled)

    with pytest.raises(ConfigError, match="does nothing") as caught:
        request(asked)
    (problem,) = caught.value.problems
    assert problem.split(":")[0] in asked
    assert "Received: " in problem
    if needed:
        request(asked | needed)


def test_a_run_that_was_begun_is_read_whatever_it_holds():
    assert make_config({"data_root": "x", "warmup_epochs": 2}).warmup_epochs == 2


def test_a_default_is_no_request(small_dataset):
    """A form hands over every field that it shows."""
    check_request({"data_root": str(small_dataset), "patience": 6, "early_stopping": "off", "folds": 5})


@pytest.mark.parametrize("name", presets.names())
def test_no_preset_holds_what_does_nothing(name):
    config = make_config({"data_root": "x"} | presets.get(name).values)
    assert without_effect(config) == {}


def test_what_a_preset_leaves_without_effect_is_noted(small_dataset):
    notes = []
    asked = {"data_root": str(small_dataset), "schedule": "constant", "arch": "cnn", "weights": "none"}
    config = check_request(asked, preset="small", note=notes.append)
    assert config.warmup_epochs == 1
    assert [note.split("=")[0] for note in notes] == ["warmup_epochs"]


SIZES = [
    pytest.param({"arch": "resnet50"}, ("resnet50", 224), id="its-own"),
    pytest.param({"arch": "resnet50", "image_size": None}, ("resnet50", 224), id="null-in-a-file"),
    pytest.param({"arch": "resnet50", "image_size": 64}, ("resnet50", 64), id="as-asked"),
    pytest.param({"image_size": 48}, ("cnn", 48), id="a-size-alone"),
    pytest.param({}, ("cnn", 32), id="by-the-images"),
]


@pytest.mark.parametrize(("asked", "expected"), SIZES)
def test_a_size_that_nobody_names_is_the_architecture_s_or_the_images(asked, expected, small_dataset, tmp_path):
    config = check_request({"data_root": str(small_dataset)} | asked)
    assert (config.arch, config.image_size) == expected
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"data_root": str(small_dataset)} | asked))
    launched = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dfcore.runs.launch.launch", launched.append)
        assert main(["train", "--config", str(path), "--detach", "--runs-dir", str(tmp_path / "runs")]) == 0
    (recorded,) = [run.config() for run in RunStore(tmp_path / "runs")]
    assert (recorded["arch"], recorded["image_size"]) == expected, "the record holds the size"


@pytest.mark.parametrize("name", architectures.names())
def test_each_architecture_has_a_size_of_its_own(name):
    assert make_config({"data_root": "x", "arch": name}).image_size == architectures.get(name).image_size


# === File and options ===


def test_a_file_need_not_name_the_images(small_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("dfcore.runs.launch.launch", lambda run: None)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"epochs": 4, "head_epochs": 3, "weights": "none", "freeze_epochs": 2}))
    given = ["train", "--config", str(path), "--data-root", str(small_dataset), "--detach"]
    assert main([*given, "--epochs", "5"]) == 0
    (run,) = RunStore(tmp_path / "runs")
    assert (run.config()["epochs"], run.config()["data_root"]) == (5, str(small_dataset))


def test_what_an_option_overrules_is_checked_with_it(small_dataset, tmp_path, capsys):
    """Neither the file nor the options are wrong by themselves."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"cross_validation": "content", "early_stopping": "off"}))
    given = ["train", "--config", str(path), "--data-root", str(small_dataset), "--detach"]
    assert main([*given, "--early-stopping", "auc"]) == 2
    assert "expected off with cross-validation" in capsys.readouterr().err
    path.write_text(json.dumps({"epochs": 0}))
    assert main([*given]) == 2
    assert "epochs: " in capsys.readouterr().err


def test_without_images_anywhere_it_says_so(tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text("{}")
    assert main(["train", "--config", str(path)]) == 2
    assert "Expected --data-root ROOT, or a --config FILE that names it." in capsys.readouterr().err


# === How many networks ===


@pytest.mark.parametrize(("how", "expected"), [("off", 0), ("content", 4), ("group", 3)])
def test_the_networks_that_cross_validation_trains_are_counted(how, expected):
    import pandas as pd

    numbers = range(36)
    rows = pd.DataFrame({"sha256": [str(n) for n in numbers], "label": [n % 2 for n in numbers],
                         "group": [f"generator {n // 2 % 3}" for n in numbers], "split": "train"})  # fmt: skip
    held = rows.assign(split="test", group="another generator", sha256=rows.sha256 + "t")
    config = make_config({"data_root": "x", "cross_validation": how, "folds": 4, "early_stopping": "off"})
    assert fold_count(pd.concat([rows, held]), config) == expected


def test_groups_that_nobody_named_are_told_before_anything_is_measured():
    import pandas as pd

    rows = pd.DataFrame({"sha256": ["a", "b"], "label": [0, 1], "group": [None, None], "split": "train"})
    config = make_config({"data_root": "x", "cross_validation": "group", "early_stopping": "off"})
    with pytest.raises(DatasetError, match="at least two groups"):
        fold_count(rows, config)


def test_a_group_without_which_one_class_is_left_is_told_before_the_training():
    import pandas as pd

    rows = pd.DataFrame({"sha256": list("abcd"), "label": [0, 1, 0, 0], "group": ["x", "x", "y", "y"],
                         "split": "train"})  # fmt: skip
    config = make_config({"data_root": "x", "cross_validation": "group", "early_stopping": "off"})
    with pytest.raises(DatasetError, match="Without x both classes must remain"):
        fold_count(rows, config)
