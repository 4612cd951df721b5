"""Train: choose data and settings, estimate the time, start a run."""

from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import actions, data_summary, roles, stored, widgets
from dashboard.navigation import go, require_front_door
from dashboard.roles import Role
from dashboard.training_form import form_values
from dfcore.datasets import TRAIN, VALIDATION, Dataset, assign_splits, require_trainable
from dfcore.datasets.registry import registered
from dfcore.datasets.scan import image_side
from dfcore.training import presets
from dfcore.training.config import TrainConfig, suggest
from dfcore.training.folds import fold_count
from dfcore.training.request import check_request
from dfcore.utils.texts import duration

require_front_door()


def choose_dataset(before: dict[str, Any]) -> Path | None:
    """The data set to train on; when repeating a run, its data set is offered too."""
    folders = [str(folder) for folder in registered()]
    earlier = before.get("data_root")
    if earlier and earlier not in folders and Path(earlier).exists():
        folders.insert(0, earlier)
    if not folders:
        widgets.empty(
            "There is no data set yet. Make the demonstration set or register a folder.",
            "datasets",
            "Data sets",
            "photo_library",
        )
        return None
    wanted = earlier or st.session_state.get("dataset")  # The one chosen in Data sets.
    index = folders.index(wanted) if wanted in folders else 0
    picked = st.selectbox(
        "Data set", folders, index=index, format_func=lambda name: f"{Path(name).name}  ({name})",
        key=f"train_dataset_{st.session_state.get('train_again_id', '')}", help="Registered under Data sets.",
    )  # fmt: skip
    return Path(picked)


def choose_preset(before: dict[str, Any]) -> dict[str, Any]:
    """Initial settings from a preset; {} if none is chosen."""
    if before:
        return {}
    titles = {"": "None: settings suited to the image size"} | {
        name: presets.get(name).title for name in presets.names()
    }
    picked = st.selectbox(
        "Preset", list(titles), format_func=titles.__getitem__, key="train_preset", persist_state="session",
        help="Settings chosen by experiments on such images. They start from ImageNet weights and cross-validate for "
        "unbiased thresholds, so they take longer. Everything can be changed below.",
    )  # fmt: skip
    if not picked:
        return {}
    st.caption(presets.get(picked).summary)
    return presets.get(picked).values


def show_estimate(config: TrainConfig, dataset: Dataset) -> None:
    counts = dataset.counts().sum(axis=1)
    with st.spinner("Measuring a few steps …"):
        seconds = actions.estimate(
            config,
            training_images=int(counts.get(TRAIN, 0)),
            validation_images=int(counts.get(VALIDATION, 0)),
        )
    whole = duration(seconds * config.epochs * (1 + fold_count(dataset.usable, config)))
    st.info(
        f"About {duration(seconds)} per epoch, at most {whole} for {config.epochs} epochs, measured just now "
        "on this machine, plus the time to read the images for the first time.",
        icon=":material/timer:",
    )


def act(root: Path, values: dict[str, Any], dataset: Dataset) -> None:
    data_summary.show(root, dataset)
    with st.container(horizontal=True):
        wants_start = st.button("Start training", type="primary", icon=":material/play_arrow:")
        wants_time = st.button(
            "Estimate the time", icon=":material/timer:", help="Times a few steps in a separate process."
        )
    if not (wants_start or wants_time):
        return
    config = check_request(values, dataset=dataset)
    if wants_time:
        show_estimate(config, assign_splits(dataset, config.split_policy))
        return
    run = actions.start(config)
    st.session_state.pop("train_again", None)
    go("monitor", run=run.id)


st.title("Train a detector")
again = st.session_state.get("train_again", {})
if again:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"With the settings of {widgets.plain(st.session_state.get('train_again_id', 'an earlier run'))}.")
        if st.button("Back to the defaults", type="tertiary"):
            st.session_state.pop("train_again")
            st.rerun()
root = choose_dataset(again) if roles.offer(Role.TRAINER, "Training") else None
if root is not None:
    with widgets.errors():
        data = stored.dataset(root)
        if data.usable.empty:
            require_trainable(assign_splits(data))
        defaults = {**suggest(image_side(data)), **choose_preset(again), **again, "data_root": str(root)}
        act(root, form_values(defaults, data), data)
