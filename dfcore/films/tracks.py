"""Faces of one sample after the other become tracks: the same face, as far as boxes that overlap tell."""

from collections.abc import Sequence

import numpy as np

from dfcore.faces.boxes import overlaps

Box = tuple[float, float, float, float]
# Least overlap of two boxes of one face, as a share of the area of both, and the most samples in a row in which a face
# may be missing.
OVERLAP, MISSING = 0.3, 2
# Side in pixels of the smallest face in a film that is looked for: crops of smaller ones are below what face detectors
# judge, and looking for them takes several times as long.
MIN_FACE = 40


class Tracker:
    """Gives each face the number of its track; numbers count from 1 by first appearance."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[Box, int]] = {}
        self._tracks = self._samples = 0

    def assign(self, boxes: Sequence[Box]) -> list[int]:
        """Numbers of the tracks of a sample's faces, in their order; call it for samples without faces too.

        The pair of a track and a face that overlaps most goes first; a face without a track begins one.

        Args:
            boxes: Left, top, right and bottom of each face in pixels.
        """
        self._forget()
        pairs = []
        faces = np.array(boxes, float).reshape(-1, 4)
        for track, (box, _) in self._last.items():
            shares = overlaps(np.array(box, float), faces)
            pairs += [(-float(share), track, face) for face, share in enumerate(shares) if share >= OVERLAP]
        given: dict[int, int] = {}
        for _, track, face in sorted(pairs):
            if face not in given and track not in given.values():
                given[face] = track
        for face in range(len(boxes)):
            if face not in given:
                self._tracks += 1
                given[face] = self._tracks
        result = [given[face] for face in range(len(boxes))]
        self._keep(result, boxes)
        return result

    def recall(self, tracks: Sequence[int], boxes: Sequence[Box]) -> None:
        """Takes over what was assigned to a sample before, to go on after a break."""
        self._forget()
        self._tracks = max([self._tracks, *tracks])
        self._keep(tracks, boxes)

    def _forget(self) -> None:
        """Ends the tracks that were missing for too long, and counts the sample."""
        self._samples += 1
        self._last = {
            track: (box, seen) for track, (box, seen) in self._last.items() if self._samples - seen <= MISSING + 1
        }

    def _keep(self, tracks: Sequence[int], boxes: Sequence[Box]) -> None:
        self._last |= {track: (box, self._samples) for track, box in zip(tracks, boxes, strict=True)}
