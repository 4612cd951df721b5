"""What a verdict means, in four answers: what to conclude, how sure that is, why, and what to do next.

The only place where a verdict is put into sentences. No sentence says more than the detector's card and its stored
predictions carry.
"""

from dataclasses import dataclass, replace
from typing import Literal

from dfcore.confidence import DecisionThresholds
from dfcore.detectors.card import Card
from dfcore.detectors.trained_on import Seen
from dfcore.detectors.verdict import Verdict
from dfcore.evaluation.at_thresholds import MeasuredRates
from dfcore.utils.texts import percent

FileSays = Literal["declares", "invalid", "something", "nothing"]
_NOBODY = "No detector here knows such pictures: go by the file's own evidence and its origin."
# What a refusal by one of these rules asks for, most telling first; see `dfcore.confidence.RULES`.
_ADVICE = {
    "portrait": "It errs on portraits: choose a detector for faces, or Automatic.",
    "faceless": "It judges portraits only: choose another detector, or Automatic.",
    "small": "Look for a larger version of the picture; a thumbnail has lost the traces that are looked for.",
    "compressed": "Look for the first version of the file: each time it is shared it loses traces.",
    "handled": "Look for the first version of the file: resizing, recompression and filters remove traces.",
    "large": "It judges smaller pictures: choose another detector, or Automatic.",
    "flat": "If it is a screenshot or a collage, look for the picture that it shows.",
    "noisy": _NOBODY,
    "colourless": "Look for a version in colour.",
    "far": _NOBODY,
}
_UNMEASURED = "was not measured, or is too often"
# Those that ask for another detector; where the choice was automatic there is none.
_OTHER = ("portrait", "faceless", "large")
_DECLARED = "The file declares itself AI-generated: go by that before this verdict."
_DECLARED_TOO = "The file declares itself AI-generated as well."
_BROKEN = (
    "Its content credential is not valid: ask for the file as it was signed, and who signed it; nothing that this one "
    "says of its origin is proved."
)
_LOOK = "Look at what the file says of itself, and search for where the picture was first published."
_SILENT = "Search for where the picture was first published: its file says nothing of its origin."


@dataclass(frozen=True)
class Answers:
    """What a verdict means, a sentence or two each.

    Attributes:
        conclusion: What to conclude.
        sure: How sure that is: errors as measured at the thresholds in use, and on which images.
        why: Which detector judged and why this one; why the verdict is inconclusive.
        next: What to do next.
    """

    conclusion: str
    sure: str
    why: str
    next: str


def answers(
    card: Card,
    verdict: Verdict,
    rates: MeasuredRates | None,
    *,
    chosen: str = "",
    kind: str | None = None,
    file_says: FileSays = "something",
) -> Answers:
    """Puts a verdict into sentences.

    Args:
        card: The detector's card.
        verdict: Its verdict, with the thresholds in use.
        rates: What it was measured to do at these thresholds; None if nothing is stored.
        chosen: Why this detector was chosen, as a clause; "" if a person chose it.
        kind: What the picture looks like, see `looks_like`.
        file_says: What the file says of how it was made: "declares" that it is, wholly or partly, AI-generated,
            "something" else by a credential that is "invalid", "something" else, or "nothing". It changes nothing but
            the advice.
    """
    result = _answers(card, verdict, rates, chosen, kind)
    steps = result.next.replace(_LOOK, _SILENT) if file_says == "nothing" else result.next
    if kind and verdict.is_used:
        steps = f"By its file it is {kind}: if so, cut out the picture that it shows and judge that. {steps}"
    if file_says == "declares":
        steps = f"{_DECLARED_TOO if verdict.finding == 'fake' else _DECLARED} {steps}"
    elif file_says == "invalid":
        steps = f"{_BROKEN} {steps}"
    return replace(result, next=steps)


def aside(verdict: Verdict, file_says: FileSays = "something") -> str:
    """What a heading says right after the finding, so that nobody takes it alone for the answer; mostly "".

    Args:
        verdict: The verdict.
        file_says: As for `answers`.
    """
    if verdict.score is None:
        return ""
    text = " by the score alone" if verdict.is_used and verdict.ood.is_ood else ""
    text += {Seen.TRAIN: ", by a detector that learned from this very picture",
             Seen.VALIDATION: ", by a detector that was tuned on this very picture"}.get(verdict.seen, "")  # fmt: skip
    if file_says == "declares":
        text += f", {'and' if verdict.finding == 'fake' else 'but'} the file declares AI"
    return text


def _answers(card: Card, verdict: Verdict, rates: MeasuredRates | None, chosen: str, kind: str | None) -> Answers:
    if verdict.score is None:
        return Answers(
            "There is no verdict: the file cannot be read as a picture.",
            "Nothing was measured.",
            verdict.error or "The reason is unknown.",
            "Get the file again from where it came, or a copy in another format.",
        )
    judged = f"Judged by {card.title}" + (f": {chosen}." if chosen else ", which you chose.")
    if verdict.ood.is_ood:
        return _unlike(verdict, judged, kind, automatic=bool(chosen))
    conclusion, steps = _CONCLUSIONS[verdict.finding or "inconclusive"]
    return Answers(conclusion, _sure(card, verdict, rates), f"{judged} {_place(verdict)}", steps)


