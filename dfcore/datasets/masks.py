"""Masks beside frames: pictures of where a face was changed, and no images to judge."""

import re
from collections import defaultdict
from collections.abc import Sequence

from dfcore.datasets.dataset import LeftOut
from dfcore.datasets.words import read_name

_MASKS = {"mask", "masks", "groundtruth", "gt"}
_BESIDE = {"binary", "seg", "segmentation", "manipulation", "tampering", "ground", "truth"}
_FOLDER_REASON = "Masks: they show where a picture was changed and are nothing to judge."
_FILE_REASON = "Masks by their names, beside what they belong to."
_OF_IMAGE = re.compile(
    r"(?P<after>.+?)[ _.-](masks?|gt|groundtruth)([ _.-]?\d+)?|masks?[ _.-](?P<before>.+)", re.IGNORECASE
)
_MAY_BE = re.compile(r"(?i)(mask|gt|groundtruth)[^/]*$")
Parts = tuple[str, ...]


def without_masks(paths: Sequence[str]) -> tuple[list[str], list[LeftOut]]:
    """The images that are no masks, in their order, and what was left out.

    A folder of masks is one by its name, if it holds no class folders and not all images. A file is one by its name, if
    the image that it belongs to lies in the same folder.
    """
    folders = {_split(path)[0] for path in paths}
    nodes = {folder: node for folder in folders if (node := _mask_folder(tuple(folder.split("/")))) is not None}
    classes = {node for folder, node in nodes.items()
               if any(read_name(part).label is not None for part in folder.split("/")[len(node) :])}  # fmt: skip
    left_out: dict[tuple[str, str], int] = defaultdict(int)
    kept = []
    for path in paths:
        node = nodes.get(_split(path)[0])
        if node is None or node in classes:
            kept.append(path)
        else:
            left_out["/".join(node), _FOLDER_REASON] += 1
    if not kept:
        kept, left_out = list(paths), defaultdict(int)
    there = {_stem(path) for path in kept} if any(map(_MAY_BE.search, kept)) else set()
    images = []
    for path in kept:
        if _names_mask(path, there):
            left_out[_split(path)[0] or ".", _FILE_REASON] += 1
        else:
            images.append(path)
    return images, [LeftOut(folder, reason, count) for (folder, reason), count in sorted(left_out.items())]


def _mask_folder(parts: Parts) -> Parts | None:
    for i, part in enumerate(parts):
        words = re.findall(r"[a-z]+", part.lower())
        whole = {*words, "".join(words)}
        said = all(word in _MASKS | _BESIDE or not read_name(word).rest for word in words)
        if whole & _MASKS and said and read_name(part).label is None:
            return parts[: i + 1]
    return None


def _names_mask(path: str, there: set[tuple[str, str]]) -> bool:
    if not there or not _MAY_BE.search(path):
        return False
    folder, stem = _stem(path)
    match = _OF_IMAGE.fullmatch(stem)
    return match is not None and (folder, match["after"] or match["before"]) in there


def _stem(path: str) -> tuple[str, str]:
    folder, name = _split(path)
    return folder, name.rsplit(".", 1)[0].lower()


def _split(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder, name
