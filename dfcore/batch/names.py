"""Names of detectors with a meaning of their own."""

# In place of a detector's name: all that may be chosen, of which the one that fits judges each image.
AUTO = "auto"
# Before the id of the run whose detector is meant.
RUN = "run:"
