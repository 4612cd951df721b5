"""Explanation: heat-maps of the evidence, and how they are drawn."""

from dfcore.explain.explainer import METHOD_TITLES, METHODS, Explainer, Heatmap, Shortcut, Target
from dfcore.explain.overlay import colours, figure, overlay

__all__ = ["METHODS", "METHOD_TITLES", "Explainer", "Heatmap", "Shortcut", "Target", "colours", "figure", "overlay"]
