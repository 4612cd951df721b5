"""Inspect: the picture and the verdict on one screen; the evidence below."""

import json

import streamlit as st

from dashboard import (
    all_detectors,
    batch_review,
    choose_pictures,
    details,
    detectors,
    evidence,
    faithfulness_view,
    file_view,
    filmstrip,
    forensics_view,
    inspect_review,
    inspected_table,
    judging,
    memory,
    recently_judged,
    report_buttons,
    seen_before,
    uploads,
    verdict,
    viewer,
    widgets,
)
from dashboard.judging import Judged
from dashboard.navigation import require_front_door
from dashboard.uploads import Picture
from dfcore.explanation import Heatmap
from dfcore.inspection import record

require_front_door()

# Beside each other only where both are wide enough; on a phone the verdict comes first.
_STYLE = """<style>@media (max-width: 1150px) { :root { --inspect-height: clamp(12rem, 36vh, 24rem); }
.st-key-inspect_screen > [data-testid=stLayoutWrapper] > [data-testid=stHorizontalBlock] { flex-direction: column; }
.st-key-inspect_screen > [data-testid=stLayoutWrapper] > [data-testid=stHorizontalBlock] > [data-testid=stColumn] {
  width: 100%; flex: 1 1 auto; } }
@media (max-width: 640px) { .st-key-inspect_screen > [data-testid=stLayoutWrapper] > [data-testid=stHorizontalBlock] {
  flex-direction: column-reverse; } }
/* The detector's name whole, and whole rows of the uploader's files. */
.st-key-detector { min-width: min(100%, 19rem); }
@media (min-width: 500px) {
[data-testid=stFileUploader] [data-testid=stFileUploaderDropzone] [data-testid=stFileChips] { max-height: 14.5rem; } }
</style>"""


def show_tabs(picture: Picture, judged: Judged, heatmap: Heatmap | None, library: list[detectors.Entry]) -> None:
    entry, _, result = judged
    names = ["Why", "File", "Forensics", "All detectors", "Notes", "Details"]
    why, file, views, every, notes, more = st.tabs(names, key="inspect_tab", on_change="rerun")
    if why.open:
        with why:
            evidence.show_settings(entry, result, heatmap)
            if heatmap is not None:
                faithfulness_view.show(entry, picture.data, heatmap, result)
            evidence.show_stability(entry, picture.data, result)
    if file.open:
        with file:
            file_view.show_file(picture.data, picture.name)
    if views.open:
        with views:
            forensics_view.show(picture.data, picture.name)
    if every.open:
        with every:
            all_detectors.show(library, picture.data, accepted)
    if notes.open:
        with notes:
            inspect_review.show_notes(picture)
    if more.open:
        with more:
            verdict.show_details(entry, result)
            facts = details.show_facts(picture.data)
            stability = evidence.stability(entry, picture.data, result)
            whole = record(entry.card, picture.name, result, facts, heatmap, stability, verdict.worth(entry, result))
            st.download_button(
                "Download the full result (JSON)", json.dumps(whole, indent=2), f"{picture.name}.verdict.json",
                "application/json", on_click="ignore", icon=":material/download:",
                help="Verdict, detector, file facts and heat-map.",
            )  # fmt: skip
            report_buttons.show(chosen, picture, accepted, evidence.wanted(entry, result))


def compute_map(picture: Picture, judged: Judged) -> None:
    """Computes the heat-map after all else is shown, and shows it."""
    evidence.compute(judged[0], picture, judged[2])
    st.rerun()


def show(pictures: list[Picture], judged: list[Judged], number: int, library: list[detectors.Entry]) -> None:
    picture, one = pictures[number], judged[number]
    memory.remember(pictures, judged, number)
    settled, decisions = memory.is_settled(picture.id), memory.decisions(pictures)
    if len(pictures) > 1:
        filmstrip.show(pictures, [result for _, _, result in judged], number, decisions)
    inspect_review.show_keys(pictures, number, decisions, review)
    with st.container(key="inspect_lines", horizontal=True, vertical_alignment="center"):
        if one[2].score is not None:
            with st.container(key="inspect_file_line", width="content"):
                file_view.show_line(picture.data, picture.name)
        seen_before.show_line(picture)
    with st.container(key="inspect_screen"):
        left, right = st.columns([11, 9], gap="medium")
    heatmap, waiting = evidence.heatmap(one[0], picture, one[2])
    with right:
        verdict.show_verdict(one[0], picture.name, picture.data, one[2], one[1])
        seen_before.show_state(picture)
        choose_pictures.tell_truth(picture)
    if one[2].score is None:
        with left:
            st.info("There is nothing to show: the file cannot be read as a picture.", icon=":material/broken_image:")
            if place := widgets.folded("What the file says of itself", f"inspect_unread_{number}"):
                with place:
                    file_view.show_line(picture.data, picture.name)
                    file_view.show_file(picture.data, picture.name)
            if place := widgets.folded("Notes", f"inspect_unread_notes_{number}"):
                with place:
                    inspect_review.show_notes(picture)
    else:
        with left:
            viewer.show(one[0], picture.name, picture.data, one[2], heatmap, waiting=waiting)
        show_tabs(picture, one, heatmap, library)
    if len(pictures) > 1:
        with st.expander(f"All {len(pictures)} pictures as a table", icon=":material/table_rows:"):
            inspected_table.show(pictures, judged, decisions)
    inspect_review.tell_news(picture, was_settled=settled, hurry=bool(waiting))
    if waiting:
        compute_map(picture, one)


st.html(_STYLE)
with st.container(horizontal=True, vertical_alignment="bottom"):
    st.title("Inspect", width="content")
    chosen = widgets.choose_detectors() if uploads.may_judge() else []
    bar = st.container(horizontal=True, vertical_alignment="bottom", width="content")
review = batch_review.present() if chosen else None
if review is not None:
    inspect_review.answer(uploads.images(), batch_review.turn)
    review = batch_review.present()
images = uploads.images() if chosen else []
if review is not None:
    batch_review.show(review, keys=not images)
if chosen and not images:
    with st.container():
        choose_pictures.show()
        recently_judged.show()
    with widgets.errors():
        detectors.warm(chosen)
        memory.warm()
if images:
    st.empty()  # In the place of what asks for pictures, which would else stand there faded until all are judged.
    with bar:
        choose_pictures.show_in_popover()
    images = uploads.images()  # One of them may just have been removed.
    uploads.tell_left_out()
    with widgets.errors():
        verdicts = judging.judge_all(chosen, images)
        inspect_review.answer(images)
        at = filmstrip.chosen(images)
        with bar:
            accepted = verdict.choose_strictness(verdicts[at][0].card.thresholds.budget)
        judged = [(entry, why, accepted.applied(entry, one)) for entry, why, one in verdicts]
        show(images, judged, at, detectors.library()[0])
