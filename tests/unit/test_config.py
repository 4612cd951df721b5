"""The training config: all problems at once, the same from a form, a command line and a file."""

import json
import re
from typing import Literal, get_args, get_origin

import pytest

from dfcore import architectures
from dfcore.cli import main
from dfcore.errors import ConfigError
from dfcore.training.config import TrainConfig, form_fields, load_config, make_config, suggest


def problems(**values) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        make_config({"data_root": "data"} | values)
    return caught.value.problems


BAD = [
    pytest.param("epochs", 0, "1", id="no-epochs"),
    pytest.param("epochs", 10_001, "10000", id="too-many-epochs"),
    pytest.param("epochs", 1.5, "integer", id="half-an-epoch"),
    pytest.param("epochs", "many", "integer", id="text-for-a-number"),
    pytest.param("batch_size", 0, "1", id="empty-batches"),
    pytest.param("lr", 0, "0", id="no-learning-rate"),
    pytest.param("lr", -1e-4, "0", id="negative-learning-rate"),
    pytest.param("lr", 2, "1", id="learning-rate-above-one"),
    pytest.param("lr", "nan", "finite", id="nan"),
    pytest.param("lr", float("inf"), "finite|less than or equal to 1", id="infinity"),
    pytest.param("image_size", 8, "16", id="too-small-images"),
    pytest.param("image_size", 4096, "1024", id="too-large-images"),
    pytest.param("resize", "squash", "stretch.*fit_crop.*native_crop", id="unknown-resize"),
    pytest.param("views", "native,left", "native, native_tl.*each once", id="unknown-view"),
    pytest.param("views", "native, native", "each once", id="a-view-twice"),
    pytest.param("view_heads", "two", "shared.*own", id="unknown-heads"),
    pytest.param("arch", "alexnet", "cnn.*resnet50", id="unknown-architecture"),
    pytest.param("loss", "hinge", "binary.*categorical", id="unknown-loss"),
    pytest.param("optimizer", "sgd", "adam.*adamw", id="unknown-optimizer"),
    pytest.param("schedule", "steps", "constant.*cosine.*plateau", id="unknown-schedule"),
    pytest.param("early_stopping", "accuracy", "auc.*loss.*off", id="unknown-early-stopping"),
    pytest.param("augmentation", "flip,flop", "none, light, standard, strong.*flip, rotation", id="augmentation"),
    pytest.param(
        "weights", "gone.h5", "none, imagenet, shipped or an existing weights file", id="missing-weights-file"
    ),
    pytest.param("label_smoothing", 0.5, "0.5", id="labels-smoothed-away"),
    pytest.param("dropout", 1, "1", id="all-dropped"),
    pytest.param("validation_share", 0, "0", id="nothing-to-validate-on"),
    pytest.param("test_share", 0.6, "0.5", id="more-test-than-half"),
    pytest.param("seed", -1, "0", id="negative-seed"),
    pytest.param("seed", 2**31, "2147483648", id="seed-beyond-32-bits"),
    pytest.param("precision", "float8", "float32", id="unknown-precision"),
    pytest.param("cache", "cloud", "disk.*memory", id="unknown-cache"),
    pytest.param("cross_validation", "leave-one-out", "off.*content.*group", id="unknown-cross-validation"),
    pytest.param("folds", 1, "2", id="one-fold-is-none"),
    pytest.param("folds", 21, "20", id="too-many-folds"),
    pytest.param("full_image_epochs", -1, "0", id="fewer-whole-epochs-than-none"),
    pytest.param("class_weights", "perhaps", "boolean", id="neither-true-nor-false"),
    pytest.param("schema_version", 2, "1", id="a-later-schema"),
    pytest.param("data_root", "  ", "at least 1", id="blank-data-root"),
    pytest.param("name", "x" * 121, "120", id="name-too-long"),
]


@pytest.mark.parametrize(("field", "value", "allowed"), BAD)
def test_a_bad_value_is_refused_with_what_was_received_and_what_is_allowed(field, value, allowed):
    (problem,) = problems(**{field: value})
    assert problem.startswith(f"{field}: ")
    text, _, received = problem.partition("Received: ")
    assert re.search(allowed, text), text
    assert received == repr(value) or value == "  "


def test_all_problems_are_told_at_once():
    result = problems(epochs=0, lr=-1, arch="alexnet", augmentation="flop", batch=8)
    assert sorted(problem.split(":")[0] for problem in result) == ["arch", "augmentation", "batch", "epochs", "lr"]


def test_what_an_architecture_cannot_do_is_told_together_with_the_rest():
    result = " ".join(problems(epochs=0, arch="cnn", weights="imagenet"))
    assert "epochs" in result
    assert "ImageNet" in result


def test_views_that_do_not_go_with_the_rest_are_refused():
    (problem,) = problems(views="native_tl,native", resize="native_crop")
    assert problem == "views: native is what resize=native_crop sees already. Received: 'native_tl,native'"
    (problem,) = problems(views="native", view_heads="own", loss="categorical")
    assert problem.startswith("view_heads: expected shared with categorical loss")
    make_config({"data_root": "x", "views": "native_tl", "resize": "native_crop", "view_heads": "own"})  # Fits.


