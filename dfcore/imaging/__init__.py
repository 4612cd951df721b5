"""Images: decoding, preprocessing, and the sandbox in which untrusted files are decoded."""

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
