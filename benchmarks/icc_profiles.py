"""Whether embedded colour profiles matter: `python -m benchmarks.icc_profiles FOLDER ... [--out FILE]`.

Takes photographs that are sRGB, converts each to the pixel values of another colour space as a camera would store them
(JPEG, quality 95, profile embedded), and scores it three ways: as sRGB coded alike (the truth), with its profile
ignored, and with it converted to sRGB, as the decoder does. Tells by how much the scores differ from the truth, and how
many decisions do.
"""

import argparse
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from dfcore.datasets.listing import list_images
from dfcore.detectors.detector import Detector
from dfcore.imaging import decode
from tests.icc import SPACES, profile


def coded(image: Image.Image, icc: bytes | None = None) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, **({"icc_profile": icc} if icc else {}))
    return buffer.getvalue()


def three_ways(rgb: np.ndarray, icc: bytes) -> tuple[bytes, bytes, bytes]:
    """The truth, the other space's pixels without their profile, and the same with it."""
    image, srgb = Image.fromarray(rgb), ImageCms.createProfile("sRGB")
    stored = ImageCms.profileToProfile(image, srgb, ImageCms.ImageCmsProfile(io.BytesIO(icc)))
    return coded(image), coded(stored), coded(stored, icc)


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
            moved = np.mean([np.abs(decode(truth).astype(int) - decode(ignored)).mean() for truth, ignored, _ in ways])
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
