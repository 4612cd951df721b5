"""Explanation: heat-maps of the evidence, and how they are drawn."""

from dfcore.explanation.explainer import METHOD_TITLES, METHODS, Explainer, Heatmap, Shortcut, Target
from dfcore.explanation.overlay import colours, figure, overlay

__all__ = ["METHODS", "METHOD_TITLES", "Explainer", "Heatmap", "Shortcut", "Target", "colours", "figure", "overlay"]
