"""The history of a picture: all verdicts on it, old beside new, and all that people said."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import (
    case_actions,
    cases_address,
    decided,
    dialogs,
    judgement_rows,
    kept_pictures,
    notes_panel,
    roles,
    stored_reports,
    uploads,
    widgets,
)
from dashboard.markup import plain
from dashboard.roles import Role

if TYPE_CHECKING:
    from dfcore.cases import Case, History, Store

_SIDE = 640


def show(store: "Store", history: "History", case: "Case | None") -> None:
    """Shows a picture's history.

    Args:
        store: The store.
        history: What is known of the picture.
        case: Case from which it was opened.
    """
    picture = history.picture
    _show_way_back(case)
    st.subheader(plain(picture.name or picture.sha256[:16]))
    left, right = st.columns([2, 3], gap="large")
    with left:
        show_picture(store, history)
        if not history.image and roles.may(Role.ANALYST):
            _take(history)
    with right:
        show_newest(history)
        _act(store, history)
        show_facts(history)
    st.markdown(f"**Verdicts** ({len(history.judgements)})", help="All of them, the newest first. None is ever changed "
                "or overwritten; tick two to see them side by side.")  # fmt: skip
    ticked = judgement_rows.table(history.judgements, f"judgements_{picture.sha256[:16]}")
    if len(ticked) == 2:
        older, newer = sorted(ticked, key=lambda one: one.id)
        titles = f"Earlier, {decided.short(older.at)}", f"Later, {decided.short(newer.at)}"
        judgement_rows.show_beside(older, newer, titles)
    notes_panel.show(store, history, key="history", case=case.id if case else None)


def show_picture(store: "Store", history: "History") -> None:
    """Shows a picture if it was kept; else says so, and takes the file from whoever has it."""
    picture = history.picture
    with widgets.errors():
        if history.image:
            source = kept_pictures.thumbnail(store, picture.sha256, kept=True, side=_SIDE)
            if source is None:
                kept_pictures.contents(store, picture.sha256)  # Tells why.
                st.caption("The kept file cannot be read as a picture.")
            else:
                st.image(source, alt=picture.name)
        else:
            st.info("The picture itself was not kept, only its hashes and what was said of it.",
                    icon=":material/hide_image:")  # fmt: skip


def show_newest(history: "History") -> None:
    """Shows the newest verdict and, apart from it, what people decided."""
    if history.judgements:
        last = history.judgements[-1]
        st.markdown(f"**Detector** {widgets.verdict_words(last.finding)}")
        score = f"score {last.score:.3f}, " if last.score is not None and last.is_used else ""
        st.caption(f"{score}{plain(last.title or last.detector)}, {decided.when(last.at)}")
    newest = history.decisions[-1] if history.decisions else None
    by = f" by {plain(newest.by)}, {decided.when(newest.at)}" if newest else ""
    st.markdown(f"**People** {decided.in_words(newest)}{by}")


def show_facts(history: "History") -> None:
    """Shows what is known of the file."""
    picture = history.picture
    rows = {
        "Size": f"{picture.width} x {picture.height} pixels, {picture.bytes:,} bytes" if picture.width else "unknown",
        "Format": picture.format or "unknown", "SHA-256": picture.sha256,
        "SHA-256 of the pixels": picture.pixels_sha256 or "unknown", "Perceptual hash": picture.phash or "unknown",
    }  # fmt: skip
    widgets.table({"Fact": list(rows), "Value": list(rows.values())}, "What is known of the file")


def _show_way_back(case: "Case | None") -> None:
    title = f"Case {case.id}: {plain(case.title)}" if case else "All judged pictures"
    if st.button(title, icon=":material/arrow_back:", type="tertiary", key="picture_back"):
        cases_address.leave(case=case.id) if case else cases_address.leave(view="pictures")


def _act(store: "Store", history: "History") -> None:
    picture = history.picture
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if history.image and st.button("Open in Inspect", icon=":material/frame_inspect:", key="picture_inspect",
                                       help="The picture was kept."):  # fmt: skip
            with widgets.errors():
                kept_pictures.inspect(store, picture)
        st.download_button(
            "History (JSON)", lambda: json.dumps(asdict(history), indent=2), f"{picture.sha256[:16]}.history.json",
            "application/json", on_click="ignore", icon=":material/download:", key="picture_download",
            help="All verdicts, decisions and notes.",
        )  # fmt: skip
        stored_reports.of_picture(history)
        if roles.may(Role.TRAINER) and st.button("Forget", icon=":material/delete:", key="picture_forget",
                                                 help="Deletes all that is remembered of this picture."):  # fmt: skip
            _confirm_forget(history)


def _take(history: "History") -> None:
    """Takes the file of a picture that was not kept, and says whether it is that one."""
    file = st.file_uploader(
        "Do you have the file? Open it in Inspect", type=uploads.TYPES, key=f"take_{history.picture.sha256[:16]}",
        help="It is compared by its hash and opens in Inspect if it is this one.",
    )  # fmt: skip
    if file is None:
        return
    given = uploads.Picture(file.name, file.getvalue())
    if given.id == history.picture.sha256:
        widgets.inspect(given.name, given.data)
        return
    st.warning(
        f"This is another file: its SHA-256 begins with {given.id[:16]}, not {history.picture.sha256[:16]}. A copy "
        "that was saved again has another hash; open it in Inspect, which tells if it looks alike.",
        icon=":material/difference:",
    )
    if st.button("Open it in Inspect all the same", key="take_anyway", icon=":material/frame_inspect:"):
        widgets.inspect(given.name, given.data)


@st.dialog("Forget this picture?")
def _confirm_forget(history: "History") -> None:
    name = plain(history.picture.name or history.picture.sha256[:16])
    st.markdown(
        f"All that is remembered of **{name}** will be deleted: {len(history.judgements)} verdicts, "
        f"{len(history.decisions)} decisions, {len(history.notes)} notes, and the picture itself if it was kept. A "
        "tombstone stays in the log: who deleted it, when and why."
    )
    st.text_input("Why", key="forget_why", help="It stays in the log.")
    dialogs.decide("Delete for good", lambda: _forget(history), done=f"{name} is forgotten.")


def _forget(history: "History") -> None:
    case_actions.forget(history.picture.sha256, st.session_state.get("forget_why", ""))
    cases_address.open_(view="pictures")
