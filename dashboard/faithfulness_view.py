"""Tests of heat-maps: whether one shows what the score hangs on, and how far a method is to be trusted."""

import streamlit as st

from dashboard import detectors, inference, widgets
from dashboard.markup import plain
from dfcore import figures
from dfcore.detectors.card import Card
from dfcore.detectors.verdict import Verdict
from dfcore.explanation import METHODS, Faithfulness, Heatmap
from dfcore.explanation.faithfulness import SHARES
from dfcore.utils.files import sha256_bytes

# From this correlation with maps of shuffled weights on, a method shows the picture more than the network; below this
# share of comparisons won, its maps are no better than chance.
_SAME_MAP, _NO_BETTER = 0.5, 0.6
_ICONS = {"faithful": "check", "partly": "info", "random": "warning", "inert": "help"}


def method_note(card: Card, method: str) -> str:
    """How faithful a method's maps were on average for this detector: sentences, in Markdown, for beside its choice."""
    title, rows = METHODS[method].title, [row for row in card.faithfulness if row.method == method]
    if not rows:
        return f"How faithful maps of {title} are has not been measured for this detector."
    shares = [f"{row.beats_random:.0%}{f' ({plain(row.view)})' if row.view else ''}" for row in rows]
    text = (
        f"On {rows[0].images} pictures that the detector had not learned from, the parts that {title} shows brightest "
        f"mattered more than parts chosen at random in {' and '.join(shares)} of comparisons; 50% is chance."
    )
    best = max(row.beats_random for row in rows)
    if best < _NO_BETTER:
        text += " On average its maps are hardly better than random: choose another method."
    if max(row.sanity for row in rows) >= _SAME_MAP:
        text += (
            " Its maps stay much the same when the network's weights are shuffled, so they show the picture more than "
            "what the network learned."
        )
    return text


def meaning(verdict: Verdict, heatmap: Heatmap) -> str:
    """What a map means where the verdict says neither real nor fake; "" where it does."""
    if verdict.decision != "inconclusive":
        return ""
    said = "No sign of a fake was found" if verdict.finding == "no_sign" else "The verdict is undecided"
    return (
        f"{said}. The map shows what pulls the score towards {heatmap.target}; it is no evidence that the image is "
        f"{heatmap.target}."
    )


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
