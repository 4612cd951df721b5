"""Explanation: heat-maps of the evidence, and how they are drawn."""

from dfcore.explanation.explainer import Explainer, Heatmap, Shortcut, Target
from dfcore.explanation.methods import METHODS, Method
from dfcore.explanation.overlay import colours, figure, overlay

__all__ = ["METHODS", "Explainer", "Heatmap", "Method", "Shortcut", "Target", "colours", "figure", "overlay"]
