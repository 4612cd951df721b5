"""How fast verdicts and heat-maps come, beside what a plain Keras script does, in the same run.

Run from the project's root: `python -m benchmarks.speed --out benchmarks/results/speed.txt`, or with the names of some
parts (single, cold, folder, heatmap). Detectors of `mobilenetv2` and `resnet50` at 224 pixels are made with random
weights, with a record of known images as trained ones have it; the images are crops of two photographs, as JPEG.
What is compared takes turns; the figures are medians and their ratios. Ends with 1 where a limit is missed.
"""

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from dfcore.batch.predict import predict_files
from dfcore.confidence import FileRange, OODDetector
from dfcore.detectors.bundle import now, write_bundle
from dfcore.detectors.card import Card, OODRecord, Preprocess, Threshold, Training
from dfcore.detectors.detector import Detector
from dfcore.engines import KerasEngine
from dfcore.exchange.optimize import optimize

SIZE, SIDE = 224, 300
ARCHITECTURES = ("mobilenetv2", "resnet50")
PARTS = ("single", "cold", "folder", "heatmap")
FOLDER_GAIN = {"mobilenetv2": 3.0, "resnet50": 1.5}
_PHOTOGRAPHS = ("china.jpg", "flower.jpg")


@dataclass
class Report:
    """Lines for people, how many times faster each thing was, and what was missed."""

    lines: list[str] = field(default_factory=list)
    ratios: dict[str, float] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        """One line, at once."""
        print(line, flush=True)
        self.lines.append(line)

    def gain(self, what: str, ours: float, theirs: float, least: float, unit: str = "ms") -> None:
        """How many times faster; times in seconds."""
        factor = 1000 if unit == "ms" else 1
        ratio = self.ratios[what] = theirs / ours
        self.say(
            f"{what:<34}{factor * ours:>9.1f}{factor * theirs:>9.1f} {unit:<5}{ratio:>6.1f} times (at least {least:g})"
        )
        if ratio < least:
            self.missed.append(what)


def crops(count: int, seed: int = 0) -> list[bytes]:
    """JPEG files of `SIDE` pixels, no two alike."""
    from sklearn.datasets import load_sample_image

    pictures = [Image.fromarray(load_sample_image(name)) for name in _PHOTOGRAPHS]
    random = np.random.default_rng(seed)
    files = []
    for number in range(count):
        picture = pictures[number % len(pictures)]
        left, top = random.integers(0, picture.width - SIDE), random.integers(0, picture.height - SIDE)
        buffer = io.BytesIO()
        piece = picture.crop((left, top, left + SIDE, top + SIDE))
        piece.save(buffer, "JPEG", quality=int(random.integers(75, 96)))
        files.append(buffer.getvalue())
    return files


def make_bundle(arch: str, folder: Path) -> Path:
    """A detector with random weights and all that a trained one has."""
    import keras

    from dfcore.architectures import build_model, get

    keras.utils.set_random_seed(0)
    model = build_model(arch, size=SIZE)
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(data)).resize((SIZE, SIZE))) for data in crops(300, seed=1)])
    features = KerasEngine(model).outputs(pixels).features
    card = Card(
        title=arch, created=now(), arch=arch, loss="binary", preprocess=Preprocess(size=SIZE, resize="stretch"),
        threshold=Threshold(value=0.5, chosen_on="nothing", criterion="none"), cam_layer=get(arch).cam_layer,
        training=Training(dataset="none"), ood=OODRecord(files=FileRange(sides=(SIDE, SIDE)), sha256=""),
    )  # fmt: skip
    write_bundle(folder, model, card, OODDetector.fit(features[:200], features[200:]))
    optimize(folder, pixels[:32])
    return folder


def taking_turns(calls: dict[str, Callable[[int], Any]], times: int, warm: int = 3) -> dict[str, float]:
    """Median seconds of each call; a call is told the number of the turn."""
    return {name: statistics.median(values) for name, values in each_turn(calls, times, warm).items()}


def each_turn(calls: dict[str, Callable[[int], Any]], times: int, warm: int) -> dict[str, list[float]]:
    """Seconds of each call, turn by turn, without those to warm up."""
    result: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(times + warm):
        for name, call in calls.items():
            began = time.perf_counter()
            call(turn)
            if turn >= warm:
                result[name].append(time.perf_counter() - began)
    return result


