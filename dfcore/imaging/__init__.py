"""Images: bytes in, pixels as a model takes them out; strangers' files are decoded in a sandbox."""
