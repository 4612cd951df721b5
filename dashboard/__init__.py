"""What the pages share: cached access to runs and detectors, and small widgets."""
