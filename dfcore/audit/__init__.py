"""Audit of a data set: what a detector could learn from it beside the traces of generators."""

from dfcore.audit.finding import SEVERITIES, Audit, Finding, Severity

__all__ = ["SEVERITIES", "Audit", "Finding", "Severity"]
