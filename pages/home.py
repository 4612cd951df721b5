"""Home: overview of detectors and runs, and image upload."""

import streamlit as st

from dashboard import detectors, stored, uploads, widgets
from dashboard.navigation import go, path, require_front_door
from dfcore.runs import DAMAGED, summaries
from dfcore.utils.texts import duration

require_front_door()

st.title("Is it real or machine-made?")

if uploads.may_judge() and uploads.choose(
    "Drop an image to check it",
    "home_upload",
    help="It stays on this machine. Inspect opens with the verdict and a heat-map of the evidence.",
):
    go("inspect")

left, right = st.columns(2, gap="large")

with left:
    st.subheader("Available detectors")
    entries, problems = detectors.library()
    for problem in problems:
        st.warning(widgets.told(problem), icon=":material/warning:")
    if not entries:
        widgets.empty("There is no detector yet. Train one, then promote it.", "train", "Train", "model_training")
    for entry in entries[:6]:
        with st.container(border=True):
            st.markdown(f"**{widgets.plain(entry.title)}**")
            split, metrics = entry.card.record
            if metrics:
                st.caption(
                    f"ROC AUC {metrics['roc_auc']:.3f} on {metrics['images']:,} {split} images {entry.card.measured_on}"
                )
            if entry.card.limits:
                st.caption(widgets.plain(entry.card.limits[0]))
            with st.container(horizontal=True):
                widgets.link("inspect", "Inspect with it", "Opens Inspect with this detector.", "frame_inspect",
                             detector=entry.key)  # fmt: skip
                widgets.link("models", "Its card", "What it was trained on, and how reliable it is.", "inventory_2",
                             detector=entry.key)  # fmt: skip
    st.page_link(path("models"), label="All detectors and their cards", icon=":material/inventory_2:")

with right:
    st.subheader("Training runs")
    rows = summaries(stored.runs()[:6])
    if not rows:
        widgets.empty(
            "No runs yet. If you have no data of your own, make the demonstration data set first; it takes seconds.",
            "datasets",
            "Data sets",
            "photo_library",
        )
    for row in rows:
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{widgets.plain(row['name'])}**")
                widgets.state_badge(row["state"])
                widgets.link("monitor", "Show", "Opens Monitor with this run.", "monitoring", run=row["id"])
            if row["state"] == DAMAGED:
                st.caption(widgets.plain(row["reason"]))
                continue
            time = duration(row["seconds_left"]) if row["state"] == "running" else ""
            st.progress(
                row["progress"], f"epoch {row['epoch']:g} of {row['epochs']:g}" + (f", {time} left" if time else "")
            )
    if rows:
        st.page_link(path("monitor"), label="Watch all runs", icon=":material/monitoring:")
