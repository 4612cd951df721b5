"""Decodes untrusted files in separate, limited processes: a hostile file can only make its own decoding fail."""

from dfcore.imaging.sandbox.parts import crops
from dfcore.imaging.sandbox.pool import check, decode, look, opened, part, prepare, processes

__all__ = ["check", "crops", "decode", "look", "opened", "part", "prepare", "processes"]
