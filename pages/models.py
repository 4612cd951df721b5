"""Models: all detectors and their cards; promote a run, rename, set the default, delete."""

import os

import streamlit as st

from dashboard import actions, detectors, error_reporting, roles, widgets
from dashboard.navigation import require_front_door
from dashboard.roles import Role
from dfcore import figures
from dfcore.detectors.card import Card
from dfcore.detectors.library import default_name
from dfcore.evaluation import METRICS
from dfcore.evaluation.metrics import summary

require_front_door()


def measured_columns() -> dict[str, str]:
    """Columns of the table of measurements on other images, {key in the card: title}."""
    ece = METRICS["ece"].title
    return {"data set": "Data set", "real": "Real", "fake": "Fake"} | {
        "roc_auc": METRICS["roc_auc"].title, "balanced_accuracy": METRICS["balanced_accuracy"].title, "ece": ece,
        "three_way_fpr": "Real, called likely fake", "three_way_fnr": "Fake, called likely real",
        "abstention_rate": "Inconclusive", "ood_rate": "Out of distribution",
    }  # fmt: skip


def show_card(card: Card, key: str) -> None:
    if card.description:
        st.markdown(widgets.plain(card.description))
    if card.limits:
        st.warning(widgets.plain(card.limits[0]), icon=":material/report:")
        st.markdown("\n".join(f"- {widgets.plain(limit)}" for limit in card.limits[1:]))
    for split, metrics in card.results.items():
        if not metrics["images"]:
            continue
        st.markdown(
            f"**On {split}: {metrics['images']:,} images** ({metrics['real']:,} real, {metrics['fake']:,} fake), "
            f"threshold {metrics['threshold']:.3f}"
        )
        widgets.show_metrics(metrics, summary())
    if card.robustness:
        show_robustness(card, key)
    if card.measured:
        st.markdown("**On other images**")
        columns = measured_columns()
        rows = [{title: row.get(key) for key, title in columns.items()} for row in card.measured]
        shares = list(columns.values())[3:]
        st.dataframe(rows, hide_index=True,
                     column_config={name: st.column_config.NumberColumn(format="%.3f") for name in shares})  # fmt: skip
    show_whole(card, key)


@error_reporting.fragment()
def show_robustness(card: Card, key: str) -> None:
    result = card.robustness[0]
    if place := widgets.folded(
        f"Robustness to recompression, resizing and other changes, on {result['split']}", f"robustness_{key}"
    ):
        place.plotly_chart(figures.robustness(result["rows"], widgets.titles(summary())), key=f"robust_{key}")


@error_reporting.fragment()
def show_whole(card: Card, key: str) -> None:
    training = card.training
    rows = {
        "Architecture": card.arch,
        "Input": f"{card.preprocess.size} pixels, {card.preprocess.resize}",
        "Binary threshold": f"{card.threshold.value:.4f}: {card.threshold.criterion}",
        "Three-way thresholds": _thresholds(card),
        "Calibration": card.calibration.description,
        "Training images": _training_images(card),
        "Engine": _engine(card),
        "Trained on": f"{training.dataset}, {training.layout}",
        "Images": "; ".join(f"{split}: {n['real']} real, {n['fake']} fake" for split, n in training.counts.items()),
        "Excluded images": str(training.excluded),
        "Epochs": f"{training.epochs_run}, best epoch {training.best_epoch}",
        "Licence": card.licence or "none stated",
        "Created": card.created,
        "SHA-256 of the model": card.model_sha256,
        "Created with": ", ".join(f"{name} {version}" for name, version in card.versions.items()),
    }
    if whole := widgets.folded("Full card", f"card_{key}"):
        text = [widgets.plain(value) for value in rows.values()]
        whole.table({"Entry": list(rows), "Value": text}, hide_index=True, border="horizontal")
        whole.json(card.model_dump(mode="json"), expanded=False)


def _thresholds(card: Card) -> str:
    result = card.decision_thresholds
    if result is None:
        return "none"
    return (
        f"likely real below {result.real_below:.3f}, likely fake from {result.fake_from:.3f}: at most "
        f"{result.budget.max_fpr:.0%} false alarms and {result.budget.max_fnr:.0%} misses on images like those of "
        f"{result.chosen_on}, {result.abstention_rate:.0%} inconclusive"
    )


