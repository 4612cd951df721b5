"""Forensic views, in one registry, `VIEWS`. To add one, add an entry here."""

from dataclasses import replace
from typing import Any

import numpy as np

from dfcore.errors import InputError
from dfcore.forensics.channels import CHANNELS, COLOURS, bit_planes, colour_channels
from dfcore.forensics.copy_move import copy_move
from dfcore.forensics.grid import block_grid
from dfcore.forensics.recompression import error_level, ghosts
from dfcore.forensics.residual import noise_residual
from dfcore.forensics.spectrum import log_spectrum
from dfcore.forensics.view import Parameter, Region, View, ViewKind, subject
from dfcore.imaging import sandbox
from dfcore.imaging.facts import ImageFacts
from dfcore.imaging.pixels import from_array

VIEWS: dict[str, ViewKind] = {
    kind.key: kind
    for kind in (
        ViewKind(
            "error_level",
            "Error level analysis",
            "Parts of like texture should be about equally bright; one that differs from its like may have been saved "
            "another number of times.",
            "Edges and fine texture are always bright, flat parts dark, and after one more resave of the whole little "
            "is left: brightness alone says nothing.",
            error_level,
            (
                Parameter(
                    "quality", "Quality", "Quality at which the picture is saved once more; 85 to 95 is usual.",
                    90, 50, 99,
                ),
            ),
        ),
        ViewKind(
            "noise_residual",
            "Noise residual",
            "A camera's noise has about the same grain everywhere at like brightness; a smoother or coarser part "
            "stands out.",
            "Focus, texture, noise reduction, night modes and JPEG change it from place to place in honest pictures.",
            noise_residual,
            (
                Parameter(
                    "kind", "Filter", "What is taken away: the median of 3 x 3 pixels, or all but the finest detail.",
                    "median", choices={"median": "Median", "high_frequency": "High-pass"},
                ),
            ),
        ),
        ViewKind(
            "log_spectrum",
            "Log spectrum",
            "Bright dots off the axes are periodic traces, as upsampling leaves them; a curve outside the band is "
            "unlike the photographs that it is drawn against.",
            "Resizing, sharpening, JPEG (dots at eighths) and woven or printed patterns do the same. The band holds "
            "for photographs of such size and JPEG quality only: of 86 others like them 15 lay outside it with more "
            "than a tenth of the frequencies, of 77 real pictures that were mostly screenshots 48.",
            log_spectrum,
        ),
        ViewKind(
            "ghosts",
            "JPEG ghosts",
            "A dark part in an otherwise brighter picture changes little at this quality: it may come from a file that "
            "was saved at it.",
            "Flat parts are dark at every quality, and a ghost is seen only if the part's blocks lie on the picture's "
            "grid and the picture was saved at a higher quality afterwards. A part was claimed of 11 of 208 real "
            "pictures.",
            ghosts,
            (
                Parameter("lowest", "Lowest quality", "Where the range of qualities begins.", 40, 20, 80, 5),
                Parameter("highest", "Highest quality", "Where it ends.", 95, 85, 100, 5),
                Parameter("step", "Step", "Distance of the qualities; smaller is slower and finer.", 5, 2, 10),
            ),
            costly=True,
        ),
        ViewKind(
            "block_grid",
            "JPEG block grid",
            "A grid that begins elsewhere than at the corner means cropping after a JPEG was saved; a framed part with "
            "a grid of its own was put in from another JPEG.",
            "Older grids vanish when the picture is saved as JPEG again: parts pasted in were framed in 87 of 88 "
            "pictures kept as PNG, in 1 after quality 95. No grid does not mean that there was no JPEG: resizing "
            "removes it.",
            block_grid,
            costly=True,
        ),
        ViewKind(
            "bit_planes",
            "Bit planes",
            "The lowest planes of a camera's picture look like noise; areas with structure there, or none, were "
            "filled, clipped or embedded in.",
            "JPEG, flat skies and clipped highlights leave structure in the lowest planes of honest pictures as well.",
            bit_planes,
            (
                Parameter("channel", "Channel", "Which values the bits are taken of.", "luminance", choices=CHANNELS),
                Parameter("plane", "Bit", "0 is the lowest bit, 7 the highest.", 0, 0, 7),
            ),
        ),
        ViewKind(
            "colour_channels",
            "Colour channels",
            "Gaps like a comb in a histogram come from stretched contrast; channels that hardly correlate, or "
            "saturation that is even or cut off, are worth a question.",
            "Filters of phones and web sites do all of this to honest pictures; the figures alone tell nothing of "
            "origin.",
            colour_channels,
            (
                Parameter(
                    "shown", "Show", "Which quantity is drawn as a picture.", "saturation", choices=COLOURS,
                ),
            ),
        ),
        ViewKind(
            "copy_move",
            "Copy-move",
            "Green and pink parts are the same, pixel by pixel, apart from coding: one may be a copy of the other.",
            "Repeated patterns such as windows, print and tiles are alike by nature: 2 of 208 real pictures had a "
            "pair. Copies that are flat, turned, scaled, mirrored or moved by less than their size are not found, and "
            "of textured ones of 64 pixels half after JPEG quality 75.",
            copy_move,
            (
                Parameter(
                    "smallest", "Smallest part", "Side in pixels of a square as large as the smallest part told.",
                    32, 16, 256,
                ),
            ),
            costly=True,
        ),
    )
}  # fmt: skip


