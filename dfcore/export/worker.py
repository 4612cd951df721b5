"""The process that converts and checks: `python -m dfcore.export.worker`, started by `dfcore.export.making`.

Converters crash, and leak what they took; so they run alone. The request comes as a line of JSON on standard input, and
progress and result go as lines of JSON to standard output. When the standard input closes, whoever asked is gone: the
process removes the hidden folder in which all of it is made, and ends.
"""

import json
import os
import shutil
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from dfcore.errors import AccessError, DatasetError, DfcoreError, InputError, LayoutError
from dfcore.utils.texts import printable


def _main() -> int:
    # What libraries print must not be taken for ours.
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_leave_with_parent, args=(sys.stdin, Path(request["aside"])), daemon=True).start()

    def tell(**what: Any) -> None:
        print(json.dumps(what), file=told, flush=True)

    try:
        tell(result=_export(request, lambda title, done, total: tell(title=title, done=done, total=total)))
    except (DfcoreError, MemoryError) as error:
        tell(error=str(error) or "There was not enough memory.", invalid=isinstance(error, InputError))
        return 1
    except OSError as error:
        tell(error=f"The export could not be written: {error.strerror or error}.", invalid=False)
        return 1
    return 0


def _leave_with_parent(stdin: TextIO, aside: Path) -> None:
    stdin.read()
    shutil.rmtree(aside, ignore_errors=True)
    os._exit(1)


def _export(request: dict[str, Any], report: Any) -> dict[str, Any]:
    from dfcore import architectures
    from dfcore.detectors.detector import Detector
    from dfcore.export import about, cost, formats, loader
    from dfcore.export.check import check_images, compared
    from dfcore.utils.files import write_json, write_text

    if request["arch_file"]:
        architectures.load_file(request["arch_file"])
    form, folder, int8 = formats.get(request["format"]), Path(request["folder"]), request["quantize"] == formats.INT8
    report("Loading the detector", 0, 0)
    detector = Detector.load(request["bundle"], "keras")
    shown, no_pictures = None, ""
    if request["data_root"] is not None:
        measured = cost.most_measured() if int8 else cost.CHECKED
        try:
            shown = cost.pictures(
                detector, request["data_root"], report, calibrate=int8 and form.needs_images, measured=measured
            )
        except (AccessError, DatasetError, LayoutError) as error:
            if int8 or request["root_given"]:
                raise
            no_pictures = str(error)
    images = check_images(
        detector, None if shown is None else shown.pixels[:: max(1, len(shown.pixels) // cost.CHECKED)]
    )
    report(f"Converting to {form.title}", 0, 0)
    calibrating = shown.calibrating if int8 and shown is not None else None
    files = _written(form, detector, folder, calibrating, images, report)
    run = _loaded(form, folder)
    report("Checking", 0, 0)
    fixed = len(check_images(detector, None))
    check = compared(
        detector, _logits(detector, images, report), _scored(run, images), len(images) - fixed, exact=not int8
    )
    spent = None
    if int8:
        assert shown is not None  # `export` asks for a data set.
        before = detector.card.calibration.apply(_logits(detector, shown.pixels, report))
        spent = cost.cost(detector.card, shown, before, _scored(run, shown.pixels)[0])
    write_text(folder / loader.FILE, loader.example(form, detector.spec, takes_files=bool(files)))
    content = about.about(detector.card, form, folder, check, cost=spent, files=files)
    write_json(folder / about.FILE, content)
    return {"check": asdict(check), "cost": spent and asdict(spent), "files": files, "no_pictures": no_pictures}


_BATCH = 32


def _loaded(form: Any, folder: Path) -> Any:
    """Runs what was written in its runtime.

    Raises:
        BundleError: From the result, if the runtime refuses it.
    """
    from dfcore.errors import BundleError

    def guarded(call: Any) -> Any:
        try:
            return call()
        except (DfcoreError, MemoryError):
            raise
        except Exception as error:  # Runtimes raise whatever they like on what they cannot run.
            text = printable(" ".join(str(error).split()))[:300] or type(error).__name__
            raise BundleError(
                f"The exported network was refused: {form.title} wrote it but cannot run it: {text}"
            ) from error

    run = guarded(lambda: form.run(folder))
    return lambda pixels: guarded(lambda: run(pixels))


def _logits(detector: Any, pixels: Any, report: Any) -> Any:
    """The detector's own logits."""
    import numpy as np

    parts = []
    for start in range(0, len(pixels), _BATCH):
        parts.append(detector.engine.outputs(pixels[start : start + _BATCH]).logits)
        report("Scoring with the detector", min(start + _BATCH, len(pixels)), len(pixels))
    return np.concatenate(parts)


def _scored(run: Any, pixels: Any) -> Any:
    """Scores and logits of the exported network."""
    import numpy as np

    parts = [run(pixels[start : start + _BATCH]) for start in range(0, len(pixels), _BATCH)]
    return tuple(np.concatenate([np.asarray(part[place]).reshape(-1) for part in parts]) for place in (0, 1))


def _written(form: Any, detector: Any, folder: Path, calibrating: Any, images: Any, report: Any) -> dict | None:
    """Writes the network; returns what was found of its signature on files, if it has one.

    Raises:
        BundleError: If it cannot be represented in this format.
    """
    from dfcore.errors import BundleError
    from dfcore.export import savedmodel
    from dfcore.export.file_check import compared_files

    takes_files = form.key == "savedmodel"
    try:
        form.write(detector.model, detector.card, folder, calibrating, takes_files)
        if not takes_files:
            return None
        report("Checking the signature on files", 0, 0)
        found = compared_files(detector, savedmodel.run_files(folder))
        if not found["exact"]:
            # Where TensorFlow decodes otherwise than Pillow, that signature would give other scores.
            shutil.rmtree(folder / savedmodel.FOLDER)
            form.write(detector.model, detector.card, folder, calibrating, False)
            return None
        return found
    except (DfcoreError, OSError, MemoryError):
        raise
    except Exception as error:  # Converters raise whatever they like.
        text = printable(" ".join(str(error).split()))[:300] or type(error).__name__
        raise BundleError(f"{form.title} cannot represent this network: {text}") from error


if __name__ == "__main__":
    sys.exit(_main())
