"""`preprocessing.json`: what goes with an exported network, and what does not."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import PIL

from dfcore import __version__
from dfcore.confidence import FINDINGS
from dfcore.detectors.bundle import now
from dfcore.detectors.card import Card
from dfcore.export.check import Check
from dfcore.export.cost import Cost
from dfcore.export.formats import Format
from dfcore.export.network import IMAGE, LOGIT, SCORE
from dfcore.imaging.preprocess import RESIZE_HELP, VIEW_HELP
from dfcore.labels import NAMES
from dfcore.utils.files import sha256_file

FILE = "preprocessing.json"
LEFT_OUT = (
    "out-of-distribution detection", "the gate by file properties", "the check of what a picture shows", "heat-maps",
    "the list of training images",
)  # fmt: skip
NOT_EXPORTED = (
    "OUT-OF-DISTRIBUTION DETECTION IS NOT PART OF THIS EXPORT. The detector refuses images that are unlike its "
    "training images, or that were handled in ways that break its score; this network scores all of them, which can "
    "be wrong without any sign of it.",
    f"Not part of it either: {', '.join(LEFT_OUT[1:])}.",
    "Embedded colour profiles are not converted to sRGB, and pictures of 16 bits, RAW and HEIC are not covered by the "
    "example.",
)


def about(
    card: Card, form: Format, folder: Path, check: Check, *, cost: Cost | None, files: dict[str, Any] | None
) -> dict[str, Any]:
    """The content of the file.

    Args:
        card: The card of the detector.
        form: The format.
        folder: Where its files lie.
        check: How far its scores are from the detector's.
        cost: What rounding to 8 bits costs; None in 32 bits.
        files: What is to be said of the signature on files; None if there is none.
    """
    at, spec = card.thresholds, card.spec
    return {
        "version": 1,
        "detector": card.title,
        "model_sha256": card.model_sha256,
        "format": form.key,
        "exported": now(),
        "exported_with": {"dfcore": __version__, "pillow": PIL.__version__, **form.versions},
        "files": {
            path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
        "input": {"name": IMAGE, "dtype": "uint8", "shape": [None, *spec.input_shape], "colours": "RGB, 0 to 255"},
        "outputs": {
            SCORE: "P(fake) after calibration, 0 to 1, float32 (N,)",
            LOGIT: "logit of P(fake) before calibration, float32 (N,)",
        },
        "done_inside": _inside(card),
        "to_do_before": _before(card),
        "takes_files": files,
        "preprocess": {
            "size": spec.size, "resize": spec.resize, "views": list(spec.views),
            "filter": "bilinear, antialiased (Pillow)",
        },
        "labels": dict(enumerate(NAMES)),
        "calibration": card.calibration.model_dump(mode="json") | {"where": "inside"},
        "thresholds": {
            "fake_from": at.fake_from, "real_below": at.real_below, "two_way": card.threshold.value,
            "budget": at.budget.model_dump(), "chosen_on": at.chosen_on,
        },
        "words": {
            "fake": FINDINGS["fake"],
            "between": FINDINGS["inconclusive"],
            "below": FINDINGS["real" if at.says_real else "no_sign"],
            "why": card.words.in_words(at),
        },
        "limits": list(card.limits),
        "licence": card.licence,
        "not_exported": list(NOT_EXPORTED),
        "check": asdict(check),
        "quantisation": None if cost is None else {"bits": 8, "means": form.int8} | asdict(cost),
    }  # fmt: skip


def _inside(card: Card) -> list[str]:
    views = len(card.spec.view_titles)
    return [
        "scaling of pixel values",
        *(["the mean over an image and its mirror image"] if card.tta_flip else []),
        *([f"the mean over its {views} views"] if views > 1 else []),
        *(["the difference of its two outputs"] if card.loss == "categorical" else []),
        f"calibration ({card.calibration.method})",
    ]


def _before(card: Card) -> list[str]:
    spec = card.spec
    return [
        "decode to RGB of 8 bits, upright as EXIF says, transparency over white",
        f"{RESIZE_HELP[spec.resize]} Side: {spec.size} pixels; bilinear with antialiasing, as Pillow resizes.",
        *(f"View {name}: {VIEW_HELP[name]}" for name in spec.views),
        *(["stack the views, the first one first"] if spec.views else []),
    ]