def test_views_are_handed_on_in_their_order():
    config = make_config({"data_root": "x", "views": " Native_BR, native ", "view_heads": "own"})
    assert config.views == "native_br,native"
    assert config.spec.views == ("native_br", "native") and config.heads == 3
    assert make_config({"data_root": "x", "view_heads": "own"}).heads == 1, "one view has nothing to share"


def test_a_missing_data_root_is_told():
    with pytest.raises(ConfigError, match="data_root: field required"):
        make_config({})


def test_an_unknown_setting_is_told_those_that_there_are():
    (problem,) = problems(batchsize=8)
    assert problem.startswith("batchsize: there is no such setting")
    assert "batch_size" in problem


def test_an_image_size_below_that_of_the_architecture_is_refused():
    (problem,) = problems(arch="resnet50", image_size=16)
    assert "image_size: expected at least 32 for resnet50" in problem
    assert "Received: 16" in problem


@pytest.mark.parametrize("watched", ["auc", "loss", None], ids=["auc", "loss", "by-default"])
def test_cross_validation_leaves_no_images_to_stop_early_by(watched):
    """Each fold would choose its best epoch on the very images that it is to judge unseen."""
    asked = {"early_stopping": watched} if watched else {}
    (problem,) = problems(cross_validation="content", **asked)
    assert problem.startswith("early_stopping: expected off with cross-validation")
    assert f"Received: {watched or 'auc'!r}" in problem
    assert make_config({"data_root": "x", "cross_validation": "group", "early_stopping": "off"}).folds == 5


@pytest.mark.parametrize("augmentation", ["random_crop", "flip,Patch:strong"])
def test_patches_need_a_network_that_takes_images_of_any_size(augmentation):
    (problem,) = problems(arch="vit", augmentation=augmentation)
    text = re.search(r"augmentation: random_crop needs one of (.*), not vit", problem)[1].split(", ")
    assert "mobilenetv2_multiscale" in text
    assert "vit" not in text
    for name in architectures.names():
        if name in text:
            make_config({"data_root": "x", "arch": name, "image_size": 128, "augmentation": augmentation})
        else:
            assert problems(arch=name, augmentation=augmentation), name


def test_an_image_size_that_is_no_number_is_told_once():
    for size in ("large", [64]):
        (problem,) = problems(arch="mobilenetv2", image_size=size, augmentation="random_crop")
        assert problem.startswith("image_size: "), size


SMALL = [
    pytest.param(32, "random_crop", 24, id="smaller-than-the-network-takes"),
    pytest.param(48, "flip,random_crop:strong", 32, id="large-enough"),
    pytest.param(32, "random_crop:light", 32, id="the-whole-image"),
    pytest.param("40", "random_crop:strong", 24, id="as-text"),
]


@pytest.mark.parametrize(("size", "augmentation", "side"), SMALL)
def test_patches_are_no_smaller_than_the_network_takes(size, augmentation, side):
    """Else the first step of the training fails, deep in TensorFlow."""
    values = {"data_root": "x", "arch": "mobilenetv2", "image_size": size, "augmentation": augmentation}
    if side >= 32:
        make_config(values)
        return
    (problem,) = problems(**values)
    assert problem.startswith(
        f"augmentation: expected random crops of at least 32 pixels for mobilenetv2; of {size} pixels"
    )
    assert f"they have {side}. Received: {augmentation!r}" in problem


def test_weights_that_ship_leave_no_epochs_to_choose():
    on = {"data_root": "x", "arch": "clip_vit_b16", "weights": "shipped"}
    config = make_config(on)
    assert (config.epochs, config.freeze_epochs, config.early_stopping, config.image_size) == (1, 1, "off", 224)
    told = " ".join(problems(**on, epochs=5, early_stopping="auc", image_size=96, loss="categorical"))
    for name in (
        "epochs: expected 1",
        "early_stopping: expected off",
        "image_size: expected 224",
        "loss: expected binary",
    ):
        assert name in told
    (problem,) = problems(**on, first_block=9)
    assert problem == "first_block: expected at most last_block, 8. Received: 9"
    assert make_config(on | {"first_block": 9, "last_block": 9}).last_block == 9
    own = on | {"views": "native", "view_heads": "own"}
    (problem,) = problems(**own, last_block=12, late_weight=0.4)
    assert problem == "late_weight: expected 0 where last_block is the last there is. Received: 0.4"
    (problem,) = problems(**on, views="native", late_weight=0.4)
    assert problem.startswith("late_weight: expected 0 unless view_heads is own")
    assert [make_config(own | {"late_weight": late}).blocks for late in (0, 0.4)] == [8, 12]
    (problem,) = problems(arch="cnn", weights="shipped", early_stopping="off")
    assert "clip_vit_b16 only, not for cnn" in problem


def test_imagenet_weights_are_offered_only_where_there_are_some():
    (problem,) = problems(arch="cnn", weights="imagenet")
    assert "mobilenetv2" in problem
    assert make_config({"data_root": "x", "arch": "mobilenetv2", "weights": "imagenet"}).pretrained


