"""Decoding of untrusted files in processes of their own: a hostile file can at most fail itself."""

from dfcore.decoding.pool import Prepared, check, pixels, prepare, prepare_all, processes

__all__ = ["Prepared", "check", "pixels", "prepare", "prepare_all", "processes"]
