"""Whether several detectors agree on an image. Their scores are never compared: each has a scale of its own."""

from collections.abc import Mapping

from dfcore.detectors.verdict import Verdict


def agreement(verdicts: Mapping[str, Verdict]) -> str:
    """Says what the detectors that judge an image make of it.

    Args:
        verdicts: A verdict of each detector by its title.
    """
    judging = {title: one for title, one in verdicts.items() if one.score is not None and not one.ood.is_ood}
    refusing = len(verdicts) - len(judging)
    rest = (
        ""
        if not refusing
        else f" {_others(refusing)} learned from other kinds of pictures and {_are(refusing)} not asked."
    )
    if not judging:
        return "No detector learned from such pictures; none of their scores counts."
    if len(judging) == 1:
        return f"Only {next(iter(judging))} judges such pictures.{rest}"
    said = {title: one.finding for title, one in judging.items()}
    alarms = [title for title, finding in said.items() if finding == "fake"]
    if len(alarms) == len(said):
        return f"All {len(said)} that judge such pictures call it likely fake. They may have learned from the same images.{rest}"
    if not alarms:
        return f"None of the {len(said)} that judge such pictures calls it likely fake.{rest}"
    return f"They disagree: {', '.join(alarms)} {'calls' if len(alarms) == 1 else 'call'} it likely fake, the others do not.{rest}"


def _others(count: int) -> str:
    return "One more detector" if count == 1 else f"{count} more detectors"


def _are(count: int) -> str:
    return "was" if count == 1 else "were"
