"""Entry point of the dashboard: sign-in, navigation and page frame."""

from pathlib import Path

import streamlit as st

from dashboard import error_reporting, roles, streamlit_private, widgets
from dashboard.navigation import front_door, pages
from dashboard.roots import set_roots
from dfcore.utils.memory import return_memory

_NAME = "Deepfake workbench"
_assets = Path(__file__).parent / "dashboard" / "assets"
set_roots()
return_memory()
widgets.set_now()
# A local file: Streamlit would fetch its named icons from the network.
st.set_page_config(page_title=_NAME, page_icon=str(_assets / "icon.svg"), layout="wide")
# Streamlit leaves 6rem above the title: the picture and the verdict are to share a screen.
st.html("<style>.stMainBlockContainer { padding-top: 4rem; padding-bottom: 3rem; }</style>")
with widgets.errors(stop=True):
    streamlit_private.keep_networks()
if st.context.theme.type == "dark":
    # Streamlit writes in white on the primary colour, which on a dark page must itself be light to be legible.
    st.html("<style>button[kind^=primary], span[data-baseweb=tag] {color: #0b1218}</style>")
st.logo(str(_assets / "logo.svg"), icon_image=str(_assets / "icon.svg"), size="large")
page = st.navigation(pages())
st.set_page_config(page_title=f"{page.title} – {_NAME}")
with error_reporting.reported():
    roles.gate()
    with front_door():
        page.run()
