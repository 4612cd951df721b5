"""Exports a detector for another runtime: the form, the work in the background, and the archive to take."""

from pathlib import Path

import streamlit as st

from dashboard import audit_work, background, error_reporting, exchange_actions, roles, widgets
from dashboard.detectors import Entry
from dashboard.page_words import DATA_OF_DETECTOR, PRECISION, ROUNDED
from dashboard.roles import Role
from dfcore.datasets.registry import registered
from dfcore.export import FORMATS, INT8, Exported
from dfcore.export.about import LEFT_OUT
from dfcore.utils.texts import volume

_EXACT = "32 bits"


def offer(entry: Entry) -> None:
    """Offers to export a detector; shows the work under way, or what came of it."""
    key = background.export_key(entry.folder)
    task = background.find(key)
    if task is not None and not task.running and task.result is not None:
        _tell(entry, *task.result)
        return
    at_work = audit_work.watch(key, kept="Nothing of it is kept.")
    if place := widgets.folded("Export for another runtime", f"export_{entry.key}", icon=":material/output:"):
        with place, widgets.errors():
            # Also while it is at work: what is not shown is forgotten, and what is refused is to be mended.
            _form(entry, at_work=at_work)


@error_reporting.fragment()
def _form(entry: Entry, *, at_work: bool) -> None:
    st.markdown(
        "The network with its calibration, for programs that have no dfcore. Its scores are compared with this "
        f"detector's before you get it. **Not part of it: {', '.join(LEFT_OUT)}.**"
    )
    left, middle, right = st.columns(3)
    to = left.selectbox(
        "Format", list(FORMATS), format_func=lambda name: FORMATS[name].title, key=f"export_to_{entry.key}",
        help=" ".join(f"**{form.title}**: {form.summary}" for form in FORMATS.values()),
    )  # fmt: skip
    form = FORMATS[to]
    bits = middle.selectbox(
        PRECISION, [_EXACT, *([ROUNDED] if form.int8 else [])], key=f"export_bits_{entry.key}_{to}",
        help="8 bits make the file a quarter as large and change scores; what that costs is measured on the data set.",
    )  # fmt: skip
    roots = registered()
    root = right.selectbox(
        DATA_OF_DETECTOR, roots, index=None, format_func=lambda path: path.name,
        placeholder="that of its run" if entry.run else "none", key=f"export_root_{entry.key}",
        help="8 bits need it. In 32 bits its pictures are among those that scores are compared on.",
    )  # fmt: skip
    if bits == ROUNDED:
        st.caption(f"{form.title} in 8 bits: {form.int8}.")
    if st.button(
        "Export", type="primary", icon=":material/output:", key=f"export_start_{entry.key}",
        disabled=at_work or not roles.may(Role.TRAINER), help="Takes a minute or more. Requires the role of trainer.",
    ):  # fmt: skip
        with widgets.errors():
            exchange_actions.start_export(
                entry.folder, to, _name(entry, to, bits), quantize=INT8 if bits == ROUNDED else None, data_root=root
            )
            st.rerun()


def _name(entry: Entry, to: str, bits: str) -> str:
    return f"{entry.key.removeprefix('run:')}-{to}{'-int8' if bits == ROUNDED else ''}"


def _tell(entry: Entry, made: Exported, archive: Path) -> None:
    form = FORMATS[made.format]
    text = f"Exported to {form.title}, {volume(made.bytes)}; {made.check.in_words}."
    if made.files:
        text += f" It takes JPEG and PNG files too; scores of files differ by up to {made.files['difference']:.2g}."
    with st.container(border=True):
        st.success(widgets.plain(text), icon=":material/output:")
        if made.no_pictures:
            text = f"No pictures were among them, since its run's data set cannot be used: {made.no_pictures}"
            st.info(widgets.plain(text), icon=":material/hide_image:")
        if made.cost:
            st.info(widgets.plain(f"{made.cost.in_words()}."), icon=":material/compress:")
        with st.container(horizontal=True, vertical_alignment="center"):
            if archive.is_file():
                st.download_button(
                    "Take the archive", archive.read_bytes, archive.name, "application/zip", on_click="ignore",
                    icon=":material/download:", key=f"export_take_{entry.key}", type="primary",
                    disabled=not roles.may(Role.TRAINER),
                    help="The network, preprocessing.json with all that goes with it, and an example that loads it.",
                )  # fmt: skip
            st.button(
                "Done", key=f"export_done_{entry.key}", help="Puts this away. The archive is kept for a day.",
                on_click=audit_work.close, args=(background.export_key(entry.folder),),
            )  # fmt: skip
        with st.expander("How to load it without dfcore", icon=":material/code:"):
            st.code(made.example, language="python")
