"""Imports a Keras model that was made elsewhere: what its file tells, and what is said and checked beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import streamlit as st

from dashboard import audit_work, background, exchange_actions, page_words, roles, widgets
from dashboard.roles import Role
from dfcore.datasets.registry import registered
from dfcore.imaging.preprocess import MAX_SIZE, MIN_SIZE, RESIZE_HELP

if TYPE_CHECKING:
    from dfcore.foreign.read import Network

# Of the last import that was refused because of its preprocessing: rows of the check, its images, the message.
_REFUSED, _READ = "adopt refused", "adopt read"
# Counts imports that came about: the next one begins with an empty form.
_ROUND = "adopt round"
_ENDS = {
    "sigmoid": "sigmoid: one output is the probability of the second class",
    "softmax": "softmax: one probability for each class",
    "linear": "nothing: its outputs are taken as logits",
}


def under_way() -> bool:
    """Whether an import is at work, or has something to tell."""
    return background.find(background.ADOPT_KEY) is not None or _REFUSED in st.session_state


def offer() -> None:
    """Offers the import, shows how far one is, or what came of it."""
    st.caption(
        "A model that Keras 2 or 3 saved (.keras, .h5), with one or two outputs for real and fake. Its file is read as "
        "data in a separate process, and no code in it is run; layers that hold code are refused. What its file does "
        "not say, how pixels are scaled and which class comes first, you say here; it is checked on labelled images."
    )
    if not roles.may(Role.TRAINER):
        if not audit_work.watch(background.ADOPT_KEY, kept="Nothing was kept."):
            st.caption("Importing requires the role of trainer.")
        return
    task = background.find(background.ADOPT_KEY)
    ended = task is not None and not task.running
    at_work = not (ended and _keep(task)) and audit_work.watch(background.ADOPT_KEY, kept="Nothing was kept.")
    if not at_work:
        # It may have ended just now, and was told as any error is.
        told = not ended and _keep(task)
        _told(message=not told)
    # Also while it is at work: what is not shown is forgotten, and what is refused is to be mended, not said again.
    source = _source()
    if source is None:
        return
    name, content = source
    with widgets.errors():
        network = _network(name, content)
        _what_is_in_it(network)
        _form(name, content, network, at_work=at_work)


def show_check(rows: Sequence[Mapping[str, Any]], images: Mapping[str, int], *, place: str = "") -> None:
    """The table of a check.

    Args:
        rows: Its rows, as on a card.
        images: Its images.
        place: Key of an expander that holds the table; without it the table is shown at once.
    """
    label = "Its preprocessing, checked: each range with both orders of classes"
    where = widgets.folded(label, place) if place else st.container()
    if where is None:
        return
    from dfcore.foreign.check import words

    with where:
        st.caption(
            f"On {images.get('real', 0)} real and {images.get('fake', 0)} fake images, before calibration, the best "
            "first. The right one has a ROC AUC near 1; with the classes swapped it is near 0."
        )
        digits = {name: st.column_config.NumberColumn(format="%.3f") for name in ("ROC AUC", "Accuracy at 0.5", "ECE")}
        widgets.table(words([dict(row) for row in rows]), label, column_config=digits)


def _keep(task: background.Task | None) -> bool:
    """Keeps what a refused check found, before the work is forgotten; returns whether there was such a thing."""
    if task is None or task.running:
        return False
    from dfcore.foreign.adopt import Adopted, PreprocessingError  # Takes a moment to import.

    if isinstance(task.error, PreprocessingError):
        found = task.error.check
        st.session_state[_REFUSED] = found.rows, found.images, str(task.error)
        background.drop(background.ADOPT_KEY)
        return True
    if isinstance(task.result, Adopted):
        st.session_state.pop(_REFUSED, None)
        st.session_state[_ROUND] = _round() + 1
        card = task.result.card
        st.success(
            f"**{widgets.plain(card.title)}** is in the library as {widgets.plain(task.result.folder.name)}. Its card "
            "tells how well it does on these images.",
            icon=":material/check_circle:",
        )
    return False


def _told(*, message: bool) -> None:
    if _REFUSED not in st.session_state:
        return
    rows, images, text = st.session_state[_REFUSED]
    if message:
        st.error(widgets.told(text), icon=":material/rule:")
    show_check(rows, images)


def _round() -> int:
    return st.session_state.get(_ROUND, 0)


def _source() -> tuple[str, bytes | Path] | None:
    file = st.file_uploader("Model file", key=f"adopt file {_round()}", help="model.keras or model.h5, at most 64 MB.")
    path = st.text_input(
        "… or a file on the server", key=f"adopt path {_round()}", placeholder="/data/models/model.keras",
        help="For larger files. It must lie in a folder that this server may read.",
    ).strip()  # fmt: skip
    if file is not None:
        return file.name, file.getvalue()
    return (Path(path).name, Path(path).expanduser()) if path else None


def _network(name: str, content: bytes | Path) -> "Network":
    """What is in the file, read once."""
    stamp = hash(content) if isinstance(content, bytes) else _stamp(content)
    before = st.session_state.get(_READ)
    if before is None or before[0] != (name, stamp):
        with st.spinner("Reading it in a separate process …"):
            network = exchange_actions.read_model(name, content)
        # Without its weights, which may be large.
        network = replace(network, steps=tuple(replace(step, weights=()) for step in network.steps))
        st.session_state[_READ] = (name, stamp), network
        st.session_state.pop(_REFUSED, None)
    return st.session_state[_READ][1]


def _stamp(path: Path) -> tuple[str, int, int] | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return str(path), found.st_mtime_ns, found.st_size


def _what_is_in_it(network: "Network") -> None:
    side = f"{network.side} x {network.side} pixels" if network.side else "images of any size"
    rows = {
        "Saved by": f"Keras {network.keras}",
        "Takes": side,
        "Layers": f"{len(network.steps):,}",
        "Its last layer ends in": _ENDS[network.end],
    }
    if network.idle:
        rows["Left out, since they act in training alone"] = ", ".join(network.idle)
    text = [widgets.plain(value) for value in rows.values()]
    st.table({"Entry": list(rows), "Value": text}, hide_index=True, border="horizontal", alt="What is in the file")


def _form(name: str, content: bytes | Path, network: "Network", *, at_work: bool) -> None:
    from dfcore.foreign.adopt import ClassOrder, Said
    from dfcore.foreign.ranges import RANGES

    folders = [str(folder) for folder in registered()]
    if not folders:
        widgets.empty("No data set to check it on yet.", "datasets", "Data sets", "photo_library")
        return
    with st.form(f"adopt {_round()}", border=False):
        root = st.selectbox(
            "Labelled images", folders, format_func=lambda text: f"{Path(text).name}  ({text})",
            help="Real and fake images like those that it is for. They check what you say below, calibrate it and are "
            "its domain. Best are images that it has not learned from.",
        )  # fmt: skip
        left, right = st.columns(2)
        scaling = left.selectbox(
            "Pixels", list(RANGES), format_func=lambda key: f"{key}: {RANGES[key].title}", index=None,
            placeholder="What its training scaled pixels to", help="What it is given, before its own first layer.",
        )  # fmt: skip
        classes = right.selectbox(
            "Classes, the first output first", get_args(ClassOrder), index=None,
            placeholder="What its outputs mean",
            help="A single output is the probability of the second class. Keras numbers classes by the names of their "
            "folders, in alphabetical order: fake, real.",
        )  # fmt: skip
        resize: Any = left.selectbox(
            "Fit to the square by", list(RESIZE_HELP), format_func=lambda key: f"{key}: {RESIZE_HELP[key]}"
        )
        colours = right.selectbox("Order of colours", ("rgb", "bgr"), help="OpenCV reads BGR; Keras and Pillow RGB.")
        size = None
        if network.side is None:
            size = int(left.number_input(page_words.INPUT_SIDE, MIN_SIZE, MAX_SIZE, 224))
        given = left.text_input("Name of the detector", placeholder="faces-from-ada", help="Letters, digits, . - and _")
        title = right.text_input("Title", placeholder=f"{Path(name).stem}, made elsewhere", max_chars=120)
        insist = _REFUSED in st.session_state and st.checkbox(
            "Insist: import it as said, although these images say otherwise",
            help="The card tells it first. Say it as measured instead, unless you know better.",
        )
        if not st.form_submit_button(
            "Check and import", icon=":material/input:", disabled=at_work, help="One model is imported at a time."
        ):
            return
    if scaling is None or classes is None:
        st.error("Say what it takes as pixels and which class comes first.", icon=":material/error:")
        return
    said = Said(scaling, classes, size, resize, colours)
    exchange_actions.start_adopting(given, content, name, Path(root), said, title=title, insist=bool(insist))
    st.session_state.pop(_REFUSED, None)
    st.rerun()
