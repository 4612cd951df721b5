"""Faces of pictures, found, judged and cut out once, and kept for all sessions; what gets them never computes."""

from dataclasses import dataclass, replace

from dashboard import actions, detectors, inference_queue, media
from dashboard.recent import Recent
from dfcore.errors import DfcoreError, InputError
from dfcore.imaging import sandbox
from dfcore.imaging.decoder import MAX_BYTES
from dfcore.imaging.preprocess import Region
from dfcore.inspection.faces import FaceVerdicts, FoundFaces, find, judge

# Side of a thumbnail in pixels.
THUMB = 96
# Seconds for which looking for faces lets verdicts go before it.
_MOST_PATIENT = 3.0
# The detector's version, the picture's hash, and whether this detector judged the whole picture.
Key = tuple[str, str, bool]


@dataclass(frozen=True)
class Kept:
    """What was said of the faces of a picture.

    Attributes:
        told: By the card's own thresholds, without previews.
        thumbs: A small picture of each face as an address that holds it.
    """

    told: FaceVerdicts
    thumbs: tuple[str, ...]


# Positions alone: some KB.
_found: Recent[FoundFaces] = Recent(1_024)
# Mostly a few faces of 6 KB, at most 24.
_kept: Recent[Kept] = Recent(1_024)
# Each run of the page asks for the chosen face: mostly some 100 KB, of the largest pictures up to 64 MB.
_cut: Recent[bytes] = Recent(64, len, 2 * MAX_BYTES)


def kept(key: Key) -> Kept | None:
    """What was said of the faces of a picture; None if that is not known, or no longer."""
    result = _kept.get(key)
    return result if isinstance(result, Kept) else None


def found(image_sha256: str, data: bytes) -> FoundFaces:
    """The faces of a picture, looked for if they are not known.

    Raises:
        ImageError: If it cannot be decoded.
        BusyError: If too many others wait.
    """
    result = _found.get(image_sha256)
    if not isinstance(result, FoundFaces):
        # Nobody waits for a verdict while faces are looked for: not for a turn, and seldom for a processor.
        inference_queue.inference.until_idle(_MOST_PATIENT)
        with inference_queue.faces.take():
            result = find(data)
        _found.keep(image_sha256, result)
    return result


def compute(key: Key, entry: detectors.Entry, data: bytes) -> None:
    """Finds and judges the faces of a picture, so that `kept` gives them from now on.

    Args:
        key: Of the detector and the picture.
        entry: The detector for faces.
        data: Contents of the file.

    Raises:
        AccessError: If the user may not judge images.
        BusyError: If too many others wait.
        DfcoreError: If they cannot be found or judged.
    """
    actions.require_judging()
    _, image, judged_whole = key
    loaded, faces = detectors.detector(entry), found(image, data)
    with inference_queue.inference.take():
        told = judge(data, faces, entry.key, loaded, judged_whole=judged_whole)
    thumbs = tuple(media.thumbnail(one.preview, THUMB) for one in told.faces if one.preview is not None)
    told = replace(told, faces=tuple(replace(one, preview=None) for one in told.faces))
    _kept.keep(key, Kept(told, thumbs))


def cut(image_sha256: str, region: Region, data: bytes) -> bytes:
    """A part of a picture as a file of its own, with the same pixels.

    Raises:
        ImageError: If the picture cannot be decoded now.
        InputError: If the part is larger than a picture may be.
    """
    key = image_sha256, region
    result = _cut.get(key)
    if isinstance(result, DfcoreError):
        raise result
    if result is None:
        result = media.png(sandbox.part(data, region))
        if len(result) > MAX_BYTES:
            most, side = MAX_BYTES // 2**20, region[2] - region[0]
            raise InputError(
                f"Expected a face of at most {most} MB to be looked at by itself. Received: {side} pixels a side, "
                f"{len(result) / 2**20:.0f} MB. Its verdict is in the list."
            )
        _cut.keep(key, result)
    return result
