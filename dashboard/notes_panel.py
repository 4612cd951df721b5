"""What people say of a picture: their decision, notes, tags, the cases that it is filed in, whether it is kept."""

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import case_actions, decided, doing, page_words, roles, widgets
from dashboard.markup import plain
from dashboard.roles import Role

if TYPE_CHECKING:
    from dfcore.cases import Case, History, Note, Store

# Of cases to choose from, the most recently changed; others are found on the page Cases.
_CASES = 200
_SHOWN = 5


def show(
    store: "Store", history: "History", *, key: str, data: bytes | None = None, name: str = "", case: int | None = None
) -> None:
    """Shows what was said of a picture, and to analysts the ways to say more.

    Args:
        store: The store.
        history: What is known of the picture.
        key: Prefix of the widget keys.
        data: Contents of its file where they are at hand, so that it can be kept.
        name: Its name where it is looked at; by default the one that is remembered.
        case: Case in which it is looked at.
    """
    name = name or history.picture.name or history.picture.sha256[:16]
    key, may = f"{key}_{history.picture.sha256[:16]}", roles.may(Role.ANALYST)
    left, right = st.columns(2, gap="large")
    with left:
        show_decisions(history, name, key=key, case=case, may=may)
        _show_filing(store, history, key, may)
    with right:
        show_notes(history.notes, key=key, case=case, picture=history.picture.sha256, may=may)
        show_tags(history.tags, [name for name, _ in store.tags()], key=key, picture=history.picture.sha256, may=may)
        _show_keeping(history, key, data, may)


def show_decisions(history: "History", name: str, *, key: str, case: int | None, may: bool) -> None:
    """Shows what people decided of a picture; the newest counts."""
    st.markdown("**Decision of a person**", help="What people decided. It is kept beside the detector's verdicts and "
                "never mixed with them; the newest counts, older ones stay.")  # fmt: skip
    *older, last = history.decisions or (None,)
    st.markdown(decided.told(last) if last is not None else decided.in_words(None))
    if may:
        picked, why = f"{key}_decided", f"{key}_why"
        choices = [name for name in decided.WORDS if name is not None]
        st.segmented_control("Your decision", choices, format_func=decided.WORDS.__getitem__, key=picked,
                             help="What you conclude, whatever the detector says.")  # fmt: skip
        st.text_area("Why", key=why, height=68, placeholder="What it rests on",
                     help="Up to 20,000 characters; may be left empty.")  # fmt: skip
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"On **{plain(name)}**:", width="content")  # Nobody is to decide on another one unknowingly.
            doing.button("Decide", lambda: _decide(history.picture.sha256, case, picked, why), key=f"{key}_decide",
                         icon=":material/gavel:", disabled=st.session_state.get(picked) is None)  # fmt: skip
    if older:
        with st.expander(f"Earlier decisions ({len(older)})"):
            for one in reversed(older):
                if one is not None:
                    st.markdown(decided.told(one))


def _decide(picture: str, case: int | None, picked: str, why: str) -> str | None:
    choice = st.session_state.get(picked)
    if choice is None:
        return None
    case_actions.decide(picture, choice, case=case, why=st.session_state.get(why, ""))
    st.session_state[picked], st.session_state[why] = None, ""
    return f"Decided: {decided.WORDS[choice].lower()}."


def show_notes(
    notes: "tuple[Note, ...]", *, key: str, case: int | None = None, picture: str | None = None, may: bool
) -> None:
    """Shows notes, newest first, and to those who may a field for another one."""
    st.markdown(f"**Notes** ({len(notes)})")
    if may:
        text = f"{key}_note"
        st.text_area("New note", key=text, height=68, placeholder="What others should know",
                     help="Up to 20,000 characters. Notes are never changed; write another one instead.")  # fmt: skip
        doing.button("Add the note", lambda: _note(text, case, picture), key=f"{key}_add_note",
                     icon=":material/note_add:")  # fmt: skip
    newest = list(reversed(notes))
    for one in newest[:_SHOWN]:
        _show_note(one)
    if newest[_SHOWN:]:
        with st.expander(f"Older notes ({len(newest) - _SHOWN})"):
            for one in newest[_SHOWN:]:
                _show_note(one)
    if not notes and not may:
        st.caption("No notes.")


def _show_note(one: "Note") -> None:
    with st.container(border=True, gap=None):
        # Line by line: a note may have paragraphs, and none of it is Markdown.
        st.markdown("  \n".join(plain(line) for line in one.text.splitlines()))
        st.caption(f"{plain(one.by)}, {decided.when(one.at)}")


