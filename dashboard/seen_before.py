"""Whether a picture was judged before, in a line, and whether its verdict is remembered."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import decided, memory, uploads, widgets
from dashboard.navigation import go
from dfcore import workspace

if TYPE_CHECKING:
    from dfcore.cases import Seen

OFF = "Nothing is remembered here: the operator of this server has turned it off (DFCORE_CASES=off)."


def show_line(picture: uploads.Picture) -> None:
    """Tells in a line that a picture was judged before, with a way to its history; nothing if it was not."""
    found = memory.seen(picture.id)
    if not found:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":material/history: **Seen before**: {in_words(found[0])}{_others(found)}", width="content")
        if st.button("History", key="inspect_history", type="tertiary", icon=":material/arrow_forward:",
                     help="All that is remembered of it: verdicts, decisions, notes."):  # fmt: skip
            go("cases", picture=found[0].picture.sha256)


def show_state(picture: uploads.Picture) -> None:
    """Tells if nothing is remembered, or why the verdict on a picture could not be."""
    if not workspace.keeps_cases():
        st.caption(f":material/history_toggle_off: {OFF}")
    elif (error := memory.problem(picture.id)) is not None:
        st.warning(
            f"The verdict is not remembered: {widgets.told(error)} It is tried again whenever this page runs.",
            icon=":material/history_toggle_off:",
        )


def how_alike(seen: "Seen") -> str:
    """Why a picture counts as the same, in words."""
    if seen.how == "file":
        return "the same file"
    if seen.how == "pixels":
        return "the same pixels in another file"
    bits = "no bit differs" if not seen.bits else f"{seen.bits} of 64 bits differ"
    return f"{'its mirror image, ' if seen.mirrored else ''}a picture that looks alike ({bits})"


def in_words(seen: "Seen") -> str:
    """How a picture is known, with its newest verdict and decision, as Markdown."""
    text = how_alike(seen)
    if seen.how != "file":
        text += f", {widgets.plain(seen.picture.name)}"
    if seen.judgements:
        last = seen.judgements[-1]
        text += (
            f", judged on {decided.when(last.at)} by {widgets.plain(last.by)}: {widgets.verdict_words(last.finding)}"
        )
        if len(seen.judgements) > 1:
            text += f" (the newest of {len(seen.judgements)} verdicts)"
    if seen.decision is not None:
        text += f"; decision {decided.in_words(seen.decision)} by {widgets.plain(seen.decision.by)}"
    return f"{text}."


def _others(found: "list[Seen]") -> str:
    return "" if len(found) == 1 else f" {len(found) - 1} more like it."
