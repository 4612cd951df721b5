"""What the service answers: the record of a picture, heat-maps, detectors; plain data, and its description."""

import io
import math
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from dfcore.batch.predict import Judged, row_of
from dfcore.confidence import FINDINGS
from dfcore.detectors.card import Card
from dfcore.detectors.remembered import card_sha256
from dfcore.detectors.trained_on import in_words
from dfcore.evaluation import MeasuredRates
from dfcore.explanation import Heatmap
from dfcore.imaging.prepared import PreparedImage
from dfcore.inspection import answers, aside, looks_like
from dfcore.provenance import Evidence


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Thresholds(_Open):
    """The two thresholds in use."""

    real_below: float = Field(
        description="Below this score there is no sign of a fake; 0 or less where no score is below it."
    )
    fake_from: float = Field(
        description="From this score on it is called likely fake; more than 1 where no score reaches it."
    )
    says_real: bool = Field(description="Whether the detector has the right to say likely real.")


class Answers(BaseModel):
    """What the verdict means, a sentence or two each."""

    conclusion: str
    sure: str
    why: str
    next: str


class PictureSize(BaseModel):
    """What kind of file it is."""

    format: str
    width: int
    height: int
    bytes: int


class Row(_Open):
    """The record of a picture: that of `dfcore predict --json`, and what it means in words."""

    path: str = Field(description="The file's name, as it was given.")
    sha256: str | None = Field(description="SHA-256 of the file.")
    score: float | None = Field(description="P(fake) in [0, 1]; null if there is no verdict.")
    logit: float | None
    finding: str | None = Field(description="real, no_sign, inconclusive or fake; null if there is no verdict.")
    words: str = Field(description="The finding in words.")
    aside: str = Field(
        description="Follows `words` wherever they are shown, mostly empty: what keeps the finding from being the "
        "answer, such as that the detector learned from this very picture."
    )
    verdict: str | None = Field(description="The three-way decision: real, inconclusive or fake.")
    label: str | None = Field(
        description="The verdict where it is real or fake; null where it is inconclusive, and where there is none."
    )
    reason: str | None = Field(description="Why it is inconclusive.")
    error: str | None = Field(description="Why there is no verdict.")
    accident: bool = Field(
        False, description="true where the error may lie with the machine and not the file, so that to try again may "
        "help; else it is left out."
    )  # fmt: skip
    is_used: bool = Field(description="Whether the score decides.")
    ood_distance: float | None
    ood_reasons: list[str]
    trained_on: str | None
    trained_on_words: str = Field(
        description="That the detector learned from this picture, or from one that looks like it, and what its verdict "
        "is worth then; empty otherwise. `answers` do not repeat it."
    )
    detector: str | None = Field(
        description="The detector that judged; null, with what belongs to it, where several could have and none did."
    )
    title: str | None = Field(description="The detector's title.")
    model_sha256: str | None
    card_sha256: str | None = Field(description="Hash of the detector's card: network, calibration, thresholds.")
    threshold: float | None
    thresholds: Thresholds | None
    answers: Answers
    file: PictureSize | None
    provenance: dict[str, Any] | None = Field(description="What the file says of itself, if that was asked for.")


class Results(BaseModel):
    """Verdicts, one for each file, in their order."""

    results: list[Row]


class HeatmapAnswer(BaseModel):
    """A heat-map. It shows where the network is sensitive, and proves nothing."""

    method: str
    evidence: str = Field(description="The class whose evidence it shows.")
    layer: str | None
    view: str = Field(description="The part of the picture that is explained.")
    peak: float = Field(description="Strongest evidence in the method's own unit; 0: there is none.")
    width: int = Field(description="Columns of the values.")
    height: int = Field(description="Rows of the values.")
    region: list[int] | None = Field(description="Left, top, right, bottom of the explained view, in values.")
    values: list[list[float | None]] = Field(description="0 to 1, row by row; null where the network does not look.")
    picture: list[int] = Field(description="Width and height of the picture in pixels.")
    text: str = Field(description="Where the evidence lies, in words.")


class Explanation(BaseModel):
    """A verdict with its heat-map."""

    result: Row
    heatmap: HeatmapAnswer


