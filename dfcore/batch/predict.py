"""Prediction for any number of files in constant memory, with decoding on all cores in parallel with the network.

Threads read files and pass them to the decoding processes; one thread runs the network on a batch while the next is
collected. All queues are bounded.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from dfcore.batch.entries import Entry, ToJudge
from dfcore.confidence import NOT_CHECKED, OODResult, Policy
from dfcore.datasets.dataset import LeftOut
from dfcore.detectors.detector import Detector
from dfcore.detectors.selection import needed, select_detector
from dfcore.detectors.verdict import Verdict
from dfcore.errors import ImageError, TransientImageError
from dfcore.imaging import decoder, sandbox
from dfcore.imaging.prepared import PreparedImage
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.utils.files import sha256_bytes
from dfcore.utils.texts import storable

PREVIEW_SIDE = 160
# Maximum bytes of pixels in a batch, and limits on its number of images.
_BATCH_BYTES, _FEWEST, _MOST = 16 * 2**20, 8, 64


@dataclass(frozen=True)
class BatchOptions:
    """Options of batch prediction.

    Attributes:
        batch_size: Images per forward pass; None chooses by input size. Does not affect scores.
        workers: Number of files read and decoded at once; None for the number of decoding processes plus one.
        ordered: Whether rows follow the order of the files or come as soon as they are ready.
        policies: Decision policies by detector name, where they differ from the card's.
        preview_side: Maximum side of previews in pixels, by which looks are compared with those of training images.
        signed: Whether the signatures of the pixels are made as well.
    """

    batch_size: int | None = None
    workers: int | None = None
    ordered: bool = True
    policies: Mapping[str, Policy] = field(default_factory=dict)
    preview_side: int = PREVIEW_SIDE
    signed: bool = False


@dataclass(frozen=True)
class File:
    """A file as it was read.

    Attributes:
        path: What its row calls it.
        sha256: Of its content; None if it could not be read.
        image: The decoded image, or why there is none.
        origin: See `Entry`; a path's own is that path.
    """

    path: str | Path
    sha256: str | None
    image: PreparedImage | ImageError
    origin: tuple[str | int, ...] = ()


@dataclass(frozen=True)
class Judged:
    """A file with its verdict.

    Attributes:
        file: The file.
        detector: Name of the detector that judged.
        verdict: Its verdict.
        why: Why this detector was chosen, as a clause; "" if there was no choice.
    """

    file: File
    detector: str
    verdict: Verdict
    why: str = ""

    @property
    def judge(self) -> str | None:
        """The detector to name: None where several could have judged, and the file is none that can be judged."""
        return None if self.verdict.error and self.why else self.detector


def predict_files(
    paths: Iterable[ToJudge], detectors: Mapping[str, Detector], options: BatchOptions | None = None
) -> Iterator[list[dict[str, Any]]]:
    """Predicts on files; yields a list of rows per batch, one row per file.

    A row has path, sha256, score (P(fake) in [0, 1]), verdict (three-way decision), finding (what is said of it, a key
    of `dfcore.confidence.FINDINGS`), label (the decision, None where it is inconclusive), threshold (see
    `Verdict.side`), reason (why it is inconclusive), ood_distance and ood_reasons (see `OODResult`), detector (see
    `Judged.judge`), error (why the file could not be judged), and trained_on (whether the detector was trained on this
    image or one that looks like it, see `Seen`); and accident, true, only where an error may lie with the machine and
    not the file.

    Args:
        paths: Files, or entries of archives; consumed lazily. What was left out becomes a row with its reason as the
            error.
        detectors: Detectors by name. With several, the verdict is that of the one that fits the image, see
            `dfcore.detectors.selection`.
        options: See `BatchOptions`.
    """
    for batch in judge_files(paths, detectors, options):
        yield [row_of(judged) for judged in batch]


def judge_files(
    paths: Iterable[ToJudge], detectors: Mapping[str, Detector], options: BatchOptions | None = None
) -> Iterator[list[Judged]]:
    """As `predict_files`, with all that is known of each file; `row_of` makes the row."""
    options = options or BatchOptions()
    size = options.batch_size or _batch_size(detectors)

    def judge(batch: list[File]) -> list[Judged]:
        return judge_read(batch, detectors, options)

    workers = options.workers or sandbox.processes() + 1
    readers, network = ThreadPoolExecutor(workers), ThreadPoolExecutor(1)
    try:
        files = _read(paths, list(detectors.values()), readers, 2 * workers, options)
        judged: Future[list[Judged]] | None = None
        while batch := list(islice(files, size)):
            before, judged = judged, network.submit(judge, batch)
            if before:
                yield before.result()
        if judged:
            yield judged.result()
    finally:
        readers.shutdown(cancel_futures=True)
        network.shutdown(cancel_futures=True)


def _batch_size(detectors: Mapping[str, Detector]) -> int:
    """Batch size that keeps a many-core machine busy within `_BATCH_BYTES`."""
    of_one = sum(detector.spec.input_bytes for detector in detectors.values())
    return max(_FEWEST, min(_MOST, _BATCH_BYTES // of_one))


def _read(
    paths: Iterable[ToJudge],
    detectors: list[Detector],
    readers: ThreadPoolExecutor,
    ahead: int,
    options: BatchOptions,
) -> Iterator[File]:
    """Reads and preprocesses files, with at most `ahead` in progress."""
    specs = [detector.spec for detector in detectors]

    def read(found: ToJudge) -> File:
        return read_file(found, specs, options)

    coming: deque[Future[File]] = deque()
    waiting = iter(paths)
    while True:
        coming.extend(readers.submit(read, path) for path in islice(waiting, ahead - len(coming)))
        if not coming:
            return
        if not options.ordered:
            done = wait(coming, return_when=FIRST_COMPLETED).done
            coming = deque(sorted(coming, key=lambda future: future not in done))
        yield coming.popleft().result()


def read_file(found: ToJudge, specs: Sequence[PreprocessSpec], options: BatchOptions) -> File:
    """Reads and preprocesses a file for the detectors with these specs; what cannot be read has the reason."""
    if isinstance(found, LeftOut):
        return File(found.path, None, ImageError(found.reason))
    path, origin = (found.name, found.origin) if isinstance(found, Entry) else (found, ("file", str(found)))
    digest = None
    try:
        content = found.read() if isinstance(found, Entry) else decoder.read_bytes(found)
        digest = sha256_bytes(content)
        image = sandbox.prepare(content, specs, options.preview_side, signed=options.signed)
        return File(path, digest, image, origin)
    except ImageError as error:
        return File(path, digest, error, origin)


def judge_read(
    batch: Sequence[File], detectors: Mapping[str, Detector], options: BatchOptions | None = None
) -> list[Judged]:
    """Judges files that were read for these detectors, in one batch; see `predict_files` for the arguments."""
    options = options or BatchOptions()
    records = {name: detector.card.record[1].get("roc_auc") for name, detector in detectors.items()}
    images = [file.image for file in batch]
    if len(detectors) == 1:
        ((only, detector),) = detectors.items()
        verdicts = detector.judge(images, options.policies.get(only, Policy()))
        return [Judged(file, only, verdict) for file, verdict in zip(batch, verdicts, strict=True)]
    foreseen = [_foreseen(image, detectors) for image in images]
    known: list[dict[str, Verdict]] = [{} for _ in images]

    def wanted(number: int) -> str | None:
        return needed(foreseen[number], _domains(known[number]), records)

    # Networks run on all images that need them, and only on those.
    while waiting := {number: one for number in range(len(images)) if (one := wanted(number)) is not None}:
        for name in set(waiting.values()):
            some = [number for number, one in waiting.items() if one == name]
            found = detectors[name].judge([images[number] for number in some], options.policies.get(name, Policy()))
            for number, verdict in zip(some, found, strict=True):
                known[number][name] = verdict
    chosen = [
        select_detector({**before, **_domains(after)}, records) for before, after in zip(foreseen, known, strict=True)
    ]
    return [
        Judged(file, one.name, after[one.name], one.why) for file, one, after in zip(batch, chosen, known, strict=True)
    ]


def _foreseen(image: PreparedImage | ImageError, detectors: Mapping[str, Detector]) -> dict[str, OODResult]:
    if isinstance(image, ImageError):
        return dict.fromkeys(detectors, NOT_CHECKED)
    return {name: detector.foreseen(image) for name, detector in detectors.items()}


def _domains(known: Mapping[str, Verdict]) -> dict[str, OODResult]:
    return {name: verdict.ood for name, verdict in known.items()}


def is_accident(error: Exception | None) -> bool:
    """Whether an error may lie with the machine and not the file, so that it may be read or judged the next time."""
    return isinstance(error, TransientImageError) or (
        isinstance(error, ImageError) and isinstance(error.__cause__, OSError)
    )


def row_of(judged: Judged) -> dict[str, Any]:
    """The row of a file, see `predict_files`."""
    file, verdict = judged.file, judged.verdict
    error = file.image if isinstance(file.image, ImageError) else None
    return ({"accident": True} if is_accident(error) else {}) | {
        "path": storable(file.path),
        "sha256": file.sha256,
        "score": verdict.score,
        "verdict": verdict.decision,
        "finding": verdict.finding,
        "label": verdict.label,
        "threshold": None if verdict.error else verdict.threshold,
        "reason": verdict.reason,
        "ood_distance": verdict.ood.distance,
        "ood_reasons": list(verdict.ood.reasons),
        "detector": judged.judge,
        "error": verdict.error and storable(verdict.error),
        "trained_on": None if verdict.error else verdict.seen.value,
    }
