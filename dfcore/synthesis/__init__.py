"""Fakes of our own making: real pictures through decoders, in pairs in which nothing but the decoder's traces differs.

real, fake = dfcore.synthesis.pair(rgb, "taef2", seed=1)
picture, mask = dfcore.synthesis.partly(rgb, share=0.2, seed=1)
"""

from dfcore.synthesis.decoders import KINDS, WHOLE, Kind
from dfcore.synthesis.pairs import pair
from dfcore.synthesis.partial import partly
from dfcore.synthesis.taef2 import reconstruct

__all__ = ["KINDS", "WHOLE", "Kind", "pair", "partly", "reconstruct"]