class DetectorInfo(_Open):
    """A detector of this service."""

    name: str
    title: str
    engine: str
    model_sha256: str | None
    card_sha256: str
    thresholds: Thresholds
    words: list[str] = Field(description="What it may find, in words.")
    views: list[str]
    layers: list[str] = Field(description="Layers that heat-maps can be made at; the last is the default.")
    limits: list[str] = Field(description="What its card says of its limits.")
    results: dict[str, Any] = Field(description="What was measured of it, by split.")


class Taken(BaseModel):
    """How much a request may hold."""

    file_bytes: int
    files: int
    body_bytes: int
    pixels: int
    formats: list[str]


class Detectors(BaseModel):
    """The detectors, and what a request may hold."""

    version: str
    default: str
    detectors: list[DetectorInfo]
    methods: dict[str, str] = Field(description="Methods of heat-maps, with their titles.")
    limits: Taken


class Fault(BaseModel):
    """What is wrong."""

    code: str = Field(description="For programs.")
    message: str = Field(description="For people: what was expected, what was received.")


class Refusal(_Open):
    """A request that is refused."""

    error: Fault


class State(_Open):
    """Whether the service lives, or can take requests."""

    status: str


def row_with_words(
    judged: Judged, card: Card, rates: MeasuredRates | None, evidence: Evidence | None
) -> dict[str, Any]:
    """The record of a picture.

    Args:
        judged: The picture with its verdict.
        card: Card of the detector that judged.
        rates: What it was measured to do at the thresholds in use.
        evidence: What the file says of itself; None if that was not read.
    """
    verdict, image = judged.verdict, judged.file.image
    facts = image.facts if isinstance(image, PreparedImage) else None
    says = evidence.says if evidence else "something"
    kind = looks_like(facts) if facts else None
    meaning = answers(card, verdict, rates, chosen=judged.why, kind=kind, file_says=says)
    of_detector = {
        "title": card.title, "model_sha256": card.model_sha256, "card_sha256": card_sha256(card),
        "thresholds": (verdict.thresholds or card.thresholds).told(),
    }  # fmt: skip
    more = {
        "logit": verdict.logit, "is_used": verdict.is_used,
        "words": FINDINGS[verdict.finding] if verdict.finding else "no verdict",
        "aside": aside(verdict, says),
        "trained_on_words": "" if verdict.error else in_words(verdict.seen),
        "answers": asdict(meaning),
        "file": {name: getattr(facts, name) for name in PictureSize.model_fields} if facts else None,
        "provenance": evidence.to_dict() if evidence else None,
    }  # fmt: skip
    return finite(row_of(judged) | more | (of_detector if judged.judge else dict.fromkeys(of_detector)))


def heatmap_of(heatmap: Heatmap, view: str, image: PreparedImage) -> dict[str, Any]:
    """A heat-map as plain data.

    Args:
        heatmap: The map.
        view: Title of the explained view.
        image: The picture.
    """
    height, width = heatmap.values.shape
    return finite({
        "method": heatmap.method, "evidence": heatmap.target, "layer": heatmap.layer, "view": view,
        "peak": heatmap.peak, "width": width, "height": height,
        "region": list(heatmap.region) if heatmap.region else None,
        "values": [[round(value, 4) for value in row] for row in heatmap.values.tolist()],
        "picture": [image.width, image.height],
        "text": _in_words(heatmap),
    })  # fmt: skip


def png(pixels: np.ndarray) -> bytes:
    """A PNG of RGB or RGBA pixels."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def finite(value: Any) -> Any:
    """The same with None for numbers that JSON cannot hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value


_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")


def _in_words(heatmap: Heatmap) -> str:
    """Which ninths of the explained view hold most of the evidence, for those who do not see the map."""
    left, top, right, bottom = heatmap.judged
    inside = np.nan_to_num(heatmap.values[top:bottom, left:right])
    if not heatmap.peak or not inside.size or inside.sum() <= 0:
        return f"There is no evidence of {heatmap.target} at this layer: the map is empty. That proves nothing."
    shares = {
        f"{_ROWS[row]} {_COLUMNS[column]}".replace("middle centre", "centre"): float(part.sum() / inside.sum())
        for row, band in enumerate(np.array_split(inside, 3))
        for column, part in enumerate(np.array_split(band, 3, axis=1))
    }
    strongest = sorted(shares, key=lambda name: -shares[name])[:2]
    places = " and ".join(f"{name} ({shares[name]:.0%})" for name in strongest)
    return (
        f"Most evidence of {heatmap.target} lies {places}. That is where the network is sensitive; it proves nothing."
    )
