"""Models that were made elsewhere become detectors."""
