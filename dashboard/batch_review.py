"""Pictures of a batch in Inspect, one after the other, and the way back to the same place in the batch.

The address holds the batch, the row and what was shown of the batch, so that a review outlasts a reload.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

import streamlit as st

from dashboard import batch_decided, batch_grid, batch_view, batches, uploads, widgets
from dashboard.batch_view import View
from dashboard.navigation import go
from dfcore.errors import DfcoreError

if TYPE_CHECKING:
    from dfcore.batch.job import Batch

# What is open: id of the batch, number of the row, hash of the picture, why it cannot be opened ("" if it can).
_OPEN = "batch_review"


@dataclass(frozen=True)
class Review:
    """A picture of a batch that is open in Inspect.

    Attributes:
        batch: The batch.
        number: Number of its row.
        view: Which rows are gone through.
        place: Its place among them, from 0; None if the filters leave it out.
        total: How many they are.
        decided: How many of them were decided on.
        problem: Why the picture cannot be had any more; "" if it can.
    """

    batch: "Batch"
    number: int
    view: View
    place: int | None
    total: int
    decided: int
    problem: str = ""


def open_row(batch: "Batch", number: int, view: View) -> NoReturn:
    """Opens a picture of a batch in Inspect, judged as in the batch.

    Raises:
        ImageError: If its file cannot be had any more; says why.
    """
    _put(batch, number)
    go("inspect", detector=batches.detector_choice(batch), batch=batch.id, row=str(number), **view.parameters())


def present() -> Review | None:
    """The picture of a batch that Inspect's address names, opened if this session has not; None if it names none.

    It ends once other pictures are looked at.
    """
    batch_id, row = st.query_params.get("batch"), st.query_params.get("row")
    if batch_id is None or row is None:
        if _OPEN in st.session_state:
            leave()
        return None
    batch = batches.find(batch_id)
    if batch is None or not (row.isascii() and row.isdecimal() and len(row) < 10):
        if _OPEN in st.session_state:
            _end()
        widgets.missing("Picture of a batch", f"{row} of {batch_id}")
        return None
    with widgets.errors():
        return _of(batch, int(row))
    if _OPEN in st.session_state:
        _end()
    return None


def _of(batch: "Batch", number: int) -> Review | None:
    """The picture, opened if this session has not; None once others were opened in its place."""
    _ = batch.request  # One error, where this is damaged.
    before = st.session_state.get(_OPEN, (None,))
    if before[:2] != (batch.id, number):
        _open(batch, number)
    elif [picture.id for picture in uploads.images()] != [before[2]] * bool(before[2]):
        leave()
        return None
    view = batch_view.asked()
    numbers = _numbers(batch, view)
    place = numbers.index(number) if number in numbers else None
    decided = batch_decided.count(batch, view, len(numbers))
    return Review(batch, number, view, place, len(numbers), decided, st.session_state[_OPEN][3])


def leave() -> None:
    """Ends the review: other pictures are looked at, and those that were there before it are back."""
    _end()
    for name in ("batch", "row", *batch_view.NAMES):
        if name in st.query_params:
            del st.query_params[name]


def _end() -> None:
    st.session_state.pop(_OPEN, None)
    uploads.bring_back(beside=True)


def back(review: Review) -> NoReturn:
    """Opens the batch where the picture is, which has the keyboard's focus."""
    st.session_state.pop(_OPEN, None)
    uploads.bring_back()
    batch_grid.focus()
    view = review.view if review.place is None else replace(review.view, at=review.place)
    go("batch", batch=review.batch.id, **view.parameters())


def turn(by: int) -> None:
    """Opens the picture so many places further on, if there is one; call `present` for what is open then."""
    review = present()
    if review is None:
        return
    numbers = _numbers(review.batch, review.view)
    place = (review.place if review.place is not None else -1) + by
    if 0 <= place < len(numbers):
        _open(review.batch, numbers[place])
        st.query_params["row"] = str(numbers[place])


def show(review: Review, *, keys: bool) -> None:
    """Shows where in the batch the picture is, and the way back; with `keys` also the ways on, each with its key."""
    with st.container(horizontal=True, vertical_alignment="center", key="batch_review_bar"):
        if st.button("Back to the batch", icon=":material/arrow_back:", shortcut="B", key="batch_review_back"):
            back(review)
        where = "a picture that its filters leave out"
        if review.place is not None:
            where = f"picture {review.place + 1:,} of {review.total:,}{', filtered' if review.view.narrowed else ''}"
        st.markdown(f"**{widgets.plain(review.batch.title)}**, {where}", width="content")
        place = -1 if review.place is None else review.place
        for label, icon, step in (("Previous", "chevron_left", -1), ("Next", "chevron_right", 1)) if keys else ():
            st.button(
                label, icon=f":material/{icon}:", shortcut=label[0], key=f"batch_review_{step}", on_click=turn,
                args=(step,), disabled=not 0 <= place + step < review.total,
            )  # fmt: skip
    if review.problem:
        st.warning(f"This picture cannot be opened. {widgets.told(review.problem)}", icon=":material/broken_image:")


def _open(batch: "Batch", number: int) -> None:
    """Puts a picture into Inspect; where it cannot be had, nothing, and keeps why."""
    try:
        _put(batch, number)
    except DfcoreError as error:
        _put_alone()
        st.session_state[_OPEN] = batch.id, number, "", str(error)


def _put(batch: "Batch", number: int) -> None:
    row = batch.row(number)
    picture = uploads.Picture(row["name"], batch.bytes_of(row))
    _put_alone(picture)
    batches.take_over(batch)
    st.session_state[_OPEN] = batch.id, number, picture.id, ""


def _put_alone(*pictures: uploads.Picture) -> None:
    uploads.open_alone(*pictures)
    uploads.forget("inspect_upload")


def _numbers(batch: "Batch", view: View) -> list[int]:
    return _listed(batch.id, batch.status().done, tuple(view.parameters().items()), batch)


@st.cache_data(max_entries=64, show_spinner=False)
def _listed(batch_id: str, done: int, view: tuple[tuple[str, str], ...], _batch: "Batch") -> list[int]:
    shown = batch_view.read(dict(view))
    return _batch.numbers(shown.query(), **shown.ordering())
