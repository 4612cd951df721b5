"""The file's own evidence on a page: one line beside the verdict, and the File tab."""

import json
from typing import Any

import numpy as np
import streamlit as st

from dashboard import file_evidence, inference, widgets
from dashboard.markup import plain
from dfcore.errors import DfcoreError, ImageError
from dfcore.provenance import CREDENTIAL_WORDS, Credentials, Evidence, Location, Source, Thumbnail
from dfcore.utils.files import sha256_bytes

# Icon and colour of the line; blue and orange mean real and fake and are not for here.
_LINES = {
    "declares": ("auto_awesome", "violet"), "captured": ("badge", "green"), "trusted": ("badge", "green"),
    "unknown_signer": ("badge", "gray"), "invalid": ("report", "red"), "none": ("draft", "gray"),
}  # fmt: skip
_MISSING = (
    "Content credentials (C2PA) are signed statements about how a picture was made. **A missing credential means "
    "nothing by itself**: most cameras and programs do not write them, most platforms remove them on upload, and a "
    "screenshot has none. It does not make a picture suspicious, and a picture that is AI-generated need not have "
    "one.\n\nA **valid** credential shows that the file was not changed since it was signed. Whether what it says is "
    "true depends on who signed it; only signers on a trust list are vouched for. An **invalid** one shows that "
    "something changed after signing, which resizing by a website does too; what it says no longer counts."
)
_SEARCHES = {
    "Google Lens": "https://lens.google.com/",
    "TinEye": "https://tineye.com/",
    "Bing Visual Search": "https://www.bing.com/visualsearch",
    "Yandex Images": "https://yandex.com/images/",
}
_DECLARED = {"generated": "declares AI", "partly": "declares AI in part", None: ""}
# Texts above this length are shown as a block of their own.
_LONG = 80


def show_line(data: bytes, name: str) -> None:
    """Shows in one line what the file says of itself.

    Args:
        data: The file.
        name: Its name, as a stranger chose it.
    """
    try:
        evidence = file_evidence.evidence(data)
    except DfcoreError as error:
        st.markdown(
            f":gray[:material/draft: What {plain(name)} says of itself could not be read: {widgets.told(error)}]"
        )
        return
    icon, colour = _LINES[_state(evidence)]
    st.markdown(
        f":{colour}[:material/{icon}:] {plain(evidence.summary)}",
        help="What the file itself says, apart from any detector: content credentials, metadata and traces of "
        "generators. Metadata can be removed or written by anyone. The File tab shows all of it.",
    )


def show_file(data: bytes, name: str) -> None:
    """Shows all that the file says of itself: credentials, declarations, remarks, metadata.

    Args:
        data: The file.
        name: Its name, as a stranger chose it.
    """
    try:
        evidence = file_evidence.evidence(data)
    except DfcoreError as error:
        st.error(widgets.told(error), icon=":material/draft:")
        return
    key = sha256_bytes(data)[:16]
    _show_credentials(evidence.credentials)
    _show_sources(evidence.sources)
    _show_remarks(evidence)
    if evidence.thumbnail and evidence.thumbnail.differs:
        _show_thumbnail(evidence.thumbnail, data)
    _show_coding(evidence)
    if evidence.location:
        _show_place(evidence.location)
    _show_metadata(evidence, key)
    _show_searches()
    st.download_button(
        "Download the file's evidence (JSON)", json.dumps(evidence.to_dict(), indent=2), f"{name}.evidence.json",
        "application/json", key=f"file_json_{key}", on_click="ignore", icon=":material/download:",
        help="Credentials, sources, remarks and metadata as shown here, for your records.",
    )  # fmt: skip


def _state(evidence: Evidence) -> str:
    if evidence.declares_generated:
        return "declares"
    return "captured" if evidence.declares_generated is False else evidence.credentials.state


def _show_credentials(told: Credentials) -> None:
    (title, meaning), colour = CREDENTIAL_WORDS[told.state], _LINES[told.state][1]
    st.subheader("Content credential", help=_MISSING)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(title, color=colour)  # type: ignore[arg-type]  # a colour of `_LINES`
        st.markdown(f"{meaning} {plain(told.reason)}".strip())
    rows = {"Signed by": told.signer, "Made with": told.generator, "Signed at, by its time stamp": told.time}
    rows |= {
        f"Step {number}": " · ".join(part for part in (action.words, action.software, action.when) if part)
        for number, action in enumerate(told.actions, 1)
    }
    rows |= {
        f"Made from ({ingredient.relationship or 'ingredient'}) {number}":
        " · ".join(part for part in (ingredient.title or "untitled", _DECLARED[ingredient.declares]) if part)
        for number, ingredient in enumerate(told.ingredients, 1)
    }  # fmt: skip
    rows = {name: value for name, value in rows.items() if value}
    if rows and told.state == "invalid":
        st.caption("What it says, which does not count:")
    _table(rows)
    if told.state == "unknown_signer" and not told.trust_list:
        st.caption(
            "This server has no trust list, so no signer counts as trusted. Whoever runs it can name one; see "
            "Provenance in the documentation."
        )


