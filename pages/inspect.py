"""Inspect: the picture and the verdict on one screen; the evidence below."""

import json
from functools import partial

import streamlit as st

from dashboard import (
    all_detectors,
    batch_review,
    choose_pictures,
    details,
    detectors,
    evidence,
    faces,
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


def show_tabs(picture: Picture, judged: Judged, heatmap: Heatmap | None, library: list[detectors.Entry],
              found: faces.Faces) -> None:  # fmt: skip
    entry, _, result = judged
    near, (of, _, seen) = faces.subject(found, picture, judged)
    names = ["Why", "File", "Forensics", "All detectors", "Notes", "Details"]
    why, file, views, every, notes, more = st.tabs(names, key="inspect_tab", on_change="rerun")
    if why.open:
        with why:
            evidence.show_settings(of, seen, heatmap)
            if heatmap is not None:
                faithfulness_view.show(of, near.data, heatmap, seen)
            evidence.show_stability(of, near.data, seen)
    if file.open:
        with file:
            file_view.show_file(picture.data, picture.name)
    if views.open:
        with views:
            faces.tell_whole(found, "These views are")
            forensics_view.show(picture.data, picture.name)
    if every.open:
        with every:
            faces.tell_whole(found, "These verdicts are")
            all_detectors.show(library, picture.data, accepted)
    if notes.open:
        with notes:
            faces.tell_whole(found, "Notes and decisions are")
            inspect_review.show_notes(picture)
    if more.open:
        with more:
            verdict.show_details(of, seen)
            faces.tell_whole(found, "What follows is")
            facts = details.show_facts(picture.data)
            stability = evidence.stability(entry, picture.data, result)
            shown = heatmap if near is picture else None
            whole = record(entry.card, picture.name, result, facts, shown, stability, verdict.worth(entry, result))
            whole["faces"] = found.to_dict()
            st.download_button(
                "Download the full result (JSON)", json.dumps(whole, indent=2), f"{picture.name}.verdict.json",
                "application/json", on_click="ignore", icon=":material/download:",
                help="Verdict, detector, file facts, heat-map and faces.",
            )  # fmt: skip
            report_buttons.show(chosen, picture, accepted, evidence.wanted(entry, result),
                                found.entry or found.error)  # fmt: skip


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
    found = faces.of(picture, one, chosen, library, accepted)
    near, (entry, why, seen) = faces.subject(found, picture, one)
    heatmap, waiting = evidence.heatmap(entry, near, seen)
    with right:
        faces.show_caution(found)
        verdict.show_verdict(entry, near.name, picture.data, seen, why)
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
            viewer.show(entry, near.name, near.data, seen, heatmap, waiting=waiting, notes=faces.notes(found),
                        faces=faces.marks(found), pick=partial(faces.pick, found, picture))  # fmt: skip
            with st.container(key="inspect_faces"):
                faces.show_list(found, picture, one[2])
                looking = st.empty()
        show_tabs(picture, one, heatmap, library, found)
    if len(pictures) > 1:
        title = f"All {len(pictures)} pictures as a table"
        if place := widgets.folded(title, "inspect_table", icon=":material/table_rows:"):
            with place:
                inspected_table.show(pictures, judged, decisions)
    inspect_review.tell_news(picture, was_settled=settled, hurry=bool(waiting) or found.waiting)
    if waiting:
        evidence.compute(entry, near, seen)  # After all else is shown.
        st.rerun()
    if found.waiting:
        with looking, st.spinner("Looking for faces …"):
            faces.compute(found, picture, one)


st.html(f"<style>{viewer.asset('inspect.css')}</style>")
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
        library = detectors.library()[0]
        with bar:
            of = faces.in_sight(images[at], verdicts[at], chosen, library)
            accepted = verdict.choose_strictness(of.card.thresholds.budget)
        judged = [(entry, why, accepted.applied(entry, one)) for entry, why, one in verdicts]
        show(images, judged, at, library)
