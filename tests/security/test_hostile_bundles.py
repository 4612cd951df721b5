"""Models from strangers: whatever is wrong with the file, it is refused in words before Keras loads anything of it."""

from pathlib import Path

import pytest

from dfcore.detectors.bundle import CARD, MODEL, write_card
from dfcore.detectors.detector import Detector
from dfcore.errors import BundleError
from dfcore.utils.files import sha256_bytes
from tests.conftest import forget_peak, make_card, peak, untrained
from tests.security.hostile_bundles import NAMES, hostile_model, payload_for_trusting_keras, repacked

_MB = 2**20
_MOST_MEMORY = 256 * _MB
# Weights that are plain arrays but not those of the network: Keras may be the one that notices.
_LEFT_TO_KERAS = frozenset(
    f"weights/{name}"
    for name in (
        "shape-differs",
        "rank-differs",
        "scalar",
        "null-space",
        "dataset-missing",
        "all-missing",
        "dataset-for-a-group",
        "damaged",
    )
)


@pytest.fixture(scope="session")
def sound(tmp_path_factory) -> bytes:
    """A sound model."""
    path = tmp_path_factory.mktemp("sound") / MODEL
    untrained(0).save(path)
    return path.read_bytes()


@pytest.fixture
def marker(tmp_path) -> Path:
    """The file that payloads would create."""
    (tmp_path / "marked").mkdir()
    return tmp_path / "marked" / "marker"


@pytest.fixture
def reached(monkeypatch) -> list[str]:
    """What of Keras was asked to load a file; it does not."""
    import keras
    from keras.src.saving import saving_lib

    result: list[str] = []

    def stand_in(name: str):
        def load(*_arguments, **_options):
            result.append(name)
            raise RuntimeError("Keras was asked to load a hostile file.")

        return load

    for place in (keras.saving, keras.models, saving_lib):
        monkeypatch.setattr(place, "load_model", stand_in(f"{place.__name__}.load_model"))
    return result


def _bundle(folder: Path, model: bytes) -> Path:
    """A bundle whose card belongs to the model."""
    folder.mkdir()
    (folder / MODEL).write_bytes(model)
    write_card(folder, make_card(model_sha256=sha256_bytes(model)))
    return folder


@pytest.mark.parametrize("again", [False, True], ids=["as-saved", "repacked"])
def test_the_sound_model_is_loaded(sound, tmp_path, again):
    Detector.load(_bundle(tmp_path / "sound", repacked(sound) if again else sound))


def test_payloads_are_real(sound, tmp_path, marker):
    import keras

    path = _bundle(tmp_path / "trusted", payload_for_trusting_keras(sound, marker)) / MODEL
    keras.saving.load_model(path, compile=False, safe_mode=False)
    assert marker.exists()


def test_the_corpus_is_large():
    families = {name.split("/")[0] for name in NAMES}
    assert len(NAMES) == len(set(NAMES)) >= 80
    assert len(families) >= 12


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_model_is_refused(name, sound, tmp_path, marker, request):
    folder = _bundle(tmp_path / "hostile", hostile_model(name, sound, marker))
    reached = [] if name in _LEFT_TO_KERAS else request.getfixturevalue("reached")
    request.getfixturevalue("safety_net")
    before = forget_peak()
    with pytest.raises(BundleError) as caught:
        Detector.load(folder)
    grown = peak() - before

    text = str(caught.value)
    assert reached == [], f"the gate let it pass: {text[:300]}"
    assert text.strip()
    assert len(text) < 2000
    assert all(sign.isprintable() or sign == "\n" for sign in text), text
    assert grown < _MOST_MEMORY, f"{grown / _MB:.0f} MB were taken"
    assert list(marker.parent.iterdir()) == []
    assert sorted(path.name for path in folder.iterdir()) == [CARD, MODEL]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hostile", "marked"]
