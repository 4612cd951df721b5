"""Thumbnails of several pictures with what was said of each; a click or an arrow key chooses one."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import decode_cache, file_evidence, media, uploads, viewer, widgets
from dfcore.detectors.trained_on import in_short, in_words
from dfcore.detectors.verdict import Verdict
from dfcore.errors import ImageError
from dfcore.imaging import sandbox

if TYPE_CHECKING:
    from dfcore.cases import Decision

# `_SHOWN`: hashes of the pictures that were there last, the number of the one in sight, the last choice in the strip.
_KEY, _SHOWN = "inspect_strip", "inspect_shown"
_SIDE = 96

_strip = st.components.v2.component(
    "dfcore_filmstrip", css=viewer.asset("filmstrip.css"), js=viewer.asset("filmstrip.js")
)


def chosen(pictures: Sequence[uploads.Picture]) -> int:
    """Number of the picture to show: one that was just added or chosen, else the one that was in sight.

    It is known by its contents, whatever is added or removed. Where it is gone itself, the nearest one after it is
    shown, or else before it.
    """
    before, at, handled = st.session_state.get(_SHOWN, ([], 0, None))
    picked, ids = _picked(), [picture.id for picture in pictures]
    wanted = [(before[place], place) for place in (*range(at, len(before)), *reversed(range(at)))]
    if picked is not None and picked != handled:
        wanted.insert(0, (picked.get("id"), picked.get("number")))
    if (added := uploads.newest()) is not None:
        wanted.insert(0, (added, 0))
    places = (_nearest(ids, one, place) for one, place in wanted)
    at = next((place for place in places if place is not None), 0)
    st.session_state[_SHOWN] = ids, at, picked
    return at


def choose(pictures: Sequence[uploads.Picture], number: int) -> None:
    """Has `chosen` give this picture, until another one is added or chosen in the strip."""
    st.session_state[_SHOWN] = [picture.id for picture in pictures], number, _picked()


def _picked() -> dict[str, Any] | None:
    """What was chosen in the strip last, with a time that tells one choice from the next."""
    picked = st.session_state.get(_KEY, {}).get("chosen")
    is_whole = isinstance(picked, Mapping) and isinstance(picked.get("number"), int)
    return dict(picked) if is_whole else None


def _nearest(ids: Sequence[str], wanted: str, place: int) -> int | None:
    """Where a picture is; of the same file given several times, the one nearest to a place."""
    same = (number for number, one in enumerate(ids) if one == wanted)
    return min(same, key=lambda number: abs(number - place), default=None)


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
    items = [
        _item(picture, verdict, decisions.get(picture.id)) for picture, verdict in zip(pictures, verdicts, strict=True)
    ]
    _strip(key=_KEY, data={"items": items, "chosen": chosen_number}, on_chosen_change=lambda: None)


def small(items: Sequence[Mapping[str, Any]], chosen_number: int, key: str, label: str) -> None:
    """Shows a strip of smaller items in several rows, whose keys work only while it has the focus.

    Args:
        items: Each with id, name, title, src, notes, mark and colour.
        chosen_number: Number of the one in sight.
        key: Where the choice is kept: its number, and a time that tells one choice from the next.
        label: What the strip is, for those who do not see it.
    """
    data = {"items": items, "chosen": chosen_number, "small": True, "label": label}
    _strip(key=key, data=data, on_chosen_change=lambda: None)


def _item(picture: uploads.Picture, verdict: Verdict, decision: "Decision | None") -> dict[str, Any]:
    """A picture as the strip shows it; in its title, what the words below the verdict mean."""
    notes = [f"decided: {decision.decided}"] if decision is not None else []
    if verdict.score is not None:
        notes += ["declares AI"] if file_evidence.says(picture.data) == "declares" else []
        notes += [in_short(verdict.seen)] if verdict.seen.found else []
    said = widgets.verdict_mark(verdict.finding)
    return {
        "id": picture.id,
        "name": picture.name,
        "title": "\n".join(filter(None, (picture.name, said["mark"], *notes, in_words(verdict.seen)))),
        "src": thumbnail(picture.id, picture.data) if verdict.score is not None else None,
        "notes": notes,
        **said,
    }


def thumbnail(image_id: str, data: bytes, side: int = _SIDE) -> str | None:
    """A small picture as an address that holds it; None if the file cannot be read."""
    try:
        return _thumbnail(image_id, side, data)
    except ImageError:  # Not kept: it may be read when tried again.
        return None


@st.cache_data(max_entries=2_048, show_spinner=False)
def _thumbnail(image_id: str, side: int, _data: bytes) -> str:
    preview = decode_cache.known_preview(image_id)
    return media.thumbnail(sandbox.decode(_data, side) if preview is None else preview, side)
