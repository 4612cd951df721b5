"""The test of a heat-map: whether it shows what the score hangs on."""

import streamlit as st

from dashboard import detectors, inference, widgets
from dfcore import figures
from dfcore.detectors.verdict import Verdict
from dfcore.explanation import Faithfulness, Heatmap
from dfcore.explanation.faithfulness import SHARES
from dfcore.inspection.maps import meaning
from dfcore.utils.files import sha256_bytes

_ICONS = {"faithful": "check", "partly": "info", "random": "warning", "inert": "help"}


def show(entry: detectors.Entry, data: bytes, heatmap: Heatmap, verdict: Verdict) -> Faithfulness | None:
    """Offers the test of a heat-map, and shows its result once it is wanted.

    Args:
        entry: The detector.
        data: The image file.
        heatmap: The map that is shown.
        verdict: The verdict on the image.

    Returns:
        The result; None where it was not asked for or the map is empty.
    """
    if note := meaning(verdict, heatmap):
        st.caption(f":material/help: {note}")
    if not heatmap.peak:
        st.caption("The map is empty, so there is nothing to test.")
        return None
    this = (entry.version, sha256_bytes(data), heatmap.method, heatmap.target, heatmap.layer, heatmap.view)
    wanted = st.button(
        "Does this map show what counts?", key="inspect_test_map", icon=":material/rule:",
        help="Blots out the parts that the map shows brightest: if the detector went by them, its score moves more "
        "than after blotting out parts chosen at random. Then the same the other way round, bringing them back. Takes "
        "some seconds. (Deletion and insertion, Petsiuk et al., 2018.)",
    )  # fmt: skip
    if wanted:
        st.session_state["inspect_tested_map"] = this
    if st.session_state.get("inspect_tested_map") != this:
        return None
    result = inference.faithfulness(entry, data, heatmap)
    st.markdown(f":material/{_ICONS[result.outcome]}: {result.in_words()}")
    widgets.chart(
        figures.faithfulness(SHARES, result.deletion, result.insertion, result.random), "inspect_test_curve",
        f"The score while parts of the picture are blurred, by the map and in random orders. {result.in_words()}",
    )  # fmt: skip
    st.caption(
        "The score while more of the judged part is blurred beyond recognition. For a "
        "map that shows what counts, the line leaves the grey band of random orders early: at the left the score soon "
        "moves away from where it was, at the right it soon comes back."
    )
    return result
