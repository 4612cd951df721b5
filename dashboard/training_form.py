"""The training form, generated from the fields of `TrainConfig`: a few controls visible, the rest folded.

Labels, help, bounds and choices are defined with the fields, and `dfcore.training.request` knows which fields have no
effect in which combination. Defined here are only the controls that cannot be derived from a field's type.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import streamlit as st
from pydantic import TypeAdapter, ValidationError

from dashboard import page_words
from dfcore import architectures
from dfcore.datasets import Dataset, augment
from dfcore.errors import ConfigError
from dfcore.imaging.preprocess import VIEW_TITLES, parse_views
from dfcore.training.config import TrainConfig, form_fields
from dfcore.training.request import idle, idle_on

_GROUPS = {"optimisation": "Optimisation", "data": "Data", "machine": "Machine"}
# Offset from an exclusive bound to the nearest allowed value.
_NEXT = 1e-9


def form_values(defaults: dict[str, Any], dataset: Dataset) -> dict[str, Any]:
    """Shows the form and returns its values for `make_config`, without fields that would have no effect.

    Args:
        defaults: Initial values; missing or invalid ones fall back to the default of `TrainConfig`.
        dataset: Data set to train on.
    """
    start = {name: _allowed(name, defaults) for name in TrainConfig.model_fields}
    # New defaults need new widget keys: otherwise the old values would persist.
    form = _Form(start, dataset, f"{dataset.root}-{hash(str(sorted(defaults.items())))}")
    form.draw("main", columns=2)
    with st.expander(_summary(form.present), key=f"more-{form.key}"):
        for group, title in _GROUPS.items():
            st.markdown(f"**{title}**")
            form.draw(group, columns=3)
    return {"data_root": defaults["data_root"], **form.values}


def _allowed(name: str, values: dict[str, Any]) -> Any:
    """Initial value of a field, or its default: an earlier run may hold a value that is missing or no longer valid."""
    field = TrainConfig.model_fields[name]
    checked: Any = Annotated[field.annotation, *field.metadata]
    try:
        return TypeAdapter(checked).validate_python(values[name])
    except (KeyError, ValidationError):
        return field.default


def _summary(present: Callable[[str], Any]) -> str:
    optimizer = form_fields()["optimizer"].titles[present("optimizer")]
    return (
        f"More settings (now: {optimizer}, learning rate {present('lr'):g}, {present('loss')} "
        f"cross-entropy, seed {present('seed')})"
    )


@dataclass
class _Form:
    """State of the form while it is drawn.

    Attributes:
        start: Initial value of each field.
        dataset: Data set to train on.
        key: Suffix of the widget keys.
        values: Values of the widgets drawn so far.
    """

    start: dict[str, Any]
    dataset: Dataset
    key: str

    def __post_init__(self) -> None:
        self.values: dict[str, Any] = {}

    def present(self, name: str) -> Any:
        """Current value of a field, even if it is drawn further down."""
        return st.session_state.get(f"{name}-{self.key}", self.start[name])

    def draw(self, group: str, *, columns: int) -> None:
        """Draws the fields of a group that have an effect, in rows: the name last, and wider rows for toggles."""
        names = [name for name, field in form_fields().items() if field.group == group and not field.hidden]
        toggles = [name for name in names if isinstance(self.start[name], bool)]
        others = sorted(set(names) - set(toggles), key=lambda name: (name == "name", names.index(name)))
        for part, width in ((others, columns), (toggles, 2)):
            places: list[Any] = []
            for name in part:
                if name in _WIDE:
                    places = [st.container()]
                elif name not in self.idle() or (group == "main" and self.values.get("weights") != "shipped"):
                    places = places or list(st.columns(width))
                else:
                    continue
                self.values[name] = _SPECIAL.get(name, _control)(self, places.pop(0), name)

    def idle(self) -> set[str]:
        """Fields that have no effect with the current values; they are neither shown nor submitted."""
        values = {name: self.present(name) for name in self.start} | self.values
        try:
            augment.parse(values["augmentation"])
        except ConfigError:  # Reported when the run is requested.
            values["augmentation"] = "none"
        config = TrainConfig.model_construct(**values)
        return {*idle(config), *(name for name, _ in idle_on(self.dataset, config))}

    def help(self, name: str) -> str:
        """Help text of a field."""
        return TrainConfig.model_fields[name].description or ""


def _control(form: _Form, place: Any, name: str) -> Any:
    """Draws the default control for a field's type and returns its value."""
    field, value = form_fields()[name], form.start[name]
    options: dict[str, Any] = {"key": f"{name}-{form.key}", "help": form.help(name)}
    if field.titles:
        choices = list(field.titles)
        return place.selectbox(
            field.label, choices, choices.index(value), format_func=field.titles.__getitem__, **options
        )
    if isinstance(value, bool):
        return place.toggle(field.label, value, **options)
    if isinstance(value, str):
        return place.text_input(field.label, value, max_chars=_bound(name, "max_length"), **options)
    kind = type(value)
    low, high = _bounds(name)
    return place.number_input(
        field.label, kind(low), kind(high), value, step=field.step and kind(field.step), format=field.format, **options
    )


