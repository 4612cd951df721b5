"""Whether embedded colour profiles matter: `python -m benchmarks.icc_profiles FOLDER ... [--out FILE]`.

Takes photographs that are sRGB, converts each to the pixel values of another colour space as a camera would store them
(JPEG, quality 95, profile embedded), and scores it three ways: as sRGB coded alike (the truth), with its profile
ignored, and converted to sRGB by LittleCMS. Tells by how much the scores differ from the truth, and how many decisions.
"""

import argparse
import io
import struct
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from dfcore.datasets.listing import list_images
from dfcore.detectors.detector import Detector
from dfcore.imaging import decode

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


def coded(image: Image.Image, icc: bytes | None = None) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, **({"icc_profile": icc} if icc else {}))
    return buffer.getvalue()


def three_ways(rgb: np.ndarray, icc: bytes) -> tuple[bytes, np.ndarray, np.ndarray]:
    """The truth, the pixels with their profile ignored, and those converted."""
    srgb, other = ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(icc))
    image = Image.fromarray(rgb)
    stored = coded(ImageCms.profileToProfile(image, srgb, other), icc)
    ignored = Image.fromarray(decode(stored))
    return coded(image), np.asarray(ignored), np.asarray(ImageCms.profileToProfile(ignored, other, srgb))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--detectors", nargs="+", default=["photographs", "faces"])
    parser.add_argument("--most", type=int, default=100, help="images of each folder")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = []
    for folder in options.folders:
        pictures = [decode(path) for path in list_images([folder])[: options.most]]
        for space in SPACES:
            ways = [three_ways(rgb, profile(space)) for rgb in pictures]
            moved = np.mean([np.abs(decode(truth).astype(int) - ignored).mean() for truth, ignored, _ in ways])
            for name in options.detectors:
                detector = Detector.load(name)
                truth, ignored, converted = (detector.predict(list(way)) for way in zip(*ways, strict=True))
                for how, verdicts in (("ignored", ignored), ("converted", converted)):
                    gaps = np.abs([a.score - b.score for a, b in zip(truth, verdicts, strict=True)])
                    other = sum(a.decision != b.decision for a, b in zip(truth, verdicts, strict=True))
                    lines.append(
                        f"{folder.name}, {space}, {name}: profile {how}: score off by {gaps.mean():.4f} on average, "
                        f"{np.quantile(gaps, 0.95):.4f} at the 95th percentile, {gaps.max():.4f} at most; {other} of "
                        f"{len(gaps)} decisions differ (ignored pixels are off by {moved:.1f} of 255)"
                    )
                    print(lines[-1], flush=True)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
