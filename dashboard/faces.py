"""The faces of the picture in sight: found and judged once its own verdict is shown, and chosen by a click."""

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from dashboard import decode_cache, detectors, face_work, filmstrip, inference_queue, verdict, widgets
from dashboard.judging import Judged
from dashboard.uploads import Picture
from dfcore.detectors import of_faces
from dfcore.detectors.verdict import Verdict
from dfcore.errors import DfcoreError
from dfcore.figures import FINDING_COLOURS
from dfcore.inspection.faces import MOST, FaceVerdicts, JudgedFace, not_judged, unjudged
from dfcore.utils import extras

# Of this session: why faces of a picture could not be known; which face of which picture was chosen; the last choice
# that was handled, by where it was made; of which picture faces were asked for; of which one no face can be shown, why.
_FAILED, _CHOSEN, _HANDLED = "inspect_faces_failed", "inspect_face", "inspect_face_handled"
_ASKED, _UNSHOWN = "inspect_faces_asked", "inspect_face_unshown"
_STRIP = "inspect_faces_strip"
# In a picture that takes longer to decode, and would be decoded again, faces are looked for only if one asks; so it is
# while others wait for their verdicts, whom that would keep waiting.
_SLOW_SECONDS = 1.0
_WHY = "it is the one for faces"


@dataclass(frozen=True)
class Faces:
    """What is known of the faces of a picture.

    Attributes:
        entry: The detector for faces; None if there is none, or the picture cannot be read.
        told: Its verdicts under the analyst's settings; None while they are not known.
        thumbs: A small picture of each judged face.
        number: Place of the chosen face among `told.faces`; None for the whole picture.
        error: Why they cannot be known; "" if they can.
        later: Why they are looked for only if one asks, a clause; "" if they are by themselves.
    """

    entry: detectors.Entry | None = None
    told: FaceVerdicts | None = None
    thumbs: tuple[str, ...] = ()
    number: int | None = None
    error: str = ""
    later: str = ""

    @property
    def waiting(self) -> bool:
        """Whether faces are still to be looked for."""
        return self.entry is not None and self.told is None and not self.error and not self.later

    @property
    def chosen(self) -> JudgedFace | None:
        """The chosen face."""
        return None if self.told is None or self.number is None else self.told.faces[self.number]

    def to_dict(self) -> dict[str, Any] | None:
        """JSON-serialisable values: what was said of the faces, or why nothing was; None if there is no picture."""
        if self.told is not None:
            return self.told.to_dict()
        if self.later:
            return unjudged(f"{self.later}, so they are looked for when somebody asks.")
        return unjudged("They were still being looked for." if self.waiting else self.error)


def of(
    picture: Picture, judged: Judged, entries: list[detectors.Entry], library: list[detectors.Entry],
    accepted: verdict.Strictness,
) -> Faces:  # fmt: skip
    """What is known of the faces of a picture: it computes nothing, so nobody waits for it, and it never fails.

    Args:
        picture: The picture.
        judged: What was said of it as a whole.
        entries: The detectors that were asked; if one of them is for faces, it judges them.
        library: All detectors of the library, of which another one may be for faces.
        accepted: The analyst's settings.
    """
    if judged[2].score is None:
        return Faces()
    if isinstance(entry := judge_of(entries, library), str):
        return Faces(error=entry)
    key = _key(picture, entry, judged)
    if (known := face_work.kept(key)) is None:
        failed = st.session_state.get(_FAILED, {}).get(key, "")
        asked = st.session_state.get(_ASKED) == picture.id
        return Faces(entry, error=failed, later="" if asked or failed else _why_later(picture))
    under = tuple(replace(one, verdict=accepted.applied(entry, one.verdict)) for one in known.told.faces)
    number = _number(picture)
    number = None if number is None or number >= len(under) else number
    return Faces(entry, replace(known.told, faces=under), known.thumbs, number)


def in_sight(
    picture: Picture, judged: Judged, entries: list[detectors.Entry], library: list[detectors.Entry]
) -> detectors.Entry:
    """The detector whose verdict is in sight: the one for faces where a face is chosen."""
    entry = judged[0] if _number(picture) is None else judge_of(entries, library)
    return judged[0] if isinstance(entry, str) else entry


