"""Import and export: detectors as archives, and conversion to other runtimes."""
