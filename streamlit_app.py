"""The dashboard's front door: page navigation and chrome, nothing else."""

from pathlib import Path

import streamlit as st

from dashboard.navigation import pages

st.set_page_config(page_title="Deepfake workbench", page_icon=":material/frame_inspect:", layout="wide")
_assets = Path(__file__).parent / "dashboard" / "assets"
st.logo(str(_assets / "logo.svg"), icon_image=str(_assets / "icon.svg"), size="large")
st.navigation(pages()).run()