def arithmetic(model: Any) -> float:
    """Multiplications and additions of the convolutions and dense layers of one forward pass."""
    total = 0
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            places = np.prod(layer.output.shape[1:3]) if len(layer.output.shape) == 4 else 1
            total += 2 * int(np.prod(layer.kernel.shape)) * int(places)
    return total


def pace(side: int = 2048, times: int = 15) -> float:
    """Multiplications and additions a second of a large float32 matrix product, in OpenVINO on all cores."""
    import openvino as ov

    factors = [ov.opset13.parameter([side, side], np.float32) for _ in range(2)]
    model = ov.Model([ov.opset13.matmul(*factors, False, False)], factors, "product")
    call = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    matrix = np.random.default_rng(0).random((side, side), np.float32)
    result = taking_turns({"product": lambda _: call([matrix, matrix])}, times)
    return 2 * side**3 / result["product"]


def keras_single(model: Any, files: list[bytes], turn: int) -> Any:
    """What a plain script does with one image."""
    import keras

    image = keras.utils.load_img(io.BytesIO(files[turn % len(files)]), target_size=(SIZE, SIZE))
    return model.predict(keras.utils.img_to_array(image)[None], verbose=0)


def single(bundles: dict[str, Path], report: Report) -> None:
    """From a JPEG's bytes to the verdict, warm; and what the arithmetic alone would take at this machine's pace."""
    files, fastest = crops(50), pace()
    for arch, bundle in bundles.items():
        detector, reference = Detector.load(bundle), Detector.load(bundle, "keras")
        result = taking_turns(
            {
                "ours": lambda turn, one=detector: one.predict([files[turn % len(files)]]),
                "keras": partial(keras_single, reference.model, files),
            },
            40,
        )
        report.gain(f"one image, {arch}", result["ours"], result["keras"], 4)
        work = arithmetic(reference.model)
        report.say(
            f"  its {work / 1e9:.1f} GFLOP take {1000 * work / fastest:.1f} ms at the pace of one large matrix product "
            f"in float32 ({fastest / 1e9:.0f} GFLOP/s)"
        )


_OURS = "from dfcore.detectors.detector import Detector; print(Detector.load({bundle!r}).predict([{image!r}]))"
_THEIRS = (
    "import keras, numpy as np; import dfcore.architectures.layers\n"
    "model = keras.saving.load_model({bundle!r} + '/model.keras', compile=False)\n"
    "image = keras.utils.load_img({image!r}, target_size=(224, 224))\n"
    "print(model.predict(keras.utils.img_to_array(image)[None], verbose=0))"
)


def cold(bundles: dict[str, Path], report: Report) -> None:
    """A new process until its first verdict."""
    with tempfile.TemporaryDirectory() as name:
        image = Path(name) / "image.jpg"
        image.write_bytes(crops(1)[0])
        for arch, bundle in bundles.items():

            def start(code: str, _: int, bundle: Path = bundle) -> None:
                text = code.format(bundle=str(bundle), image=str(image))
                subprocess.run([sys.executable, "-c", text], check=True, capture_output=True)

            result = taking_turns({"ours": partial(start, _OURS), "keras": partial(start, _THEIRS)}, 5, warm=1)
            report.gain(f"new process to verdict, {arch}", result["ours"], result["keras"], 3, "s")


