"""Every architecture in every format: how far its scores are from Keras's, how large it is, and how fast.

    python -m benchmarks.exports [--size 64] [--only cnn,vit] [--formats onnx,litert] [--out FILE]

Networks have random weights that answer differently to different images; views and mirror images are off. Each pair is
made in a process of its own, and rows that are in the output already are kept: started again, it goes on. Images a
second are counted one image at a time on all cores after a first one, SavedModel and Keras through their usual calls.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

RESULTS = Path(__file__).parent / "results" / "exports.txt"
_SECONDS = 3.0
_HEAD = ("architecture", "pixels", "format", "score difference", "MB", "images/s", "remark")


def pair(name: str, form_key: str, size: int) -> dict[str, Any]:
    """One row of the table."""
    import numpy as np

    from dfcore.confidence import Calibration
    from dfcore.detectors.card import Preprocess
    from dfcore.engines import KerasEngine
    from dfcore.errors import BundleError
    from dfcore.exchange.optimize import LIMIT, patterns
    from dfcore.export.formats import FORMATS
    from tests.conftest import make_card
    from tests.contract.networks import lively

    form, model = FORMATS[form_key], lively(name, size=size)
    preprocess, calibration = Preprocess(size=size, resize="stretch"), Calibration(method="platt", slope=0.7)
    card = make_card(arch=name, preprocess=preprocess, calibration=calibration)
    pixels = patterns(size)
    expected = card.calibration.apply(KerasEngine(model).logits(pixels))
    row: dict[str, Any] = {"architecture": name, "pixels": size, "format": form_key}
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside)
        try:
            form.write(model, card, folder, None, False)
        except BundleError as error:
            return row | {"remark": f"refused: {error}"}
        row["MB"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
        run = form.run(folder)
        scores = np.concatenate([run(pixels[[number]])[0].reshape(-1) for number in range(len(pixels))])
        row["score difference"] = float(np.abs(scores - expected).max())
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < _SECONDS:
            run(pixels[[count % len(pixels)]])
            count += 1
        row["images/s"] = count / (time.perf_counter() - began)
    within = row["score difference"] < LIMIT
    return row | {"remark": "" if within else "refused: its scores differ"}


def _in_process(name: str, form: str, size: int) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.exports", "--pair", name, form, "--size", str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1][:150]
        row = {"architecture": name, "pixels": size, "format": form}
        return row | {"remark": f"failed with code {done.returncode}: {last}"}
    return json.loads(lines[-1])


def _written(rows: list[dict[str, Any]], out: Path) -> None:
    def cell(row: dict[str, Any], key: str) -> str:
        value = row.get(key)
        form = {"score difference": ".1e", "MB": ".1f", "images/s": ".1f"}.get(key)
        return "-" if value is None else format(value, form) if form else str(value)

    table = [_HEAD, *(tuple(cell(row, key) for key in _HEAD) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(_HEAD) - 1)]
    lines = [
        "  ".join([*(text.ljust(width) for text, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in table
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    out.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=64, help="side of the images; the tower always has its own")
    parser.add_argument("--only", default="", help="architectures; default: all")
    parser.add_argument("--formats", default="", help="formats; default: all")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--pair", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pair:
        print(json.dumps(pair(*options.pair, options.size)))
        return
    from dfcore import architectures
    from dfcore.export import FORMATS

    stored = options.out.with_suffix(".json")
    rows = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else []
    known = {(row["architecture"], row["format"]) for row in rows}
    for name in options.only.split(",") if options.only else architectures.names():
        for form in options.formats.split(",") if options.formats else FORMATS:
            if (name, form) in known:
                continue
            rows.append(_in_process(name, form, options.size))
            _written(rows, options.out)
            print(json.dumps(rows[-1]), flush=True)


if __name__ == "__main__":
    main()
