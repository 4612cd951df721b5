"""`adopt`: makes a bundle of a network that was made elsewhere, with its preprocessing checked on labelled images.

What comes after the network is fitted as for any detector: calibration, thresholds, domain and gate, by the code that
finishes a training run. The labelled images' training split stands for its domain, their validation split for images
that it has not learned from, which nobody can know: the card says so first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from dfcore import workspace
from dfcore.confidence import sigmoid
from dfcore.datasets import TEST, TRAIN, VALIDATION, SplitPolicy
from dfcore.detectors import library, subject
from dfcore.detectors.bundle import now, read_card, write_bundle, write_card, write_ood_detector
from dfcore.detectors.card import Card, Preprocess, Threshold, Training
from dfcore.detectors.detector import Detector
from dfcore.detectors.origin import Adopted as Record
from dfcore.engines import EngineName
from dfcore.errors import BundleError, InputError
from dfcore.evaluation import score_rows
from dfcore.exchange.optimize import optimize
from dfcore.foreign.build import build, cam_layer
from dfcore.foreign.check import FEWEST, Check, Preprocessing, check, chosen
from dfcore.foreign.ranges import range_of, require_colours
from dfcore.foreign.read import Network, read_network
from dfcore.imaging.preprocess import MAX_SIZE, MIN_SIZE, PreprocessSpec, Resize
from dfcore.labels import FAKE, REAL
from dfcore.training.data import TrainingData, load
from dfcore.training.finish import write_results
from dfcore.training.fitting import fit_confidence
from dfcore.utils.unfinished import made_aside

if TYPE_CHECKING:
    import keras

ARCH = "adopted"
ClassOrder = Literal["real,fake", "fake,real"]
Tell = Callable[[str, int, int], None]
# Validation images on which engines, and the bundle and the network that was read, are compared.
_COMPARED = 64
# Largest difference in score of the bundle from the network as it was read.
_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class Said:
    """What its maker knows of a network, and its file does not tell.

    Attributes:
        range: How pixels are scaled for it, see `dfcore.foreign.RANGES`.
        classes: What its outputs mean, the first class first: "real,fake" or "fake,real". A single output is the
            probability of the second class, as Keras numbers classes.
        size: Side in pixels of the square that it takes; None for that of its file.
        resize: How an image becomes that square, see `dfcore.imaging.preprocess.RESIZE_HELP`.
        colours: Order of the channels that it learned from, "rgb", or "bgr" as OpenCV reads them.
    """

    range: str
    classes: str
    size: int | None = None
    resize: Resize = "stretch"
    colours: str = "rgb"

    @property
    def preprocessing(self) -> Preprocessing:
        """The same, checked.

        Raises:
            InputError: If a value is unknown; says which are known.
        """
        scaling = range_of(self.range)
        classes = ",".join(part.strip().lower() for part in self.classes.split(","))
        if classes not in get_args(ClassOrder):
            raise InputError(
                "Expected the classes in the order of its outputs, real,fake or fake,real. "
                f"Received: {self.classes!r}. Keras numbers classes by the names of their folders, in alphabetical "
                "order."
            )
        return Preprocessing(self.range, classes == "fake,real", require_colours(self.colours, scaling))


@dataclass(frozen=True)
class Adopted:
    """What came of a network.

    Attributes:
        card: The card of the new bundle.
        folder: Its folder.
        check: What was measured with every preprocessing.
    """

    card: Card
    folder: Path
    check: Check


class PreprocessingError(InputError):
    """What was said of a network's preprocessing does not fit the labelled images.

    Attributes:
        check: What was measured.
    """

    def __init__(self, found: Check):
        super().__init__(
            f"What was said of the preprocessing does not fit these images. {found.problem}. Say it as measured, or "
            "give the images that it is for."
        )
        self.check = found


class _Watcher:
    """Tells the fitting's progress; a stop comes as whatever `tell` raises."""

    def __init__(self, tell: Tell):
        self._tell = tell

    def phase(self, text: str) -> None:
        self._tell(text, 0, 0)

    def working(self, text: str, done: int, total: int) -> None:
        self._tell(text, done, total)

    def step(self, row: dict[str, float]) -> None:
        """No steps are made: nothing is trained."""

    def beside(self, row: dict[str, float], left: int) -> None:
        """As little."""

    def epoch(self, history: list[dict[str, float]]) -> None:
        """As little."""

    def should_stop(self) -> bool:
        return False


