"""Checks the system: sandbox limits, image formats, fonts, folders and free space."""

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFont, features

from dfcore import workspace
from dfcore.detectors.library import list_bundles
from dfcore.diagnostics.finding import Finding
from dfcore.errors import DfcoreError
from dfcore.imaging import sandbox
from dfcore.utils.processes import limits

_LITTLE_SPACE = 10**9
# Pillow's codec names of the formats that the decoder reads.
_CODECS = {"jpg": "JPEG", "zlib": "PNG", "webp": "WebP", "avif": "AVIF"}


def sandbox_findings() -> Iterator[Finding]:
    """Findings on sandboxed decoding, its resource limits and image formats."""
    yield _decoding()
    for name, limited in limits().items():
        advice = "" if limited else "Decode untrusted images on Linux, where all limits hold."
        detail = "limited" if limited else "this system cannot limit it"
        yield Finding("sandbox", f"limit of {name}", limited, detail, advice)
    missing = [title for codec, title in _CODECS.items() if not features.check(codec)]
    advice = "pip install --force-reinstall pillow installs a build that has them." if missing else ""
    detail = f"not read: {', '.join(missing)}" if missing else f"{', '.join(_CODECS.values())} are read"
    yield Finding("sandbox", "image formats", not missing, detail, advice)


def _decoding() -> Finding:
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "PNG")
        data = file.getvalue()
    try:
        same = np.array_equal(sandbox.decode(data), pixels)
        problem = "" if same else "the decoding process gave other pixels than the image has"
    except DfcoreError as error:
        problem = str(error)
    advice = (
        "Check that this user may start processes, and that memory limits (ulimit -v) leave 1 GB." if problem else ""
    )
    return Finding("sandbox", "decoding", not problem, problem or "an image was decoded", advice, core=True)


def font_findings() -> Iterator[Finding]:
    """Whether heat-map labels can be drawn."""
    try:
        ImageFont.load_default(12.0).getlength("low")
    except (ImportError, OSError) as error:
        advice = "pip install --force-reinstall pillow installs a build with FreeType."
        yield Finding("fonts", "heat-map labels", False, f"Pillow has no scalable font: {error}", advice)
    else:
        yield Finding("fonts", "heat-map labels", True, "Pillow's own font is there; no other is needed")


def folder_findings() -> Iterator[Finding]:
    """Findings on the available detectors and on the workspace's folders (writable, free space)."""
    names = [path.name for path in list_bundles()]
    advice = "" if names else "Train one, or unset DFCORE_MODELS to see those that ship."
    yield Finding("folders", "detectors", bool(names), ", ".join(names) or "none", advice)
    folders = {
        "runs": workspace.runs_dir(),
        "models": workspace.models_dir(),
        "data": workspace.data_dir(),
        "cache": workspace.cache_dir(),
        "logs": workspace.logs_dir(),
    }
    for name, folder in folders.items():
        yield _folder(name, folder)


def _folder(name: str, folder: Path) -> Finding:
    place = next(each for each in (folder, *folder.parents) if each.exists())
    other = f"Go to another folder, or name one with DFCORE_{name.upper()}."
    try:
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        return Finding(
            "folders", name, False, f"{folder} cannot be written to ({os.strerror(error.errno or 0)})", other
        )
    detail = f"{folder}, {free / 10**9:.1f} GB free"
    if free < _LITTLE_SPACE:
        return Finding("folders", name, False, detail, f"Less than 1 GB is left. {other}")
    return Finding("folders", name, True, detail)
