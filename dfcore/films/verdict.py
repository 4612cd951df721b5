"""What is said of a film: counts of its samples by a rule that is told, and never more than they are worth.

There were no films to calibrate on. So the film's word is "inconclusive" whatever its scores: what is told is how many
samples are called likely fake, and how many would be if all were real pictures like those that the detector was
measured on.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dfcore.confidence import FINDINGS, Finding
from dfcore.detectors import of_faces
from dfcore.detectors.detector import Detector
from dfcore.evaluation import MeasuredRates, measured_rates
from dfcore.films.judges import Judges
from dfcore.films.rows import DAMAGED, TOO_SMALL, Row, series
from dfcore.utils.texts import counted, percent

# The highest scores whose mean is told: this share of the samples, and at least so many.
TOP_SHARE, TOP_LEAST = 0.05, 3
RULE = (
    f"For the whole frame and for each face: the share of samples that are called likely fake, and the mean of the "
    f"highest scores ({percent(TOP_SHARE)} of them, at least {TOP_LEAST})."
)
_EITHER = "too small for it to decide on, or unlike what it was trained on"
UNCALIBRATED = (
    "There were no films to calibrate this on, so it is no verdict on the film: what compression as video does to the "
    "scores was not measured, and frames of one film resemble each other, so they are not as many separate pictures."
)


@dataclass(frozen=True)
class SeriesVerdict:
    """What is said of one series: the whole frame, or a face's track.

    Attributes:
        track: Number of the track; None for the whole frame.
        detector: Name of the detector.
        samples: Number of samples with a score.
        used: Those whose score is used: not unlike the detector's training images.
        fake: Those that are called likely fake.
        top: Mean of the highest used scores; None if no score is used.
        top_count: Their number.
        expected: How many of the used ones would be called likely fake if all were real, by the measured false alarms;
            None if these are unknown.
        measured_on: The images that those were measured on, in words; "" if unknown.
        start, end: Times of the first and the last sample, in seconds.
        small: Those of the unused that are faces too small for the detector to decide on.
    """

    track: int | None
    detector: str
    samples: int
    used: int
    fake: int
    top: float | None
    top_count: int
    expected: float | None
    measured_on: str
    start: float
    end: float
    small: int = 0

    @property
    def why_not(self) -> str:
        """Why scores are not used, after "it is"."""
        if not self.small:
            return "unlike what it was trained on"
        if self.small == self.samples - self.used:
            return "too small for it to decide on"
        return _EITHER

    @property
    def share(self) -> float | None:
        """Share of the used samples that are called likely fake; None if none is used."""
        return self.fake / self.used if self.used else None

    def in_words(self) -> str:
        """The counts in sentences."""
        if self.track is None:
            many = counted(self.samples, "sampled frame", "sampled frames")
        else:
            many = f"{counted(self.samples, 'sample', 'samples')} of face {self.track}"
        if not self.used:
            return f"`{self.detector}` does not apply to {many}: {self.why_not}."
        called = f"{'is' if self.fake == 1 else 'are'} called {FINDINGS['fake']}"
        text = f"{self.fake} of {many} {called} by `{self.detector}`"
        if self.used < self.samples:
            text = f"Of {many} `{self.detector}` applies to {self.used}, of which {self.fake} {called}"
        if self.expected is not None:
            would = "none" if self.expected < 0.05 else f"{self.expected:.1f}".removesuffix(".0")
            text += f"; at its measured false alarms, {would} would be expected if all were real"
        text += "."
        if self.used < self.samples:
            left = self.samples - self.used
            text += f" The other {left} {'is' if left == 1 else 'are'} {self.why_not}."
        if self.top_count > 1:
            text += f" The {self.top_count} highest scores have a mean of {self.top:.2f}."
        elif self.top is not None:
            text += f" The score is {self.top:.2f}."
        return text


@dataclass(frozen=True)
class FilmVerdict:
    """What is said of a film.

    Attributes:
        finding: "inconclusive", always: the rule is not calibrated.
        samples: Number of samples.
        damaged: Those that are not judged because parts of them are missing.
        series: The whole frame first, if it was judged, then the faces' tracks by number.
        small: Number of times that a face was seen and not judged, since it was too small.
        why_small: Why, the end of a sentence; "" if there are none.
    """

    finding: Finding
    samples: int
    damaged: int
    series: tuple[SeriesVerdict, ...]
    small: int = 0
    why_small: str = ""

    @property
    def fake(self) -> int:
        """Number of whole frames that are called likely fake."""
        return sum(one.fake for one in self.series if one.track is None)

    def sentences(self, most_tracks: int = 5) -> list[str]:
        """What is said, in sentences; of the faces those with the largest share, the rest
        summed up.

        Args:
            most_tracks: Most faces that are told one by one.
        """
        words = [one.in_words() for one in self.series if one.track is None]
        tracks = [one for one in self.series if one.track is not None and one.used]
        by_share = sorted(tracks, key=lambda one: (-(one.share or 0.0), -one.samples, one.track or 0))
        words += [one.in_words() for one in sorted(by_share[:most_tracks], key=lambda one: one.track or 0)]
        if rest := by_share[most_tracks:]:
            fake, used = sum(one.fake for one in rest), sum(one.used for one in rest)
            words.append(
                f"Of {counted(len(rest), 'further face', 'further faces')}, none with a larger share, {fake} of {used} "
                f"samples are called {FINDINGS['fake']}."
            )
        if refused := [one for one in self.series if one.track is not None and not one.used]:
            name, samples = refused[0].detector, sum(one.samples for one in refused)
            further = "further " if tracks else ""
            reasons = {one.why_not for one in refused}
            why = reasons.pop() if len(reasons) == 1 else _EITHER
            words.append(
                f"`{name}` does not apply to {counted(len(refused), f'{further}face', f'{further}faces')} "
                f"({counted(samples, 'sample', 'samples')}): {why}."
            )
        if self.small:
            words.append(f"{counted(self.small, 'time', 'times')} a face was not judged: {self.why_small}")
        if self.damaged:
            words.append(f"{counted(self.damaged, 'damaged frame was', 'damaged frames were')} not judged.")
        if not self.series:
            words.append("Nothing in the film was judged.")
        return [*words, UNCALIBRATED]

    def to_dict(self) -> dict[str, Any]:
        """As plain data, with the sentences and the rule."""
        parts = [asdict(one) | {"share": one.share} for one in self.series]
        return asdict(self) | {"series": parts, "sentences": self.sentences(), "rule": RULE}


def film_verdict(rows: Sequence[Row], rates: Mapping[str, MeasuredRates | None]) -> FilmVerdict:
    """What is said of a film.

    Args:
        rows: All of its rows.
        rates: Measured rates of its detectors by name, see `rates_of`.
    """
    found = [_series(track, some, rates) for track, some in series(rows).items() if any(row.detector for row in some)]
    frames = [row for row in rows if row.track is None]
    damaged = sum(row.detector is None and row.reason == DAMAGED for row in frames)
    small = [row.reason or "" for row in rows if row.track is not None and row.detector is None]
    why = small[0].removeprefix(TOO_SMALL) if small else ""
    return FilmVerdict("inconclusive", len(frames), damaged, tuple(found), len(small), why)


def rates_of(judges: Judges) -> dict[str, MeasuredRates | None]:
    """Measured rates of the detectors of a film, at the thresholds in use.

    Raises:
        DfcoreError: If stored predictions are damaged.
    """
    every = [*judges.whole.values(), *([judges.face] if judges.face else [])]
    return {one.name: _rates(one.detector, one.policy.thresholds) for one in every}


def rates_from(stored: Mapping[str, Any] | None) -> MeasuredRates | None:
    """Measured rates from plain data; raises TypeError for something else."""
    if stored is None:
        return None
    worst = stored.get("worst")
    return MeasuredRates(**(dict(stored) | {"worst": worst and (str(worst[0]), float(worst[1]))}))


def _rates(detector: Detector, thresholds: Any) -> MeasuredRates | None:
    return measured_rates(detector.folder, detector.card, thresholds or detector.card.thresholds)


def _series(track: int | None, rows: Sequence[Row], rates: Mapping[str, MeasuredRates | None]) -> SeriesVerdict:
    judged = [row for row in rows if row.score is not None]
    used = [row for row in judged if row.is_used]
    name = next(row.detector for row in rows if row.detector) or ""
    count = min(len(used), max(TOP_LEAST, math.ceil(TOP_SHARE * len(used))))
    top = sorted((row.score or 0.0 for row in used), reverse=True)[:count]
    measured = rates.get(name)
    known = measured is not None and measured.real > 0
    return SeriesVerdict(
        track=track,
        detector=name,
        samples=len(judged),
        used=len(used),
        fake=sum(row.finding == "fake" for row in used),
        top=sum(top) / count if count else None,
        top_count=count,
        expected=len(used) * measured.alarms / measured.real if measured is not None and known else None,
        measured_on=measured.where if measured is not None and known else "",
        start=rows[0].seconds,
        end=rows[-1].seconds,
        small=sum(of_faces.ERRS in (row.reason or "") for row in judged if not row.is_used),
    )