def _bound(name: str, kind: str) -> Any:
    return next((getattr(part, kind) for part in TrainConfig.model_fields[name].metadata if hasattr(part, kind)), None)


def _bounds(name: str) -> tuple[float, float]:
    """Smallest and largest allowed value of a numeric field."""
    whole = TrainConfig.model_fields[name].annotation is int
    step = 1 if whole else _NEXT
    low, above, high, below = (_bound(name, kind) for kind in ("ge", "gt", "le", "lt"))
    return low if above is None else above + step, high if below is None else below - step


# === Controls that cannot be derived from a field's type ===


def _arch(form: _Form, place: Any, name: str) -> str:
    names = architectures.names()
    start = form.start[name] if form.start[name] in names else TrainConfig.model_fields[name].default
    picked = place.selectbox(
        form_fields()[name].label, names, names.index(start), key=f"{name}-{form.key}", help=form.help(name),
        format_func=lambda name: architectures.get(name).title,
    )  # fmt: skip
    place.caption(architectures.get(picked).summary)
    return picked


def _image_size(form: _Form, place: Any, name: str) -> int:
    """Image size, bounded and preset by the architecture; a new architecture gets a new control."""
    chosen, field = architectures.get(form.values["arch"]), form_fields()[name]
    low, high = chosen.min_size, int(_bounds(name)[1])
    start = form.start[name] or chosen.image_size
    if chosen.tower is not None and form.start["arch"] != chosen.name:
        start = chosen.image_size  # Its weights that ship take no other.
    return place.number_input(
        field.label, low, high, max(start, low), step=int(field.step or 1),
        key=f"{name}-{form.key}-{chosen.name}", help=form.help(name),
    )  # fmt: skip


def _weights(form: _Form, place: Any, name: str) -> str:
    chosen, start = architectures.get(form.values["arch"]), form.start[name]
    titles = {"none": page_words.SCRATCH, "imagenet": "ImageNet (downloaded by Keras)",
              "shipped": "Those that ship", "file": "A file"}  # fmt: skip
    offered = {"imagenet": chosen.pretrained, "shipped": chosen.tower is not None}
    options = [option for option in titles if offered.get(option, True)]
    now = start if start in architectures.BY_NAME else "file"
    if chosen.tower is not None and form.start["arch"] != chosen.name:
        now = "shipped"  # From scratch it would take days.
    picked = place.selectbox(
        form_fields()[name].label, options, options.index(now) if now in options else 0,
        format_func=titles.__getitem__, key=f"{name}-{form.key}-{chosen.name}", help=form.help(name),
    )  # fmt: skip
    if picked != "file":
        return picked
    return place.text_input(
        "Weights file on this machine", start if now == "file" else "", key=f"{name}-file-{form.key}",
        placeholder="/path/to/weights.h5", help=form.help(name),
    ) or "(no file given)"  # fmt: skip


def _augmentation(form: _Form, place: Any, name: str) -> str:
    start, options = form.start[name], [*augment.NAMED, "singly"]
    now = start if start in augment.NAMED else "singly"
    picked = place.selectbox(
        form_fields()[name].label, options, options.index(now), key=f"{name}-{form.key}",
        help="Random changes of training images. light only mirrors; standard also crops, recompresses and recolours; "
        "strong applies all changes; singly lets you choose them.",
    )  # fmt: skip
    if picked != "singly":
        return picked
    return place.text_input(
        "Single changes", start if now == "singly" else "flip,jpeg", key=f"{name}-text-{form.key}",
        help="; ".join(f"{name}: {text}" for name, text in augment.HELP.items()) + " Add :light or :strong.",
    )  # fmt: skip


def _views(form: _Form, place: Any, name: str) -> str:
    before = parse_views(form.start[name])
    # Pills, not a list: one that grows while it is open scrolls the page, which closes it.
    picked = place.pills(
        form_fields()[name].label, list(VIEW_TITLES), selection_mode="multi",
        default=[view for view in before if view in VIEW_TITLES], key=f"{name}-chosen-{form.key}",
        format_func=lambda view: VIEW_TITLES[view].removesuffix(" at native pixels").capitalize(), help=form.help(name),
    )  # fmt: skip
    return ",".join(before if set(picked) == set(before) else [view for view in VIEW_TITLES if view in picked])


# Controls that take a row of their own.
_WIDE = {"views"}
_SPECIAL: dict[str, Callable[[_Form, Any, str], Any]] = {
    "arch": _arch, "image_size": _image_size, "weights": _weights, "augmentation": _augmentation, "views": _views,
}  # fmt: skip
