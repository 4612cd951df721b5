"""The registry of formats: what each is called, needs, writes, and how it is run.

A format is a module with `write` and `run`, entered in `FORMATS`. Importing this module imports none of the runtimes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dfcore.detectors.card import Card
from dfcore.errors import InputError
from dfcore.export import keras_format, litert, onnx_format, openvino_format, savedmodel
from dfcore.utils import extras

if TYPE_CHECKING:
    import keras

# Scores and logits, each (N,), of uint8 (N, *spec.input_shape).
Runner = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
INT8 = "int8"


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        key: Its name on the command line.
        title: Its name for people.
        summary: What it is good for, in a sentence.
        file: Name of the network's file or folder in an export; a suffix of .xml has its weights beside it.
        module: The package that runs it.
        packages: Packages that writing and checking it need, by module name.
        extra: The extra of dfcore that installs them; empty if they are always there.
        write: Writes the network: (model, card, folder, pixels to calibrate 8 bits with, or None).
        run: Loads what was written in a folder.
        loader: Lines of Python that load the network and define `run(pixels)`, see `dfcore.export.loader`.
        int8: What 8 bits mean in this format; empty if there are none.
        needs_images: Whether 8 bits need images to find out the ranges of what the network computes.
    """

    key: str
    title: str
    summary: str
    file: str
    module: str
    packages: tuple[str, ...]
    extra: str
    write: "Callable[[keras.Model, Card, Path, np.ndarray | None, bool], None]"
    run: Callable[[Path], Runner]
    loader: str
    int8: str = ""
    needs_images: bool = False

    def require(self) -> None:
        """Checks that what writes and runs it is installed.

        Raises:
            MissingExtraError: If it is not.
        """
        for package in self.packages:
            extras.require(package, self.extra, f"Export to {self.title}")

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the packages that write and run it."""
        return {package: version(package.replace("_", "-")) for package in (self.module, *self.packages)}


FORMATS: dict[str, Format] = {
    each.key: each
    for each in (
        Format(
            "savedmodel", "TensorFlow SavedModel", "For TensorFlow and TensorFlow Serving; takes picture files too.",
            "model", "tensorflow", (), "", savedmodel.write, savedmodel.run, savedmodel.LOADER,
        ),
        Format(
            "onnx", "ONNX", "For ONNX Runtime and whatever reads ONNX.",
            "model.onnx", "onnxruntime", ("onnx", "tf2onnx", "onnxruntime"), "export",
            onnx_format.write, onnx_format.run, onnx_format.LOADER,
        ),
        Format(
            "litert", "LiteRT", "For phones and small devices (formerly TensorFlow Lite).",
            "model.tflite", "ai_edge_litert", ("ai_edge_litert",), "export", litert.write, litert.run, litert.LOADER,
            int8="weights and what is computed from them are rounded to 8 bits", needs_images=True,
        ),
        Format(
            "openvino", "OpenVINO", "Fast on processors and graphics of Intel, and on other processors.",
            "model.xml", "openvino", ("openvino",), "openvino",
            openvino_format.write, openvino_format.run, openvino_format.LOADER,
            int8="weights are rounded to 8 bits, and computed with in 32: the file is a quarter, the speed is not",
        ),
        Format(
            "keras", "Keras", "For Keras 3; of Keras's own layers alone, so it needs no dfcore.",
            "model.keras", "keras", (), "", keras_format.write, keras_format.run, keras_format.LOADER,
        ),
    )
}  # fmt: skip


def get(key: str) -> Format:
    """A format by its key.

    Raises:
        InputError: If there is none; lists those that exist.
    """
    if key not in FORMATS:
        raise InputError(f"Expected one of the formats {', '.join(FORMATS)}. Received: {key!r}.")
    return FORMATS[key]


def require_int8(form: Format) -> None:
    """Checks that a format has 8 bits.

    Raises:
        InputError: If it has not; lists those that have.
    """
    if not form.int8:
        able = ", ".join(other.key for other in FORMATS.values() if other.int8)
        raise InputError(f"{form.title} is exported in 32 bits only. Expected --quantize int8 with {able}.")
