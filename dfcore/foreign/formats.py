"""What kind of file a model from elsewhere is, and why some kinds are not read."""

import io
import zipfile
from pathlib import Path
from typing import Literal

from dfcore.detectors.untrusted import Refused

Format = Literal["keras", "h5"]
_AGAIN = "Load it where you made it and save it as Keras's own format: model.save('model.keras'); then adopt that file"
_REASONS = {
    "savedmodel": "it is a TensorFlow SavedModel: a graph of any of TensorFlow's operations, some of which read and "
    f"write files, so that it is a program. {_AGAIN}. A network that was never a Keras model must be built again from "
    "Keras's layers",
    "onnx": "it is an ONNX file, which names operations and not the layers that a detector is made of: heat-maps and "
    "the domain of its images could not be computed. Adopt the Keras model that it was exported from, or build the "
    "network again from Keras's layers and copy its weights",
    "pytorch": "it is a PyTorch file, a pickle: reading it runs whatever code it holds. Build the same network from "
    "Keras's layers where you made it, copy its weights, and save it as model.keras",
    "pickle": "it is a pickle: reading it runs whatever code it holds. Save the model with model.save('model.keras')",
    "safetensors": "it holds weights without a network. Build the network from Keras's layers, set its weights, and "
    "save it as model.keras",
    "tflite": "it is a LiteRT (TensorFlow Lite) file, made for running alone: it has no layers any more. Adopt the "
    "Keras model that it was converted from",
    "weights": "it holds weights without a network (save_weights). Save the whole model: model.save('model.keras')",
}


def reason(kind: str) -> Refused:
    """The refusal of a kind of file that is not read."""
    return Refused(_REASONS[kind])


def require_file(path: Path) -> None:
    """Refuses what is no single file.

    Raises:
        Refused: If it is a folder, or there is nothing.
    """
    if path.is_dir():
        raise (
            reason("savedmodel")
            if (path / "saved_model.pb").exists()
            else Refused("it is a folder. Expected a file that Keras saved, model.keras or model.h5")
        )
    if not path.is_file():
        raise Refused("there is no such file")


def format_of(name: str, content: bytes) -> Format:
    """The format of a file, told by its content, and by its name where that says nothing.

    Raises:
        Refused: If it is not a Keras model; the message says what it is and what to do.
    """
    suffix = Path(name).suffix.lower()
    if content[:8] == b"\x89HDF\r\n\x1a\n":
        return "h5"
    if content[:2] == b"PK":
        return _in_zip(content)
    if content[4:8] == b"TFL3":
        raise reason("tflite")
    kinds = {".pb": "savedmodel", ".onnx": "onnx", ".pt": "pytorch", ".pth": "pytorch", ".ckpt": "pytorch"}
    kinds |= {".safetensors": "safetensors", ".pkl": "pickle", ".pickle": "pickle", ".joblib": "pickle"}
    kinds |= {".tflite": "tflite"}
    if suffix in kinds:
        raise reason(kinds[suffix])
    if content[:1] == b"\x80" and content[1:2] in b"\x02\x03\x04\x05":
        raise reason("pickle")
    if b"\x0a" in content[:16] and b"onnx" in content[:400].lower():
        raise reason("onnx")
    raise Refused("it is no file of Keras. Expected model.keras or model.h5, made by model.save")


def _in_zip(content: bytes) -> Format:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
    except Exception:  # zipfile raises arbitrary exceptions on damaged archives.
        raise Refused("it is a zip archive that cannot be read") from None
    if "config.json" in names:
        return "keras"
    if any(name.endswith("data.pkl") for name in names):
        raise reason("pytorch")
    if any(name.endswith("saved_model.pb") for name in names):
        raise reason("savedmodel")
    raise Refused("it is a zip archive without config.json. Expected a file that model.save('model.keras') wrote")
