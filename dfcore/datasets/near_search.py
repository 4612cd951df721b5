"""Finds, among many pictures, those pairs that are worth comparing closely (`near_match`).

A picture is described by the coarse terms of its cosine series; one that is a copy of a part of it resembles one of
`WINDOWS`, sixteen parts of it. As one number for each of 64 terms, not one bit (the usual perceptual hash), the
description still holds a window and a crop together that lie 3% of a side apart, where distinct pictures are rare.
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from dfcore.datasets.near_match import COARSE, frequencies, mirrored, window_transform

# Correlation of two descriptions from which on a pair is compared closely. Of planted copies in the development images
# (photos_train, faces/train) hardly any has less than 0.84.
ALIKE = 0.8
# The same for pictures of fewer than `TINY` pixels, which lack the finer terms.
ALIKE_TINY, TINY = 0.6, 20
# Most pairs of one picture that are compared closely, those with the highest correlation.
MOST = 24
# Cuts on the two sides of an axis, as shares of it. Any cut of up to 11% is within 3.5% of one of them.
_CUTS = ((0.02, 0.02), (0.02, 0.09), (0.09, 0.02), (0.09, 0.09))
WINDOWS = np.array([(x[0], y[0], 1 - x[1], 1 - y[1]) for y, x in product(_CUTS, _CUTS)], np.float32)
# Pictures searched for at once.
QUERIES = 4096
_PER_CELL = 100
_PROBED = 0.03
_LEAST = 12


class Candidates(NamedTuple):
    """Pairs that may be near-duplicates, in arrays of one length.

    Attributes:
        originals: Indices of pictures.
        copies: Indices of pictures that resemble a part of the original.
        windows: Indices into `WINDOWS`, the parts.
        flipped: Whether the copies do so after being turned around from left to right.
    """

    originals: np.ndarray
    copies: np.ndarray
    windows: np.ndarray
    flipped: bool


def describe(brightness: np.ndarray) -> np.ndarray:
    """Descriptions of whole pictures, float32 (N, COARSE ** 2) of length 1, from their terms (N, TERMS, TERMS)."""
    return _described(brightness[:, :COARSE, :COARSE])


def describe_windows(brightness: np.ndarray) -> np.ndarray:
    """Descriptions of each picture's `WINDOWS`, float32 (N, 16, COARSE ** 2) of length 1."""
    cuts = np.array(_CUTS, np.float32)
    parts = window_transform(cuts[:, 0], 1 - cuts[:, 1], COARSE)[0]
    terms = np.einsum("yab,nbc,xdc->nyxad", parts, brightness, parts, optimize=True)
    return _described(terms.reshape(-1, COARSE, COARSE)).reshape(len(brightness), len(WINDOWS), -1)


class Index:
    """The windows of N pictures, sorted into cells around some of the pictures.

    A search looks only into the cells that are nearest to it: 3% of them, and at least 12.
    """

    def __init__(self, brightness: np.ndarray, sides: np.ndarray, *, seed: int = 0):
        """Describes and sorts the pictures with these terms, (N, TERMS, TERMS), and shorter sides, (N,), in pixels."""
        self._whole = describe(brightness)
        self._alike = np.where(sides < TINY, ALIKE_TINY, ALIKE).astype(np.float32)[:, None]
        count = len(brightness)
        cells = max(1, min(1000, count // _PER_CELL))
        chosen = np.sort(np.random.default_rng(seed).choice(count, cells, replace=False))
        self._pivots = self._whole[chosen]
        self._windows = np.empty((count, len(WINDOWS), COARSE**2), np.float16)
        cell = np.empty((count, len(WINDOWS)), np.int16)
        for start in range(0, count, QUERIES):
            part = describe_windows(brightness[start : start + QUERIES])
            self._windows[start : start + QUERIES] = part
            cell[start : start + QUERIES] = (part @ self._pivots.T).argmax(-1)
        # Within a cell in the order of pictures, so that windows of one picture are neighbours.
        order = np.argsort(cell.ravel(), kind="stable").astype(np.int32)
        self._members = np.split(order, np.searchsorted(cell.ravel()[order], np.arange(1, cells)))

    def __len__(self) -> int:
        return len(self._whole)

    def search(self, own: np.ndarray) -> Iterator[Candidates]:
        """Candidates of some pictures, by their indices; at most `QUERIES` at a time, to save memory."""
        signs = mirrored(np.ones((COARSE, COARSE), np.float32)).ravel()
        yield self._candidates(self._whole[own], own, False)
        yield self._candidates(self._whole[own] * signs, own, True)

    def _candidates(self, queries: np.ndarray, own: np.ndarray, flipped: bool) -> Candidates:
        cells = len(self._pivots)
        probed = min(cells, max(_LEAST, round(_PROBED * cells)))
        nearest = np.argpartition(queries @ self._pivots.T, cells - probed, axis=1)[:, cells - probed :]
        asked = np.zeros((len(queries), cells), bool)
        np.put_along_axis(asked, nearest, True, axis=1)
        found = [self._in_cell(cell, queries, np.flatnonzero(asked[:, cell]), own) for cell in range(cells)]
        rows, pictures = _best(*(np.concatenate(part) for part in zip(*found, strict=True)))
        return Candidates(pictures, own[rows], self._best_window(queries, rows, pictures), flipped)

    def _in_cell(
        self, cell: int, queries: np.ndarray, rows: np.ndarray, own: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        members = self._members[cell]
        if not len(members) or not len(rows):
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
        windows = self._windows.reshape(-1, COARSE**2)[members].astype(np.float32)
        likeness = queries[rows] @ windows.T
        pictures = members // len(WINDOWS)
        limit = self._alike[own[rows]]
        most = MOST * len(WINDOWS)
        if likeness.shape[1] > most and np.count_nonzero(likeness >= limit) > MOST * len(rows):
            # A crowd of like pictures: only the best of each query.
            limit = np.maximum(limit, np.partition(likeness, -most, axis=1)[:, -most, None])
        row, column = np.divmod(np.flatnonzero(likeness >= limit), likeness.shape[1])
        others = pictures[column] != own[rows[row]]
        row, column = row[others], column[others]
        return rows[row], pictures[column], likeness[row, column]

    def _best_window(self, queries: np.ndarray, rows: np.ndarray, pictures: np.ndarray) -> np.ndarray:
        best = np.empty(len(rows), np.int64)
        for start in range(0, len(rows), QUERIES):
            part = slice(start, start + QUERIES)
            best[part] = np.einsum(
                "nwd,nd->nw", self._windows[pictures[part]].astype(np.float32), queries[rows[part]]
            ).argmax(1)
        return best


def _best(rows: np.ndarray, pictures: np.ndarray, likeness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of row and picture: each once, and of each row the `MOST` with the highest values."""
    order = np.lexsort((-likeness, pictures, rows))
    rows, pictures, likeness = rows[order], pictures[order], likeness[order]
    first = np.ones(len(rows), bool)
    first[1:] = (rows[1:] != rows[:-1]) | (pictures[1:] != pictures[:-1])
    rows, pictures, likeness = rows[first], pictures[first], likeness[first]
    order = np.lexsort((-likeness, rows))
    rows, pictures = rows[order], pictures[order]
    kept = np.arange(len(rows)) - np.searchsorted(rows, rows) < MOST
    return rows[kept], pictures[kept]


def _described(terms: np.ndarray) -> np.ndarray:
    vectors = (terms * frequencies(COARSE)).reshape(len(terms), -1)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
