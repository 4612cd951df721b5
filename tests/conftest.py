"""Fixtures for all tests: a workspace of its own for every test, small images, a small data set."""

import ctypes
import functools
import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Runs of tests are nobody's business.
os.environ.pop("MLFLOW_TRACKING_URI", None)
os.environ.pop("DFCORE_MLFLOW", None)
# TensorFlow's own allocator never gives memory back: one batch through ResNet-18 would leave 1.6 GB behind.
os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
_SHARED = ROOT.parent / "shared"
_MAIN = sys.modules["__main__"]
# A hole in a gate should cost one test, not the machine.
_SAFETY_NET = 4 * 2**30


# Light architectures go through every contract in `make test`; these go through most of them in `make test-all` alone.
_HEAVY = {
    "resnet18",
    "resnet50",
    "efficientnetv2b0",
    "convnext_tiny",
    "mobilenetv2",
    "mobilenetv2_multiscale",
    "mobilenetv2_multiscale_fine",
    "vit",
}
# Contracts for `cnn` alone in `make test`, and those that hold for all of them there.
_FOR_ONE = ("test_every_method_explains_it", "test_random_weights_depend_on_the_seed_alone")
_FOR_ALL = ("test_ends_in_logits_without_activation", "test_saves_and_reloads_to_the_same_numbers")


def pytest_collection_modifyitems(items):
    """Marks as slow what a heavy architecture goes through beside building, predicting and saving."""
    for item in items:
        name, _, parameters = item.name.partition("[")
        if name not in _FOR_ALL and _HEAVY & set(parameters.rstrip("]").split("-")):
            item.add_marker(pytest.mark.slow)
        if name in _FOR_ONE and "[cnn" not in item.name:
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("shared") and not _SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason="../shared is not there"))


@pytest.fixture(autouse=True)
def _own_workspace(tmp_path, monkeypatch):
    """Keeps every test out of the checkout's own folders, and no page in the place of `__main__`."""
    # Streamlit leaves the page of an AppTest there, which every process that Python starts later would run.
    sys.modules["__main__"] = _MAIN
    for name in ("runs", "models", "data", "cases", "batches", "films", "cache", "logs"):
        monkeypatch.setenv(f"DFCORE_{name.upper()}", str(tmp_path / name))
    # Pages set it to the home folder and the current one, where no test has its data.
    monkeypatch.setenv("DFCORE_ROOTS", os.sep)
    # Unforeseen errors shall fail a test instead of being told to somebody.
    monkeypatch.setenv("DFCORE_DEBUG", "1")


def give_memory_back() -> None:
    """Frees what nobody uses any more and returns it to the system; glibc would keep it."""
    gc.unfreeze()  # Pages freeze what is there when a network is loaded, which the next tests let go of.
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _resident() -> int:
    """Memory of this process in bytes; 0 where that is not known."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


@pytest.fixture(autouse=True)
def _limits_stay() -> Iterator[None]:
    """No test leaves a limit behind, which would fail others much later: only processes of their own take some."""
    if sys.platform != "linux":
        yield
        return
    import resource

    kinds = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
    before = [resource.getrlimit(kind) for kind in kinds]
    yield
    assert [resource.getrlimit(kind) for kind in kinds] == before


_GROWTH = 2**29
_after_last = 0


@pytest.fixture(autouse=True)
def _memory_given_back() -> Iterator[None]:
    """Networks are rings of objects, which Python seldom looks for: it does not see the memory that they hold."""
    global _after_last
    yield
    if _resident() > _after_last + _GROWTH:
        give_memory_back()
        _after_last = _resident()


@pytest.fixture(autouse=True)
def _through_the_front_door(monkeypatch):
    """AppTest starts every run as a server that was never visited, which takes `pages/` for pages of the old kind."""
    if "streamlit.runtime.pages_manager" not in sys.modules:
        return
    from streamlit.runtime.pages_manager import PagesManager

    made = PagesManager.__init__

    def make(self, *args, **options):
        made(self, *args, **options)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", make)


@functools.cache
def _manifests(scan: Callable[[], list]) -> list:
    return scan()


@pytest.fixture(autouse=True)
def _components_are_looked_for_once(monkeypatch):
    """Each session of AppTest reads the metadata of all packages in search of components: half a second."""
    if "streamlit.testing.v1" not in sys.modules:
        return
    from streamlit.components.v2 import manifest_scanner

    found = functools.partial(_manifests, manifest_scanner.scan_component_manifests)
    monkeypatch.setattr(manifest_scanner, "scan_component_manifests", found)


@pytest.fixture
def shared() -> Path:
    """The development data, where there are any."""
    if not _SHARED.is_dir():
        pytest.skip("the development data in ../shared are not on this machine")
    return _SHARED


@pytest.fixture
def safety_net() -> Iterator[None]:
    """Limits the memory of the process for one test."""
    if sys.platform != "linux":
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_memory("VmSize") + _SAFETY_NET, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def _memory(what: str) -> int:
    """A figure of this process from Linux, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def forget_peak() -> int:
    """Starts the memory's high-water mark anew; returns it."""
    if sys.platform != "linux":
        return 0
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak()


