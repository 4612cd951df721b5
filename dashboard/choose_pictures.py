"""Where pictures come from: upload, camera, samples; and how they are taken away."""

import streamlit as st

from dashboard import filmstrip, uploads, widgets
from dfcore.inspection.samples import Sample, samples
from dfcore.labels import name_of

_POPOVER, _CHOSEN, _SAMPLES = "inspect_pictures", "inspect_chosen", "inspect_samples"
_UPLOADER = "inspect_upload"
_HELP = "JPEG, PNG, WebP, BMP, TIFF, GIF, MPO, HEIC or AVIF, up to 64 MB each. They stay on this machine."


@st.cache_data(show_spinner=False)
def _samples() -> list[Sample]:
    return samples()


def show_in_popover() -> None:
    """The same folded away, while there are pictures: it closes when one is added, and stays when one is removed."""
    if st.session_state.pop(_CHOSEN, False):
        st.session_state[_POPOVER] = False
    _show_clear(len(uploads.images()))
    # Always the same label: with another one it would be another popover, and closed.
    place = st.popover("Pictures", icon=":material/add_photo_alternate:", key=_POPOVER, on_change="rerun")
    with place:
        show(in_sight=bool(place.open))
    if not uploads.images():
        st.rerun()


def _show_clear(count: int) -> None:
    """The way to start with other pictures; of several it is asked first."""
    icon, help = ":material/delete_sweep:", "What Cases remembers stays; the files are kept only where somebody asked."
    if count > 1:
        with st.popover("Take all away", icon=icon):
            asked = st.button(f"Take all {count} pictures away", help=help, key="inspect_clear")
    else:
        asked = st.button("Take it away", icon=icon, help=help, key="inspect_clear")
    if asked:
        uploads.clear(_UPLOADER)
        st.rerun()


def show(*, in_sight: bool = True) -> None:
    """Shows the ways to add pictures, and to remove some; without samples where nobody sees them."""
    if uploads.choose("Pictures to check", _UPLOADER, help=_HELP):
        _show_added()
    if in_sight:
        _show_loose()
        _show_samples()
    if st.toggle("Use the camera", key="inspect_camera", help="The browser asks for permission first."):
        photo = st.camera_input("Photo to check", label_visibility="collapsed")
        if photo and st.button("Check this photo", icon=":material/frame_inspect:"):
            _add(uploads.Picture("camera.jpg", photo.getvalue()))


def _add(picture: uploads.Picture) -> None:
    with widgets.errors():
        uploads.add(picture)
        _show_added()


def _show_added() -> None:
    st.session_state[_CHOSEN] = True
    st.rerun()  # What is below depends on the pictures.


def _show_loose() -> None:
    """Pictures that the uploader does not list: samples, photos, those from other pages or from before another page."""
    loose = uploads.loose()
    if not loose:
        return
    st.caption("Also here; a click takes one away.")
    with st.container(horizontal=True, gap="small"):
        for number, picture in enumerate(loose):
            if st.button(widgets.plain(picture.name), icon=":material/close:", key=f"loose_{number}_{picture.id[:16]}"):
                uploads.remove(picture)
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
                st.session_state[_SAMPLES] = {*st.session_state.get(_SAMPLES, ()), sample.sha256}
                _add(uploads.Picture(sample.name, sample.data))


def tell_truth(picture: uploads.Picture) -> None:
    """Says what a sample is that was chosen here; nothing for any other picture."""
    if picture.id not in st.session_state.get(_SAMPLES, ()):
        return
    for sample in _samples():
        if sample.sha256 == picture.id:
            said = f"{widgets.plain(sample.truth)} {widgets.plain(sample.shows)}"
            st.info(f"**The truth about this sample: {name_of(sample.label)}.** {said}", icon=":material/fact_check:")
