"""How often hints from a file are wrong: `python -m benchmarks.provenance FOLDER… [--out FILE]`.

The folders hold photographs. Measures embedded thumbnails that are told as different, and JPEGs that are told as saved
twice. For the latter the photographs are halved first, so that traces of their own coding are gone.
"""

import argparse
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from dfcore.imaging import decoder
from dfcore.provenance import double_jpeg, thumbnails
from dfcore.provenance.containers import blocks
from dfcore.provenance.evidence import Thumbnail

QUALITIES = (50, 60, 70, 75, 80, 85, 90, 95, 98)
FILTERS = (
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
    Image.Resampling.NEAREST,
    Image.Resampling.BILINEAR,
)
# Shorter side of a photograph before it is halved, and how many are compressed twice.
LEAST_SIDE, TWICE = 300, 30


def pictures(folders: Iterable[Path]) -> list[Image.Image]:
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in decoder.SUFFIXES)
    opened = (Image.fromarray(decoder.decode(path)) for path in paths)
    return [image for image in opened if min(image.size) >= LEAST_SIDE]


def halved(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)


def jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def again(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def saved_before(data: bytes) -> bool:
    with Image.open(io.BytesIO(data)) as image:
        image.draft("L", image.size)
        grey = np.asarray(image.convert("L"))[: double_jpeg.SIDE, : double_jpeg.SIDE]
    return bool(double_jpeg.saved_before(grey, blocks(data).tables[0]))


def compressed(images: list[Image.Image]) -> Iterator[str]:
    """The limit was chosen on every other picture; these are the ones between."""
    half = images[1::2]
    told = {quality: sum(saved_before(jpeg(image, quality)) for image in half) for quality in QUALITIES}
    yield f"compressed once, told as twice: {sum(told.values())} of {len(half) * len(QUALITIES)} {told}"
    yield f"compressed twice, share told, of {TWICE} pictures each; by first quality, then second:"
    for first in (40, *QUALITIES[:-1]):
        once = [again(jpeg(image, first)) for image in half[:TWICE]]
        shares = {
            second: round(sum(saved_before(jpeg(image, second)) for image in once) / len(once), 2)
            for second in QUALITIES
        }
        yield f"  {first}: {shares}"


def thumbnail(image: Image.Image, quality: int, resampling: Image.Resampling) -> Thumbnail:
    small = image.copy()
    small.thumbnail((160, 160), resampling)
    pixels = np.asarray(again(jpeg(small, quality)))
    return Thumbnail(pixels.shape[1], pixels.shape[0], pixels.tobytes())


def differs(small: Thumbnail, picture: Image.Image) -> bool:
    factor = min(1.0, thumbnails.SIDE / max(picture.size))
    size = tuple(max(1, round(factor * side)) for side in picture.size)
    return bool(thumbnails.compare(small, np.asarray(picture.resize(size, Image.Resampling.BOX)))[0])


def changed(image: Image.Image, other: Image.Image, share: float, generator: np.random.Generator) -> Image.Image:
    """The picture with a share of it replaced."""
    width, height = (int(side * share**0.5) for side in image.size)
    place = generator.integers(0, image.width - width), generator.integers(0, image.height - height)
    result = image.copy()
    result.paste(other.resize((width, height)), (int(place[0]), int(place[1])))
    return result


def cut(image: Image.Image, share: float) -> Image.Image:
    """The picture without this margin on each side."""
    x, y = (int(side * share) for side in image.size)
    return image.crop((x, y, image.width - x, image.height - y))


def compared(images: list[Image.Image]) -> Iterator[str]:
    generator = np.random.default_rng(0)
    same = [
        differs(thumbnail(image, quality, FILTERS[(number + more) % 4]), image)
        for number, image in enumerate(images)
        for more, quality in enumerate((50, 75))
    ]
    yield f"thumbnails of the same picture, told as different: {sum(same)} of {len(same)}"
    kinds = {
        "a tenth replaced": lambda image, other: changed(image, other, 0.1, generator),
        "a twentieth replaced": lambda image, other: changed(image, other, 0.05, generator),
        "a margin of 5% cut off": lambda image, other: cut(image, 0.05),
        "another picture": lambda image, other: other.resize(image.size),
        "contrast raised by 60%": lambda image, other: ImageEnhance.Contrast(image).enhance(1.6),
    }
    for name, change in kinds.items():
        told = [
            differs(thumbnail(image, 60, FILTERS[number % 2]), change(image, images[(number + 7) % len(images)]))
            for number, image in enumerate(images)
        ]
        yield f"{name}, told as different: {sum(told)} of {len(told)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    images = pictures(options.folders)
    lines = [f"{len(images)} photographs"]
    for line in (*compared(images), *compressed([halved(image) for image in images])):
        lines.append(line)
        print(line, flush=True)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
