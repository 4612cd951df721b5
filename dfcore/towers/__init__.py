"""Towers: large pretrained networks that ship once and are shared by detectors, which add a head of kilobytes."""

from dfcore.towers.clip import BLOCKS, HEADS, MEAN, NAME, SIDE, SPREAD, TOKENS, WIDTH, Tower, require_tower, tower

__all__ = ["BLOCKS", "HEADS", "MEAN", "NAME", "SIDE", "SPREAD", "TOKENS", "WIDTH", "Tower", "require_tower", "tower"]