def adopt(
    path: Path,
    data_root: Path,
    said: Said,
    name: str,
    *,
    folder: Path | None = None,
    file: str = "",
    title: str = "",
    insist: bool = False,
    tell: Tell = lambda *_: None,
) -> Adopted:
    """Makes a detector of a `.keras` or `.h5` file, and puts it into the library.

    Args:
        path: The file, which anybody may have made: nothing in it is run.
        data_root: Labelled images like those that it is for; real and fake ones.
        said: What its maker knows of it.
        name: Name of the new detector.
        folder: Folder of detectors; the workspace's by default.
        file: What the file is called, if not by its path.
        title: Title of the new detector; by default the file's name.
        insist: Whether to go on although another preprocessing is clearly better.
        tell: Called with (current activity, images done, total number of images); what it raises ends the work, and
            nothing is left behind.

    Raises:
        InputError: If the file or what was said cannot be used; `PreprocessingError` if it does not fit the images.
        DatasetError, LayoutError: If the images cannot be used.
        BundleError: If the name is taken or invalid.
    """
    folder = workspace.models_dir() if folder is None else Path(folder)
    library.free_place(folder, name)
    preprocessing = said.preprocessing
    tell("reading the file in a process of its own", 0, 0)
    network = read_network(path, file)
    spec = PreprocessSpec(_side(network, said.size), said.resize)
    core = build(network, spec.size, fake_first=False)
    data = load(Path(data_root), SplitPolicy(), spec, tell)
    held = _some(data)
    found = check(
        core, preprocessing, data.pixels, held, data.rows.label.to_numpy(int)[held],
        lambda done, total: tell("measuring every preprocessing", done, total),
    )  # fmt: skip
    if found.problem and not insist:
        raise PreprocessingError(found)
    model = build(
        network, spec.size, fake_first=preprocessing.fake_first, scaling=range_of(preprocessing.range),
        colours=preprocessing.colours,
    )  # fmt: skip
    card = _card(network, model, data, spec, found, title or f"{Path(network.file).stem}, made elsewhere")
    folder.mkdir(parents=True, exist_ok=True)
    with made_aside(folder, ".adopt-") as aside:
        made = aside / name
        write_bundle(made, model, card)
        _require_same(made, core, found.said, data, held[:_COMPARED])
        _finish(made, data, _Watcher(tell))
        place = library.put(made, folder, name)
    return Adopted(read_card(place), place, found)


def _side(network: Network, size: int | None) -> int:
    """The side of the square that a network takes."""
    if network.side is None and size is None:
        raise InputError(f"{network.file} takes images of any size. Expected the size that it was trained on (--size).")
    if network.side is not None and size not in (None, network.side):
        raise InputError(f"{network.file} takes squares of {network.side} pixels. Received a size of {size}.")
    side = network.side or size
    assert side is not None
    if not MIN_SIZE <= side <= MAX_SIZE:
        raise InputError(f"Expected a network for squares of {MIN_SIZE} to {MAX_SIZE} pixels. Received: {side}.")
    return side


def _some(data: TrainingData) -> np.ndarray:
    """Positions of the validation images that the preprocessing is measured on."""
    positions, labels = data.positions(VALIDATION), data.labels(VALIDATION)
    counts = np.bincount(labels, minlength=2)
    if counts.min() < FEWEST:
        whole, share = np.bincount(data.rows.label.to_numpy(int), minlength=2), SplitPolicy().validation
        raise InputError(
            f"Expected at least {FEWEST} real and {FEWEST} fake images for validation, to tell which preprocessing is "
            f"right. Received: {data.dataset.name}, with {counts[REAL]} real and {counts[FAKE]} fake for validation, "
            f"of {whole[REAL]} real and {whole[FAKE]} fake in all. A set that is not split yet, of which {share:.0%} "
            f"are drawn for it, needs about {ceil(FEWEST / share)} of each."
        )
    return chosen(labels, positions)


