"""Review by keyboard: keys to decide on the picture in sight and to go on, as a component of our own.

R, F and U decide, N and P go on and back; each is a button as well. Nothing that is typed into a field counts. Presses
are numbered by the browser and kept there until the page says that it has handled them, so none is lost however fast
they come. A decision counts for the picture that was in sight when its key was pressed; while the next one is on its
way there is none in sight, and keys that decide do nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import streamlit as st

from dashboard import viewer

Decided = Literal["real", "fake", "undecided"]
Action = Literal["real", "fake", "undecided", "next", "previous"]
DECIDED: tuple[Decided, ...] = get_args(Decided)

_bar = st.components.v2.component(
    "dfcore_review_keys", css=viewer.asset("review_keys.css"), js=viewer.asset("review_keys.js")
)


@dataclass(frozen=True)
class Press:
    """A key or a button that was pressed.

    Attributes:
        action: What it asks for: a decision, or another picture.
        picture: The id of the picture that was in sight, as it was given to `show`.
    """

    action: Action
    picture: str

    @property
    def decision(self) -> Decided | None:
        """What was decided; None if another picture was asked for."""
        return self.action if self.action in DECIDED else None


def presses(key: str) -> Iterator[Press]:
    """What was pressed since the last run, in order; each comes once.

    A press counts as handled once the next one is asked for: the body of the loop must not raise, or be left early,
    unless the press is to come again. Call it before what depends on the decisions is drawn.

    Args:
        key: Key of the bar, see `show`.
    """
    given = st.session_state.get(key, {}).get("pressed")
    for one in given if isinstance(given, list) else ():
        number, press = _read(one)
        if press is None or number <= _handled(key):
            continue
        yield press
        st.session_state[_handled_key(key)] = number


def show(
    picture: str, name: str, *, key: str, number: int, total: int, decided: Decided | None = None, done: int = 0,
    may: bool = True,
) -> None:  # fmt: skip
    """Shows the keys as buttons, with the decision on the picture; a press reruns the page, which asks `presses`.

    Args:
        picture: Id of the picture in sight.
        name: Its name, beside the keys: nobody is to decide on another one unknowingly.
        key: Key of the bar.
        number: Its number, from 0.
        total: How many pictures there are; with one alone there is none to go on to.
        decided: What was decided on it so far.
        done: How many of the pictures were decided on.
        may: Whether the visitor may decide; else the keys that do so are left out.
    """
    _bar(
        key=key,
        data={
            "picture": picture, "name": name, "handled": _handled(key), "number": number, "total": total,
            "decided": decided, "done": done, "may": may,
        },
        on_pressed_change=lambda: None,
    )  # fmt: skip


def decided(text: str) -> Decided | None:
    """A stored decision as `show` takes it; None if it is none."""
    return next((one for one in DECIDED if one == text), None)


def _handled_key(key: str) -> str:
    return f"{key}_handled"


def _handled(key: str) -> int:
    """Number of the last press that was handled."""
    return st.session_state.get(_handled_key(key), 0)


def _read(one: Any) -> tuple[int, Press | None]:
    """A press as the browser tells it; none for what it never tells."""
    if not isinstance(one, dict) or one.get("action") not in get_args(Action):
        return 0, None
    number, picture = one.get("number"), one.get("picture")
    if not isinstance(number, int) or not isinstance(picture, str):
        return 0, None
    return number, Press(one["action"], picture)
