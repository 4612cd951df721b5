"""Starts, watches and stops the audit of a data set."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from dashboard import actions, background, error_reporting, roles, widgets
from dashboard.roles import Role
from dfcore.datasets import Dataset
from dfcore.utils.texts import duration

_EVERY_SECONDS = 1.0


def watch(key: str, kept: str = "Nothing was changed.", stop: Callable[[], None] | None = None) -> bool:
    """Shows work under way with a way to stop it, or how it ended to who began it; returns whether it is under way.

    Args:
        key: Key of the work.
        kept: What is left of it if it was stopped, as a sentence.
        stop: Action that stops it where those who may start it may; by default only trainers may.
    """
    task = background.find(key)
    if task is None:
        return False
    if task.running:
        _progress(key, stop)
        return True
    if task.was_stopped:
        st.info(f"{task.what} was stopped. {kept}", icon=":material/stop_circle:")
    elif task.error is not None:
        st.error(widgets.told(task.error), icon=":material/error:")
    background.drop(key)  # Told once.
    return False


@error_reporting.fragment(run_every=_EVERY_SECONDS)
def _progress(key: str, stop: Callable[[], None] | None) -> None:
    task = background.find(key)
    if task is None or not task.running:
        st.rerun()
        return
    text = task.title or task.what
    if task.total and task.done:
        text += f": {task.done:,} of {task.total:,}"
    if speed := task.per_second():
        pace = f"{speed:,.0f}" if speed >= 10 else f"{speed:.2g}"
        text += f", {pace} a second, about {duration((task.total - task.done) / speed)} left"
    else:
        text += f", for {duration(task.seconds())} so far"
    with st.container(border=True):
        st.progress(min(task.done / task.total, 1.0) if task.total else 0.0, widgets.plain(text))
        with st.container(horizontal=True, vertical_alignment="center"):
            if task.stopping:
                st.caption("Stopping after the current step …")
            else:
                st.button(
                    "Stop", icon=":material/stop:", key=f"stop {key}",
                    disabled=stop is None and not roles.may(Role.TRAINER),
                    help="Stops it; results stored so far are kept.", on_click=_try,
                    args=(stop or partial(actions.stop_work, key),),
                )  # fmt: skip
            st.caption("It continues while you visit other pages.")


def close(key: str) -> None:
    """Puts away how work ended; for a button's `on_click`."""
    _try(partial(actions.close_work, key))


def _try(act: Callable[[], None]) -> None:
    with error_reporting.reported(), widgets.errors():
        act()


def offer(root: Path, dataset: Dataset, label: str, *, primary: bool = False) -> None:
    """Button that starts the audit of a data set."""
    if st.button(
        label, icon=":material/fact_check:", type="primary" if primary else "secondary",
        disabled=not roles.may(Role.TRAINER), key=f"start audit {label}",
        help="Looks for what a detector could learn instead of the traces of generators: file formats, subjects, "
        "duplicates, wrong labels. Takes seconds to minutes; can be stopped. Requires the role of trainer.",
    ):  # fmt: skip
        with widgets.errors():
            actions.start_audit(root, dataset)
            st.rerun()
