"""Detectors: bundles on the disk, the library of them, and the loaded detector that gives verdicts."""
