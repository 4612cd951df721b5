"""Makes models/parts/mtcnn_float32.npz from the wheel of mtcnn 1.0.0 (joblib and lz4 must be installed):

python -m benchmarks.face_weights FOLDER_OF_THE_UNPACKED_WHEEL
"""

import sys
from pathlib import Path

import joblib
import numpy as np

from dfcore.faces.networks import FILE
from dfcore.parts import part_file
from dfcore.utils.files import sha256_file, write_atomic

NAMES = {
    "first": ("pnet", ["1", "2", "3"], None, 0, ["offsets", "score"]),
    "second": ("rnet", ["1", "2", "3"], "dense", 3, ["offsets", "score"]),
    "third": ("onet", ["1", "2", "3", "4"], "dense", 3, ["offsets", "landmarks", "score"]),
}


def main() -> None:
    folder = Path(sys.argv[1]) / "mtcnn/assets/weights"
    weights: dict[str, np.ndarray] = {}
    for name, (file, convolutions, dense, side, heads) in NAMES.items():
        arrays = iter(joblib.load(folder / f"{file}.lz4"))
        for layer in convolutions:
            weights[f"{name}.{layer}.kernel"] = next(arrays).transpose(3, 2, 0, 1)
            weights[f"{name}.{layer}.bias"] = next(arrays)
            weights[f"{name}.{layer}.slope"] = next(arrays).reshape(-1)
        if dense:
            kernel = next(arrays)
            # Rows are positions (x, y, channel); here (channel, y, x).
            kernel = kernel.reshape(side, side, -1, kernel.shape[1]).transpose(3, 2, 1, 0)
            weights[f"{name}.dense.kernel"] = kernel.reshape(len(kernel), -1)
            weights[f"{name}.dense.bias"] = next(arrays)
            weights[f"{name}.dense.slope"] = next(arrays)
        for head in heads:
            kernel = next(arrays)
            weights[f"{name}.{head}.kernel"] = kernel.T if dense else kernel.transpose(3, 2, 0, 1)
            weights[f"{name}.{head}.bias"] = next(arrays)
    weights = {key: np.ascontiguousarray(value, np.float32) for key, value in weights.items()}
    path = part_file(FILE)
    path.parent.mkdir(exist_ok=True)

    def write(aside: Path) -> None:
        with open(aside, "wb") as stream:
            np.savez(stream, **weights)

    write_atomic(path, write)
    print(f"{path}: {path.stat().st_size:,} bytes, SHA-256 {sha256_file(path)}")


if __name__ == "__main__":
    main()
