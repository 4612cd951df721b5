"""Two pictures side by side: what they look like, what is known of each, and what was said."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import cases_address, judgement_rows, picture_view
from dashboard.markup import plain
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    from dfcore.cases import Case, History, Store


def show_pictures(store: "Store", first: "History", second: "History", case: "Case | None") -> None:
    """Shows two pictures in two columns, and their newest verdicts line by line."""
    if st.button(f"Case {case.id}: {plain(case.title)}" if case else "All judged pictures", type="tertiary",
                 icon=":material/arrow_back:", key="beside_back"):  # fmt: skip
        cases_address.leave(case=case.id) if case else cases_address.leave(view="pictures")
    st.markdown(_alike(first, second))
    for number, (place, history) in enumerate(zip(st.columns(2, gap="medium"), (first, second), strict=True)):
        with place, st.container(border=True):
            st.subheader(plain(history.picture.name or history.picture.sha256[:16]))
            picture_view.show_picture(store, history)
            picture_view.show_newest(history)
            if st.button("History", key=f"beside_history_{number}", icon=":material/history:"):
                cases_address.leave(picture=history.picture.sha256, case=case.id if case else None)
            picture_view.show_facts(history)
    if first.judgements and second.judgements:
        st.markdown("**Newest verdicts**")
        newest = first.judgements[-1], second.judgements[-1]
        if newest[0].card_sha256 != newest[1].card_sha256:
            st.caption("Two detectors judged: their scores lie on different scales and cannot be compared.")
        names = [printable(one.picture.name) or one.picture.sha256[:16] for one in (first, second)]
        judgement_rows.show_beside(*newest, (f"Left: {names[0]}", f"Right: {names[1]}"))


def _alike(first: "History", second: "History") -> str:
    """How much the two pictures have in common, by their hashes."""
    one, other = first.picture, second.picture
    if one.sha256 == other.sha256:
        return "Both are the same file."
    if one.pixels_sha256 and one.pixels_sha256 == other.pixels_sha256:
        return "The files differ, but their pixels are the same."
    if not (one.phash and other.phash):
        return "Whether they look alike is not known: a perceptual hash is missing."
    bits = min((int(one.phash, 16) ^ int(look, 16)).bit_count() for look in (other.phash, other.mirrored) if look)
    return f"Their perceptual hashes differ in **{bits}** of 64 bits; copies of one picture in at most about 4."
