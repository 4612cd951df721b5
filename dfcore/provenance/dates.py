"""Dates that a file states, and where they contradict each other."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from dfcore.provenance.evidence import Remark

_MEANING = (
    "It can come from a wrong clock in the camera, a time zone, copying or editing. It does not show which, and not "
    "that the picture is fake."
)
# Clocks state local time without a zone; zones are at most 26 hours apart.
_ZONES = timedelta(hours=26)
_FORM = re.compile(r"\D*(\d{4})[:\-](\d{2})[:\-](\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2}))?)?")


class Stated(NamedTuple):
    """A date as it stands in a file.

    Attributes:
        place: Where, e.g. "EXIF DateTimeOriginal".
        text: As written.
        when: The same, without its zone.
        whole_day: Whether it names no time of day.
    """

    place: str
    text: str
    when: datetime
    whole_day: bool


def stated(place: str, text: str) -> Stated | None:
    """Reads a date; None if there is none in the text, or an impossible one such as a camera without a clock writes."""
    found = _FORM.match(text)
    if not found:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        return Stated(place, text.strip()[:40], datetime(year, month, day, hour, minute, second), found[4] is None)
    except ValueError:
        return None


def contradictions(taken: Mapping[str, str], changed: Mapping[str, str], now: datetime | None = None) -> list[Remark]:
    """What does not fit together.

    Args:
        taken: Dates at which the picture is said to have been taken or made, {place: text}.
        changed: Dates at which the file is said to have been changed.
        now: The present, in UTC; the clock's by default.
    """
    now = (now or datetime.now(UTC)).replace(tzinfo=None)
    made = [date for place, text in taken.items() if (date := stated(place, text))]
    later = [date for place, text in changed.items() if (date := stated(place, text))]
    result = [
        Remark(f"{date.place} lies in the future: {date.text}.", _MEANING)
        for date in (*made, *later)
        if date.when > now + _ZONES
    ]
    if made:
        first, last = min(made, key=lambda date: date.when), max(made, key=lambda date: date.when)
        tolerance = _ZONES + timedelta(days=first.whole_day or last.whole_day)
        if last.when - first.when > tolerance:
            text = f"{first.place} and {last.place} name different times: {first.text} and {last.text}."
            result.append(Remark(text, f"{_MEANING} Scans of prints often have two such dates."))
        early = [date for date in later if date.when < first.when - _ZONES - timedelta(days=date.whole_day)]
        if early:
            text = f"{early[0].place} is earlier than {first.place}: {early[0].text} and {first.text}."
            result.append(Remark(f"A change before the picture was taken: {text}", _MEANING))
    return result