def judge_of(entries: list[detectors.Entry], library: list[detectors.Entry]) -> detectors.Entry | str:
    """The detector for faces; if there is none, or faces cannot be found here, why, a sentence."""
    try:
        extras.require("openvino", "openvino", "Looking for faces")
    except DfcoreError as error:
        return str(error)
    for some in (entries, [entry for entry in library if entry.card.answers_unasked]):
        by_key = {entry.key: entry for entry in some}
        if (name := of_faces.best({key: entry.card for key, entry in by_key.items()})) is not None:
            return by_key[name]
    return of_faces.NONE


def compute(faces: Faces, picture: Picture, judged: Judged) -> None:
    """Finds and judges the faces, so that `of` gives them from now on, and draws the page anew."""
    assert faces.entry is not None
    key, failed = _key(picture, faces.entry, judged), st.session_state.setdefault(_FAILED, {})
    try:
        face_work.compute(key, faces.entry, picture.data)
    except DfcoreError as error:
        failed[key] = str(error)
    st.rerun()


def subject(faces: Faces, picture: Picture, judged: Judged) -> tuple[Picture, Judged]:
    """What is looked at: the chosen face, as a picture of its own with its verdict, or else the whole picture.

    Where the face cannot be cut out, the page is drawn anew with the whole picture, and says why.
    """
    if (one := faces.chosen) is None or faces.entry is None or faces.number is None:
        return picture, judged
    try:
        data = face_work.cut(picture.id, one.region, picture.data)
    except DfcoreError as error:
        st.session_state[_CHOSEN] = picture.id, None
        st.session_state[_UNSHOWN] = picture.id, f"Face {faces.number + 1} cannot be shown by itself. {error}"
        st.rerun()
    return Picture(f"{picture.name}, face {faces.number + 1}", data), (faces.entry, _WHY, one.verdict)


def notes(faces: Faces) -> str:
    """What is to be said below the chosen face."""
    if (one := faces.chosen) is None:
        return ""
    return (
        f"Cut out of the picture at its own pixels, {one.side} a side, framed as the faces that the detector learned "
        "from. The verdict is on this face alone."
    )


def tell_whole(faces: Faces, what: str) -> None:
    """Says where a face is what is looked at that something is of the whole picture nevertheless.

    Args:
        faces: The faces.
        what: What is, as the beginning of a sentence.
    """
    if faces.chosen is not None and faces.number is not None:
        st.caption(f":material/photo: {what} of the whole picture, not of face {faces.number + 1}, which is chosen.")


def show_caution(faces: Faces) -> None:
    """Tells beside the verdict what must not be missed: faces called likely fake, or that the chosen one is small."""
    if faces.told is None:
        return
    if (one := faces.chosen) is not None:
        size = faces.told.card.preprocess.size
        if one.side < size and one.verdict.is_used:
            text = (
                f"**This face is small:** {one.side} pixels a side, and the detector looks at {size}. On such faces it "
            )
            st.warning(f"{text}errs more often than the figures below say.", icon=":material/photo_size_select_small:")
        return
    alarms = sum(one.verdict.finding == "fake" for one in faces.told.faces)
    if alarms:
        text = f"{alarms} of {len(faces.told.faces)} faces {'is' if alarms == 1 else 'are'} called likely fake"
        text = "Its face is called likely fake" if len(faces.told.faces) == 1 else text
        st.warning(f"**{text}.** Click a face on the picture, or below it, to see why.", icon=":material/face:")


def show_list(faces: Faces, picture: Picture, whole: Verdict) -> None:
    """Shows the whole picture and each face with what is said of it; choosing one draws the page anew.

    Args:
        faces: The faces.
        picture: The picture.
        whole: The verdict on it.
    """
    if faces.later:
        _offer(faces, picture)
    if faces.error:
        st.caption(f":material/face: {widgets.told(not_judged(faces.error))}")
        if faces.entry is not None and st.button("Look for faces again", icon=":material/refresh:"):
            failed = st.session_state.get(_FAILED, {})
            st.session_state[_FAILED] = {key: why for key, why in failed.items() if key[1] != picture.id}
            _ask(picture)
    of, unshown = st.session_state.get(_UNSHOWN, ("", ""))
    if of == picture.id:
        st.caption(f":material/report: {widgets.told(unshown)}")
    if faces.told is None or not (faces.told.faces or faces.told.left_out):
        return
    st.caption(f":material/face: {widgets.plain(faces.told.summary)}")
    if not faces.told.faces:
        return
    items = [_item(picture, 0, "The picture", filmstrip.thumbnail(picture.id, picture.data), whole)]
    for number, (one, thumb) in enumerate(zip(faces.told.faces, faces.thumbs, strict=True), 1):
        items.append(_item(picture, number, f"Face {number}", thumb, one.verdict))
    at = 0 if faces.number is None else faces.number + 1
    filmstrip.small(items, at, _STRIP, "Faces of the picture")


