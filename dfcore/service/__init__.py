"""The HTTP service: verdicts, heat-maps and detectors for other programs."""