def folder(bundles: dict[str, Path], report: Report, images: int) -> None:
    """A folder of JPEG files, a fifth of it at a turn."""
    import keras

    with tempfile.TemporaryDirectory() as name:
        parts = [Path(name) / str(number) for number in range(5)]
        for number, part in enumerate(parts):
            part.mkdir()
            for index, data in enumerate(crops(images // len(parts), seed=number)):
                (part / f"{index}.jpg").write_bytes(data)
        count = images // len(parts)
        for arch, bundle in bundles.items():
            detector, reference = Detector.load(bundle), Detector.load(bundle, "keras")
            decoded = np.stack([np.asarray(Image.open(path).resize((SIZE, SIZE))) for path in parts[0].iterdir()])

            def ours(turn: int, one: Detector = detector) -> None:
                list(predict_files(sorted(parts[turn].iterdir()), {"one": one}))

            def theirs(turn: int, model: Any = reference.model) -> None:
                result = keras.utils.image_dataset_from_directory(
                    parts[turn], labels=None, image_size=(SIZE, SIZE), batch_size=32, shuffle=False, verbose=False
                )
                model.predict(result, verbose=0)

            def alone(_: int, one: Detector = detector, pixels: np.ndarray = decoded) -> None:
                for start in range(0, len(pixels), 64):
                    one.engine.outputs(pixels[start : start + 64])

            detector.predict([crops(1)[0]])
            reference.model.predict(decoded[:32], verbose=0)
            turns = each_turn({"ours": ours, "keras": theirs, "engine alone": alone}, len(parts), warm=0)
            result = {name: statistics.median(values) for name, values in turns.items()}
            # tf.data's autotuning sleeps ever longer, up to a minute, and some turns end only when it wakes.
            quickest = min(turns["keras"])
            report.gain(f"folder of JPEG files, {arch}", result["ours"] / count, quickest / count, FOLDER_GAIN[arch])
            waits = max(turns["keras"]) / quickest
            report.say(f"  beside Keras's quickest turn; its slowest took {waits:.1f} times as long")
            share = result["engine alone"] / result["ours"]
            rate = count / result["ours"]
            report.say(f"  {rate:.0f} images/s, {share:.0%} of what the engine alone does on decoded arrays")
            peak = _peak(bundle, Path(name))
            report.say(f"  peak memory of `dfcore predict` with its children: {peak:.0f} MB (at most 1500)")
            if peak > 1500:
                report.missed.append(f"memory, {arch}")


def _peak(bundle: Path, root: Path) -> float:
    """Largest resident memory, in MB, of the command line over all images, with its decoding processes."""
    command = [sys.executable, "-m", "dfcore", "predict", str(bundle), str(root), "--out", str(root / "out.csv")]
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        try:
            peak = max(peak, sum(one.memory_info().rss for one in (process, *process.children(recursive=True))))
        except psutil.Error:
            continue
        time.sleep(0.1)
    return peak / 2**20


def heatmap(bundles: dict[str, Path], report: Report) -> None:
    """Grad-CAM, warm, beside one forward pass and beside tf-keras-vis with its model built anew."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tf_keras_vis.gradcam import Gradcam
    random = np.random.default_rng(0)
    for arch, bundle in bundles.items():
        detector, reference = Detector.load(bundle), Detector.load(bundle, "keras")
        seen = random.integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)

        def anew(_: int, one: Detector = reference, seen: np.ndarray = seen) -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                Gradcam(one.model)(
                    lambda outputs: outputs[:, 0], seen[None].astype(np.float32), penultimate_layer=one.card.cam_layer,
                    seek_penultimate_conv_layer=False, expand_cam=False, normalize_cam=False,
                )  # fmt: skip

        calls: dict[str, Callable[[int], Any]] = {"tf-keras-vis": anew}
        for one in (detector, reference):
            name = one.engine.name
            calls[name] = lambda _, one=one, seen=seen: one.explainer().explain_prepared(seen, (SIZE, SIZE))
            calls[f"{name} forward"] = lambda _, one=one, seen=seen: one.engine.outputs(seen[None])
        result = taking_turns(calls, 15)
        for name in ("openvino", "keras"):
            report.gain(f"Grad-CAM, {arch}, {name}", result[name], result["tf-keras-vis"], 5)
            passes = result[name] / result[f"{name} forward"]
            report.say(f"  {passes:.1f} forward passes of the same network in the same engine (at most 3)")
            if passes > 3:
                report.missed.append(f"Grad-CAM in forward passes, {arch}, {name}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    parts = options.parts or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"expected {', '.join(PARTS)}. Received: {', '.join(unknown)}")
    report = Report()
    report.say(f"{os.cpu_count()} cores, {SIZE} pixels, float32; ours beside plain Keras, medians")
    with tempfile.TemporaryDirectory(prefix="speed-") as name:
        os.environ["DFCORE_MODELS"] = name  # The fast engine is taken from the workbench's own folders alone.
        bundles = {arch: make_bundle(arch, Path(name) / arch) for arch in ARCHITECTURES}
        for part in parts:
            if part == "folder":
                folder(bundles, report, options.images)
            else:
                {"single": single, "cold": cold, "heatmap": heatmap}[part](bundles, report)
    report.say(f"missed: {', '.join(report.missed) or 'nothing'}")
    if options.out:
        options.out.write_text("\n".join(report.lines) + "\n", encoding="utf-8")
    return bool(report.missed)


if __name__ == "__main__":
    sys.exit(main())
