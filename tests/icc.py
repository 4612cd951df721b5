"""ICC profiles of matrix and curves, made here: no profile of anybody else is needed."""

import struct

# Primaries as seen under D50 (columns X, Y, Z of red, green and blue), and gamma; 0 for sRGB's curve.
SPACES = {
    "Display P3": (((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)), 0.0),
    "Adobe RGB": (((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)), 2.19921875),
}


def profile(space: str) -> bytes:
    """An ICC profile of matrix and curve, made here."""
    primaries, gamma = SPACES[space]
    number = lambda value: struct.pack(">i", round(value * 65536))  # noqa: E731
    xyz = lambda values: b"XYZ \0\0\0\0" + b"".join(map(number, values))  # noqa: E731
    if gamma:
        curve = b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + b"\0\0"
    else:
        curve = b"para" + struct.pack(">IHH", 0, 3, 0)
        curve += b"".join(map(number, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))
    name = space.encode()
    description = b"desc" + struct.pack(">II", 0, len(name) + 1) + name + b"\0" + bytes(78)
    parts = {b"desc": description, b"cprt": b"text\0\0\0\0none\0\0\0\0", b"wtpt": xyz((0.9642, 1.0, 0.8249))}
    parts |= {name + b"XYZ": xyz(values) for name, values in zip((b"r", b"g", b"b"), primaries, strict=True)}
    parts |= {name + b"TRC": curve for name in (b"r", b"g", b"b")}
    table, body, at = struct.pack(">I", len(parts)), b"", 132 + 12 * len(parts)
    for tag, data in parts.items():
        table += tag + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(
        ">I4sI4s4s4s12s4s", at + len(body), b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ", bytes(12), b"acsp"
    )
    return head + bytes(28) + b"".join(map(number, (0.9642, 1.0, 0.8249))) + bytes(48) + table + body