def _offer(faces: Faces, picture: Picture) -> None:
    st.caption(f":material/face: {faces.later}, so faces are looked for when you ask.")
    if st.button("Look for faces", key="inspect_faces_look"):
        _ask(picture)


def _ask(picture: Picture) -> None:
    """Has faces looked for at once, and draws the page anew."""
    st.session_state[_ASKED] = picture.id
    st.rerun()


def _why_later(picture: Picture) -> str:
    took = decode_cache.seconds(picture.id)
    if took > _SLOW_SECONDS:
        return f"It took {took:.1f} s until this file was read, and looking for faces reads it again"
    return "Others wait for their verdicts" if inference_queue.inference.is_crowded else ""


def marks(faces: Faces) -> list[dict[str, Any]]:
    """The faces as `viewer.show` draws them; none where a face is what is shown."""
    if faces.told is None or faces.chosen is not None:
        return []
    return [_mark(number, one) for number, one in enumerate(faces.told.faces, 1)]


def pick(faces: Faces, picture: Picture, clicked: Any) -> None:
    """Chooses the face that was clicked on the picture, if that is new, and draws the page anew."""
    if faces.told is not None and (number := _new("picture", clicked, len(faces.told.faces) - 1)) is not None:
        _choose(picture, number)
        st.rerun()


def _choose(picture: Picture, number: int | None) -> None:
    st.session_state[_CHOSEN] = picture.id, number
    st.session_state.pop(_UNSHOWN, None)


def _mark(number: int, one: JudgedFace) -> dict[str, Any]:
    used, finding = one.verdict.is_used, one.verdict.finding
    return {
        "box": one.face.box,
        "label": f"{number} {widgets.VERDICT_SIGNS[finding] if used else widgets.MISSING}",
        "title": f"Face {number}: {one.verdict.says}{_score(one.verdict)}",
        "colour": FINDING_COLOURS[finding if used and finding else "inconclusive"],
    }


def _item(picture: Picture, number: int, name: str, src: str | None, one: Verdict) -> dict[str, Any]:
    said = widgets.verdict_mark(one.finding)
    if not one.is_used and one.score is not None:
        said = widgets.verdict_mark("inconclusive") | {"mark": one.says.capitalize()}
    score = _score(one).removeprefix(", ")
    title = "\n".join(filter(None, (name, said["mark"], score, one.reason)))
    return {
        "id": _id(picture, number), "name": name, "title": title, "src": src, "notes": [score] if score else [], **said
    }  # fmt: skip


def _id(picture: Picture, number: Any) -> str:
    """What is chosen in the strip: a face of this picture, or with 0 the whole."""
    return f"{picture.id} {number}"


def _score(one: Verdict) -> str:
    return f", score {one.score:.3f}" if one.is_used else ""


def _number(picture: Picture) -> int | None:
    """The face of a picture that was chosen, None for the whole; takes what was just chosen in the strip."""
    picked = st.session_state.get(_STRIP, {}).get("chosen")
    number = _new(_STRIP, picked, MOST)
    # A choice that comes late is one of another picture.
    if number is not None and picked.get("id") == _id(picture, number):
        _choose(picture, number - 1 if number else None)
    image, chosen = st.session_state.get(_CHOSEN, ("", None))
    return chosen if image == picture.id else None


def _new(place: str, picked: Any, most: int) -> int | None:
    """The number that was chosen in the browser, if it is a choice that was not handled yet."""
    handled = st.session_state.setdefault(_HANDLED, {})
    if not isinstance(picked, dict) or picked == handled.get(place):
        return None
    handled[place] = dict(picked)
    number = picked.get("number")
    return number if isinstance(number, int) and 0 <= number <= most else None


def _key(picture: Picture, entry: detectors.Entry, judged: Judged) -> face_work.Key:
    return entry.version, picture.id, judged[0].key == entry.key
