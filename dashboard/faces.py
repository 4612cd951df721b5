"""The faces of the picture in sight: found and judged once its own verdict is shown, and chosen by a click."""

import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from dashboard import actions, detectors, filmstrip, inference_queue, verdict, widgets
from dashboard.judging import Judged
from dashboard.uploads import Picture
from dfcore.detectors.verdict import Verdict
from dfcore.errors import DfcoreError
from dfcore.figures import FINDING_COLOURS
from dfcore.imaging import sandbox
from dfcore.imaging.preprocess import Region
from dfcore.inspection.faces import MOST, FaceVerdicts, FoundFaces, JudgedFace, find, for_faces, judge
from dfcore.utils import extras
from dfcore.utils.html import data_url

# Of this session: what was looked for in which picture, with the error if it failed; which face of which was chosen;
# the last choice that was handled, by where it was made.
_LOOKED, _CHOSEN, _HANDLED = "inspect_faces_looked", "inspect_face", "inspect_face_handled"
_STRIP, _THUMB = "inspect_faces_strip", 96
_WHY = "it is the one for faces"


@dataclass(frozen=True)
class Faces:
    """What is known of the faces of a picture.

    Attributes:
        entry: The detector for faces; None if there is none, or the picture cannot be read.
        told: Its verdicts under the analyst's settings; None while they are not known.
        number: Place of the chosen face among `told.faces`; None for the whole picture.
        error: Why they cannot be known; "" if they can.
    """

    entry: detectors.Entry | None = None
    told: FaceVerdicts | None = None
    number: int | None = None
    error: str = ""

    @property
    def waiting(self) -> bool:
        """Whether faces are still to be looked for."""
        return self.entry is not None and self.told is None and not self.error

    @property
    def chosen(self) -> JudgedFace | None:
        """The chosen face."""
        return None if self.told is None or self.number is None else self.told.faces[self.number]


def of(
    picture: Picture, judged: Judged, entries: list[detectors.Entry], library: list[detectors.Entry],
    accepted: verdict.Strictness,
) -> Faces:  # fmt: skip
    """What is known of the faces of a picture; nobody waits for it.

    Args:
        picture: The picture.
        judged: What was said of it as a whole.
        entries: The detectors that were asked; if one of them is for faces, it judges them.
        library: All detectors of the library, of which another one may be for faces.
        accepted: The analyst's settings.
    """
    entry = None if judged[2].score is None else judge_of(entries, library)
    if entry is None:
        return Faces()
    if (looked := st.session_state.get(_LOOKED, {}).get(_key(picture, entry, judged))) is None:
        return Faces(entry)
    if looked:
        return Faces(entry, error=looked)
    told = _verdicts(entry, picture, judged)
    under = tuple(replace(one, verdict=accepted.applied(entry, one.verdict)) for one in told.faces)
    number = _number(picture)
    return Faces(entry, replace(told, faces=under), None if number is None or number >= len(under) else number)


def in_sight(
    picture: Picture, judged: Judged, entries: list[detectors.Entry], library: list[detectors.Entry]
) -> detectors.Entry:
    """The detector whose verdict is in sight: the one for faces where a face is chosen."""
    return judged[0] if _number(picture) is None else judge_of(entries, library) or judged[0]


def judge_of(entries: list[detectors.Entry], library: list[detectors.Entry]) -> detectors.Entry | None:
    """The detector for faces; None if there is none, or faces cannot be found here."""
    if not extras.installed("openvino"):
        return None
    for some in (entries, [entry for entry in library if entry.card.answers_unasked]):
        by_key = {entry.key: entry for entry in some}
        if (name := for_faces({key: entry.card for key, entry in by_key.items()})) is not None:
            return by_key[name]
    return None


def compute(faces: Faces, picture: Picture, judged: Judged) -> None:
    """Finds and judges the faces, so that `of` gives them from now on, and draws the page anew."""
    assert faces.entry is not None
    error = ""
    try:
        _verdicts(faces.entry, picture, judged)
    except DfcoreError as failed:
        error = str(failed)
    st.session_state.setdefault(_LOOKED, {})[_key(picture, faces.entry, judged)] = error
    st.rerun()


def subject(faces: Faces, picture: Picture, judged: Judged) -> tuple[Picture, Judged]:
    """What is looked at: the chosen face, as a picture of its own with its verdict, or else the whole picture."""
    if (one := faces.chosen) is None or faces.entry is None or faces.number is None:
        return picture, judged
    name = f"{picture.name}, face {faces.number + 1}"
    return Picture(name, _cut(picture.id, one.region, picture.data)), (faces.entry, _WHY, one.verdict)


def notes(faces: Faces) -> str:
    """What is to be said below the chosen face."""
    if (one := faces.chosen) is None:
        return ""
    return (
        f"Cut out of the picture at its own pixels, {one.side} a side, framed as the faces that the detector learned "
        "from. The verdict is on this face alone."
    )


