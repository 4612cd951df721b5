"""Inspect one image or several: the verdict first, then the evidence, then the settings."""

import json

import streamlit as st

from dashboard import detectors, evidence, inference, uploads, verdict, widgets
from dashboard.navigation import require_front_door
from dashboard.verdict import Strictness
from dfcore.confidence import Policy
from dfcore.datasets.demo import sample_images
from dfcore.detectors.trained_on import in_words
from dfcore.detectors.verdict import Verdict
from dfcore.errors import ImageError

require_front_door()


@st.cache_data(show_spinner=False)
def samples() -> dict[str, bytes]:
    return sample_images()


def choose_images() -> list[tuple[str, bytes]]:
    upload, camera, sample = st.tabs([":material/upload: Upload", ":material/photo_camera: Camera", "Sample"])
    with upload:
        uploads.choose(
            "Images to check", "inspect_upload",
            help="JPEG, PNG, WebP, BMP, TIFF, GIF, MPO or AVIF, up to 64 MB each. They stay on this machine.",
        )  # fmt: skip
    with camera:
        if st.toggle("Use the camera", help="The browser asks for permission first."):
            photo = st.camera_input("Photo to check", label_visibility="collapsed")
            if photo:
                uploads.keep([("camera.jpg", photo.getvalue())])
    with sample:
        st.caption("Two photographs from scikit-learn, and one of them passed through a simulated generator decoder.")
        with st.container(horizontal=True):
            for name in samples():
                if st.button(name.removesuffix(".png").replace("-", " "), key=f"sample_{name}"):
                    uploads.keep([(name, samples()[name])])
    uploads.tell_left_out()
    return uploads.images()


def judge(entries: list[detectors.Entry], data: bytes, strictness: Strictness) -> tuple[detectors.Entry, str, Verdict]:
    """The chosen detector, the reason for the choice, and its verdict under the analyst's settings."""
    entry, why, result = inference.verdict(entries, data)
    thresholds = inference.thresholds(entry, strictness.budget) if strictness.budget else entry.card.thresholds
    return entry, why, result.under(Policy(thresholds, strictness.ignore_ood))


def remark(result: Verdict) -> str:
    """What there is to say about a verdict, in a cell."""
    parts = [result.error or result.reason, in_words(result.seen)]
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts if part)


def choose_one(
    entries: list[detectors.Entry], images: list[tuple[str, bytes]], strictness: Strictness
) -> tuple[str, bytes]:
    """The image to show in detail; several images are first listed with their verdicts."""
    if len(images) == 1:
        return images[0]
    rows = []
    for name, data in images:
        entry, _, result = judge(entries, data, strictness)
        rows.append({"File": name, "Verdict": widgets.VERDICTS[result.finding], "Score": result.score,
                     "Detector": entry.title, "Remark": remark(result)})  # fmt: skip
    st.dataframe(
        rows,
        hide_index=True,
        column_config={"Score": st.column_config.ProgressColumn(min_value=0, max_value=1, format="%.3f")},
    )
    number = st.selectbox(
        "Show in detail", range(len(images)), format_func=lambda i: images[i][0], key="inspect_which",
        help="The image whose evidence is shown below.",
    )  # fmt: skip
    return images[number]


def show(entries: list[detectors.Entry], name: str, data: bytes, strictness: Strictness) -> None:
    entry, why, match = judge(entries, data, strictness)
    verdict.show_verdict(entry, name, match, why)
    if match.error:
        return
    heatmap = evidence.show_heatmap(entry, data, match) if evidence.is_explained() else None
    stability = evidence.show_stability(entry, data, match)
    facts = evidence.show_facts(data)
    result = evidence.whole_result(entry, name, match, facts, heatmap, stability)
    st.download_button(
        "Download the full result (JSON)", json.dumps(result, indent=2), f"{name}.verdict.json", "application/json",
        on_click="ignore", icon=":material/download:", help="Verdict, detector, file facts and heat-map.",
    )  # fmt: skip


st.title("Inspect")
chosen = widgets.choose_detectors() if uploads.may_judge() else []
pictures = choose_images() if chosen else []
if chosen and not pictures:
    st.info("Drop an image above, or try a sample.", icon=":material/image_search:")
    with widgets.errors():
        detectors.warm(chosen)
if chosen and pictures:
    st.divider()
    with widgets.errors():
        try:
            answer = st.container()
            accepted = verdict.choose_strictness()
            with answer:
                show(chosen, *choose_one(chosen, pictures, accepted), accepted)
        except ImageError as error:
            st.error(widgets.plain(error), icon=":material/broken_image:")
