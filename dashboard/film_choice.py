"""What film is judged and how: an upload or a file on the server; which frames, by which detector, with what errors."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import batches, big_upload, film_actions, roles, verdict, widgets
from dashboard.navigation import go
from dashboard.roles import Role
from dashboard.upload_spool import FILM
from dfcore import workspace
from dfcore.errors import InputError

if TYPE_CHECKING:
    from dfcore.films import Sampling
    from dfcore.films.sampling import Kind

_HOW, _TITLE, _PLACE, _KIND, _FACES = "film_how", "film_title", "film_place", "film_sampling", "film_faces"
_UPLOAD, _SERVER = "Upload", "On the server"
_KINDS: "dict[Kind, str]" = {"seconds": "By time", "frames": "By count", "scenes": "Scene changes"}
# For each kind the label of its number, and the number's least, usual and step.
_EVERY: "dict[Kind, tuple[str, float, float, float]]" = {
    "seconds": ("One frame every … seconds", 0.01, 1.0, 0.5),
    "frames": ("One frame in …", 1.0, 10.0, 1.0),
    "scenes": ("At least one every … seconds", 0.1, 10.0, 1.0),
}
_MOST = 3600.0


def show() -> None:
    """Shows the choices; opens the new film once it is started."""
    if not roles.offer(Role.ANALYST, "Judging films"):
        return
    how = st.segmented_control(
        "Film", [_UPLOAD, _SERVER], default=_UPLOAD, required=True, key=_HOW, persist_state="session",
        help="A file of this computer, or one that lies on the server.",
    )  # fmt: skip
    if how == _UPLOAD:
        big_upload.show(FILM)
    else:
        _choose_place()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind, every = _choose_frames()
        st.toggle(
            "Judge faces too", True, key=_FACES, persist_state="session",
            help="Each face from 40 pixels on is cut out, followed from frame to frame, and judged by the detector for "
            "faces, beside the whole frame.",
        )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        entries = widgets.choose_detectors()
        accepted = verdict.choose_strictness(entries[0].card.thresholds.budget if len(entries) == 1 else None)
        title = st.text_input(
            "Name of the film", key=_TITLE, placeholder="What it shows", width=260,
            help="Under which it is found again. Without one it is called by its file.",
        )  # fmt: skip
    if entries and st.button("Judge it", type="primary", icon=":material/play_arrow:", disabled=not _ready(how)):
        with widgets.errors(), st.spinner("Opening the film …"):
            film_id = _start(how, _sampling(kind, every), accepted, title.strip())
            big_upload.clear(FILM)
            widgets.set_next({_TITLE: "", _PLACE: "", "film_new": False})
            go("video", film=film_id)


def _choose_place() -> None:
    st.text_input(
        "Film on the server", key=_PLACE, placeholder="/data/films/film.mp4", persist_state="session",
        help="It is read where it lies and not copied: keep it there, unchanged, as long as you want to look at it.",
    )  # fmt: skip
    named = workspace.named_roots()
    if named is not None:
        folders = ", ".join(widgets.plain(root) for root in named) or "the workspace's own folders"
        st.caption(
            f"Anything inside {folders} can be judged. Whoever runs the server can allow others, without a restart, by "
            "`dfcore data allow FOLDER` on its command line."
        )


def _choose_frames() -> "tuple[Kind, float]":
    kind = st.segmented_control(
        "Frames to look at", list(_KINDS), default="seconds", required=True, key=_KIND, persist_state="session",
        format_func=_KINDS.__getitem__,
        help="By time: one frame every so many seconds, enough for most films. By count: every n-th frame, for short "
        "or odd stretches. Scene changes: the first frame of each scene, for long edited films; fakes within a scene "
        "that looks the same can be missed.",
    )  # fmt: skip
    label, least, usual, step = _EVERY[kind]
    every = st.number_input(
        label, least, _MOST, usual, step, key=f"film_every_{kind}", persist_state="session", width=210,
        format="%.0f" if kind == "frames" else "%g",
        help="Fewer frames take less time; what lies between two of them is not looked at.",
    )  # fmt: skip
    return kind, every


def _sampling(kind: "Kind", every: float) -> "Sampling":
    from dfcore.films import Sampling

    return Sampling(kind, int(every) if kind == "frames" else every)


def _ready(how: str) -> bool:
    if how == _UPLOAD:
        return big_upload.complete(FILM) is not None
    return bool(str(st.session_state.get(_PLACE) or "").strip())


def _start(how: str, sampling: "Sampling", accepted: verdict.Strictness, title: str) -> str:
    from dfcore.batch.sources import FromPath, Upload

    settings = {
        "faces": bool(st.session_state.get(_FACES, True)), "budget": accepted.budget,
        "ignore_ood": accepted.ignore_ood, "title": title,
    }  # fmt: skip
    detectors = [st.session_state.get("detector", batches.AUTO)]
    if how == _SERVER:
        source = FromPath(str(st.session_state[_PLACE]).strip())
        return film_actions.start_film(source, sampling, detectors, **settings)
    spool = big_upload.complete(FILM)
    if spool is None:
        raise InputError("Expected a film that was uploaded. Received: none; choose it again.")
    ((name, path),) = spool.paths()
    with open(path, "rb") as stream:
        return film_actions.start_film(Upload(name, stream), sampling, detectors, **settings)
