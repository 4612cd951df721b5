"""The form of a training run: few controls in sight, the rest folded with their present values told."""

from typing import Any, get_args

import streamlit as st

from dfcore import architectures
from dfcore.datasets import TEST, VALIDATION, Dataset, augment
from dfcore.imaging.preprocess import RESIZE_HELP, Resize
from dfcore.training.config import TrainConfig

_FIELDS = TrainConfig.model_fields


def _help(name: str, more: str = "") -> str:
    return f"{_FIELDS[name].description} {more}".strip()


def form_values(defaults: dict[str, Any], dataset: Dataset) -> dict[str, Any]:
    """Shows the form and returns its values for `make_config`.

    Args:
        defaults: values to begin with; what is missing is the config's own default.
        dataset: what will be trained on.
    """
    start = {name: field.default for name, field in _FIELDS.items()} | defaults
    # New defaults mean new widgets: otherwise the old values would stay.
    key = f"{dataset.root}-{hash(str(sorted(defaults.items())))}"
    values = _main(start, dataset, key)
    with st.expander(_summary(start)):
        values |= _optimisation(start, key, pretrained=values["weights"] != "none")
        values |= _data(start, dataset, key)
        values |= _machine(start, key)
    return {"data_root": start["data_root"], **values}


def _summary(start: dict[str, Any]) -> str:
    return (
        f"More settings (now: {start['optimizer']}, learning rate {start['lr']:g}, {start['loss']} cross-entropy, "
        f"seed {start['seed']})"
    )


def _main(start: dict[str, Any], dataset: Dataset, key: str) -> dict[str, Any]:
    names = architectures.names()
    left, right = st.columns(2)
    arch = left.selectbox(
        "Architecture", names, index=names.index(start["arch"]), format_func=lambda n: architectures.get(n).title,
        key=f"arch-{key}", help="The kind of network.",
    )  # fmt: skip
    chosen = architectures.get(arch)
    left.caption(chosen.summary)
    size = right.number_input(
        "Image size (pixels)", chosen.min_size, 1024, max(int(start["image_size"]), chosen.min_size), 16,
        key=f"size-{key}-{arch}",
        help=_help("image_size", "Close to the images' own size is best: shrinking blurs the finest traces."),
    )  # fmt: skip
    weights = _weights(start, chosen, left, key)
    epochs = right.number_input("Epochs, at most", 1, 10_000, int(start["epochs"]), key=f"epochs-{key}",
                                help=_help("epochs", "It ends earlier when nothing gets better."))  # fmt: skip
    named = start["augmentation"] if start["augmentation"] in augment.NAMED else "singly"
    strength = left.selectbox(
        "Augmentation", [*augment.NAMED, "singly"], index=[*augment.NAMED, "singly"].index(named), key=f"aug-{key}",
        help="Random changes of training images. light only mirrors; standard also crops, recompresses and recolours; "
        "strong does all there is; singly lets you choose.",
    )  # fmt: skip
    if strength == "singly":
        text = left.text_input(
            "Single changes", "flip,jpeg" if named != "singly" else start["augmentation"], key=f"augtext-{key}",
            help="; ".join(f"{name}: {text}" for name, text in augment.HELP.items()) + " Add :light or :strong.",
        )  # fmt: skip
        strength = text
    name = right.text_input("Name", start["name"], key=f"name-{key}", max_chars=120, help=_help("name"))
    return {"arch": arch, "image_size": size, "weights": weights, "epochs": epochs, "augmentation": strength,
            "name": name}  # fmt: skip


def _weights(start: dict[str, Any], chosen: architectures.Architecture, place: Any, key: str) -> str:
    options = ["none", "imagenet", "file"] if chosen.pretrained else ["none", "file"]
    now = start["weights"] if start["weights"] in ("none", "imagenet") else "file"
    titles = {"none": "None: train from scratch", "imagenet": "ImageNet (downloaded by Keras)", "file": "A file"}
    picked = place.selectbox(
        "Weights to start from", options, index=options.index(now) if now in options else 0,
        format_func=lambda option: titles[option], key=f"weights-{key}-{chosen.name}",
        help="Pretrained weights need far fewer images. ImageNet weights are downloaded once and need a connection.",
    )  # fmt: skip
    if picked != "file":
        return picked
    text = start["weights"] if now == "file" else ""
    return place.text_input("Weights file on this machine", text, key=f"weightsfile-{key}",
                            placeholder="/path/to/weights.h5", help=_help("weights")) or "(no file given)"  # fmt: skip


