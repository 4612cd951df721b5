"""Thumbnails of several pictures with what was said of each; a click or an arrow key chooses one."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import file_evidence, uploads, viewer, widgets
from dfcore.detectors.verdict import Verdict
from dfcore.errors import ImageError
from dfcore.imaging import sandbox
from dfcore.utils.html import data_url

if TYPE_CHECKING:
    from dfcore.cases import Decision

_KEY, _ADDED = "inspect_strip", "inspect_added"
_SIDE = 96
# Sign and colour of what is said, by `Verdict.finding`.
_SIGNS = {
    "fake": ("▲", "orange"), "real": ("●", "blue"), "no_sign": ("○", "gray"), "inconclusive": ("?", "gray"),
    "unused": ("∅", "gray"), None: ("×", "gray"),
}  # fmt: skip

_strip = st.components.v2.component(
    "dfcore_filmstrip", css=viewer.asset("filmstrip.css"), js=viewer.asset("filmstrip.js")
)


def chosen(pictures: Sequence[uploads.Picture]) -> int:
    """Number of the picture to show: one that was just added, or that was chosen last; the first where it is gone."""
    picked = _picked()
    if (added := uploads.newest()) is not None:
        places = (_id(number, picture) for number, picture in enumerate(pictures) if picture.id == added)
        st.session_state[_ADDED] = next(places, None), picked
    added, before = st.session_state.get(_ADDED, (None, None))
    wanted = added if added is not None and picked == before else (picked or {}).get("id")
    return next((number for number, picture in enumerate(pictures) if _id(number, picture) == wanted), 0)


def choose(pictures: Sequence[uploads.Picture], number: int) -> None:
    """Has `chosen` give this picture, until another one is added or chosen in the strip."""
    st.session_state[_ADDED] = _id(number, pictures[number]), _picked()


def _picked() -> dict[str, Any] | None:
    """What was chosen in the strip last, with a number that tells one choice from the next."""
    picked = st.session_state.get(_KEY, {}).get("chosen")
    return dict(picked) if isinstance(picked, Mapping) else None


def show(
    pictures: Sequence[uploads.Picture], verdicts: Sequence[Verdict], chosen_number: int,
    decisions: "Mapping[str, Decision]",
) -> None:  # fmt: skip
    """Shows the strip; choosing reruns the page, which asks `chosen`.

    Args:
        pictures: The pictures.
        verdicts: What is said of each.
        chosen_number: Number of the picture in sight.
        decisions: What people decided of them, by their hashes.
    """
    items = []
    for number, (picture, verdict) in enumerate(zip(pictures, verdicts, strict=True)):
        unused = verdict.score is not None and not verdict.is_used
        sign, colour = _SIGNS["unused" if unused else verdict.finding]
        words = "Not judged" if unused else widgets.VERDICTS[verdict.finding]
        items.append(
            {
                "id": _id(number, picture),
                "name": picture.name,
                "src": thumbnail(picture.id, picture.data) if verdict.score is not None else None,
                "mark": f"{sign} {words}",
                "badges": _badges(picture, verdict, decisions.get(picture.id)),
                "colour": f"var(--st-{colour}-text-color, var(--st-text-color))",
            }
        )
    _strip(key=_KEY, data={"items": items, "chosen": chosen_number}, on_chosen_change=lambda: None)


def _badges(picture: uploads.Picture, verdict: Verdict, decision: "Decision | None") -> str:
    """What else matters about a picture before one looks at it; "" for most."""
    told = [f"decided: {decision.decided}"] if decision is not None else []
    if verdict.score is None:
        return "".join(told)
    told += ["declares AI"] if file_evidence.says(picture.data) == "declares" else []
    return " · ".join([*told, *(["trained on"] if verdict.seen.found else [])])


def thumbnail(image_id: str, data: bytes, side: int = _SIDE) -> str | None:
    """A small picture as an address that holds it; None if the file cannot be read."""
    try:
        return _thumbnail(image_id, side, data)
    except ImageError:  # Not kept: it may be read when tried again.
        return None


@st.cache_data(max_entries=2_048, show_spinner=False)
def _thumbnail(image_id: str, side: int, _data: bytes) -> str:
    return data_url(sandbox.decode(_data, side), "JPEG", quality=85)


def _id(number: int, picture: uploads.Picture) -> str:
    """The same file may be there twice."""
    return f"{number}-{picture.id[:16]}"
