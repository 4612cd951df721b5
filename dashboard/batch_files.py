"""What can be taken away from a batch, what has no verdict or no row and why, and what deletes files, or all of it."""

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import actions, batches, dialogs, roles, widgets
from dashboard.roles import Role
from dfcore.errors import InputError
from dfcore.runs import readable

if TYPE_CHECKING:
    from dfcore.batch.job import Batch, BatchStatus

_FORMATS = {
    ".csv": ("CSV", "text/csv", "A table for spreadsheets and other programs."),
    ".jsonl": ("JSON Lines", "application/jsonl", "One JSON object a line."),
    ".parquet": ("Parquet", "application/vnd.apache.parquet", "A table for data frames: small and typed."),
    ".json": ("Competition JSON", "application/json", "The competition's format: number and real or fake of each "
              "picture that has a verdict. File names must be numbers."),
}  # fmt: skip
_LISTED = 200


def show(batch: "Batch") -> None:
    """Shows downloads, what has no verdict or no row and why, and, of a damaged batch as well, what deletes."""
    with widgets.errors():
        _show_downloads(batch)
        _show_unjudged(batch)
        _show_left_out(batch)
    _show_deletion(batch, readable(batch.status))


def _show_downloads(batch: "Batch") -> None:
    status = batch.status()
    if not status.done:
        return
    problem = _no_competition(batch.id, status.done, batch)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**All rows so far**" if status.state.active else "**All rows**", width="content")
        for suffix, (title, mime, text) in _FORMATS.items():
            why = problem if suffix == ".json" else ""
            st.download_button(
                title, partial(_file, batch, suffix), f"batch-{batch.id}{suffix}", mime, key=f"batch_get{suffix}",
                on_click="ignore", icon=":material/download:", help=widgets.plain(why or text), disabled=bool(why),
            )  # fmt: skip


def _file(batch: "Batch", suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rows{suffix}"
        batch.write(path)
        return path.read_bytes()


@st.cache_data(max_entries=64, show_spinner=False)
def _no_competition(batch_id: str, done: int, _batch: "Batch") -> str:
    """Why the rows cannot be had in the competition's format; "" if they can."""
    from dfcore.batch.writers import require_numbers

    first = _batch.rows(limit=1).rows
    try:  # One name tells for most batches; all of them are read only where it is a number.
        require_numbers([Path(row["path"]) for row in first])
        require_numbers([Path(row["path"]) for row in _batch.all_rows() if not row["error"]])
    except InputError:
        return "The competition's format needs file names that are numbers, such as 12.png, each once."
    return ""


def _show_unjudged(batch: "Batch") -> None:
    from dfcore.batch.query import Query

    count = batch.counts().get("", 0)
    if not count:
        return
    label = "1 file has no verdict" if count == 1 else f"{count:,} files have no verdict"
    if place := widgets.folded(f"{label}, with reasons", "batch_unjudged", icon=":material/broken_image:"):
        with place:
            rows = batch.rows(Query(findings=("",)), limit=_LISTED).rows
            if count > _LISTED:
                st.caption(f"The first {_LISTED} of {count:,}; the downloads above hold all of them.")
            listed = [{"File": row["path"], "Reason": row["error"]} for row in rows]
            widgets.table(listed, "Files without a verdict, with the reason", column_config=_WIDE)


def _show_left_out(batch: "Batch") -> None:
    left = batch.left_out()
    if not left:
        return
    count = sum(one.files for one in left)
    label = "1 file has no row" if count == 1 else f"{count:,} files have no row"
    if place := widgets.folded(f"{label}, with reasons", "batch_left_out", icon=":material/filter_alt:"):
        with place:
            listed = [{"File": one.path, "Files": one.files, "Reason": one.reason} for one in left[:_LISTED]]
            if len(left) > _LISTED:
                st.caption(f"The first {_LISTED} of {len(left):,} entries.")
            widgets.table(listed, "What was left out, with the reason", column_config=_WIDE)


_WIDE = {"File": st.column_config.TextColumn(width="large"), "Reason": st.column_config.TextColumn(width="large")}


def _show_deletion(batch: "Batch", status: "BatchStatus | None") -> None:
    if status is not None:
        with widgets.errors():
            st.caption(_kept(status.closed))
        if status.state.active:
            return
    with st.container(horizontal=True):
        may_close = status is not None and not status.closed and roles.may(Role.ANALYST)
        if may_close and st.button("Close and delete files", icon=":material/folder_delete:"):
            _confirm_close(batch)
        if roles.may(Role.TRAINER) and st.button("Delete this batch", icon=":material/delete:"):
            _confirm_delete(batch)


def _kept(closed: str) -> str:
    if closed:
        why = "by itself, some time after it had ended" if closed == "by age" else "by request"
        return (
            f"This batch was closed {why}: uploads and thumbnails are deleted, the rows stay. Pictures in a folder on "
            "the server can be opened as long as they lie there unchanged."
        )
    return (
        "Uploads and thumbnails are kept until the batch is closed, by the button or by itself "
        f"{_hours():g} hours after its end. The rows stay until the batch is deleted."
    )


def _hours() -> float:
    from dfcore.runs.closing import hours

    return hours()


@st.dialog("Close this batch?")
def _confirm_close(batch: "Batch") -> None:
    st.markdown(
        f"**{widgets.plain(batches.title(batch))}**: uploaded and fetched files and all thumbnails will be deleted "
        "permanently; uploaded pictures can then no longer be opened from here. Rows, downloads and what is remembered "
        "under Cases stay. Files in folders on the server are not touched."
    )
    dialogs.decide("Close and delete files", lambda: actions.close_batch(batch.id), done="The files are deleted.")


@st.dialog("Delete this batch?")
def _confirm_delete(batch: "Batch") -> None:
    st.markdown(
        f"**{widgets.plain(batches.title(batch))}** will be deleted permanently, with its rows, uploads and "
        "thumbnails. What is remembered under Cases stays, and so do files in folders on the server."
    )
    dialogs.decide("Delete for good", lambda: _delete(batch), done="The batch is deleted.")


def _delete(batch: "Batch") -> None:
    actions.delete_batch(batch.id)
    widgets.forget_address("batch", batch.id)
