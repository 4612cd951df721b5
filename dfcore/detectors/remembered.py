"""Verdicts as the store of cases keeps them: the only place where one becomes the other."""

from pathlib import Path
from typing import Any

import numpy as np

from dfcore.cases.values import Judgement, Picture
from dfcore.detectors.bundle import read_card
from dfcore.detectors.card import Card
from dfcore.detectors.verdict import Verdict
from dfcore.errors import BundleError, DfcoreError
from dfcore.imaging import ImageFacts
from dfcore.imaging.signature import signature
from dfcore.utils.files import sha256_bytes


def picture(facts: ImageFacts, name: str, rgb: np.ndarray | None = None) -> Picture:
    """A picture as the store knows it.

    Args:
        facts: Properties of the file.
        name: File name or path as given.
        rgb: Its pixels, uint8 (H, W, 3), also of a preview: from them it is recognised in other sizes and qualities.
    """
    phash, mirrored = ("", "") if rgb is None else (f"{int(one):016x}" for one in signature(rgb).hashes)
    return Picture(
        sha256=facts.sha256, pixels_sha256=facts.pixels_sha256, phash=phash, name=name, format=facts.format,
        width=facts.width, height=facts.height, bytes=facts.bytes, mirrored=mirrored,
    )  # fmt: skip


def judgement(
    card: Card, verdict: Verdict, *, key: str, title: str, by: str, via: str, engine: str = "", name: str = "",
    record: dict[str, Any] | None = None, at: str = "",
) -> Judgement:  # fmt: skip
    """A verdict as the store keeps it.

    Args:
        card: The detector's card.
        verdict: Its verdict, under the thresholds in use.
        key: The detector's name in the library, or "run:ID".
        title: Its title.
        by: Who had it judged.
        via: "inspect", "batch", "watch" or "again".
        engine: Name of the engine that ran it.
        name: File name or path as given.
        record: All that was found, see `dfcore.inspection.record`.
        at: When it was judged, ISO 8601; "" for now.
    """
    from dfcore import __version__

    thresholds = verdict.thresholds
    return Judgement(
        picture="", detector=key, card_sha256=card_sha256(card), name=name, at=at, by=by, title=title,
        model_sha256=card.model_sha256, tool=__version__, engine=engine, score=verdict.score, logit=verdict.logit,
        finding=verdict.finding, decision=verdict.decision, reason=verdict.reason,
        thresholds=thresholds.told() if thresholds else None,
        ignore_ood=verdict.ignore_ood, error=verdict.error, record=record, via=via,
        ood=None if verdict.score is None else verdict.ood.is_ood, gate_sha256=gate_sha256(card),
    )  # fmt: skip


def card_sha256(card: Card) -> str:
    """Hash of a card, which covers network, calibration and thresholds.

    It leaves out how faces are cropped and which are left, which bears on no picture that is judged as a whole.
    """
    return sha256_bytes(card.model_dump_json(exclude={"framing", "face_sizes"}).encode())


def gate_sha256(card: Card) -> str:
    """Hash of how a card has pictures prepared and refused: with the same network too, the same logits and refusals."""
    gate = card.model_dump_json(include={"ood", "subject", "preprocess", "tta_flip", "tower", "loss"})
    return sha256_bytes(gate.encode())


def cited(folder: Path) -> str:
    """What to tell before a detector is deleted: how many of its verdicts cases hold; "" if none.

    Args:
        folder: Its bundle.
    """
    from dfcore.cases.opening import open_if_there

    try:
        store = open_if_there()
        card = read_card(folder) if store else None
        number = store.cited(card=card_sha256(card), model=card.model_sha256) if store and card else 0
    except BundleError:  # One that cannot be read.
        return ""
    except DfcoreError as error:
        return f"Whether cases hold verdicts of it cannot be told: {error}"
    if not number:
        return ""
    return (
        f"Cases hold {number:,} of its verdicts. They stay, and cases tell that it is gone, but it can judge no "
        "picture again."
    )
