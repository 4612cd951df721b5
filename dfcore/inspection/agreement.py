"""Whether several detectors agree on an image. Their scores are never compared: each has a scale of its own."""

from collections.abc import Mapping

from dfcore.detectors.card import Card
from dfcore.detectors.verdict import Verdict


def titles(cards: Mapping[str, Card]) -> dict[str, str]:
    """Titles that tell detectors apart, {name: title}: where several have the same title, with their names.

    Args:
        cards: {name: card} of the detectors.
    """
    given = [card.title for card in cards.values()]
    return {
        name: f"{card.title} ({name})" if given.count(card.title) > 1 else card.title for name, card in cards.items()
    }


def agreement(verdicts: Mapping[str, Verdict]) -> str:
    """Says what the detectors that judge an image make of it.

    Args:
        verdicts: A verdict of each detector by its title, see `titles`.
    """
    judging = {title: one for title, one in verdicts.items() if one.score is not None and not one.ood.is_ood}
    if not any(one.score is not None for one in verdicts.values()):
        return "No detector could judge it."
    if not judging:
        return "No detector learned from such pictures; none of their scores counts."
    return _said(judging) + _rest(len(verdicts) - len(judging))


def _said(judging: Mapping[str, Verdict]) -> str:
    if len(judging) == 1:
        return f"Only {next(iter(judging))} judges such pictures."
    count = "Both" if len(judging) == 2 else f"All {len(judging)}"
    alarms = [title for title, one in judging.items() if one.finding == "fake"]
    if len(alarms) == len(judging):
        return f"{count} that judge such pictures call it likely fake."
    if alarms:
        verb = "calls" if len(alarms) == 1 else "call"
        return f"They disagree: {', '.join(alarms)} {verb} it likely fake, the others do not."
    if all(one.finding == "inconclusive" for one in judging.values()):
        return f"{count} that judge such pictures are undecided."
    undecided = sum(one.finding == "inconclusive" for one in judging.values())
    return (
        f"None of the {len(judging)} that judge such pictures calls it likely fake"
        + (f"; {undecided} of them cannot decide" if undecided else "")
        + ". That does not make it real."
    )


def _rest(refusing: int) -> str:
    if not refusing:
        return ""
    if refusing == 1:
        return " One more learned from other kinds of pictures: its score does not count."
    return f" {refusing} more learned from other kinds of pictures: their scores do not count."
