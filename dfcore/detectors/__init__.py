"""Detectors: bundles on disk, the library of installed detectors, and loaded detectors that return verdicts."""
