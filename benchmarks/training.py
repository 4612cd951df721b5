"""Training from folders of JPEG files beside the bare step, and beside what most projects do.

Run from the project's root: `python -m benchmarks.training --out benchmarks/results/training.txt`. Several ways train
the same network on as many images, each in a process of its own and after a first epoch that fills caches and compiles;
they take turns, and one waits while another works. The first three run beside each other, each further one beside the
bare step, so that they fit into the memory:

- ours: the workbench's trainer, with its cache of decoded pixels and tta_flip images;
- bare step: the same compiled step again and again on a batch that lies in memory, with no input at all;
- generator and fit: `ImageDataGenerator.flow_from_directory` with `fit`, tta_flip too;
- step with ...: the bare step in other ways, to see what tuning brings.

Ends with 1 where ours is below 0.9 of the bare step.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from dfcore.utils.processes import environment

LEAST = 0.9
BATCH = 32
# Side in pixels, and images of an epoch.
CASES = {"cnn": (128, 640), "mobilenetv2": (224, 192)}
# By name: which way, with which options, in which environment.
WAYS: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "ours": ("ours", {}, {}),
    "bare step": ("bare", {}, {}),
    "generator and fit": ("generator", {}, {}),
}
# Enough for these, since most differ by far more than the noise.
_TUNED_ROUNDS = 2
TUNED: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "step with XLA": ("bare", {"xla": True}, {}),
    "step with bfloat16": ("bare", {"precision": "mixed_bfloat16"}, {}),
    "step with one thread an op": ("bare", {}, {"TF_NUM_INTRAOP_THREADS": "1"}),
    "step with one op at a time": ("bare", {}, {"TF_NUM_INTEROP_THREADS": "1"}),
    "step without oneDNN's layouts": ("bare", {}, {"TF_ENABLE_ONEDNN_OPTS": "0"}),
}


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
    """Epochs of the workbench's trainer."""
    from benchmarks.presets import Printer
    from dfcore.training.config import make_config
    from dfcore.training.data import prepare
    from dfcore.training.progress import Progress
    from dfcore.training.trainer import Trainer

    config = make_config({"data_root": str(root), "arch": arch, "image_size": size, "batch_size": BATCH, "epochs": 1000,
                          "augmentation": "light", "early_stopping": "off", "precision": "float32"})  # fmt: skip
    trainer = Trainer(config, prepare(config), workspace / "checkpoints", Printer(verbose=False))
    trainer._enter_stage(head_only=False)

    def epoch() -> float:
        began = time.perf_counter()
        trainer._train_epoch()
        seconds = time.perf_counter() - began
        trainer.progress = Progress(epoch=trainer.progress.epoch + 1)
        return trainer.steps * BATCH / seconds

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


def serve(text: dict[str, Any]) -> None:
    """In a process of its own: trains an epoch whenever a line comes, and answers with its images/s."""
    root, arch = Path(text["root"]), text["arch"]
    size, images = CASES[arch]
    answers, sys.stdout = sys.stdout, sys.stderr  # What libraries print is no answer.
    if text["way"] == "ours":
        epoch = ours(arch, size, root, root.parent)
    elif text["way"] == "generator":
        epoch = generator(arch, size, root, images)
    else:
        epoch = bare(arch, size, images // BATCH, **text["options"])
    for _ in sys.stdin:
        print(epoch(), file=answers, flush=True)


class Way:
    """One way to train, in its process."""

    def __init__(self, name: str, arch: str, root: Path, log: Any):
        way, options, more = (WAYS | TUNED)[name]
        text = {"way": way, "options": options, "arch": arch, "root": str(root)}
        self._name, self._log = name, log
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.training", "--serve", json.dumps(text)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment() | more, text=True,
        )  # fmt: skip

    def epoch(self) -> float:
        """Images/s of one epoch."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            text = Path(self._log.name).read_text(errors="replace")[-2000:]
            raise SystemExit(f"'{self._name}' ended with code {self._process.wait()}:\n{text}")
        return float(answer)

    def end(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()


def measure(names: list[str], arch: str, root: Path, rounds: int) -> dict[str, float]:
    """Median images/s of each way; they take turns."""
    result: dict[str, list[float]] = {name: [] for name in names}
    with open(root.parent / "log.txt", "a") as log:
        ways = {name: Way(name, arch, root, log) for name in names}
        try:
            for number in range(rounds + 1):
                for name, way in ways.items():
                    speed = way.epoch()
                    if number:
                        result[name].append(speed)
        finally:
            for way in ways.values():
                way.end()
    return {name: statistics.median(speeds) for name, speeds in result.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--serve", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return 0
    lines = []
    missed = False

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    say(f"{os.cpu_count()} cores, batch {BATCH}, JPEG files, tta_flip")
    say(f"images/s, medians of {options.rounds} epochs, of {_TUNED_ROUNDS} for the further ways to make a step")
    with tempfile.TemporaryDirectory(prefix="training-") as name:
        folder = Path(name)
        os.environ["DFCORE_CACHE"] = str(folder / "cache")
        for arch, (size, images) in CASES.items():
            say(f"{arch} at {size} px, epochs of {images} images")
            root = write_folders(folder / arch / "data", images)
            for group in (list(WAYS), *(["bare step", way] for way in TUNED)):
                rounds = options.rounds if group == list(WAYS) else _TUNED_ROUNDS
                speeds = measure(group, arch, root, rounds)
                bare_step = speeds["bare step"]
                for way in group if group == list(WAYS) else group[1:]:
                    say(f"  {way:<30}{speeds[way]:>8.1f}{speeds[way] / bare_step:>8.2f} of the bare step")
                missed |= "ours" in speeds and speeds["ours"] < LEAST * bare_step
    say(f"target, ours at least {LEAST:g} of the bare step: {'MISSED' if missed else 'met'}")
    text = "\n".join(lines) + "\n"
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    return missed


if __name__ == "__main__":
    sys.exit(main())