def compute(
    key: str,
    data: bytes | np.ndarray,
    *,
    region: Region | None = None,
    facts: ImageFacts | None = None,
    **parameters: Any,
) -> View:
    """Computes one view of a picture.

    Args:
        key: A key of `VIEWS`.
        data: Content of an image file, which is decoded in the sandbox, or uint8 pixels as `dfcore.imaging.decode`
            takes them.
        region: Part to look at, (x, y, width, height) in pixels of the upright picture; the whole if None. Of more than
            12 megapixels the middle is examined.
        facts: Properties of the file that pixels came from, which tell of its coding; read from `data` if it is a file.
        parameters: Settings of the view by name; the others have their defaults.

    Raises:
        ImageError: If the file cannot be decoded.
        InputError: For an unknown view or setting, or a value out of range.
    """
    kind = VIEWS.get(key)
    if kind is None:
        raise InputError(f"Expected one of the forensic views {', '.join(VIEWS)}. Received: {key!r}.")
    settings = _settings(kind, parameters)
    known, rgb = _read(data)
    facts = known or facts
    return _computed(kind, rgb, facts, region, settings)


def figures(data: bytes | np.ndarray) -> dict[str, Any]:
    """The figures of every view that is quick, for reports; about a second for 2 megapixels.

    Returns:
        {"views": {key: see `View.to_dict`, with its title}, "left_out": keys of those that take longer}.

    Raises:
        ImageError: If the file cannot be decoded.
    """
    facts, rgb = _read(data)
    quick = [kind for kind in VIEWS.values() if not kind.costly]
    return {
        "views": {
            kind.key: {"title": kind.title, **_computed(kind, rgb, facts, None, _settings(kind, {})).to_dict()}
            for kind in quick
        },
        "left_out": [kind.key for kind in VIEWS.values() if kind.costly],
    }


def _read(data: bytes | np.ndarray) -> tuple[ImageFacts | None, np.ndarray]:
    return (None, from_array(data)) if isinstance(data, np.ndarray) else sandbox.opened(data)


def _settings(kind: ViewKind, given: dict[str, Any]) -> dict[str, Any]:
    known = {parameter.key: parameter for parameter in kind.parameters}
    for name in given:
        if name not in known:
            offered = f"one of {', '.join(known)}" if known else "none"
            raise InputError(f"{kind.title}: expected as settings {offered}. Received: {name!r}.")
    return {name: parameter.check(given.get(name, parameter.default)) for name, parameter in known.items()}


def _computed(
    kind: ViewKind, rgb: np.ndarray, facts: ImageFacts | None, region: Region | None, settings: dict[str, Any]
) -> View:
    chosen = subject(rgb, facts, region)
    found = kind.make(chosen, **settings)
    return replace(found, region=chosen.region, note=chosen.note, parameters=settings)
