"""Training from folders of JPEG files beside the bare step, and beside what most projects do.

Run from the project's root: `python -m benchmarks.training --out benchmarks/results/training.txt`. Four ways train the
same network on the same images, taking turns, each after a first epoch that fills caches and compiles:

- ours: the workbench's trainer, with its cache of decoded pixels and mirrored images;
- bare step: the same compiled step again and again on a batch that lies in memory, with no input at all;
- generator: `ImageDataGenerator.flow_from_directory` with `fit`, mirrored too;
- tuned step: the bare step in other ways (XLA, bfloat16, one thread fewer), to see what tuning would bring.

Ends with 1 where ours is below 0.9 of the bare step.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

LEAST = 0.9
CASES = {"cnn": 128, "mobilenetv2": 224}
BATCH = 32


def write_folders(root: Path, images: int) -> Path:
    """A data set of JPEG crops in `train/real`, `train/fake`, and a few for validation."""
    from benchmarks.speed import crops

    for number, data in enumerate(crops(images + 16)):
        split = "train" if number < images else "valid"
        folder = root / split / ("fake" if number % 2 else "real")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.jpg").write_bytes(data)
    return root


def compiled(arch: str, size: int) -> Any:
    """The network as the trainer compiles it."""
    import keras

    from dfcore.architectures import build_model

    keras.utils.set_random_seed(0)
    model = build_model(arch, size=size)
    model.compile(
        keras.optimizers.Adam(1e-4), keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)], jit_compile=False,
    )  # fmt: skip
    return model


def ours(arch: str, size: int, root: Path, workspace: Path) -> Callable[[], float]:
    """Epochs of the workbench's trainer; images/s of its steps."""
    from benchmarks.recipes import Printer
    from dfcore.training.config import make_config
    from dfcore.training.data import prepare
    from dfcore.training.trainer import Trainer

    config = make_config({"data_root": str(root), "arch": arch, "image_size": size, "batch_size": BATCH, "epochs": 1000,
                          "augmentation": "light", "early_stopping": "off", "precision": "float32"})  # fmt: skip
    trainer = Trainer(config, prepare(config), workspace / "checkpoints", Printer(verbose=False))
    trainer._enter_stage(head_only=False)

    def epoch() -> float:
        found = trainer._train_epoch()
        trainer.progress.epoch, trainer.progress.step = trainer.progress.epoch + 1, 0
        assert found is not None
        return found

    return epoch


def bare(arch: str, size: int, steps: int, *, xla: bool = False, precision: str = "float32") -> Callable[[], float]:
    """The step alone, on one batch in memory."""
    import keras
    import tensorflow as tf

    keras.config.set_dtype_policy(precision)
    model = compiled(arch, size)
    keras.config.set_dtype_policy("float32")
    random = np.random.default_rng(0)
    images = tf.constant(random.integers(0, 256, (BATCH, size, size, 3)).astype(np.uint8))
    labels = tf.constant((np.arange(BATCH) % 2)[:, None].astype(np.float32))
    model.optimizer.build(model.trainable_variables)

    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(images, labels, model(images, training=True))
        model.optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    call = tf.function(step, jit_compile=xla, autograph=False)

    def epoch() -> float:
        began = time.perf_counter()
        for _ in range(steps):
            loss = call()
        float(loss)
        return steps * BATCH / (time.perf_counter() - began)

    return epoch


def generator(arch: str, size: int, root: Path, images: int) -> Callable[[], float]:
    """What most projects do."""
    import keras

    model = compiled(arch, size)
    made = keras.src.legacy.preprocessing.image.ImageDataGenerator(horizontal_flip=True)
    flow = made.flow_from_directory(str(root / "train"), (size, size), batch_size=BATCH, class_mode="binary")

    def epoch() -> float:
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(flow, epochs=1, verbose=0)
        return images / (time.perf_counter() - began)

    return epoch


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=960)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = [f"{os.cpu_count()} cores, batch {BATCH}, {options.images} JPEG files, mirrored; images/s, medians of "
             f"{options.rounds} epochs in turns"]  # fmt: skip
    missed = False
    with tempfile.TemporaryDirectory(prefix="training-") as name:
        folder = Path(name)
        os.environ["DFCORE_CACHE"] = str(folder / "cache")
        root = write_folders(folder / "data", options.images)
        steps = options.images // BATCH
        for arch, size in CASES.items():
            ways = {
                "ours": ours(arch, size, root, folder / arch),
                "bare step": bare(arch, size, steps),
                "generator and fit": generator(arch, size, root, options.images),
                "tuned: XLA": bare(arch, size, steps, xla=True),
                "tuned: bfloat16": bare(arch, size, steps, precision="mixed_bfloat16"),
            }
            found: dict[str, list[float]] = {way: [] for way in ways}
            for number in range(options.rounds + 1):
                for way, epoch in ways.items():
                    speed = epoch()
                    if number:
                        found[way].append(speed)
            middle = {way: statistics.median(speeds) for way, speeds in found.items()}
            lines.append(f"{arch} at {size} px")
            for way, speed in middle.items():
                lines.append(f"  {way:<20}{speed:>8.1f}{speed / middle['bare step']:>8.2f} of the bare step")
            missed |= middle["ours"] < LEAST * middle["bare step"]
            print("\n".join(lines), flush=True)
    lines.append(f"target, ours at least {LEAST:g} of the bare step: {'MISSED' if missed else 'met'}")
    text = "\n".join(lines) + "\n"
    print(lines[-1])
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    return missed


if __name__ == "__main__":
    sys.exit(main())