def peak() -> int:
    """The memory's high-water mark in bytes."""
    return _memory("VmHWM") if sys.platform == "linux" else 0


def make_image(path: Path, size: tuple[int, int] = (32, 32), mode: str = "RGB", seed: int = 0, **options) -> Path:
    """Writes a small image of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory) -> Path:
    """{train,validation,test}/{real,fake}, 12 PNGs of 32 px each: smooth noise, and the same with a checkerboard."""
    root = tmp_path_factory.mktemp("data") / "small"
    random = np.random.default_rng(0)
    board = 24 * (np.indices((32, 32)).sum(axis=0) % 2)[..., None]
    for split in ("train", "validation", "test"):
        for label in ("real", "fake"):
            for number in range(12):
                coarse = random.integers(40, 200, (4, 4, 3)).astype(np.uint8)
                pixels = np.asarray(Image.fromarray(coarse).resize((32, 32), Image.Resampling.BILINEAR)).astype(int)
                pixels = pixels + (board if label == "fake" else 0) + random.integers(0, 4, pixels.shape)
                path = root / split / label / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return root


def untrained(seed: int):
    """A small network with weights of its own."""
    import keras

    from dfcore.architectures import build_model

    keras.utils.set_random_seed(seed)
    return build_model("cnn", size=32)


def make_card(**changes):
    """The card of such a network."""
    from dfcore.detectors.bundle import now
    from dfcore.detectors.card import Card, Preprocess, Threshold, Training

    values = {
        "title": "Untrained",
        "created": now(),
        "arch": "cnn",
        "loss": "binary",
        "preprocess": Preprocess(size=32, resize="stretch"),
        "threshold": Threshold(value=0.5, chosen_on="nothing", criterion="none"),
        "cam_layer": "conv_last",
        "training": Training(dataset="none"),
    }
    return Card(**(values | changes))


def give_right(folder: Path) -> None:
    """Evidence on a detector's card that it may call images likely real, at any threshold."""
    from dfcore.confidence import HeldOutSource
    from dfcore.detectors.bundle import read_card, write_card

    card = read_card(folder)
    source = HeldOutSource.of("theirs", "another data set", [3.0] * 400)
    write_card(folder, card.model_copy(update={"words": card.words.plus(source)}))


@pytest.fixture(scope="session")
def knowing(tmp_path_factory, small_dataset) -> dict[str, Path]:
    """Untrained detectors with thresholds and a record of their images: of 32 pixels, and of about 300."""
    from dfcore.confidence import ErrorBudget, FileRange, OODDetector, fit_thresholds
    from dfcore.datasets import scan
    from dfcore.detectors.bundle import write_bundle
    from dfcore.detectors.card import OODRecord
    from dfcore.detectors.detector import Detector
    from dfcore.evaluation import predict_split, predictions_path, write_predictions

    folder = tmp_path_factory.mktemp("knowing")
    data = scan(small_dataset, cache=folder / "cache")
    pixels = np.stack([np.asarray(Image.open(small_dataset / path)) for path in data.usable.path])
    result = {}
    for name, side, seed in (("thumbnails", 32, 1), ("photographs", 300, 2)):
        model = untrained(seed)
        write_bundle(folder / "bare", model, make_card())
        bare = Detector.load(folder / "bare")
        features = bare.engine.outputs(pixels).features
        table = predict_split(bare, data, "validation", cache_dir=folder / "cache")
        # The limit lies far out: only the size tells the two apart.
        domain = OODDetector.fit(features, features)
        domain = OODDetector(domain.mean, domain.basis, domain.references, 100 * domain.limit)
        card = make_card(
            title=name.capitalize(),
            ood=OODRecord(files=FileRange(sides=(side, side)), sha256=""),
            decision_thresholds=fit_thresholds(
                table.label, table.score, ErrorBudget(), chosen_on="the validation split"
            ),
        )
        write_bundle(folder / name, model, card, domain)
        write_predictions(predictions_path(folder / name, "validation"), table)
        result[name] = folder / name
    return result
