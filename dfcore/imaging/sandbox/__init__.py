"""Decoding of untrusted files in processes of their own: a hostile file can at most fail itself."""

from dfcore.imaging.sandbox.pool import check, decode, prepare, processes

__all__ = ["check", "decode", "prepare", "processes"]
