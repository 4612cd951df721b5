"""Entry point of the dashboard: sign-in, navigation and page frame."""

from pathlib import Path

import streamlit as st

from dashboard import error_reporting, roles, streamlit_private, widgets
from dashboard.navigation import front_door, pages
from dashboard.roots import set_roots
from dashboard.runtime_tuning import return_memory

_assets = Path(__file__).parent / "dashboard" / "assets"
set_roots()
return_memory()
# A local file: Streamlit would fetch its named icons from the network.
st.set_page_config(page_title="Deepfake workbench", page_icon=str(_assets / "icon.svg"), layout="wide")
# Streamlit leaves 6rem above the title: the picture and the verdict are to share a screen.
st.html("<style>.stMainBlockContainer { padding-top: 4rem; padding-bottom: 3rem; }</style>")
with widgets.errors(stop=True):
    streamlit_private.keep_networks()
st.logo(str(_assets / "logo.svg"), icon_image=str(_assets / "icon.svg"), size="large")
page = st.navigation(pages())
with error_reporting.reported():
    roles.gate()
    with front_door():
        page.run()
