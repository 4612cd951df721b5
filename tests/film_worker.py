"""The process that judges a film, with a detector that needs no network and takes its time."""

import sys
import time

from dfcore.films import conduct, worker
from dfcore.films.judges import judges_of
from tests.bright_detectors import BrightEngine, bright


def main(folder: str) -> int:
    """Judges the film in `folder`."""
    outputs = BrightEngine.outputs

    def slowly(self, pixels):
        time.sleep(0.02)
        return outputs(self, pixels)

    BrightEngine.outputs = slowly  # type: ignore[method-assign]
    conduct.ready_judges = lambda *_, **__: judges_of({"bright": bright()}, {})
    return worker.main(folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
