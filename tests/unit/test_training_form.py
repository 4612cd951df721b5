"""The form of a training run: every setting is in it or has a reason, and it says what it was given."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dfcore.datasets import scan
from dfcore.training import presets
from dfcore.training.config import TrainConfig, form_fields, make_config
from dfcore.training.request import check_request, idle, idle_on

DRAWN = {"all drawn": [], "all given": ["train", "validation", "test"], "no test": ["train", "validation"],
         "no validation": ["train", "test"]}  # fmt: skip
# Every field that matters only beside others matters here, and none has its default.
EVERYTHING = {
    "name": "Everything", "arch": "mobilenetv2_multiscale", "image_size": 96, "resize": "fit_crop",
    "views": "native,native_br", "view_heads": "own",
    "weights": "imagenet", "loss": "categorical", "epochs": 17, "freeze_epochs": 3, "batch_size": 8,
    "optimizer": "adamw", "lr": 2e-6, "head_lr": 5e-3, "weight_decay": 0.0003, "schedule": "cosine",
    "warmup_epochs": 1.25, "early_stopping": "loss", "patience": 9, "class_weights": False, "label_smoothing": 0.4999,
    "dropout": 0.9999, "augmentation": "flip,random_crop,jpeg:strong", "full_image_epochs": 5, "tta_flip": True,
    "seed": 2**31 - 1, "precision": "float32", "validation_share": 0.001, "test_share": 0.0, "valid_as_test": True,
    "cross_validation": "group", "folds": 7, "cache": "memory",
}  # fmt: skip


def page() -> None:
    import streamlit as st

    from dashboard.training_form import form_values

    st.session_state["values"] = form_values(st.session_state["defaults"], st.session_state["dataset"])


def stub(splits: list[str]) -> SimpleNamespace:
    """Of a data set what the form asks for."""
    return SimpleNamespace(root="/data", usable=pd.DataFrame({"split": splits or [None]}))


def form(defaults: dict, data: Any = DRAWN["all given"]) -> AppTest:
    """The form alone, over a data set or one that has these splits."""
    app = AppTest.from_function(page, default_timeout=60)
    app.session_state["defaults"] = {"data_root": "/data", **defaults}
    app.session_state["dataset"] = stub(data) if isinstance(data, list) else data
    return drawn(app)


def drawn(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def values(app: AppTest) -> dict:
    return app.session_state["values"]


def controls(app: AppTest) -> dict:
    """Everything that can be set, by its label."""
    return {item.label: item for item in (*app.selectbox, *app.pills, *app.number_input, *app.text_input, *app.toggle)}


def test_every_field_is_in_the_form_or_has_a_reason_not_to_be():
    on_tower = {"arch": "clip_vit_b16", "weights": "shipped", "image_size": 224, "views": "native"}
    shown = {label for splits in DRAWN.values()
             for more in ({"cross_validation": "content"}, {"schedule": "plateau"}, on_tower)
             for label in controls(form(EVERYTHING | more, splits))}  # fmt: skip
    fields = form_fields()
    assert set(fields) == set(TrainConfig.model_fields)
    missing = {name for name, field in fields.items() if field.label not in shown}
    assert missing == {name for name, field in fields.items() if field.hidden}
    assert {"warmup_epochs", "weight_decay"} & missing == set()


def test_a_network_whose_weights_ship_starts_from_them():
    app = form({"arch": "cnn", "image_size": 64})
    controls(app)["Architecture"].set_value("clip_vit_b16")
    drawn(app)
    config = make_config(values(app))
    assert (config.weights, config.image_size, config.epochs) == ("shipped", 224, 1)
    assert {"Epochs, at most", "Augmentation", "Learning rate"} & set(controls(app)) == set()
    assert "Handled copies" in controls(app)


@pytest.mark.parametrize("splits", DRAWN.values(), ids=DRAWN)
@pytest.mark.parametrize("name", presets.names())
def test_a_preset_unchanged_is_what_the_form_sends(name, splits):
    given = {"data_root": "/data", **presets.get(name).values}
    sent = values(form(given, splits))
    by_splits = {"validation_share", "test_share"} - set(sent)
    assert bool(by_splits) == bool(splits), "what the splits leave no choice about"
    assert make_config(sent) == make_config({name: given[name] for name in given if name not in by_splits})


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_unchanged_is_taken_with_the_data_set(name, small_dataset):
    """What does nothing on a data set is refused where it is asked for; the form does not ask."""
    given = {"data_root": str(small_dataset), **presets.get(name).values}
    sent = values(form(given, scan(small_dataset)))
    assert check_request(sent, dataset=scan(small_dataset)).lr == given.get("lr", 1e-4)


@pytest.mark.parametrize("splits", DRAWN.values(), ids=DRAWN)
@pytest.mark.parametrize(
    "changes", [{}, {"cross_validation": "content", "early_stopping": "off"}, {"early_stopping": "off"}]
)
def test_all_settings_of_an_earlier_run_come_back(changes, splits):
    given = {"data_root": "/data", "schema_version": 1, **EVERYTHING, **changes}
    sent = values(form(given, splits))
    assert sent == {name: given[name] for name in sent}
    config = TrainConfig(**given)
    nothing = {*idle(config), *(name for name, _ in idle_on(stub(splits), config))}
    assert set(given) - set(sent) == {"schema_version"} | (nothing & set(given))


@pytest.mark.parametrize(
    ("change", "idle"),
    [
        (("Optimiser", "adam"), {"weight_decay"}),
        (("Schedule", "constant"), {"warmup_epochs"}),
        (("Schedule", "plateau"), {"warmup_epochs"}),
        (("Weights to start from", "none"), {"freeze_epochs", "head_lr"}),
        (("Epochs with frozen layers", 0), {"head_lr"}),
        (("Epochs with frozen layers", 17), {"lr", "schedule", "warmup_epochs"}),
        (("Stop early by", "off"), {"patience"}),
        (("Augmentation", "light"), {"full_image_epochs"}),
        (("Calibrate by", "off"), {"folds"}),
        (("Further views", []), {"view_heads"}),
    ],
)
def test_what_would_do_nothing_is_neither_shown_nor_sent(change, idle):
    label, choice = change
    app = form(EVERYTHING | {"cross_validation": "content"})
    assert idle <= set(values(app))
    controls(app)[label].set_value(choice)
    drawn(app)
    assert idle & set(values(app)) == set()
    assert {form_fields()[name].label for name in idle} & set(controls(app)) == set()


def test_random_crops_that_are_typed_bring_the_epochs_on_full_images():
    app = form({"arch": "cnn", "augmentation": "flip"})
    assert "full_image_epochs" not in values(app)
    controls(app)["Single changes"].set_value("flip,random_crop")
    assert drawn(app).session_state["values"]["full_image_epochs"] == 0
    controls(app)["Single changes"].set_value("flip,nonsense")
    assert "full_image_epochs" not in drawn(app).session_state["values"], "refused by the config, not by the form"


def test_the_folded_part_says_what_is_set_now():
    app = form({})
    controls(app)["Optimiser"].set_value("adamw")
    controls(app)["Seed"].set_value(12)
    (folded,) = drawn(app).expander
    assert "AdamW" in folded.label
    assert "seed 12" in folded.label


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": "ten"}, {"lr": 7}, {"schedule": ["cosine"]}, {"tta_flip": None}, {"arch": "gone"}, {"seed": -1},
     {"weights": 3}, {"augmentation": {}}, {"arch_file": "mine.py"}, {"no such setting": 1}],
)  # fmt: skip
def test_what_an_earlier_run_holds_and_is_not_allowed_becomes_the_default(wrong):
    plain, bent = (values(form(one)) for one in ({"name": "a"}, {"name": "a", **wrong}))
    assert bent == plain
