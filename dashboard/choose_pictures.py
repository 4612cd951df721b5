"""Where pictures come from: upload, camera, samples."""

import streamlit as st

from dashboard import filmstrip, uploads, widgets
from dfcore.inspection.samples import Sample, samples

_POPOVER, _CHOSEN, _SAMPLE = "inspect_pictures", "inspect_chosen", "inspect_sample"
_HELP = "JPEG, PNG, WebP, BMP, TIFF, GIF, MPO, HEIC or AVIF, up to 64 MB each. They stay on this machine."


@st.cache_data(show_spinner=False)
def _samples() -> list[Sample]:
    return samples()


def show_in_popover() -> None:
    """The same folded away, while there are pictures; it closes when one of them is chosen."""
    if st.session_state.pop(_CHOSEN, False):
        st.session_state[_POPOVER] = False
    if st.button("Next picture", icon=":material/restart_alt:", help="Takes the pictures away and asks for others."):
        uploads.clear("inspect_upload")
        st.rerun()
    label = f"Pictures ({len(uploads.images())})"
    place = st.popover(label, icon=":material/add_photo_alternate:", key=_POPOVER, on_change="rerun")
    with place:
        show(with_samples=bool(place.open))


def show(*, with_samples: bool = True) -> None:
    """Shows the ways to add pictures, and to take them away; without samples where nobody sees them."""
    if uploads.choose("Pictures to check", "inspect_upload", help=_HELP):
        st.rerun()  # What is below depends on whether there are any.
    if with_samples:
        _show_samples()
    if st.toggle("Use the camera", key="inspect_camera", help="The browser asks for permission first."):
        photo = st.camera_input("Photo to check", label_visibility="collapsed")
        if photo and st.button("Check this photo", icon=":material/frame_inspect:"):
            uploads.open_alone(uploads.Picture("camera.jpg", photo.getvalue()))
            st.rerun()
    if uploads.images() and st.button(
        "Remove all pictures", icon=":material/delete_sweep:", help="They are not kept anywhere else."
    ):
        uploads.clear("inspect_upload")
        st.rerun()


def _show_samples() -> None:
    st.caption(
        "Four pictures whose truth is known: photographs that ship with scikit-learn, and copies of our own making. "
        "They were chosen to show what a verdict looks like, not how good a detector is; the truth follows the verdict."
    )
    for place, sample in zip(st.columns(4), _samples(), strict=True):
        with place:
            if (picture := filmstrip.thumbnail(sample.sha256, sample.data, 320)) is not None:
                st.image(picture, width="stretch", alt=f"Sample: {sample.title}")
            if st.button(sample.title, key=f"sample_{sample.name}", width="stretch"):
                uploads.open_alone(uploads.Picture(sample.name, sample.data))
                uploads.forget("inspect_upload")
                st.session_state[_CHOSEN], st.session_state[_SAMPLE] = True, sample.sha256
                st.rerun()


def tell_truth(picture: uploads.Picture) -> None:
    """Says what a sample is that was chosen here; nothing for any other picture."""
    if picture.id != st.session_state.get(_SAMPLE):
        return
    for sample in _samples():
        if sample.sha256 == picture.id:
            st.info(f"**The truth about this sample.** {widgets.plain(sample.truth)} {widgets.plain(sample.shows)}",
                    icon=":material/fact_check:")  # fmt: skip