def _show_sources(sources: tuple[Source, ...]) -> None:
    st.subheader(
        "How it was made, in the file's words",
        help="Prompts, labels and names of software that stand in the file. Each can be written or removed by anyone; "
        "a prompt is a strong sign, since few would add one to a photograph.",
    )
    if not sources:
        st.markdown("Apart from a content credential, nothing in the file names a generator, an editor or a camera.")
    for source in sorted(sources, key=lambda source: source.declares is None):
        with st.container(border=True):
            mark = f":violet-badge[{_DECLARED[source.declares]}] " if source.declares else ""
            st.markdown(f"{mark}{plain(source.text)}")
            if source.kind == "prompt":
                st.caption("Does the prompt describe this picture? If not, the text may come from another file.")
            if source.kind == "credential":  # Its details stand above.
                continue
            _table({title: text for title, text in source.details.items() if len(text) <= _LONG})
            for title, text in source.details.items():
                if len(text) > _LONG:
                    st.caption(plain(title))
                    st.code(text, language=None, wrap_lines=True)


def _show_remarks(evidence: Evidence) -> None:
    if not evidence.remarks and not evidence.unreadable:
        return
    st.subheader("Remarks", help="What does not fit together or could not be read, and what that means.")
    for remark in evidence.remarks:
        st.markdown(f":material/info: {plain(remark.text)}")
        st.caption(plain(remark.meaning))
    for text in evidence.unreadable:
        st.caption(f":material/visibility_off: {plain(text)}")


def _show_thumbnail(small: Thumbnail, data: bytes) -> None:
    left, right = st.columns(2)
    pixels = np.frombuffer(small.rgb, np.uint8).reshape(small.height, small.width, 3)
    left.image(pixels, caption="Thumbnail embedded in the file", alt="Thumbnail embedded in the file", width="stretch")
    try:
        picture = inference.picture(data)
    except ImageError as error:
        right.caption(plain(error))
        return
    right.image(picture, caption="The picture", alt="The picture", width="stretch")


def _show_coding(evidence: Evidence) -> None:
    told = evidence.jpeg
    if told is None:
        return
    st.markdown(
        f"**JPEG:** {plain(told.words)}",
        help="By the quantisation tables. They tell how the file was last saved, not how the picture was made: "
        "programs that generate, edit or share pictures use the same few encoders.",
    )


def _show_place(place: Location) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**Place:** {place.words}",
            help="GPS coordinates from EXIF. Anyone can write them.",
        )
        at = f"mlat={place.latitude}&mlon={place.longitude}#map=15/{place.latitude}/{place.longitude}"
        st.link_button(
            "Open on OpenStreetMap", f"https://www.openstreetmap.org/?{at}", icon=":material/map:", type="tertiary",
            help="Opens the place in a new tab, which tells the map's operator that you look at it.",
        )  # fmt: skip


def _show_metadata(evidence: Evidence, key: str) -> None:
    rows = [
        {"Group": group, "Name": name, "Text": text}
        for group, entries in evidence.metadata.items()
        for name, text in entries.items()
    ]
    st.subheader("Metadata", help="Everything readable that the file holds beside its pixels, as it stands there.")
    wanted = st.text_input(
        "Search the metadata", key=f"file_search_{key}", placeholder="e.g. software, date, lens",
        help="Shows only the entries whose group, name or text contain this, in small or capital letters.",
    )  # fmt: skip
    shown = [row for row in rows if wanted.strip().lower() in " ".join(row.values()).lower()]
    if shown:
        widgets.table(shown, "Metadata of the file", column_config={"Text": st.column_config.TextColumn(width="large")})
    else:
        st.markdown("No entry contains this.")
    noun = "entry" if len(rows) == 1 else "entries"
    counts = f"{len(shown)} of {len(rows)} {noun}" if wanted.strip() else f"{len(rows)} {noun}"
    left_out = "".join(
        f"; {count:,} more in {plain(group)} are not shown" for group, count in evidence.left_out.items()
    )
    st.caption(f"{counts}{left_out}. Long texts are cut.")


def _show_searches() -> None:
    st.subheader(
        "Search for the picture elsewhere",
        help="An earlier or larger copy often tells more than the file: where it was first shown, what was cut off.",
    )
    st.caption(
        "Nothing is sent by itself. Each link opens a search engine in a new tab; only if you upload the picture there "
        "does its operator get it, and may keep it. Do not upload what is confidential."
    )
    with st.container(horizontal=True):
        for title, address in _SEARCHES.items():
            st.link_button(
                title, address, icon=":material/open_in_new:",
                help=f"Opens {title} in a new tab. You choose there whether to upload the picture.",
            )  # fmt: skip


def _table(rows: dict[str, Any]) -> None:
    if rows:
        widgets.table(
            {"Name": list(rows), "Text": list(rows.values())},
            "Names and texts from the file",
            column_config={"Name": st.column_config.TextColumn(width="small")},
        )
