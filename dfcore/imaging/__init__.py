"""Images: bytes in, pixels as a model takes them out; files from strangers are decoded in a sandbox."""

from dfcore.imaging.decoder import SUFFIXES, ImageFacts, Source, decode, describe, read_bytes
from dfcore.imaging.prepared import PreparedImage
from dfcore.imaging.preprocess import PreprocessSpec

__all__ = [
    "SUFFIXES",
    "ImageFacts",
    "PreparedImage",
    "PreprocessSpec",
    "Source",
    "decode",
    "describe",
    "read_bytes",
]
