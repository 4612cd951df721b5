"""Makes the curve that Log spectrum is compared with, `dfcore/forensics/spectrum_reference.json`, from photographs.

Run from the project's root: `python -m benchmarks.forensics_reference ../shared/data/photos_train --text "160
photographs of ImageNet"`. The photographs must not be among those that anything is tested on.
"""

import argparse
from pathlib import Path

import numpy as np

from dfcore.forensics.spectrum import REFERENCE, azimuthal, power
from dfcore.forensics.view import subject
from dfcore.imaging import sandbox
from dfcore.utils.files import write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--text", required=True, help="which photographs these are")
    options = parser.parse_args()
    curves, sides, qualities = [], [], []
    for path in sorted(options.folder.iterdir()):
        facts, rgb = sandbox.opened(path.read_bytes())
        curve = azimuthal(power(subject(rgb, facts).luminance))
        if curve is not None and facts.jpeg_quality is not None:
            curves.append(curve)
            sides.append(min(rgb.shape[:2]))
            qualities.append(facts.jpeg_quality)
    low, high = np.percentile(curves, [5, 95], axis=0)
    ranges = {
        "sides": np.percentile(sides, [5, 95]).astype(int).tolist(),
        "qualities": np.percentile(qualities, [5, 95]).astype(int).tolist(),
    }
    bands = {"mean": np.mean(curves, 0), "low": low, "high": high}
    write_json(
        REFERENCE,
        {"text": options.text, "images": len(curves), **ranges}
        | {name: [round(float(value), 2) for value in values] for name, values in bands.items()},
    )
    print(f"{len(curves)} photographs, {ranges}")


if __name__ == "__main__":
    main()
