"""What every engine offers: logits for a batch of preprocessed images."""

from typing import Protocol

import numpy as np


class Engine(Protocol):
    """Runs a detector's forward pass.

    An image's logit must not depend, to the last bit, on what else is in its batch.
    """

    name: str

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """Maps uint8 (N, size, size, 3), N >= 1, to float32 (N,): the logit of P(fake)."""
        ...
