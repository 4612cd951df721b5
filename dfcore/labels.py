"""The two classes and their numbers, defined only here.

A score is P(fake) in [0, 1]; the positive class of every metric is FAKE.
"""

REAL = 0
FAKE = 1
NAMES = ("real", "fake")


def name_of(label: int) -> str:
    """Returns "real" for 0 and "fake" for 1."""
    return NAMES[label]
