"""A camera or a screen, judged at the pace of the machine: the last frame, what is said of it, the scores so far."""

from functools import partial
from typing import Any

import streamlit as st

from dashboard import (
    detectors,
    error_reporting,
    film_timeline,
    film_words,
    live_session,
    roles,
    verdict,
    viewer,
    widgets,
)
from dashboard.live_session import Session
from dashboard.roles import Role
from dfcore import figures
from dfcore.figures import FINDING_COLOURS
from dfcore.utils.texts import counted

_KEY, _FACES = "live_camera", "live_faces"
# Seconds that the timeline shows.
_SHOWN = 120.0
_ABOUT = (
    "Frames of a camera, or of a screen or window that you share, are judged one after the other, as fast as this "
    "machine can. They are sent to the server without loss, judged, and kept nowhere; what is said of them stays until "
    "you begin again or close this page in the browser. A picture of a screen is a new picture: it was scaled and "
    "often compressed on its way."
)
# While a frame is judged, what was said of the one before is not pale; side by side only where there is room.
_STYLE = """<style>.st-key-live_screen [data-stale=true] { opacity: 1 !important; }
@media (max-width: 1150px) {
.st-key-live_screen > [data-testid=stLayoutWrapper] > [data-testid=stHorizontalBlock] { flex-direction: column; }
.st-key-live_screen > [data-testid=stLayoutWrapper] > [data-testid=stHorizontalBlock] > [data-testid=stColumn] {
  width: 100%; flex: 1 1 auto; } }
</style>"""
_camera = st.components.v2.component(
    "dfcore_live", html=viewer.asset("live.html"), css=viewer.asset("live.css"), js=viewer.asset("live.js")
)


def show() -> None:
    """Shows the choices, and what is judged."""
    if not roles.offer(Role.ANALYST, "Judging a camera or a screen"):
        return
    st.html(_STYLE)
    st.markdown(_ABOUT)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        entries = widgets.choose_detectors()
        accepted = verdict.choose_strictness(entries[0].card.thresholds.budget if len(entries) == 1 else None)
        faces = st.toggle(
            "Judge faces too", True, key=_FACES, persist_state="session",
            help="Faces are looked for from 40 pixels on, followed from frame to frame, and judged by the detector for "
            "faces; it does not decide on those that are too small for it. Without, more frames are judged a second.",
        )  # fmt: skip
    if entries:
        with st.container(key="live_screen"):
            _show(entries, accepted, faces)


@error_reporting.fragment()
def _show(entries: list[detectors.Entry], accepted: verdict.Strictness, faces: bool) -> None:
    session = live_session.current()
    left, right = st.columns([11, 9], gap="medium")
    with left:
        _camera(
            key=_KEY, data=_told(session), on_frame_change=partial(_frame, entries, accepted, faces),
            on_stop_change=live_session.stop,
        )  # fmt: skip
        if session is not None and session.refused:
            st.error(widgets.told(session.refused), icon=":material/error:")
        if session is not None and session.last is not None:
            _show_timeline(session)
    if session is not None:
        with right:
            _say(session)


def _frame(entries: list[detectors.Entry], accepted: verdict.Strictness, faces: bool) -> None:
    with error_reporting.reported():
        live_session.take(st.session_state.get(_KEY, {}).get("frame"), entries, accepted, faces=faces)


def _told(session: Session | None) -> dict[str, Any]:
    """What the browser is told: which frame was handled, what was found in it, and how fast it goes."""
    idle = "Choose a camera, or a screen or window to share; the browser asks for your permission."
    first = "The first frame is being judged: detectors are loaded, which takes some seconds."
    if session is None:
        return {
            "id": "", "number": -1, "boxes": [], "words": "", "idle": idle, "first": first, "pace": "", "refused": ""
        }  # fmt: skip
    boxes, words = [], ""
    if (sample := session.last) is not None:
        words = "; ".join(f"{_name(row.track)}: {row.says}" for row in sample.rows)
        for row in sample.rows:
            if row.box is not None:
                left, top, right, bottom = row.box
                boxes.append({
                    "box": [left / sample.width, top / sample.height, right / sample.width, bottom / sample.height],
                    "label": f"{widgets.VERDICT_SIGNS[row.finding]} {row.track}", "used": row.is_used,
                    "title": f"{_name(row.track)}: {row.says}",
                    "colour": FINDING_COLOURS[(row.finding if row.is_used else None) or "inconclusive"],
                })  # fmt: skip
    speed = session.live.per_second if session.live is not None else None
    pace = f"{speed:.1f} of them are judged a second." if speed else "The next one is being judged."
    return {
        "id": session.id, "number": session.number, "boxes": boxes, "words": words, "idle": idle, "first": first,
        "pace": pace, "refused": "Nothing is judged: see below." if session.refused else "",
    }  # fmt: skip


def _name(track: int | None) -> str:
    return "whole frame" if track is None else f"face {track}"


def _say(session: Session) -> None:
    sample, rows = session.last, session.rows()
    if session.error is not None and not session.refused:
        st.warning(f"The last frame was not judged: {widgets.told(session.error)}", icon=":material/report:")
    if sample is None or session.live is None:
        return
    st.markdown(f"**Frame {session.live.number:,}, at {figures.clock(sample.position.seconds)}**")
    for row in sample.rows:
        score = f", score {row.score:.3f}" if row.is_used and row.score is not None else ""
        word = widgets.verdict_words(row.finding) if row.is_used else row.says
        st.markdown(f"{_name(row.track).capitalize()}: {word}{score}")
        if row.reason:
            st.caption(widgets.plain(row.reason))
    with st.container(border=True, gap="small"):
        film_words.say(session.verdict(rows), so_far=session.running)
    notes = [session.anew, session.judges.get("why", "")]
    if no_faces := session.live.judges.no_faces:
        notes.append(f"Faces are not judged. {no_faces}")
    if session.failed:
        notes.append(f"{counted(session.failed, 'frame was', 'frames were')} not judged.")
    if session.live.forgotten:
        notes.append(f"The first {session.live.forgotten:,} frames are not counted any more.")
    st.caption(widgets.plain(" ".join(filter(None, notes))))


def _show_timeline(session: Session) -> None:
    assert session.last is not None
    end = session.last.position.seconds
    part = (max(0.0, end - _SHOWN), end)
    rows = [row for row in session.rows() if row.seconds >= part[0]]
    if drawn := film_timeline.panels(session.judges, rows, part):
        widgets.chart(
            figures.timeline(drawn, part), "live_timeline", film_timeline.alt(drawn), config={"displayModeBar": False}
        )
        st.caption("The last two minutes. Hollow points are not used.")
    if not session.running:
        st.download_button(
            "Timeline (CSV)", partial(_csv, session), "live.csv", "text/csv", key="live_get_csv", on_click="ignore",
            icon=":material/download:", help="A row for each frame that was judged and for each face in it.",
        )  # fmt: skip


def _csv(session: Session) -> bytes:
    from dfcore.films.timeline import to_csv

    return to_csv(session.live.samples if session.live is not None else ()).encode()
