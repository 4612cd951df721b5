"""What an alarm is worth: how often one like it is right, by how rare fakes are."""

from dataclasses import dataclass

from dfcore.detectors.verdict import Verdict
from dfcore.evaluation.at_thresholds import MeasuredRates

# One in so many pictures is fake: where nobody says how rare fakes are, and the least and most that may be said.
ONE_IN, COMMONEST, RAREST = 10, 2, 1_000_000
_NONE_FOUND = "How often such an alarm is right cannot be told: no fake was found at these thresholds."


@dataclass(frozen=True)
class Alarm:
    """How often an alarm is right.

    Attributes:
        one_in: One in so many pictures is taken to be fake.
        likely: Share of such alarms that are right, in [0, 1]; None where no fake, or no false alarm, was counted.
        at_least: The same with 90% confidence; None where no fake was found.
        in_words: Both, with `one_in`: a sentence.
    """

    one_in: int
    likely: float | None
    at_least: float | None
    in_words: str


def alarm(verdict: Verdict, rates: MeasuredRates | None, one_in: int = ONE_IN) -> Alarm | None:
    """What a verdict is worth as an alarm; see `MeasuredRates.alarm_is_right`.

    Args:
        verdict: The verdict.
        rates: What its detector was measured to do at the thresholds in use.
        one_in: One in so many pictures is fake, from `COMMONEST` to `RAREST`.

    Returns:
        None where it is no alarm, nothing was measured on pictures like this one, or `one_in` is out of range.
    """
    if rates is None or verdict.finding != "fake" or verdict.ood.is_ood or not COMMONEST <= one_in <= RAREST:
        return None
    found = rates.alarm_is_right(one_in)
    if found is None:
        return Alarm(one_in, None, None, _NONE_FOUND)
    likely, least = found
    # Without a false alarm all of them would be right, as counted.
    counted = likely if rates.alarms else None
    return Alarm(one_in, counted, least, f"If one in {one_in:,} such pictures is fake, {_in_words(counted, least)}")


def _in_words(likely: float | None, least: float) -> str:
    # Rounded down: it is a lower bound.
    bound = f"with 90% confidence, in at least {int(100 * least + 1e-9)}%" if least >= 0.01 else ""
    if likely is not None:
        return f"an alarm like this is right in {_share(likely)} of cases; {bound or 'perhaps in hardly any'}."
    if bound:
        return f"an alarm like this is right, {bound} of cases."
    return "an alarm like this may be right in hardly any case."


def _share(share: float) -> str:
    if share < 0.01:
        return "less than 1%"
    return "more than 99%" if share > 0.99 else f"about {share:.0%}"
