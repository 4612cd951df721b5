"""Features are computed once, go on after a kill, and never remember an accident."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dfcore.audit import features
from dfcore.errors import TransientImageError
from dfcore.imaging import decoder, sandbox
from dfcore.utils.files import sha256_bytes
from tests.conftest import make_image

COUNT = 6


class Engine:
    """Gives the mean of each image; raises `stop_at` instead of the call of that number."""

    name, width = "stub", 1

    def __init__(self):
        self.seen, self.calls, self.stop_at = 0, 0, -1

    def outputs(self, pixels: np.ndarray) -> SimpleNamespace:
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        self.calls += 1
        self.seen += len(pixels)
        return SimpleNamespace(features=pixels.mean(axis=(1, 2, 3), dtype=float)[:, None])


@pytest.fixture
def few(tmp_path, monkeypatch):
    """A folder of six images in parts of two; a function that computes their features, and its engine."""
    monkeypatch.setattr(features, "_KEPT_AT_ONCE", 2)
    monkeypatch.setattr(
        sandbox, "prepare", lambda data, specs: SimpleNamespace(inputs={specs[0]: decoder.decode(data)})
    )
    folder = tmp_path / "set"
    paths = [make_image(folder / f"{number}.png", seed=number) for number in range(COUNT)]
    rows = pd.DataFrame(
        {"path": [one.name for one in paths], "sha256": [sha256_bytes(one.read_bytes()) for one in paths]}
    )
    engine = Engine()
    detector = SimpleNamespace(card=SimpleNamespace(model_sha256="ab"), engine=engine, spec="spec")

    def run():
        return features._run(detector, folder, rows, tmp_path / "cache", lambda done: None)

    truth = [[decoder.decode(one).mean()] for one in paths]
    return run, engine, truth


def test_features_are_computed_once_and_go_on_after_a_kill(few):
    run, engine, truth = few
    engine.stop_at = 2
    with pytest.raises(KeyboardInterrupt):
        run()
    assert engine.seen == 4
    engine.stop_at = -1
    for _ in range(2):
        kept, values = run()
        assert kept.tolist() == list(range(COUNT))
        np.testing.assert_allclose(values, truth, rtol=1e-6)
    assert engine.seen == COUNT


def test_an_accident_is_not_remembered(few, monkeypatch):
    run, engine, truth = few
    sound, calls = sandbox.prepare, []

    def fails_once(data, specs):
        calls.append(1)
        if len(calls) == 1:
            raise TransientImageError("The decoder was killed.")
        return sound(data, specs)

    monkeypatch.setattr(sandbox, "prepare", fails_once)
    assert len(run()[0]) == COUNT - 1
    kept, values = run()
    assert kept.tolist() == list(range(COUNT))
    np.testing.assert_allclose(values, truth, rtol=1e-6)
    # Only the part with the accident is done again.
    assert engine.seen == COUNT - 1 + 2
