"""Data sets and detectors from and to public hubs."""