def _note(text: str, case: int | None, picture: str | None) -> str:
    case_actions.note(st.session_state.get(text, ""), case=case, picture=picture)
    st.session_state[text] = ""
    return "The note is added."


def show_tags(
    tags: "tuple[str, ...]", known: list[str], *, key: str, may: bool,
    case: int | None = None, picture: str | None = None,
) -> None:  # fmt: skip
    """Shows tags; whoever may changes them in the same field."""
    if not may:
        st.markdown(f"**Tags**: {', '.join(plain(tag) for tag in tags) or 'none'}")
        return
    field = f"{key}_tags"
    # What is stored counts, also when somebody else changed it meanwhile.
    st.session_state[field] = list(tags)
    st.multiselect(
        "Tags", sorted({*known, *tags}), key=field, accept_new_options=True, placeholder="Choose, or type a new one",
        on_change=_set_tags, args=(field, case, picture), help="Words to find it by, up to 100 characters each.",
    )  # fmt: skip
    with widgets.errors():
        if (error := st.session_state.pop(f"{field}_error", None)) is not None:
            raise error


def _set_tags(field: str, case: int | None, picture: str | None) -> None:
    from dfcore.errors import DfcoreError, detached

    try:
        case_actions.set_tags(st.session_state[field], case=case, picture=picture)
    except DfcoreError as error:
        st.session_state[f"{field}_error"] = detached(error)


def _show_filing(store: "Store", history: "History", key: str, may: bool) -> None:
    st.markdown("**Cases**")
    for case in history.cases:
        with st.container(horizontal=True, vertical_alignment="center"):
            closed = " (closed)" if case.closed else ""
            widgets.link("cases", f"{case.id}: {plain(case.title)}{closed}", "Opens the case.", "folder_open",
                         case=str(case.id))  # fmt: skip
            if may:
                doing.button("Take out", partial(_take_out, case, history), key=f"{key}_out_{case.id}",
                             type="tertiary", icon=":material/remove:")  # fmt: skip
    if not history.cases:
        st.caption("It is in no case.")
    if may:
        inside = {case.id for case in history.cases}
        choose_case(store, f"{key}_file", [history.picture.sha256], inside)


def choose_case(store: "Store", key: str, pictures: list[str], inside: "set[int] | None" = None) -> None:
    """A field to choose a case, or to name a new one, and the button that files pictures in it."""
    titles = {
        case.id: f"{case.id}: {case.title}"
        for case in store.cases(is_open=True, limit=_CASES).rows
        if case.id not in (inside or set())
    }
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Add to a case", list(titles), format_func=lambda one: titles.get(one, str(one)), key=key, index=None,
            accept_new_options=True, placeholder="Choose one, or type the title of a new one",
            help=f"The {_CASES} open cases that changed last; a title that is none of them opens a new case.",
        )  # fmt: skip
        doing.button("Add", lambda: _file(key, pictures), key=f"{key}_add", icon=":material/create_new_folder:",
                     disabled=st.session_state.get(key) is None or not pictures)  # fmt: skip


def _file(key: str, pictures: list[str]) -> str | None:
    chosen = st.session_state.get(key)
    if chosen is None:
        return None
    if isinstance(chosen, int):
        case_actions.file_in(chosen, pictures)
        told = f"Added to case {chosen}."
    else:
        made = case_actions.create_case(str(chosen), pictures)
        told = f"Case {made.id} is opened."
    st.session_state[key] = None
    return told


def _take_out(case: "Case", history: "History") -> str:
    case_actions.take_out(case.id, [history.picture.sha256])
    return f"Taken out of case {case.id}."


def _show_keeping(history: "History", key: str, data: bytes | None, may: bool) -> None:
    if history.image:
        st.caption(":material/inventory_2: The picture itself is kept.")
    elif data is not None and may:
        doing.button(
            page_words.KEEP, lambda: _keep(history.picture.sha256, data), key=f"{key}_keep",
            icon=":material/inventory_2:",
            help="Only hashes are remembered of a picture unless you ask for this. A kept one can be opened again from "
            "Cases, by everybody who may see cases.",
        )  # fmt: skip
    else:
        st.caption(":material/hide_image: The picture itself is not kept, only its hashes.")


def _keep(picture: str, data: bytes) -> str:
    case_actions.keep_image(picture, data)
    return "The picture is kept."
