"""Explanation: heat-maps of a detector's evidence, and their rendering."""

from dfcore.explanation.explainer import Evidence, Explainer, Heatmap, Shortcut, Target
from dfcore.explanation.faithfulness import Faithfulness, faithfulness, random_orders, strengths
from dfcore.explanation.methods import METHODS, Method
from dfcore.explanation.overlay import colours, drawn, figure, layer, outlined, overlay

__all__ = [
    "METHODS",
    "Evidence",
    "Explainer",
    "Faithfulness",
    "Heatmap",
    "Method",
    "Shortcut",
    "Target",
    "colours",
    "drawn",
    "faithfulness",
    "figure",
    "layer",
    "outlined",
    "overlay",
    "random_orders",
    "strengths",
]
