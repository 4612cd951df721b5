"""Measures training speed on a few steps: `python -m dfcore.training.probe CONFIG.json`.

It runs in a separate process, so that the caller need not import TensorFlow. It prints one line of JSON: images per
second of `training` and of `validation`.
"""

import json
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dfcore.errors import DfcoreError
from dfcore.utils.files import read_json

if TYPE_CHECKING:
    from dfcore.training.config import TrainConfig

_STEPS = 4


def main(path: str) -> int:
    """Measures and prints the speed; returns the exit code. The last line on stderr is the error message."""
    import tensorflow  # noqa: F401  (before pandas, pyarrow and scikit-learn)

    from dfcore.training.failures import translated
    from dfcore.training.request import recorded_config

    try:
        config = recorded_config(read_json(Path(path)))
        with translated(config):
            print(json.dumps(_measure(config)))
    except DfcoreError as error:
        traceback.print_exc()
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


def _measure(config: "TrainConfig") -> dict[str, float]:
    """Images per second of training steps and of validation."""
    from dfcore import architectures
    from dfcore.engines import KerasEngine, as_squares
    from dfcore.training.hardware import apply_precision
    from dfcore.training.optimisation import make_accuracy, make_loss, make_optimizer, make_targets

    apply_precision(config.precision)
    spec, batch = config.spec, config.batch_size
    views = len(spec.view_titles)
    # Random weights are as fast as pretrained ones.
    model = architectures.build_model(
        config.arch, size=spec.size, loss=config.loss, dropout=config.dropout, heads=config.heads
    )
    optimizer = make_optimizer(config, head_only=False, epochs=1, steps=_STEPS)
    model.compile(optimizer, make_loss(config), metrics=[make_accuracy(config)], jit_compile=False)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (batch, *spec.input_shape), dtype=np.uint8)
    targets = make_targets(config, random.integers(0, 2, batch))
    squares, wanted = as_squares(pixels, views), targets.reshape(batch * views, -1)
    model.train_on_batch(squares, wanted)
    began = time.perf_counter()
    for _ in range(_STEPS):
        model.train_on_batch(squares, wanted)
    training = _STEPS * batch / (time.perf_counter() - began)
    engine = KerasEngine(model, views=views, loss=config.loss)
    engine.logits(pixels[:1])
    began = time.perf_counter()
    engine.logits(pixels)
    return {"training": training, "validation": batch / (time.perf_counter() - began)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