def test_defaults_are_valid_for_every_architecture():
    for name in architectures.names():
        config = make_config({"data_root": "x", "arch": name})
        assert not config.pretrained
        assert config.lr == 1e-4
        assert config.early_stopping == "auc"


def test_text_from_a_command_line_is_read_as_numbers():
    config = make_config({"data_root": " data ", "epochs": "5", "lr": "1e-3", "class_weights": "false"})
    assert (config.data_root, config.epochs, config.lr, config.class_weights) == ("data", 5, 1e-3, False)


def test_a_config_cannot_be_changed():
    config = make_config({"data_root": "x"})
    with pytest.raises(ValueError, match="frozen"):
        config.epochs = 3


def test_every_setting_is_explained():
    for name, field in TrainConfig.model_fields.items():
        assert field.description or name == "schema_version", name


def test_it_comes_back_from_a_file_as_it_was(tmp_path):
    values = {"data_root": "x", "name": "Größe", "epochs": 3, "lr": 3e-4, "augmentation": "flip,jpeg:strong"}
    config = make_config(values | {"image_size": 64, "resize": "fit_crop", "valid_as_test": True, "seed": 7})
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config.to_dict()))
    assert load_config(path) == config
    assert config.to_dict()["schema_version"] == 1


def test_a_weights_file_is_kept_by_its_full_path(tmp_path, monkeypatch):
    (tmp_path / "some.h5").touch()
    monkeypatch.chdir(tmp_path)
    config = make_config({"data_root": "x", "arch": "mobilenetv2", "weights": "some.h5"})
    assert config.weights == str(tmp_path / "some.h5")
    assert config.pretrained


FILES = [
    pytest.param(None, "cannot be read as JSON", id="missing"),
    pytest.param("{", "cannot be read as JSON", id="broken"),
    pytest.param("[1]", "expected a JSON object. Received: list", id="a-list"),
    pytest.param('{"data_root": "x", "epochs": 0}', "epochs", id="bad-value"),
]


@pytest.mark.parametrize(("text", "message"), FILES)
def test_a_file_that_is_no_config_is_refused(tmp_path, text, message):
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_it_hands_its_parts_to_those_who_need_them():
    config = make_config({"data_root": "x", "image_size": 64, "resize": "native_crop", "seed": 5, "test_share": 0.2,
                          "validation_share": 0.1, "valid_as_test": True})  # fmt: skip
    assert (config.spec.size, config.spec.resize) == (64, "native_crop")
    policy = config.split_policy
    assert (policy.validation, policy.test, policy.valid_as_test, policy.seed) == (0.1, 0.2, True, 5)


SUGGESTED = [
    pytest.param(32, None, {"arch": "cnn", "image_size": 32}, id="small-images-keep-their-size"),
    pytest.param(64, None, {"arch": "cnn", "image_size": 64}, id="64"),
    pytest.param(90, None, {"arch": "cnn", "image_size": 96}, id="between-two-sizes"),
    pytest.param(2000, None, {"arch": "cnn", "image_size": 128}, id="large-images-are-kept-affordable"),
    pytest.param(8, None, {"arch": "cnn", "image_size": 32}, id="tiny"),
    pytest.param(
        300, "imagenet", {"arch": "mobilenetv2", "weights": "imagenet", "image_size": 224}, id="weights-at-hand"
    ),
    pytest.param(
        100, "imagenet", {"arch": "mobilenetv2", "weights": "imagenet", "image_size": 128}, id="weights-middle-size"
    ),
    pytest.param(32, "imagenet", {"arch": "cnn", "image_size": 32}, id="weights-do-not-help-small-images"),
]


@pytest.mark.parametrize(("side", "weights", "expected"), SUGGESTED)
def test_suggestions_fit_the_images_and_are_valid(side, weights, expected):
    result = suggest(side, pretrained_weights=weights)
    assert result == expected
    make_config({"data_root": "x"} | result)


@pytest.mark.parametrize("name", TrainConfig.model_fields)
def test_every_setting_says_how_a_form_shows_it(name):
    field, form = TrainConfig.model_fields[name], form_fields()[name]
    assert form.label
    assert form.hidden or field.description
    if get_origin(field.annotation) is Literal and not form.hidden:
        assert tuple(form.titles) == get_args(field.annotation), "a title for each choice, in the same order"


def test_the_help_names_every_value_that_can_be_chosen(capsys):
    """The fault: --resize, --schedule and --early-stopping described values without their names."""
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    told = re.split(r"\n  (?=--)", capsys.readouterr().out)
    of = {option.split()[0].rstrip(","): " ".join(option.split()) for option in told}
    chosen = {
        name: get_args(field.annotation)
        for name, field in TrainConfig.model_fields.items()
        if name != "schema_version" and get_origin(field.annotation) is Literal
    }
    assert {"resize", "schedule", "early_stopping", "cache"} <= set(chosen)
    for name, values in chosen.items():
        assert f"One of {', '.join(values)}." in of[f"--{name.replace('_', '-')}"]
    assert "fit_crop: The shorter side" in of["--resize"]
