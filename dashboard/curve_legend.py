"""One legend for all training curves on Monitor, and short names for their runs."""

import html
from collections.abc import Mapping

import streamlit as st

from dfcore.figures import NEUTRAL_COLOUR, curve_styles
from dfcore.utils.texts import printable

# Characters of a name, and of its end where only that tells two names apart.
_LONGEST, _END = 32, 14
_DASHES = {"solid": "solid", "dash": "dashed"}


def show(names: Mapping[str, str]) -> None:
    """Tells what the colours and dashes of the curves mean; whole names appear under the pointer.

    Args:
        names: {run id: displayed name} of the runs, in the order in which they are drawn.
    """
    colours, solid, dashed = curve_styles(len(names))
    one = len(names) == 1
    kinds = colours[:2] if one else [NEUTRAL_COLOUR, NEUTRAL_COLOUR]
    runs = [] if one else [
        _entry(_line(colour, solid), text, names[run])
        for colour, (run, text) in zip(colours, shortened(names).items(), strict=False)
    ]  # fmt: skip
    entries = [
        *runs,
        _entry(_line(kinds[0], solid), "training"),
        _entry(_line(kinds[1], dashed), "validation"),
        _entry(f'<span style="color:{kinds[1]}" aria-hidden="true">★</span>', "best epoch"),
    ]  # fmt: skip
    st.html(f'<div style="display:flex;flex-wrap:wrap;gap:0.2rem 1.4rem;font-size:0.9rem">{"".join(entries)}</div>')


def shortened(names: Mapping[str, str]) -> dict[str, str]:
    """Names short enough for a legend, and still different from each other."""
    cut = {run: _cut(printable(name)) for run, name in names.items()}
    texts = list(cut.values())
    return {run: f"{text} [{number}]" if texts.count(text) > 1 else text
            for number, (run, text) in enumerate(cut.items(), 1)}  # fmt: skip


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - _END - 1].rstrip()}…{name[-_END:].lstrip()}"


def _line(colour: str, dash: str) -> str:
    return f'<span style="width:28px;border-top:3px {_DASHES[dash]} {colour}" aria-hidden="true"></span>'


def _entry(sign: str, text: str, whole: str = "") -> str:
    title = f' title="{html.escape(printable(whole))}"' if whole else ""
    return f'<span style="display:inline-flex;align-items:center;gap:0.4rem"{title}>{sign}{html.escape(text)}</span>'
