"""ICC profiles, made here: no profile of anybody else is needed."""

import itertools
import struct
from collections.abc import Sequence

import numpy as np

# D50, the white of profiles.
WHITE = (0.9642, 1.0, 0.8249)

# Primaries as seen under D50 (columns X, Y, Z of red, green and blue), and gamma; 0 for sRGB's curve.
SPACES = {
    "Display P3": (((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)), 0.0),
    "Adobe RGB": (((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)), 2.19921875),
}


# Inks of a printer, as sRGB: by cyan, magenta and yellow, each none or full. White and black are the screen's, since
# LittleCMS stretches others to them.
INKS = {
    (0, 0, 0): (255, 255, 255), (1, 0, 0): (30, 150, 215), (0, 1, 0): (215, 40, 130), (0, 0, 1): (245, 230, 40),
    (1, 1, 0): (50, 60, 145), (1, 0, 1): (20, 145, 80), (0, 1, 1): (215, 50, 45), (1, 1, 1): (60, 55, 55),
}  # fmt: skip
BLACK = (0, 0, 0)


def profile(space: str) -> bytes:
    """An ICC profile of matrix and curve, made here."""
    primaries, gamma = SPACES[space]
    if gamma:
        curve = _gamma(gamma)
    else:
        curve = b"para" + struct.pack(">IHH", 0, 3, 0)
        curve += b"".join(map(_number, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))
    parts = {name + b"XYZ": _xyz(values) for name, values in zip((b"r", b"g", b"b"), primaries, strict=True)}
    parts |= {name + b"TRC": curve for name in (b"r", b"g", b"b")}
    return _packed(space, b"mntr", b"RGB ", b"XYZ ", parts)


def grey_profile(gamma: float) -> bytes:
    """An ICC profile of grey samples with that gamma."""
    return _packed(f"Grey {gamma}", b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _gamma(gamma)})


def cmyk_profile() -> bytes:
    """An ICC profile of a printer with `INKS`: a table of two steps per ink, in Lab of 8 bits."""
    corners = itertools.product((0, 1), repeat=4)
    colours = [_lab(BLACK if corner[3] else INKS[corner[:3]]) for corner in corners]
    straight = bytes(range(256))
    table = b"mft1" + struct.pack(">I4B", 0, 4, 3, 2, 0) + b"".join(map(_number, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    table += straight * 4 + b"".join(colours) + straight * 3
    return _packed("Press", b"prtr", b"CMYK", b"Lab ", {b"A2B0": table})


def _lab(srgb: tuple[int, int, int]) -> bytes:
    """CIE Lab under D50, as a profile stores it in 8 bits, of an sRGB colour."""
    share = np.array(srgb) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
    xyz = to_xyz @ linear / WHITE
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return bytes(np.rint([(116 * y - 16) * 2.55, 500 * (x - y) + 128, 200 * (y - z) + 128]).astype(np.uint8))


def _number(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_number, values))


def _gamma(gamma: float) -> bytes:
    return b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + b"\0\0"


def _packed(name: str, device: bytes, space: bytes, connection: bytes, parts: dict[bytes, bytes]) -> bytes:
    """A profile of version 2.4 from its parts."""
    text = name.encode()
    description = b"desc" + struct.pack(">II", 0, len(text) + 1) + text + b"\0" + bytes(78)
    parts = {b"desc": description, b"cprt": b"text\0\0\0\0none\0\0\0\0", b"wtpt": _xyz(WHITE)} | parts
    table, body, at = struct.pack(">I", len(parts)), b"", 132 + 12 * len(parts)
    for tag, data in parts.items():
        table += tag + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(
        ">I4sI4s4s4s12s4s", at + len(body), b"none", 0x02400000, device, space, connection, bytes(12), b"acsp"
    )
    return head + bytes(28) + b"".join(map(_number, WHITE)) + bytes(48) + table + body
