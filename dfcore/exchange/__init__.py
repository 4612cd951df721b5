"""What leaves and enters a workspace: detectors as archives, and networks in other runtimes' forms."""