_CONCLUSIONS = {
    "fake": (
        "It resembles generated pictures more than photographs. An alarm is a reason to look closer, not proof.",
        f"{_LOOK} If other detectors judge such pictures too, see what they say before you act on it.",
    ),
    "no_sign": (
        "This detector found no sign of a fake. That does not make it real: many fakes look like this to it.",
        f"{_LOOK} Do not call the picture verified on this ground.",
    ),
    "real": (
        "It resembles photographs more than pictures of the generators that this detector knows.",
        f"{_LOOK} Generators that it does not know may still pass.",
    ),
    "inconclusive": (
        "Undecided: real and generated pictures both get such scores. A middle score does not mean half real.",
        f"{_LOOK} An earlier or larger version of the file may decide.",
    ),
}


def _unlike(verdict: Verdict, judged: str, kind: str | None, *, automatic: bool) -> Answers:
    reasons = "; ".join(verdict.ood.reasons)
    # What looks like one of those pictures is not called unlike them.
    what = "not judged" if verdict.seen.found else "unlike the pictures that the detector learned from"
    why = f"{judged} It is {f'{kind}, and ' if kind else ''}{what}: {reasons}."
    advice = _ADVICE | dict.fromkeys(_OTHER, _NOBODY) if automatic else _ADVICE
    steps = next((advice[rule] for rule in advice if rule in verdict.ood.rules), _LOOK)
    if verdict.ignore_ood:
        said = _CONCLUSIONS[verdict.finding or "inconclusive"][0]
        sure = f"How often it errs on pictures like this {_UNMEASURED}. You chose to decide nevertheless."
        return Answers(f"{said} This is by the score alone.", sure, why, steps)
    sure = f"The score was not used: how often it errs on pictures like this {_UNMEASURED}."
    return Answers("Nothing can be concluded from this detector.", sure, why, steps)


def _place(verdict: Verdict) -> str:
    """Where the score lies."""
    thresholds = verdict.thresholds or DecisionThresholds.single(verdict.threshold)
    low, high = thresholds.real_below, thresholds.fake_from
    score = f"Its score is {verdict.score:.3f}"
    if verdict.finding == "fake":
        return f"{score}, at or above {high:.3f}."
    if verdict.finding == "inconclusive":
        if low <= 0 and high > 1:
            return f"{score}. At this error budget it decides nothing: too few pictures were held out to verify it."
        below = f"above {low:.3f}" if low > 0 else "not low enough for any answer"
        above = f"below {high:.3f}" if high <= 1 else "no score is high enough for an alarm"
        return f"{score}: {below} and {above}, between the two thresholds."
    right = "" if verdict.finding == "real" else " It has no measured right to call a picture likely real."
    return f"{score}, below {low:.3f}.{right}"


def _sure(card: Card, verdict: Verdict, rates: MeasuredRates | None) -> str:
    """How often it errs in the way that matters for this verdict."""
    if verdict.finding in ("real", "no_sign") and (elsewhere := _passed_elsewhere(card, verdict)):
        return f"{elsewhere} Other kinds of pictures can be far worse."
    if rates is None:
        return "Unknown: the detector has no stored figures on pictures of both classes."
    alarms = f"it called {rates.alarms:,} of {rates.real:,} real pictures likely fake ({rates.alarms / rates.real:.1%})"
    found = f"found {rates.found:,} of {rates.fake:,} fakes ({rates.found / rates.fake:.1%})"
    text = f"{_at(card, verdict)}, on {rates.where},"
    if verdict.finding == "fake":
        text += f" {alarms} and {found}."
        if rates.worst:
            name, share = rates.worst
            text += f" Thresholds chosen without the worst source, {name}, call {share:.0%} of its real pictures fake."
    elif verdict.finding == "inconclusive":
        share = rates.between / (rates.real + rates.fake)
        text += f" {share:.0%} of the pictures lay between them; {alarms} and {found}."
    else:
        text += f" {rates.passed:,} of {rates.fake:,} fakes ({rates.passed / rates.fake:.1%}) had such a low score too."
    return f"{text} Other kinds of pictures can be far worse."


def _at(card: Card, verdict: Verdict) -> str:
    """The thresholds in use, in words."""
    if verdict.thresholds is None or verdict.thresholds.budget == card.thresholds.budget:
        return "At these thresholds"
    budget = verdict.thresholds.budget
    return (
        f"At the thresholds of your own error budget ({percent(budget.max_fpr)} false alarms, "
        f"{percent(budget.max_fnr)} missed fakes)"
    )


def _passed_elsewhere(card: Card, verdict: Verdict) -> str:
    """How many fakes of sources that it had not learned from had so low a score; "" if none was judged."""
    if verdict.thresholds is None:
        return ""
    words = card.words
    if not words.share(verdict.thresholds)[1]:
        return ""
    return (
        f"{_at(card, verdict)}, but chosen without their source, {words.told(verdict.thresholds)} of sources that it "
        f"had not learned from had such a low score too ({words.share_told(verdict.thresholds)})."
    )
