"""The example that goes with every export: a few lines that judge pictures without dfcore."""

from dfcore.export import savedmodel
from dfcore.export.formats import Format
from dfcore.imaging.preprocess import PreprocessSpec

FILE = "load_example.py"
_HEAD = '''\
"""Judges pictures with this network, without dfcore: python {file} PICTURE ... Needs {packages}."""
import json, sys
from pathlib import Path
{imports}
here = Path(__file__).resolve().parent
about = json.loads((here / "preprocessing.json").read_text(encoding="utf-8"))
'''
_PREPARED = """\
def prepared(path):
    image = ImageOps.exif_transpose(Image.open(path))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    (w, h), n = image.size, {size}
    {sides}
    boxes = [{boxes}]
    cut = [image.convert("RGB").crop(box).resize((n, n), Image.Resampling.BILINEAR) for box in boxes]
    return np.stack([np.asarray(square) for square in cut])
def judged(path): return float(run(prepared(path){batch})[0])
"""
_TAIL = """\
# What the detector refuses as unlike its training images is NOT refused here: see "not_exported" in preprocessing.json.
if not sys.argv[1:]: sys.exit(__doc__)
failed, at, words = 0, about["thresholds"], about["words"]
for path in sys.argv[1:]:
    try:
        score = judged(path)
    except Exception as error:  # Not there, or no picture.
        print(json.dumps({"file": path, "error": str(error)}))
        failed = 1
        continue
    found = "fake" if score >= at["fake_from"] else "between" if score >= at["real_below"] else "below"
    print(json.dumps({"file": path, "score": score, "says": words[found]}))
sys.exit(failed)
"""
_CORNERS = {
    "native": "((w - m) // 2, (h - m) // 2, (w - m) // 2 + m, (h - m) // 2 + m)",
    "native_tl": "(0, 0, m, m)",
    "native_tr": "(w - m, 0, w, m)",
    "native_bl": "(0, h - m, m, h)",
    "native_br": "(w - m, h - m, w, h)",
}
_FIRST = {
    "stretch": "(0, 0, w, h)",
    "fit_crop": "((w - s) // 2, (h - s) // 2, (w - s) // 2 + s, (h - s) // 2 + s)",
    "native_crop": _CORNERS["native"],
}


def example(form: Format, spec: PreprocessSpec, *, takes_files: bool) -> str:
    """The text of the example.

    Args:
        form: The format.
        spec: The preprocessing.
        takes_files: Whether the network decodes and resizes files itself.
    """
    packages, imports = [form.module], ""
    if not takes_files:
        packages += ["numpy", "pillow"]
        imports = "import numpy as np\nfrom PIL import Image, ImageOps\n"
    text = _HEAD.format(file=FILE, packages=", ".join(packages), imports=imports.rstrip())
    if takes_files:
        return text.replace("\n\n", "\n") + savedmodel.FILES_LOADER + _TAIL
    boxes = [_FIRST[spec.resize], *(_CORNERS[name] for name in spec.views)]
    joined = ", ".join(boxes)
    sides = "s = min(w, h); m = min(s, n)" if " m" in joined else "s = min(w, h)"
    prepared = _PREPARED.format(size=spec.size, sides=sides, boxes=joined, batch="[None]" if spec.views else "")
    return text + form.loader + prepared + _TAIL