def _require_same(
    made: Path, core: "keras.Model", said: Preprocessing, data: TrainingData, positions: np.ndarray
) -> None:
    """Checks that the bundle, read from its files again, judges as the network that was read."""
    pixels = data.pixels.gather(positions)
    logits = core.predict_on_batch(range_of(said.range).apply(pixels, said.colours))[:, 0]
    expected = sigmoid(-logits if said.fake_first else logits)
    difference = np.abs(sigmoid(Detector.load(made, "keras").engine.outputs(pixels).logits) - expected).max()
    if not difference <= _DIFFERENCE:
        raise BundleError(
            f"Scores of the new bundle differ from those of the network by up to {difference:.2g}. Expected at most "
            f"{_DIFFERENCE:g}; nothing was kept."
        )


def _finish(made: Path, data: TrainingData, watcher: _Watcher) -> None:
    """Fits and measures all that comes after the network."""
    watcher.phase("optimizing for OpenVINO")
    card = optimize(made, data.pixels.gather(data.positions(VALIDATION)[:_COMPARED]))
    engine: EngineName = "openvino" if card.openvino and card.openvino.enabled else "keras"
    fitted = fit_confidence(card, Detector.load(made, engine), data, None, watcher)
    card = write_ood_detector(made, fitted.card, fitted.ood_detector)
    card = subject.told(card, data.pixels, data.positions(TRAIN))
    write_card(made, card)
    detector = Detector.load(made, engine)
    tables = {}
    for split in (VALIDATION, TEST):
        positions = data.positions(split)
        working = partial(watcher.working, f"measuring on {split}")
        tables[split] = score_rows(detector, data.rows.iloc[positions], data.pixels, positions, working)
    watcher.phase("writing the detector")
    write_results(made, card, tables, fitted.handled)


def _card(
    network: Network, model: "keras.Model", data: TrainingData, spec: PreprocessSpec, found: Check, title: str
) -> Card:
    dataset, said = data.dataset, found.said
    return Card(
        title=title,
        created=now(),
        arch=ARCH,
        loss="binary",
        preprocess=Preprocess(**spec.to_dict()),
        threshold=Threshold(value=0.5, chosen_on="nothing yet", criterion="none"),
        cam_layer=cam_layer(model),
        adopted=Record(
            file=network.file[-400:],
            sha256=network.sha256,
            keras=network.keras,
            end=network.end,
            range=said.range,
            classes=said.classes,
            colours=said.colours,
            idle=network.idle[:100],
            check=[dict(row) for row in found.rows],
            images=found.images,
            insisted=found.problem or "",
        ),
        training=Training(
            dataset=dataset.name,
            layout=dataset.layout,
            fingerprint=dataset.fingerprint,
            counts={str(split): {str(k): int(v) for k, v in row.items()} for split, row in dataset.counts().iterrows()},
            demonstration=dataset.demonstration,
            self_made=dataset.self_made,
            excluded=len(data.excluded),
            notes=[*dataset.notes, *dataset.doubts],
        ),
        limits=_limits(network, data, found),
    )


def _limits(network: Network, data: TrainingData, found: Check) -> list[str]:
    """Limitations that users need to know."""
    dataset = data.dataset
    limits = [
        "MADE ELSEWHERE, adopted. What it was trained on is unknown: where images that it is measured on here were "
        "among that, all its figures are too good, and it cannot tell whether it has learned from an image.",
        f"Its calibration, thresholds and domain are those of {dataset.name}, images of one source. Other generators, "
        "other subjects, resizing and recompression can turn its verdicts wrong.",
        "Images are resized here by Pillow's bilinear filter with antialiasing. A network that was trained on images "
        "resized otherwise (Keras resizes without antialiasing) sees slightly other ones.",
        "Its score is a probability only where half of the images are fake, as in these images: where fakes are "
        "rarer, fewer of the images with a high score are fake.",
    ]
    if found.problem:
        limits.insert(0, f"Its preprocessing seems wrong, and somebody insisted. {found.problem}.")
    if dataset.demonstration:
        limits.insert(0, "DEMONSTRATION: it was calibrated on a simulation and says nothing about real deepfakes.")
    if dataset.self_made:
        limits.insert(0, f"SELF-MADE fakes: {dataset.self_made}")
    if network.end == "linear":
        limits.append("Its file does not say what its output is; it was taken as logits, and calibrated as such.")
    if network.end == "sigmoid" and network.steps[network.output - 1].config.get("units") == 2:
        limits.append(
            "It has two outputs with a sigmoid each; what counts here is by how much the logit of fake is above that "
            "of real."
        )
    return limits
