"""Judges the pictures of Inspect, and says what is being done while it takes long."""

from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from dashboard import detectors, evidence, inference, inference_queue, uploads
from dashboard.uploads import Picture
from dfcore.detectors.verdict import Verdict
from dfcore.errors import DfcoreError

# The detector that judged, why it was chosen, its verdict.
Judged = tuple[detectors.Entry, str, Verdict]
# So many are judged before anybody asks how far it is.
_FEW = 3


def judge_all(entries: list[detectors.Entry], pictures: Sequence[Picture]) -> list[Judged]:
    """The verdict on each picture, of which there is one at least, by the card's own thresholds."""
    place = st.empty()
    # The first one waits until the networks are loaded and prepared.
    with place.container(), st.spinner(_doing(entries)):
        result = [_judged(entries, pictures[0])]
    for number, picture in enumerate(pictures[1:], 1):
        if len(pictures) > _FEW:
            place.progress(number / len(pictures), f"Judging picture {number + 1} of {len(pictures)} …")
        result.append(_judged(entries, picture))
    place.empty()
    return result


def _judged(entries: list[detectors.Entry], picture: Picture) -> Judged:
    """The verdict on a picture; with its heat-map, if that is quick, where others wait, who would else go before it."""
    turns = inference_queue.inference
    with turns.kept() as kept:
        entry, why, verdict = inference.verdict(entries, picture.data)
        hurry = kept.has_turn and turns.is_crowded and uploads.is_newest(picture)
        if hurry and evidence.is_quick(entry, verdict):
            with suppress(DfcoreError):  # Told when it is tried again, beside the verdict.
                evidence.compute(entry, picture, verdict)
    return entry, why, verdict


def _doing(entries: list[detectors.Entry]) -> str:
    if all(map(detectors.is_loaded, entries)):
        return "Judging …"
    return "Loading the detectors, then judging; this takes a while the first time …"
