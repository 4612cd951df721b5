"""Detectors to and from the Hugging Face Hub, on Models: what would be sent, what is there, and how far it is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import audit_work, background, dialogs, exchange_actions, roles, widgets
from dashboard.detectors import Entry
from dashboard.markup import code
from dashboard.page_words import EVERYBODY, LICENCE, SCORES, WHO_SEES, WITH, WITHOUT
from dashboard.roles import Role
from dfcore.hub import hugging_face, licences, pinned
from dfcore.hub.credentials import how_to_get
from dfcore.hub.sources import Service
from dfcore.utils.texts import volume

if TYPE_CHECKING:
    from dfcore.hub.pull import Offer
    from dfcore.hub.push import Plan, Pushed

_OFFER = "hub_offer"
_SO_FAR = "as stated so far"
_SCORES = {"as before": None, WITH: True, WITHOUT: False}


def origin(entry: Entry) -> None:
    """Tells where a detector was pulled from, and whether it still is what was pulled."""
    with widgets.errors():
        record = pinned.read(entry.folder)
        if record is None:
            return
        stamps = tuple((each.name, each.stat().st_size, each.stat().st_mtime_ns) for each in entry.folder.iterdir())
        differing = _changed(entry.folder, stamps, record)
        state = f"changed since: {', '.join(differing)}" if differing else "unchanged since"
        licence = f"licence {record.licence}, as stated there" if record.licence else "no licence stated there"
        st.caption(
            f":material/cloud_download: From {code(record.source)}{widgets.plain(record.which())}; "
            f"{widgets.plain(licence)}; {widgets.plain(state)}."
        )


@st.cache_data(max_entries=50, show_spinner=False)
def _changed(folder: Path, stamps: tuple[tuple[str, int, int], ...], _record: pinned.Pulled) -> list[str]:
    return pinned.changed(folder, _record)


# === Out ===


def offer_publishing(entry: Entry) -> None:
    """Button that opens the dialog to publish a detector; for trainers, while it is not being published."""
    task = background.find(background.publish_key(entry.folder.name))
    free = task is None or not task.running
    if free and roles.may(Role.TRAINER) and st.button(
        "Publish", icon=":material/cloud_upload:", key=f"publish_{entry.key}",
        help="Sends it to the Hugging Face Hub, with a model card made from its card.",
    ):  # fmt: skip
        _publish(entry)


def publishing(entry: Entry) -> None:
    """Progress or outcome of publishing a detector, if it was begun."""
    key = background.publish_key(entry.folder.name)
    task = background.find(key)
    if task is None or task.running or task.result is None:
        audit_work.watch(key, "Files that arrived are not sent again; nothing is seen of them before all have.")
        return
    _published(key, task.result)


def _published(key: str, done: "Pushed") -> None:
    seen = "only its owner sees it" if done.private else "visible to all"
    sent = f"{len(done.sent)} files sent" if done.sent else "all of it was there already"
    removed = f", {len(done.removed)} removed" if done.removed else ""
    with st.container(border=True):
        st.success(f"Published, {seen}: {sent}{removed}.", icon=":material/cloud_done:")
        st.code(f"dfcore pull {done.address} --digest {done.digest}", language=None, wrap_lines=True)
        with st.container(horizontal=True):
            st.link_button("Open its page", done.page, icon=":material/open_in_new:")
            st.button("Close", icon=":material/close:", key=f"close {key}", on_click=audit_work.close, args=(key,))


@st.dialog("Publish to the Hugging Face Hub", width="large")
def _publish(entry: Entry) -> None:
    st.markdown(f"**{widgets.plain(entry.title)}**")
    with widgets.errors(stop=True):
        may_send = hugging_face.has_token()
    if not may_send:
        st.info(
            f"This server has no token of the Hugging Face Hub. {how_to_get(Service.HUGGING_FACE, 'write')} Its "
            "operator sets it in the server's environment; it is never entered here. You can see what would be sent.",
            icon=":material/key:",
        )
    kept: dict[str, Any] = {"persist_state": "session"}  # A refusal comes when the dialog is closed.
    st.text_input(
        "Address", placeholder="OWNER/NAME", key=_key("address", entry), **kept,
        help="Account or organisation, and the name it gets there; @BRANCH for another branch.",
    )  # fmt: skip
    left, right = st.columns(2)
    left.segmented_control(
        WHO_SEES, ["Its owner", EVERYBODY], default="Its owner", required=True, key=_key("visible", entry), **kept,
        help="Of a new repository; one that exists stays as it is. A public one takes nothing that is not meant to be.",
    )  # fmt: skip
    right.selectbox(
        LICENCE, [_SO_FAR, *sorted(licences.KNOWN)], key=_key("licence", entry), **kept,
        help="As the Hub names it; so far is what was stated where it was pulled from, else what its card says. Mind "
        "the licences of the images it was trained on.",
    )  # fmt: skip
    st.text_input("Message", placeholder="What is different now", key=_key("message", entry), max_chars=200,
                  **kept)  # fmt: skip
    st.segmented_control(
        SCORES, list(_SCORES), default="as before", required=True, key=_key("scores", entry), **kept,
        help="Tables from which every figure can be computed. They name images by their paths. As before sends them, "
        "unless it was published without.",
    )  # fmt: skip
    plan = None
    with widgets.errors():
        if st.session_state[_key("address", entry)]:
            plan = _planned(entry)
            _show_plan(plan)

    def publish() -> None:
        sent = _planned(entry)
        exchange_actions.start_publishing(str(sent.address), sent)

    dialogs.decide(
        "Publish it", publish, done="It is on its way.", icon=":material/cloud_upload:",
        disabled=plan is None or not may_send,
    )  # fmt: skip


def _planned(entry: Entry) -> "Plan":
    """What would be sent by what the dialog says at this moment, which may be more than what is shown already."""
    said = {
        name: st.session_state[_key(name, entry)] for name in ("address", "visible", "licence", "message", "scores")
    }
    licence = said["licence"]
    return exchange_actions.would_send(
        entry.folder, said["address"], public=said["visible"] == EVERYBODY,
        licence="" if licence == _SO_FAR else licence, message=said["message"], predictions=_SCORES[said["scores"]],
    )  # fmt: skip


def _key(name: str, entry: Entry) -> str:
    """Of a field of the dialog: what was entered for one detector is not that of another."""
    return f"hub_{name} {entry.folder.name}"


def _show_plan(plan: "Plan") -> None:
    seen = "seen by everybody" if plan.public else "seen by its owner alone"
    st.markdown(f"**{volume(plan.size)}** will go to {code(plan.address)}, {seen}:")
    st.caption(
        (f"It will state the licence {code(plan.licence)}. " if plan.licence else
         "It will state no licence; without one nobody else may use it. ")
        + (f"Its card says: {widgets.plain(plan.card.licence)}" if plan.card.licence else "Its card states none.")
    )  # fmt: skip
    rows = [{"File": row["file"], "Size": row["size"], "Holds": row["holds"]} for row in plan.rows()]
    widgets.table(rows, "Files that will be sent", height=min(36 * (len(rows) + 1), 260))
    if place := widgets.folded("Model card", "hub_readme"):
        place.code(plan.readme, language="markdown", wrap_lines=True, height=320)


# === In ===


def fetch() -> None:
    """Asks for an address, shows what is there, and fetches it."""
    task = background.find(background.FETCH_DETECTOR)
    if task is not None and not task.running and task.result is not None:
        st.success(
            f"{widgets.plain(task.result.name)} was checked and is in the library.", icon=":material/cloud_done:"
        )
        background.drop(background.FETCH_DETECTOR)  # Told once.
        st.session_state.pop(_OFFER, None)
    elif audit_work.watch(background.FETCH_DETECTOR, "What was loaded is kept; fetching it again goes on with it."):
        return
    st.caption(
        "Fetch a detector that somebody published. It is pinned to a commit and to the hashes of its files, loaded in "
        "a separate process first, and rejected unless it holds a supported network with its card. The claims on its "
        "card are not verified."
    )
    with st.form("hub_look", border=False):
        address = st.text_input(
            "Address", placeholder="hf:OWNER/NAME", key="hub_from",
            help="hf:OWNER/NAME, @ and a branch, tag or commit if wanted, or its page's address.",
        )  # fmt: skip
        if st.form_submit_button("Look", icon=":material/search:") and address:
            st.session_state.pop(_OFFER, None)
            with widgets.errors(), st.spinner("Asking the Hugging Face Hub …"):
                st.session_state[_OFFER] = exchange_actions.look(address)
    if (offer := st.session_state.get(_OFFER)) is not None:
        _show_offer(offer)


def _show_offer(offer: "Offer") -> None:
    seen = ", private" if offer.private else ""
    st.markdown(f"**{code(offer.address)}**, {volume(offer.size)}{seen}")
    rows = {
        "Commit": offer.commit,
        "Licence, as its owner states it": offer.licence or "none stated",
        "Files": ", ".join(f"{name} ({volume(file.size)})" for name, file in offer.files.items()),
        "Not loaded": ", ".join(offer.others) or "nothing",
    }
    values = [widgets.plain(value) for value in rows.values()]
    st.table({"Entry": list(rows), "Value": values}, hide_index=True, border="horizontal", alt="What is there")
    # What was entered for one offer is not that of the next, also not in the browser, which knows fields by their keys.
    which = f"{offer.address} {offer.commit}"
    with st.form("hub_fetch", border=False):
        name = st.text_input("Name in the library", offer.address.name[:64], key=f"hub_name {which}",
                             persist_state="session", help="Letters, digits, . - and _")  # fmt: skip
        digest = st.text_input("Digest", placeholder="optional", key=f"hub_digest {which}", persist_state="session",
                               help="Its files must have this digest, as whoever published it told you.")  # fmt: skip
        if st.form_submit_button("Fetch it", icon=":material/cloud_download:", type="primary"):
            with widgets.errors():
                exchange_actions.start_fetching(name.strip(), offer, digest.strip())
                st.rerun()
