"""Detectors in the formats of other runtimes."""
