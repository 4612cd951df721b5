"""A detector that knows such images is chosen, of several the most reliable, and a bad fit is owned up to."""

import pytest

from dfcore.confidence import NOT_CHECKED, OODResult
from dfcore.detectors.selection import select_detector

NEAR, NEARER = OODResult(0.9), OODResult(0.3)
FAR = OODResult(4.0, ("its features are unlike those of the training images",))
FARTHER = OODResult(9.0, ("its features are unlike those of the training images",))
NEAR_BUT_SMALL = OODResult(0.2, ("its shorter side has 9 pixels",))
FAR_AND_SMALL = OODResult(
    2.0, ("its shorter side has 9 pixels", "its features are unlike those of the training images")
)

# ROC AUC of each on its own kind of images; of d it is not known.
RECORDS = {"a": 0.90, "b": 0.95, "c": 0.99, "d": None}
ONLY, BEST = "the only one trained on such", "the best record"
CHOICES = [
    pytest.param({"a": NEAR}, "a", True, ONLY, id="one-detector"),
    pytest.param({"a": NEARER, "b": NEAR}, "b", True, f"{BEST} (ROC AUC 0.950", id="the-best-record"),
    pytest.param({"d": NEARER, "a": NEAR}, "a", True, BEST, id="a-known-record-before-none"),
    pytest.param({"a": NEAR, "b": NEAR_BUT_SMALL}, "a", True, ONLY, id="a-fit-before-a-record"),
    pytest.param({"a": NEAR, "c": NOT_CHECKED}, "a", True, ONLY, id="images-known-before-none"),
    pytest.param({"a": NEAR, "b": NEARER, "c": FAR}, "b", True, BEST, id="several-fit"),
    pytest.param({"c": FARTHER, "b": FAR}, "b", False, "comes closest", id="none-fits"),
    pytest.param({"a": FAR_AND_SMALL, "b": FAR}, "b", False, "comes closest", id="fewer-reasons-before-a-distance"),
    pytest.param({"a": NOT_CHECKED}, "a", False, "no record", id="nothing-is-known"),
    pytest.param({"a": FAR, "b": NOT_CHECKED}, "b", False, "no record", id="rather-unknown-than-known-to-be-unfit"),
]


@pytest.mark.parametrize(("known", "name", "fits", "why"), CHOICES)
def test_choice(known, name, fits, why):
    result = select_detector(known, RECORDS)
    assert (result.name, result.fits) == (name, fits)
    assert why in result.why


def test_there_must_be_a_detector():
    with pytest.raises(ValueError, match="at least one detector"):
        select_detector({}, {})
