"""Which of a film's samples become pictures: all, or as many as are wanted, spread evenly over the film."""

import numpy as np


def spread(samples: int, most: int | None) -> frozenset[int]:
    """Numbers of the samples that are taken.

    Args:
        samples: Number of samples of the film.
        most: How many are wanted at most; None for all.

    Returns:
        Numbers from 0: the first, the last, and those evenly between them.
    """
    if most is None or samples <= most:
        return frozenset(range(samples))
    if most == 1:
        return frozenset({samples // 2})
    return frozenset(np.linspace(0, samples - 1, most).round().astype(int).tolist())


class Choice:
    """Chooses samples of a film while it is read, by the number of samples that it is said to have.

    Files state their length, and some state it wrongly: `is_right` says at the film's end whether another reading, by
    the number that was found, gives a better choice.

    Args of the constructor: how many are wanted at most (None for all), and how many samples there will be (None if
    that is unknown; then the first ones are taken).
    """

    def __init__(self, most: int | None, expected: int | None):
        self._most, self._expected = most, expected
        self._wanted = spread(expected, most) if expected is not None else None
        self._seen = self._taken = 0

    @property
    def seen(self) -> int:
        """Number of samples so far."""
        return self._seen

    def takes(self) -> bool:
        """Whether the next sample is taken."""
        number = self._seen
        self._seen += 1
        if self._most is None:
            taken = True
        elif self._wanted is None:
            taken = number < self._most
        else:
            # A film that is longer than it says gives no more than are wanted.
            taken = self._taken < self._most and (number in self._wanted or number >= (self._expected or 0))
        self._taken += taken
        return taken

    @property
    def is_right(self) -> bool:
        """Whether what was taken is about what would be taken by the true number of samples."""
        if self._most is None or self._seen <= self._taken:
            return True
        if self._expected is None:
            return False
        return self._taken >= 0.9 * min(self._most, self._seen) and self._seen <= 1.2 * self._expected
