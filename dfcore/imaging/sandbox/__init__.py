"""Decoding of untrusted files in processes of their own: a hostile file can at most fail itself."""

from dfcore.imaging.sandbox.pool import Looked, Prepared, check, look, pixels, prepare, prepare_all, processes

__all__ = ["Looked", "Prepared", "check", "look", "pixels", "prepare", "prepare_all", "processes"]
