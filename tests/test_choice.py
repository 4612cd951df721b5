"""The detector that knows an image best is chosen, and a bad fit is owned up to."""

import pytest

from dfcore.choice import choose
from dfcore.confidence import NOT_COMPARED, Familiarity

NEAR, NEARER = Familiarity(0.9), Familiarity(0.3)
FAR = Familiarity(4.0, ("it looks unlike the training images",))
FARTHER = Familiarity(9.0, ("it looks unlike the training images",))
NEAR_BUT_SMALL = Familiarity(0.2, ("its shorter side has 9 pixels",))
FAR_AND_SMALL = Familiarity(2.0, ("its shorter side has 9 pixels", "it looks unlike the training images"))

CHOICES = [
    pytest.param({"a": NEAR}, "a", True, "the only one that fits (0.90", id="one-detector"),
    pytest.param({"a": NEAR, "b": NEARER}, "b", True, "the most alike (0.30", id="the-least-distance"),
    pytest.param({"a": NEAR, "b": NEAR_BUT_SMALL}, "a", True, "the only one that fits", id="a-fit-before-a-distance"),
    pytest.param({"a": NOT_COMPARED, "b": NEAR}, "b", True, "the only one that fits", id="a-record-before-none"),
    pytest.param({"a": NEAR, "b": NEARER, "c": FAR}, "b", True, "of those that fit", id="several-fit"),
    pytest.param({"a": FARTHER, "b": FAR}, "b", False, "least far off", id="none-fits"),
    pytest.param({"a": FAR_AND_SMALL, "b": FAR}, "b", False, "least far off", id="fewer-reasons-before-a-distance"),
    pytest.param({"a": NOT_COMPARED}, "a", False, "no record", id="nothing-is-known"),
    pytest.param({"a": FAR, "b": NOT_COMPARED}, "b", False, "no record", id="rather-unknown-than-known-to-be-unfit"),
    pytest.param({"b": NEAR, "a": NEAR}, "b", True, "the most alike", id="of-equals-the-first"),
]


@pytest.mark.parametrize(("known", "name", "fits", "why"), CHOICES)
def test_choice(known, name, fits, why):
    found = choose(known)
    assert (found.name, found.fits) == (name, fits)
    assert why in found.why


def test_there_must_be_a_detector():
    with pytest.raises(ValueError, match="at least one detector"):
        choose({})
