"""What is to be said of a heat-map: what it shows and means beside a verdict, how far its method is to be trusted."""

from dfcore.detectors.card import Card
from dfcore.detectors.verdict import Verdict
from dfcore.explanation import METHODS, Heatmap

# From this correlation with maps of shuffled weights on, a method shows the picture more than the network; below this
# share of comparisons won, its maps are no better than chance.
_SAME_MAP, _NO_BETTER = 0.5, 0.6
NO_MAP = "The score is not used on this picture, so there is no heat-map of what it hangs on."


def in_words(heatmap: Heatmap, view: str, verdict: Verdict, card: Card | None) -> str:
    """All that is to be said of a map: its settings, its meaning, its method; some sentences.

    Args:
        heatmap: The map.
        view: The explained view, in words.
        verdict: The verdict beside it.
        card: Card of the detector; None if it is not known any more.
    """
    layer = f", layer {heatmap.layer}" if heatmap.layer else ""
    how = f"of {heatmap.target} by {_title(heatmap.method)}{layer}, in {view}"
    shown = f"Evidence {how}; what is darkened was not seen there."
    if not heatmap.peak:
        shown = f"No evidence {how}: the map is empty."
    note = method_note(card, heatmap.method) if card else ""
    return " ".join(filter(None, (shown, meaning(verdict, heatmap), note)))


def meaning(verdict: Verdict, heatmap: Heatmap) -> str:
    """What a map means where the verdict says neither real nor fake; "" where it does, or the map is empty."""
    if verdict.decision != "inconclusive" or not heatmap.peak:
        return ""
    said = "No sign of a fake was found" if verdict.finding == "no_sign" else "The verdict is undecided"
    return (
        f"{said}. The map shows what pulls the score towards {heatmap.target}; it is no evidence that the image is "
        f"{heatmap.target}."
    )


def method_note(card: Card, method: str) -> str:
    """How faithful a method's maps were on average for this detector: sentences, for beside its choice."""
    title, rows = _title(method), [row for row in card.faithfulness if row.method == method]
    if not rows:
        return f"How faithful maps of {title} are has not been measured for this detector."
    shares = [f"{row.beats_random:.0%}{f' ({row.view})' if row.view else ''}" for row in rows]
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


def _title(method: str) -> str:
    return METHODS[method].title if method in METHODS else method