def _training_images(card: Card) -> str:
    if card.ood is None:
        return "not recorded: it cannot detect images unlike its training images (out of distribution)"
    files = card.ood.files
    quality = f", JPEG quality {files.qualities[0]} to {files.qualities[1]}" if files.qualities else ""
    return f"shorter side {files.sides[0]} to {files.sides[1]} pixels{quality}"


def _engine(card: Card) -> str:
    record = card.openvino
    if record is None or not record.enabled:
        return f"Keras{f'; not OpenVINO: {record.reason}' if record else ''}"
    text = f"on {record.images} images its scores were within {record.difference:.0e} of Keras's"
    cheaper = f"; in bfloat16, only on request, {record.bfloat16}" if record.bfloat16 else ""
    return f"OpenVINO {record.version} in float32 where it is installed: {text}{cheaper}"


def act(entry: detectors.Entry) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if default_name() != entry.key and st.button(
            "Make default", icon=":material/star:", key=f"default_{entry.key}"
        ):
            with widgets.errors():
                actions.set_default(entry.key)
                st.rerun()
        if entry.shipped:
            st.caption("It ships with the package and cannot be renamed or deleted.")
        else:
            change(entry)
        if roles.may(Role.ANALYST):
            st.download_button(
                "Download", actions.pack(entry.folder), f"{entry.key}.zip", "application/zip", on_click="ignore",
                icon=":material/download:", key=f"download_{entry.key}",
                help="The complete detector as one archive, for sharing.",
            )  # fmt: skip


def change(entry: detectors.Entry) -> None:
    with st.popover("Rename", icon=":material/edit:"):
        new = st.text_input("New name", entry.key, key=f"rename_{entry.key}", help="Letters, digits, . - and _")
        if st.button("Rename it", key=f"rename_it_{entry.key}") and new != entry.key:
            with widgets.errors():
                actions.rename(entry.key, new)
                st.rerun()
    if st.button("Delete", icon=":material/delete:", key=f"delete_{entry.key}"):
        confirm_delete(entry)


@st.dialog("Delete this detector?")
def confirm_delete(entry: detectors.Entry) -> None:
    st.markdown(f"**{widgets.plain(entry.title)}** will be deleted permanently.")
    st.button("Delete for good", type="primary", icon=":material/delete:", on_click=delete, args=(entry.key,))


def delete(name: str) -> None:
    with error_reporting.reported(), widgets.errors():
        actions.delete_detector(name)


def promote() -> None:
    finished = {entry.run.id: entry.title for entry in detectors.detectors() if entry.run is not None}
    if not finished:
        widgets.empty("No completed run yet.", "train", "Train a detector", "model_training")
        return
    with st.form("promote", border=False):
        picked = st.selectbox("Completed run", list(finished), format_func=finished.__getitem__,
                              help="Its detector is copied into the library; the run is kept.")  # fmt: skip
        name = st.text_input("Name in the library", placeholder="faces-2026", help="Letters, digits, . - and _")
        if st.form_submit_button("Promote", icon=":material/upload:"):
            with widgets.errors():
                actions.promote(picked, name)
                st.rerun()


def take_in() -> None:
    st.caption(
        "Import a shared detector, from an archive made with Download. It is first loaded in a separate process, and "
        "rejected unless it holds a supported network with its card. The claims on its card are not verified."
    )
    with st.form("take_in", border=False):
        file = st.file_uploader("Archive", type=["zip"], help="model.keras, card.json, domain.npz, predictions.")
        name = st.text_input("Name in the library", placeholder="faces-from-ada", help="Letters, digits, . - and _")
        if st.form_submit_button("Import", icon=":material/upload_file:") and file:
            with widgets.errors(), st.spinner("Loading it in a separate process …"):
                actions.take_in(name, file.getvalue())
                st.rerun()


st.title("Models")
library, problems = detectors.library()
for problem in problems:
    st.error(widgets.plain(problem), icon=":material/error:")
if not library:
    st.markdown("The library is empty. Promote a completed run to keep its detector here.")
for entry in library:
    with st.container(border=True):
        st.subheader(widgets.plain(entry.title))
        show_card(entry.card, entry.key)
        act(entry)
with st.expander("Promote a run", expanded=not library, icon=":material/upload:"):
    promote()
if os.environ.get("DFCORE_TAKE_IN") == "1":
    with st.expander("Import a detector", icon=":material/upload_file:"):
        take_in()
