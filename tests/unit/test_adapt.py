"""A new source is learned from few pictures, what was known is kept, and neither flatters itself."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from dfcore.cli import main
from dfcore.datasets import scan
from dfcore.detectors.bundle import read_card, read_replay, write_card, write_replay
from dfcore.detectors.card import MapFigures
from dfcore.detectors.detector import Detector
from dfcore.detectors.replay import Replay
from dfcore.detectors.trained_on import Seen
from dfcore.errors import ArchiveError, BundleError, InputError
from dfcore.evaluation import predictions_path, read_predictions
from dfcore.training.adapt import adapt
from dfcore.training.adaptation import Examples, change, folds_of_units, unseen
from dfcore.training.last_layer import LastLayer
from dfcore.utils.files import sha256_file
from tests.unit.test_recalibrate import bundle, root  # noqa: F401  (fixtures)

# === The last layer ===

KINDS = {"one unit": (1, False, 1), "views share it": (1, False, 3), "two units": (2, False, 2), "own": (3, True, 3)}
LATE = [6, 7, 8]


@pytest.mark.parametrize(("units", "own", "views"), KINDS.values(), ids=KINDS)
def test_a_changed_layer_gives_the_changed_logits(units, own, views):
    random = np.random.default_rng(0)
    kernel = random.normal(size=(9, units)).astype(np.float32)
    kernel[[0, 5]] = 0  # Features that it does not look at.
    if own:
        kernel[LATE, 1:] = 0  # And some that the first view alone looks at.
    layer = LastLayer(kernel, random.normal(size=units).astype(np.float32), views, own)
    features = random.normal(size=(20, views, 9))

    def by_hand(layer):
        outputs = features @ layer.kernel + layer.bias
        if own:
            return np.mean([outputs[:, view, view] for view in range(views)], 0)
        return (outputs[..., 0] if units == 1 else outputs[..., 1] - outputs[..., 0]).mean(1)

    assert layer.columns.tolist() == [1, 2, 3, 4, 6, 7, 8]
    used = features[:, :, layer.columns]
    np.testing.assert_allclose(layer.logits(used), by_hand(layer), rtol=1e-5, atol=1e-5)
    design = layer.design(used)
    weights = random.normal(size=design.shape[1]).astype(np.float32)
    changed = layer.plus(weights, 0.7)
    np.testing.assert_array_equal(changed.kernel != 0, layer.kernel != 0)
    np.testing.assert_array_equal(layer.taken(features)[:, 0], features[:, 0, layer.columns].astype(np.float32))
    assert layer.taken(features)[:, 1:, -3:].any() == (not own and views > 1)
    np.testing.assert_allclose(by_hand(changed), by_hand(layer) + design @ weights + 0.7, rtol=1e-5, atol=1e-5)


# === What is kept of the images ===


def kept(count: int = 6, views: int = 2, width: int = 4) -> Replay:
    random = np.random.default_rng(0)
    labels, names = [k % 2 for k in range(count)], ["a", ""] * (count // 2)
    held, hashes = [k == 0 for k in range(count)], [f"{k:064x}" for k in range(count)]
    return Replay.of(hashes, labels, names, held, random.normal(5, 3, (count, views, width)), np.arange(width) * 3)


def test_features_are_kept_within_a_fifteenth_of_their_distance_from_the_median():
    random = np.random.default_rng(0)
    features = random.normal(5, 3, (50, 2, 4)).astype(np.float32)
    features[0] = 1000.0  # One image far off costs the others nothing.
    made = Replay.of(["0" * 64] * 50, [0, 1] * 25, [""] * 50, [False] * 50, features, np.arange(4))
    again = Replay.from_bytes(made.to_bytes())
    off = np.abs(features - np.median(features, axis=0))
    assert (np.abs(again.values(np.arange(50)) - features) <= off / 15 + 4e-6 * 1000).all()
    again = Replay.from_bytes(kept().to_bytes())
    assert (again.labels.tolist(), again.groups.tolist()) == ([0, 1] * 3, ["a", ""] * 3)
    assert again.held.tolist() == [True] + [False] * 5 and again.columns.tolist() == [0, 3, 6, 9]


def test_features_are_kept_in_whatever_order_they_lie():
    turned = replace(kept(), features=np.asfortranarray(kept().features))
    assert np.array_equal(Replay.from_bytes(turned.to_bytes()).features, kept().features)


def test_a_constant_feature_is_kept():
    one = Replay.of(["0" * 64] * 2, [0, 1], ["", ""], [False, False], np.ones((2, 1, 1)), np.zeros(1, int))
    assert Replay.from_bytes(one.to_bytes()).values(np.arange(2)).tolist() == [[[1.0]], [[1.0]]]


@pytest.mark.parametrize(
    "damage",
    [
        {"labels": np.array([2] * 6, np.uint8)},
        {"labels": np.array([0, 1] * 3, np.int64)},
        {"held": np.zeros(5, bool)},
        {"columns": np.array([0, 3, 3, 9], np.int32)},
        {"columns": np.array([-1, 3, 6, 9], np.int32)},
        {"scales": np.zeros((2, 4), np.float32)},
        {"medians": np.full((2, 4), np.nan, np.float32)},
        {"features": np.zeros((6, 2, 4), np.float64)},
        {"features": np.full((6, 2, 4), 2, np.float16)},
        {"features": np.full((6, 2, 4), np.nan, np.float16)},
        {"features": np.zeros((6, 2), np.float16)},
        {"groups": np.array([b"a"] * 6)},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_other_arrays_are_refused(damage):
    with pytest.raises(ValueError, match="arrays"):
        Replay.from_bytes(replace(kept(), **damage).to_bytes())
    with pytest.raises(ArchiveError):
        Replay.from_bytes(kept().to_bytes()[:-30])


def test_a_bundle_refuses_features_that_do_not_fit_its_card(bundle):  # noqa: F811
    card = write_replay(bundle, read_card(bundle), kept(views=1))
    assert len(read_replay(bundle, card)) == 6
    (bundle / "replay.npz").write_bytes(kept(8, views=1).to_bytes())
    with pytest.raises(BundleError, match="not the file that its card"):
        read_replay(bundle, card)
    card = write_replay(bundle, card, kept(views=2))
    with pytest.raises(BundleError, match=r"does not fit its card\. Expected 6 images with 1 views"):
        read_replay(bundle, card)


# === The change ===


def sources(seed: int, count: int = 120):
    """An old source told by one direction, a new one told by another, which the old logit does not see."""
    random = np.random.default_rng(seed)

    def make(name, direction, folds, logit):
        labels = np.arange(count) % 2
        design = random.normal(size=(count, 12)).astype(np.float32)
        design[:, direction] += 1.8 * labels
        logits = 1.8 * (design[:, 0] - 0.9) if logit else np.zeros(count)
        return Examples(design, logits, labels, np.full(count, name), folds)

    folds = np.arange(count) // 2 % 5
    return make("old", 0, folds, True), make("new", 1, folds, True)


def test_the_new_source_is_learned_and_replay_keeps_the_old_one():
    def auc(examples, logits):
        return roc_auc_score(examples.labels, logits)

    gained, lost, lost_without = [], [], []
    for seed in range(3):
        old, new = sources(seed)
        after_old, after_new = unseen(old, new)
        forgetful, _ = unseen(replace(old, folds=np.full(len(old.labels), -1)), new)
        gained.append(auc(new, after_new) - auc(new, new.logits))
        lost.append(auc(old, old.logits) - auc(old, after_old))
        lost_without.append(auc(old, old.logits) - auc(old, forgetful))
    assert np.mean(gained) > 0.1
    assert np.mean(lost) < 0.75 * np.mean(lost_without)


def test_what_is_measured_has_not_been_learned_from():
    """Labels of a fold decide nothing of its own logits, and images that are never learned from decide nothing."""
    old, new = sources(0)
    old.folds[:20] = -1
    before = unseen(old, new)
    for which, fold in (("new", 2), ("old", 3), ("old", -1)):
        turned = {"old": old, "new": new}[which]
        own = turned.folds == fold
        labels = np.where(own, 1 - turned.labels, turned.labels)
        other = replace(turned, labels=labels)
        after = unseen(*(other if each is turned else each for each in (old, new)))
        place = 0 if which == "old" else 1
        np.testing.assert_array_equal(after[place][own], before[place][own])
        if which == "new":
            assert not np.allclose(after[place][~own], before[place][~own]), "but the others'"


def test_handled_copies_are_learned_from():
    old, new = sources(0)
    copies = ((new.design + 1, new.logits),)
    assert not np.allclose(change(old, new)[0], change(old, replace(new, copies=copies))[0])


def test_folds_part_no_unit_and_hold_each_class():
    names = pd.Series([f"unit {k // 3}" for k in range(90)])
    labels = np.arange(90) // 3 % 2
    folds = folds_of_units(names, labels)
    assert pd.DataFrame({"unit": names, "fold": folds}).groupby("unit").fold.nunique().eq(1).all()
    assert np.bincount(folds[labels == 0]).tolist() == np.bincount(folds[labels == 1]).tolist() == [9] * 5


# === A bundle ===


@pytest.fixture
def pictures(tmp_path):
    """Twelve new images a class, fakes with vertical stripes."""
    folder, random = tmp_path / "striped", np.random.default_rng(7)
    for name, strength in (("real", 0), ("fake", 40)):
        (folder / name).mkdir(parents=True)
        for number in range(12):
            small = Image.fromarray(random.integers(60, 200, (6, 6, 3)).astype(np.uint8))
            pixels = np.asarray(small.resize((48, 48), Image.Resampling.BICUBIC), float)
            pixels += strength * (np.arange(48) // 6 % 2 * 2 - 1)[:, None]
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


@pytest.mark.slow
def test_a_new_bundle_knows_the_new_source(bundle, root, pictures, tmp_path, capsys):  # noqa: F811
    tested = MapFigures(method="gradcam", split="validation", images=9, beats_random=0.9, sanity=0.1)
    write_card(bundle, read_card(bundle).model_copy(update={"faithfulness": (tested,)}))
    before = {path.name: sha256_file(path) for path in bundle.iterdir()}
    made = tmp_path / "new"
    options = ["--data-root", str(pictures), "--out", str(made), "--learned-from", str(root), "--title", "Stripes too"]
    assert main(["adapt", str(bundle), *options]) == 0
    assert "striped" in capsys.readouterr().out
    assert {path.name: sha256_file(path) for path in bundle.iterdir()} == before, "never in place"
    card, detector = read_card(made), Detector.load(made)
    first, *others = card.adapted.rows
    assert (card.title, first["source"], first["real"], first["fake"]) == ("Stripes too", "striped", 12, 12)
    assert [row["source"] for row in others] == ["what it knew"]
    assert first["roc_auc_after"] > first["roc_auc_before"]
    assert card.adapted.base == read_card(bundle).title and card.measured == [] and card.words.sources == ()
    assert card.faithfulness == (), "it was the old head's"
    new = scan(pictures).usable
    verdicts = detector.predict([pictures / path for path in new.path])
    assert {verdict.seen for verdict in verdicts} == {Seen.TRAIN}
    assert roc_auc_score(new.label.astype(int), [verdict.logit for verdict in verdicts]) > 0.95
    # The stored figures are those of the stored predictions, and it can be adapted again from what it keeps.
    table = read_predictions(predictions_path(made, "cross-validation"))
    assert card.results["cross-validation"]["images"] == len(table) == 24
    validation = read_predictions(predictions_path(made, "validation"))
    again = dict(zip(validation.path, detector.predict([root / path for path in validation.path]), strict=True))
    held = validation[validation.fold == "validation"]
    assert [again[path].logit for path in held.path] == pytest.approx(held.logit.tolist(), rel=0.06, abs=0.1)
    with pytest.raises(InputError, match="Received: 0 real and 0 fake"):
        adapt(made, scan(pictures), tmp_path / "third")


def test_what_it_cannot_do_is_told(bundle, root, pictures, tmp_path):  # noqa: F811
    with pytest.raises(InputError, match="never adapted in place"):
        adapt(bundle, scan(pictures), bundle)
    with pytest.raises(InputError, match=r"keeps no features .*--learned-from"):
        adapt(bundle, scan(pictures), tmp_path / "new")
    with pytest.raises(InputError, match="Received: 0 real and 0 fake in data"):
        adapt(bundle, scan(root), tmp_path / "new")
    with pytest.raises(InputError, match=r"Expected the data sets that .* was trained on. Received: striped, with 0"):
        adapt(bundle, scan(pictures), tmp_path / "new", learned_from=[scan(pictures)])
    write_replay(bundle, read_card(bundle), kept(views=1))
    with pytest.raises(BundleError, match=r"not those of its last layer. Expected 128 .* Received: 4"):
        adapt(bundle, scan(pictures), tmp_path / "new")
    for path in (pictures / "real").iterdir():
        path.unlink() if path.stem > "3" else None
    with pytest.raises(InputError, match="at least 10 real and 10 fake"):
        adapt(bundle, scan(pictures), tmp_path / "new")
    assert not (tmp_path / "new").exists()