def show_alarm(faces: Faces) -> None:
    """Tells beside the verdict on the whole picture that faces in it are called likely fake."""
    if faces.told is None or faces.chosen is not None:
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
    if faces.error:
        st.caption(f":material/face: Faces could not be looked for: {widgets.told(faces.error)}")
        if st.button("Look for faces again", icon=":material/refresh:"):
            st.session_state[_LOOKED] = {}
            st.rerun()
    if faces.told is None or faces.told.as_whole:
        return
    st.caption(f":material/face: {widgets.plain(faces.told.summary)}")
    if not faces.told.faces:
        return
    items = [_item("The picture", filmstrip.thumbnail(picture.id, picture.data), whole)]
    for number, one in enumerate(faces.told.faces, 1):
        preview = Image.fromarray(one.preview)
        preview.thumbnail((_THUMB, _THUMB))
        items.append(_item(f"Face {number}", data_url(np.asarray(preview), "JPEG", quality=85), one.verdict))
    at = 0 if faces.number is None else faces.number + 1
    filmstrip.small(items, at, _STRIP, "Faces of the picture")


def marks(faces: Faces) -> list[dict[str, Any]]:
    """The faces as `viewer.show` draws them; none where a face is what is shown."""
    if faces.told is None or faces.chosen is not None:
        return []
    return [_mark(number, one) for number, one in enumerate(faces.told.faces, 1)]


def pick(faces: Faces, picture: Picture, clicked: Any) -> None:
    """Chooses the face that was clicked on the picture, if that is new, and draws the page anew."""
    if faces.told is not None and (number := _new("picture", clicked, len(faces.told.faces) - 1)) is not None:
        st.session_state[_CHOSEN] = picture.id, number
        st.rerun()


def _mark(number: int, one: JudgedFace) -> dict[str, Any]:
    used, finding = one.verdict.is_used, one.verdict.finding
    return {
        "box": one.face.box,
        "label": f"{number} {widgets.VERDICT_SIGNS[finding] if used else widgets.MISSING}",
        "title": f"Face {number}: {one.verdict.says}{_score(one.verdict)}",
        "colour": FINDING_COLOURS[finding if used and finding else "inconclusive"],
    }


def _item(name: str, src: str | None, one: Verdict) -> dict[str, Any]:
    said = widgets.verdict_mark(one.finding)
    if not one.is_used and one.score is not None:
        said = widgets.verdict_mark("inconclusive") | {"mark": one.says.capitalize()}
    score = _score(one).removeprefix(", ")
    title = "\n".join(filter(None, (name, said["mark"], score, one.reason)))
    return {"id": name, "name": name, "title": title, "src": src, "notes": [score] if score else [], **said}


def _score(one: Verdict) -> str:
    return f", score {one.score:.3f}" if one.is_used else ""


def _number(picture: Picture) -> int | None:
    """The face of a picture that was chosen, None for the whole; takes what was just chosen in the strip."""
    picked = st.session_state.get(_STRIP, {}).get("chosen")
    if (number := _new(_STRIP, picked, MOST)) is not None:
        st.session_state[_CHOSEN] = picture.id, number - 1 if number else None
    image, number = st.session_state.get(_CHOSEN, ("", None))
    return number if image == picture.id else None


def _new(place: str, picked: Any, most: int) -> int | None:
    """The number that was chosen in the browser, if it is a choice that was not handled yet."""
    handled = st.session_state.setdefault(_HANDLED, {})
    if not isinstance(picked, dict) or picked == handled.get(place):
        return None
    handled[place] = dict(picked)
    number = picked.get("number")
    return number if isinstance(number, int) and 0 <= number <= most else None


def _key(picture: Picture, entry: detectors.Entry, judged: Judged) -> tuple[str, str, bool]:
    return picture.id, entry.version, judged[0].key == entry.key


def _verdicts(entry: detectors.Entry, picture: Picture, judged: Judged) -> FaceVerdicts:
    actions.require_judging()
    image, version, judged_whole = _key(picture, entry, judged)
    return _judged(version, image, judged_whole, entry, picture.data)


# Positions alone, some KB each.
@st.cache_data(max_entries=1_024, show_spinner=False)
def _found(image_sha256: str, _data: bytes) -> FoundFaces:
    return find(_data)


# Previews of at most 24 faces; mostly of a few, some 200 KB each.
@st.cache_data(max_entries=64, show_spinner=False)
def _judged(version: str, image_sha256: str, judged_whole: bool, _entry: detectors.Entry, _data: bytes) -> FaceVerdicts:
    loaded = detectors.detector(_entry)
    with inference_queue.inference.take():
        found = _found(image_sha256, _data)
        return judge(_data, found, _entry.key, loaded, judged_whole=judged_whole)


@st.cache_data(max_entries=64, show_spinner=False)
def _cut(image_sha256: str, region: Region, _data: bytes) -> bytes:
    """A part of the picture as a file of its own, with the same pixels."""
    buffer = io.BytesIO()
    Image.fromarray(sandbox.part(_data, region)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
