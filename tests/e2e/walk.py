"""The walk of a new analyst through Inspect: eleven pictures, what is said of each, and what the screen looks like.

`python -m tests.e2e.walk OUT --data ../shared/data` writes screenshots at three widths, light and dark, to OUT and
prints a line a picture: shown, heading, what the file says, and the four answers.
"""

import argparse
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from tests.certificates import action, certificates, signed
from tests.e2e.server import ROOT, chromium, dashboard, settle

SIZES = ((1440, 900), (1024, 768), (390, 844))
_PROMPT = (
    "a lighthouse at dusk, photograph\nNegative prompt: blurry\n"
    "Steps: 30, Sampler: DPM++ 2M, CFG scale: 7, Seed: 1234, Size: 512x512, Model: example-v1"
)


def pictures(data: Path) -> dict[str, tuple[str, bytes]]:
    """What is shown: {kind: (file name, contents)}."""

    def first(pattern: str) -> Path:
        return sorted(data.glob(pattern))[0]

    photo = Image.open(first("photos/*")).convert("RGB")
    face = first("faces/valid/real/*").read_bytes()
    jpeg = _saved(photo, "JPEG", quality=90)
    credential = signed(jpeg, certificates(), [action("c2pa.created", "trainedAlgorithmicMedia")])
    return {
        "generated photograph": ("holiday.jpg", first("modern/street_city/1_fake/*").read_bytes()),
        "real photograph": ("fish.jpg", first("photos/*").read_bytes()),
        "face": ("portrait.jpg", face),
        "group": ("group.jpg", _group(sorted(data.glob("faces/valid/real/*"))[:12])),
        "screenshot": ("screen.png", _screenshot()),
        "collage": ("collage.jpg", _collage(sorted(data.glob("photos/*"))[:4])),
        "PNG with a prompt": ("render.png", _with_prompt(photo)),
        "signed credential": ("signed.jpg", credential),
        "tampered credential": ("tampered.jpg", _tampered(credential)),
        "HEIC": ("phone.heic", _heic(photo)),
        "animated GIF": ("loop.gif", _gif(photo)),
    }


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _group(faces: list[Path]) -> bytes:
    canvas = Image.new("RGB", (1200, 800), (96, 110, 90))
    for number, path in enumerate(faces):
        small = Image.open(path).convert("RGB").resize((180, 180))
        canvas.paste(small, (30 + 195 * (number % 6), 120 + 300 * (number // 6)))
    return _saved(canvas, "JPEG", quality=92)


def _screenshot() -> bytes:
    canvas = Image.new("RGB", (1170, 2532), (250, 250, 252))
    draw = ImageDraw.Draw(canvas)
    for row in range(18):
        draw.rectangle((60, 220 + 120 * row, 1100 - 37 * (row * 7 % 11), 260 + 120 * row), fill=(40, 44, 52))
    return _saved(canvas, "PNG")


def _collage(photos: list[Path]) -> bytes:
    canvas = Image.new("RGB", (1000, 1000), "white")
    for number, path in enumerate(photos):
        canvas.paste(
            Image.open(path).convert("RGB").resize((490, 490)), (5 + 500 * (number % 2), 5 + 500 * (number // 2))
        )
    return _saved(canvas, "JPEG", quality=92)


def _with_prompt(photo: Image.Image) -> bytes:
    info = PngInfo()
    info.add_text("parameters", _PROMPT)
    return _saved(photo, "PNG", pnginfo=info)


def _tampered(jpeg: bytes) -> bytes:
    """The same with other entropy-coded bytes, which the credential's hash covers."""
    changed = bytearray(jpeg)
    place = jpeg.rindex(b"\xff\xd9") - 200
    changed[place] ^= 0x01 if changed[place] not in (0xFE, 0xFF) else 0x02
    return bytes(changed)


def _heic(photo: Image.Image) -> bytes:
    import pillow_heif

    pillow_heif.register_heif_opener()
    return _saved(photo, "HEIF", quality=90)


def _gif(photo: Image.Image) -> bytes:
    frames = [Image.fromarray(np.roll(np.asarray(photo.resize((320, 240))), 20 * n, axis=1)) for n in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    return buffer.getvalue()


def shown(page: Any, name: str, data: bytes) -> dict[str, str]:
    """Drops a picture into an empty Inspect; gives what the page says of it."""
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    )
    page.get_by_role("heading", level=2).wait_for()
    settle(page)
    said = {"verdict": page.get_by_role("heading", level=2).first.inner_text().splitlines()[-1]}
    for title in ("Conclusion", "How sure", "Why", "Next"):
        said[title] = page.locator("p", has=page.locator("strong", has_text=f"{title}.")).first.inner_text()
    line = page.locator(".st-key-inspect_file_line")
    said["file"] = line.inner_text() if line.count() else ""
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--widths", type=int, nargs="*", default=[width for width, _ in SIZES])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    kinds = pictures(options.data)
    with tempfile.TemporaryDirectory() as name:
        workspace = Path(name)
        shutil.copytree(ROOT / "models", workspace / "models")
        with dashboard(workspace) as address, chromium() as browser:
            for width, height in (size for size in SIZES if size[0] in options.widths):
                for scheme in ("light", "dark"):
                    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
                    for kind, (file, data) in kinds.items():
                        page = context.new_page()
                        page.goto(f"{address}/inspect")
                        settle(page)
                        said = shown(page, file, data)
                        page.screenshot(path=str(options.out / f"{kind.replace(' ', '-')}-{width}-{scheme}.png"))
                        if (width, scheme) == (1440, "light"):
                            print(f"{kind}: {said['verdict']}\n  file: {said['file']}")
                            print(
                                "".join(f"  {said[t]}\n" for t in ("Conclusion", "How sure", "Why", "Next")), flush=True
                            )
                        page.close()
                    context.close()


if __name__ == "__main__":
    main()