def _optimisation(start: dict[str, Any], key: str, *, pretrained: bool) -> dict[str, Any]:
    st.markdown("**Optimisation**")
    a, b, c = st.columns(3)
    values: dict[str, Any] = {
        "optimizer": a.selectbox("Optimiser", ["adam", "adamw"], ["adam", "adamw"].index(start["optimizer"]),
                                 key=f"optimizer-{key}", help=_help("optimizer")),
        "lr": b.number_input("Learning rate", 1e-7, 1.0, float(start["lr"]), 1e-5, format="%.2e", key=f"lr-{key}",
                             help=_help("lr", "1e-4 is usual; lower it when the loss jumps.")),
        "batch_size": c.number_input("Batch size", 1, 4096, int(start["batch_size"]), key=f"batch-{key}",
                                     help=_help("batch_size", "32 is usual; lower it when memory runs out.")),
        "schedule": a.selectbox("Schedule", ["constant", "cosine", "plateau"],
                                ["constant", "cosine", "plateau"].index(start["schedule"]), key=f"schedule-{key}",
                                help=_help("schedule")),
        "early_stopping": b.selectbox("Stop early by", ["auc", "loss", "off"],
                                      ["auc", "loss", "off"].index(start["early_stopping"]), key=f"stop-{key}",
                                      format_func={"auc": "validation ROC AUC", "loss": "validation loss",
                                                   "off": "never"}.__getitem__, help=_help("early_stopping")),
        "patience": c.number_input("Patience (epochs)", 1, 1000, int(start["patience"]), key=f"patience-{key}",
                                   help=_help("patience")),
        "loss": a.selectbox("Loss", ["binary", "categorical"], ["binary", "categorical"].index(start["loss"]),
                            key=f"loss-{key}", help=_help("loss")),
        "label_smoothing": b.number_input("Label smoothing", 0.0, 0.49, float(start["label_smoothing"]), 0.01,
                                          key=f"smoothing-{key}", help=_help("label_smoothing", "0 to 0.1 is usual.")),
        "dropout": c.number_input("Dropout", 0.0, 0.95, float(start["dropout"]), 0.05, key=f"dropout-{key}",
                                  help=_help("dropout")),
        "full_image_epochs": a.number_input("Epochs on whole images", 0, 1000, int(start["full_image_epochs"]),
                                       key=f"whole-{key}", help=_help("full_image_epochs")),
        "tta_flip": b.toggle("Judge the mirror image too", start["tta_flip"], key=f"tta_flip-{key}",
                             help=_help("tta_flip")),
        "class_weights": a.toggle("Weigh classes equally", start["class_weights"], key=f"classes-{key}",
                                  help=_help("class_weights")),
    }  # fmt: skip
    if pretrained:
        values |= {
            "freeze_epochs": b.number_input("Epochs with frozen layers", 0, 1000, int(start["freeze_epochs"]),
                                          key=f"head-{key}", help=_help("freeze_epochs")),
            "head_lr": c.number_input("Learning rate meanwhile", 1e-7, 1.0, float(start["head_lr"]), 1e-4,
                                      format="%.2e", key=f"headlr-{key}", help=_help("head_lr")),
        }  # fmt: skip
    return values


def _data(start: dict[str, Any], dataset: Dataset, key: str) -> dict[str, Any]:
    st.markdown("**Data**")
    a, b, c = st.columns(3)
    given = set(dataset.usable.split.dropna())
    options = list(get_args(Resize))
    values: dict[str, Any] = {
        "resize": a.selectbox("Fit to the square by", options, options.index(start["resize"]), key=f"resize-{key}",
                              format_func={"stretch": "stretching", "fit_crop": "fitting and cropping",
                                           "native_crop": "cropping, no resizing"}.__getitem__,
                              help=" ".join(RESIZE_HELP.values())),
    }  # fmt: skip
    where = ["off", "content", "group"]
    values["cross_validation"] = b.selectbox(
        "Calibrate by", where, where.index(start["cross_validation"]), key=f"cv-{key}",
        format_func={"off": "the validation split", "content": "cross-validation",
                     "group": "leaving groups out"}.__getitem__,
        help=_help("cross_validation"),
    )  # fmt: skip
    if values["cross_validation"] == "content":
        values["folds"] = c.number_input("Folds", 2, 20, int(start["folds"]), key=f"folds-{key}", help=_help("folds"))
    if VALIDATION not in given:
        share = float(start["validation_share"])
        values["validation_share"] = b.number_input("Share for validation", 0.01, 0.5, share, 0.05, key=f"valid-{key}",
                                                    help=_help("validation_share"))  # fmt: skip
    if not given:
        values["test_share"] = c.number_input("Share for the test", 0.0, 0.5, float(start["test_share"]), 0.05,
                                              key=f"test-{key}", help=_help("test_share"))  # fmt: skip
    if VALIDATION in given and TEST not in given:
        values["valid_as_test"] = b.toggle("Keep 'valid' for the test", start["valid_as_test"], key=f"vt-{key}",
                                           help=_help("valid_as_test", "Gives an honest test figure."))  # fmt: skip
    return values


def _machine(start: dict[str, Any], key: str) -> dict[str, Any]:
    st.markdown("**Machine**")
    a, b, c = st.columns(3)
    precisions = ["auto", "float32", "mixed_float16", "mixed_bfloat16"]
    return {
        "seed": a.number_input("Seed", 0, 2**31 - 1, int(start["seed"]), key=f"seed-{key}", help=_help("seed")),
        "precision": b.selectbox("Precision", precisions, precisions.index(start["precision"]), key=f"prec-{key}",
                                 help=_help("precision")),
        "cache": c.selectbox("Keep decoded images", ["disk", "memory"], ["disk", "memory"].index(start["cache"]),
                             key=f"cache-{key}", help=_help("cache", "disk is shared by all runs.")),
    }  # fmt: skip
