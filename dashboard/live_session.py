"""Frames that a browser sends of a camera or a screen, judged as they come; kept in the session alone."""

import base64
import binascii
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import actions, detectors, inference, inference_queue, verdict
from dashboard.faces import judge_of
from dfcore.confidence import Policy
from dfcore.detectors import of_faces
from dfcore.errors import DfcoreError, ImageError, InputError, detached
from dfcore.figures import clock
from dfcore.imaging import sandbox

if TYPE_CHECKING:
    from dfcore.films.live import Live
    from dfcore.films.rows import JudgedSample, Row
    from dfcore.films.verdict import FilmVerdict

_KEY = "live_session"
# Longest side in pixels of a frame that is judged at its own size; largest frame in bytes as it arrives.
LONGEST, _MOST_BYTES = 2048, 32 * 2**20


@dataclass
class Session:
    """What was said of a camera or a screen since it was begun.

    Attributes:
        id: The browser's name for it.
        choices: Which detectors judge, with which settings.
        live: Its judged frames; None if it was refused.
        judges: Who judges, see `FilmJob.judges`; empty before the first frame.
        number: Number of the last frame that was handled, judged or not, from 0; -1 before the first.
        error: Why the last frame was not judged; None if it was.
        failed: Number of frames that were not judged.
        running: Whether more are to come.
        anew: Why what was said before is not counted, a sentence; "" if there was nothing.
    """

    id: str
    choices: Hashable
    live: "Live | None"
    judges: dict[str, Any] = field(default_factory=dict)
    number: int = -1
    error: DfcoreError | None = None
    failed: int = 0
    running: bool = True
    anew: str = ""

    @property
    def last(self) -> "JudgedSample | None":
        """The last judged frame."""
        return self.live.samples[-1] if self.live is not None and self.live.samples else None

    @property
    def refused(self) -> str:
        """Why nothing can be judged as was chosen; "" if it can."""
        return str(self.error) if self.live is None else ""

    def rows(self) -> "list[Row]":
        """What was said of all frames that are kept."""
        from dfcore.films.rows import all_rows

        return list(all_rows(self.live.samples)) if self.live is not None else []

    def verdict(self, rows: "list[Row]") -> "FilmVerdict":
        """What is said of them together."""
        from dfcore.films.verdict import film_verdict, rates_from

        known = self.judges.get("judges", {})
        return film_verdict(rows, {name: rates_from(one["rates"]) for name, one in known.items()})


def current() -> Session | None:
    """What this browser session has judged last; None if nothing."""
    return st.session_state.get(_KEY)


def stop() -> None:
    """No more frames come; what was said stays."""
    if (session := current()) is not None:
        session.running = False


def take(sent: Any, entries: list[detectors.Entry], accepted: verdict.Strictness, *, faces: bool) -> None:
    """Judges a frame that the browser sent; the first of a new camera or screen begins anew.

    Args:
        sent: What came: the camera's `id`, the frame's `number`, its time in `seconds`, and its `png` in base 64.
        entries: The detectors that may judge whole frames, or one for faces.
        accepted: The analyst's settings.
        faces: Whether faces are judged too.
    """
    from dfcore.films.sampling import MOST_SECONDS

    if not isinstance(sent, dict):
        return
    name, number, seconds = str(sent.get("id"))[:64], sent.get("number"), sent.get("seconds")
    if not isinstance(number, int) or not isinstance(seconds, int | float) or isinstance(number, bool):
        return
    if not 0 <= seconds <= MOST_SECONDS:
        return
    session, choices = current(), (tuple(entry.version for entry in entries), accepted, faces)
    if session is None or session.id != name or session.choices != choices:
        before = session if session is not None and session.id == name else None
        session = st.session_state[_KEY] = _begun(name, choices, entries, accepted, faces=faces)
        if before is not None:
            session.number = before.number
            session.anew = f"Counted anew from {clock(seconds)} on, since the choices changed."
    if number <= session.number:
        return  # It was sent twice, since an answer did not come in time.
    try:
        if session.live is not None:
            session.running, session.error = True, None
            _judge(session, session.live, _decoded(sent.get("png")), float(seconds))
    except DfcoreError as error:
        session.error, session.failed = detached(error), session.failed + 1
    finally:
        session.number = number


def _judge(session: Session, live: "Live", rgb: Any, seconds: float) -> None:
    from dfcore.films.conduct import described

    actions.require_judging()
    if session.last is not None:
        seconds = max(seconds, session.last.position.seconds)
    with inference_queue.faces.take():
        frame = live.prepare(rgb, seconds)
    with inference_queue.inference.take():
        live.judge(frame)
    if not session.judges:
        session.judges = described(live)


def _decoded(text: Any) -> Any:
    if not isinstance(text, str) or len(text) > _MOST_BYTES * 4 // 3:
        raise InputError(f"Expected a frame of up to {_MOST_BYTES // 2**20} MB. Received: a larger one, or none.")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError("The frame arrived damaged.") from error
    return sandbox.opened(data, LONGEST)[1]


def _begun(
    name: str, choices: Hashable, entries: list[detectors.Entry], accepted: verdict.Strictness, *, faces: bool
) -> Session:  # fmt: skip
    try:
        actions.require_judging()
        return Session(name, choices, _live(entries, accepted, faces=faces))
    except DfcoreError as error:
        return Session(name, choices, None, error=detached(error), running=False)


def _live(entries: list[detectors.Entry], accepted: verdict.Strictness, *, faces: bool) -> "Live":
    from dfcore.films.judges import judges_of
    from dfcore.films.live import Live

    some = {entry.key: entry for entry in entries}
    face = judge_of(entries, detectors.detectors()) if faces else ""
    if isinstance(face, detectors.Entry):
        some[face.key] = face
    elif all(of_faces.is_for_faces(entry.card) for entry in entries):
        raise InputError(face or "This detector judges faces alone. Choose another one, or have faces judged.")
    loaded = {key: detectors.detector(entry) for key, entry in some.items()}
    policies = {
        key: Policy(inference.thresholds(entry, accepted.budget) if accepted.budget else None, accepted.ignore_ood)
        for key, entry in some.items()
    }
    told = face if isinstance(face, str) else ""
    return Live(judges=judges_of(loaded, policies, with_faces=faces and not told, no_faces=told))
