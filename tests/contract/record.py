"""Records what the shipped detectors make of drawn pictures: `python -m tests.contract.record FILE [KEY …]`.

To be run when a shipped detector changes on purpose; the differences are then to be read before they are committed. A
file `recorded_scores_on_NAME.json` holds some of them for a further kind of processor.
"""

import json
import sys
from pathlib import Path

import dfcore
from dfcore.detectors.detector import Detector
from tests.conftest import ROOT
from tests.contract.test_compatibility import pictures, processor

KEYS = ("small/openvino", "faces/keras", "faces/openvino", "photographs/openvino")


def main(path: str, *keys: str) -> None:
    scores = {}
    for key in keys or KEYS:
        name, engine = key.split("/")
        verdicts = Detector.load(ROOT / "models" / name, engine).predict(pictures().values())
        scores[key] = {
            picture: {
                "score": verdict.score.hex(),
                "logit": verdict.logit.hex(),
                "distance": verdict.ood.distance.hex(),
                "verdict": verdict.decision,
                "finding": verdict.finding,
                "reasons": len(verdict.ood.reasons),
            }
            for picture, verdict in zip(pictures(), verdicts, strict=True)
        }
    content = {"made_with": dfcore.__version__, "processor": processor(), "scores": scores}
    Path(path).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
