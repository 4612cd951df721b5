"""`dfcore faces`: where faces are in pictures, and crops of them."""

import argparse
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcore.commands.base import INCOMPLETE, INCOMPLETE_HELP, command
from dfcore.commands.terminal import progress_bar
from dfcore.errors import ImageError, InputError
from dfcore.utils.texts import printable, storable

if TYPE_CHECKING:
    import numpy as np

    from dfcore.datasets.walk import Found
    from dfcore.faces import Face

# Digits of a picture's SHA-256 in the names of its crops.
_DIGITS = 8
# Longest part of a picture's name in the names of its crops.
_NAME = 100


def add(commands: Any) -> None:
    """Adds the command."""
    from dfcore.faces import MIN_SIDE, MOST

    faces = command(commands, "faces", _faces, "find faces in pictures, and cut them out as face detectors expect")
    faces.epilog = INCOMPLETE_HELP.format("every picture found was searched", "a picture was not, or may be missed")
    faces.add_argument("paths", metavar="PATH", nargs="+", help="images, or folders of images")
    faces.add_argument(
        "--crops", metavar="DIR", help="folder for crops: square, at the picture's own pixels, PNG; made if missing"
    )
    faces.add_argument(
        "--margin", type=float, default=0.0, metavar="SHARE",
        help="added to a crop on each side, as a share of its side, -0.4 to 10 (default: 0, the framing that the "
        "detector faces was trained on)",
    )  # fmt: skip
    faces.add_argument(
        "--min-side", type=float, default=MIN_SIDE, metavar="PIXELS",
        help=f"smallest face looked for, at least 12 (default: {MIN_SIDE}; more in pictures above 16 megapixels)",
    )  # fmt: skip
    faces.add_argument(
        "--most", type=int, default=MOST, metavar="N", help=f"most faces of a picture, best first (default: {MOST})"
    )


def _faces(options: argparse.Namespace) -> int:
    from dfcore.commands.found import FoundFiles
    from dfcore.datasets.listing import iter_found
    from dfcore.faces import check_margin, check_options, shipped_networks
    from dfcore.utils.files import make_folder

    check_options(options.min_side, options.most)
    check_margin(options.margin)
    found = FoundFiles(options.paths, iter_found)
    total = found.count()
    shipped_networks()
    crops = Path(options.crops) if options.crops else None
    if crops is not None:
        if crops.exists() and not crops.is_dir():
            raise InputError(f"Expected a folder after --crops. Received a file: {options.crops}.")
        make_folder(crops)
    bar, done, failed = progress_bar("looking for faces"), 0, 0
    for row in _rows(found, crops, options):
        if options.json:
            print("[" if not done else ",", json.dumps(row, indent=2), sep="\n" if done else "", end="")
        else:
            print(printable(f"{row['path']}: {row['error'] or _in_words(row)}"))
        done, failed = done + 1, failed + bool(row["error"])
        bar(done, total)
    if options.json:
        print("\n]" if done else "[]")
    found.tell()
    return INCOMPLETE if failed or found.missed else 0


def _rows(found: "Iterable[Found]", crops: Path | None, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row per picture: path, width, height, faces and, where it was not searched, error with the reason."""
    from dfcore.faces import find_faces

    for path, answer in _decoded(found):
        row: dict[str, Any] = {"path": storable(path), "width": None, "height": None, "faces": [], "error": None}
        if isinstance(answer, ImageError):
            yield row | {"error": str(answer)}
            continue
        digest, rgb = answer
        faces = find_faces(rgb, min_side=options.min_side, most=options.most)
        rows = [{"box": face.box, "score": face.score, "landmarks": face.landmarks} for face in faces]
        if crops is not None:
            for number, (face, one) in enumerate(zip(faces, rows, strict=True), 1):
                name = f"{Path(path).stem[:_NAME]}.{digest[:_DIGITS]}.{number}.png"
                one["crop"] = storable(_cut(rgb, face, options.margin, crops / name))
        yield row | {"width": rgb.shape[1], "height": rgb.shape[0], "faces": rows}


def _decoded(found: "Iterable[Found]") -> "Iterator[tuple[str | Path, tuple[str, np.ndarray] | ImageError]]":
    """Each file with its SHA-256 and pixels, or why there are none. The next is decoded while one is searched."""
    from dfcore.datasets.dataset import LeftOut
    from dfcore.imaging import decoder, sandbox
    from dfcore.utils.files import sha256_bytes

    def decode(path: "Found") -> "tuple[str | Path, tuple[str, np.ndarray] | ImageError]":
        if isinstance(path, LeftOut):
            return path.path, ImageError(path.reason)
        try:
            data = decoder.read_bytes(path)
            return path, (sha256_bytes(data), sandbox.decode(data))
        except ImageError as error:
            return path, error

    with ThreadPoolExecutor(1) as reader:
        before: Future | None = None
        for path in found:
            after = reader.submit(decode, path)
            if before:
                yield before.result()
            before = after
        if before:
            yield before.result()


def _cut(rgb: "np.ndarray", face: "Face", margin: float, path: Path) -> Path:
    from PIL import Image

    from dfcore.faces import crop
    from dfcore.utils.files import write_atomic

    picture = Image.fromarray(crop(rgb, face, margin))
    write_atomic(path, lambda aside: picture.save(aside, "PNG"))
    return path


def _in_words(row: dict[str, Any]) -> str:
    if not row["faces"]:
        return "no face found"
    some = [f"({', '.join(f'{value:.0f}' for value in face['box'])}) {face['score']:.3f}" for face in row["faces"]]
    return f"{len(some)} face{'s' * (len(some) > 1)}, each (left, top, right, bottom) and score: {'; '.join(some)}"
