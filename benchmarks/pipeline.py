"""Speed of the input pipeline beside that of the training step which it feeds.

Run from the project's root: `python -m benchmarks.pipeline`. The pipeline reads decoded images from the disk cache,
shuffles, augments and batches them, with nobody to wait for; the training step of the `cnn` takes its batches from
memory. The rounds alternate, so that a busy machine slows both. The default augmentation should be prepared at least
three times as fast as the network learns, so that training never waits for its input.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np

TARGET = 3.0
DEFAULT_AUGMENTATION = "light"


def cached_images(folder: Path, size: int) -> tuple:
    """Pixels and labels of a demonstration data set, decoded into a cache on the disk."""
    from dfcore.datasets import scan
    from dfcore.datasets.cache import load_pixels
    from dfcore.datasets.demo import make_demo
    from dfcore.imaging.preprocess import PreprocessSpec

    dataset = scan(make_demo(folder / "demo", crops_per_block=16), cache=folder / "cache")
    usable = dataset.usable
    paths = [dataset.root / path for path in usable.path]
    pixels = load_pixels(paths, list(usable.sha256), PreprocessSpec(size), folder=folder / "cache")
    return pixels, usable.label.to_numpy("float32")[:, None]


def pipeline_round(
    pixels, labels: np.ndarray, count: int, batch_size: int, augmentation: str
) -> Callable[[int], float]:
    """A function that prepares `count` images once and returns images/s, from the first wish to the last batch."""
    from dfcore.datasets.pipeline import training_batches

    positions = np.resize(np.arange(len(labels)), count)

    def measure(number: int) -> float:
        batches = training_batches(
            pixels, positions, labels[positions], batch_size=batch_size, augmentation=augmentation, epoch=number
        )
        began = time.perf_counter()
        seen = sum(len(images) for images, _ in batches)
        return seen / (time.perf_counter() - began)

    return measure


def training_round(pixels, labels: np.ndarray, steps: int, batch_size: int, size: int) -> Callable[[int], float]:
    """A function that trains the `cnn` for some steps on batches in memory and returns images/s."""
    import keras
    import tensorflow as tf

    from dfcore.architectures import build_model

    keras.utils.set_random_seed(0)
    model = build_model("cnn", size=size)
    model.compile(
        keras.optimizers.Adam(1e-4),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
        jit_compile=False,
    )
    first = np.arange(batch_size)
    batch = tf.constant(pixels.gather(first)), tf.constant(labels[first])
    batches = tf.data.Dataset.from_tensors(batch).cache().repeat(steps)

    def measure(number: int) -> float:
        began = time.perf_counter()
        model.fit(batches, epochs=1, verbose=0, shuffle=False)
        return steps * batch_size / (time.perf_counter() - began)

    return measure


def report(speeds: dict[str, list[float]]) -> None:
    """Prints medians, ranges and the ratio to the training step."""
    step = median(speeds["training step"])
    print(f"{'':<20}{'images/s':>10}{'range':>18}{'of the step':>14}")
    for name, result in speeds.items():
        ratio = "" if name == "training step" else f"{median(result) / step:.1f} x"
        print(f"{name:<20}{median(result):>10.0f}{f'{min(result):.0f} to {max(result):.0f}':>18}{ratio:>14}")
    ratio = median(speeds[f"pipeline {DEFAULT_AUGMENTATION}"]) / step
    verdict = "met" if ratio >= TARGET else "NOT met"
    print(f"target: at least {TARGET:.0f} x with the default, {DEFAULT_AUGMENTATION}: {verdict} ({ratio:.1f} x)")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128, help="side of the images in pixels")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--images", type=int, default=3200, help="images a round of the pipeline")
    parser.add_argument("--steps", type=int, default=15, help="training steps a round")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    import tensorflow as tf

    from dfcore.datasets.augment import NAMED

    with tempfile.TemporaryDirectory() as folder:
        pixels, labels = cached_images(Path(folder), options.size)
        measures = {"training step": training_round(pixels, labels, options.steps, options.batch_size, options.size)}
        for name in NAMED:
            measures[f"pipeline {name}"] = pipeline_round(pixels, labels, options.images, options.batch_size, name)
        for measure in measures.values():
            measure(0)  # The first time is spent on tracing and on filling the page cache.
        speeds: dict[str, list[float]] = {name: [] for name in measures}
        for number in range(1, options.rounds + 1):
            for name, measure in measures.items():
                speeds[name].append(measure(number))
    devices = "a GPU" if tf.config.list_physical_devices("GPU") else "the CPU"
    print(
        f"{options.size} px, batch {options.batch_size}, medians of {options.rounds} alternating rounds, on {devices}; "
        f"{os.cpu_count()} cores ({platform.machine()}), TensorFlow {tf.__version__}"
    )
    report(speeds)


if __name__ == "__main__":
    main()
