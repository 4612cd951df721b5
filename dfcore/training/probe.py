"""How long an epoch would take, measured on a few steps: `python -m dfcore.training.probe CONFIG.json`.

It runs in a process of its own, so that whoever asks need not import TensorFlow, and prints one line of
JSON: images_per_second of training steps and of validation.
"""

import json
import sys
import time

import numpy as np

_STEPS = 4


def main(path: str) -> int:
    """Measures and prints."""
    import tensorflow  # noqa: F401  (before pandas, pyarrow and scikit-learn)

    from dfcore import architectures
    from dfcore.engines import KerasEngine
    from dfcore.training.config import load_config
    from dfcore.training.hardware import apply_precision
    from dfcore.training.optimisation import make_accuracy, make_loss, make_optimizer, make_targets

    config = load_config(path)
    apply_precision(config.precision)
    size, batch = config.image_size, config.batch_size
    # Random weights take as long as pretrained ones.
    model = architectures.build_model(config.arch, size=size, loss=config.loss, dropout=config.dropout)
    optimizer = make_optimizer(config, head_only=False, epochs=1, steps=_STEPS)
    model.compile(optimizer, make_loss(config), metrics=[make_accuracy(config)], jit_compile=False)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
    targets = make_targets(config, random.integers(0, 2, batch))
    model.train_on_batch(pixels, targets)
    began = time.perf_counter()
    for _ in range(_STEPS):
        model.train_on_batch(pixels, targets)
    training = _STEPS * batch / (time.perf_counter() - began)
    engine = KerasEngine(model)
    engine.logits(pixels[:1])
    began = time.perf_counter()
    engine.logits(pixels)
    print(json.dumps({"training": training, "validation": batch / (time.perf_counter() - began)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
