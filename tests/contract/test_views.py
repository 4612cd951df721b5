"""Several views of an image: how both engines combine them, how they are learned from, explained and refused."""

import numpy as np
import pytest

from dfcore.architectures import build_model
from dfcore.confidence import flatness, saturation
from dfcore.detectors.bundle import write_bundle
from dfcore.detectors.detector import Detector
from dfcore.engines import KerasEngine, OpenVinoEngine, convert, count_heads
from dfcore.errors import BundleError, InputError
from dfcore.exchange.optimize import optimize, patterns
from dfcore.imaging import PreparedImage
from dfcore.runs import Run
from dfcore.training.config import make_config
from dfcore.training.optimisation import make_accuracy, make_loss, make_targets
from dfcore.training.session import train
from tests.conftest import make_card, make_image
from tests.contract.networks import SIZE, lively

VIEWS = 3
SPEC = {"size": SIZE, "resize": "stretch", "views": ["native", "native_br"]}
# (loss, heads, tta_flip)
KINDS = {
    "shared": ("binary", 1, False),
    "own heads": ("binary", VIEWS, False),
    "own heads, mirrored": ("binary", VIEWS, True),
    "categorical": ("categorical", 1, False),
}


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS)
def kind(request):
    """A network with both engines, its loss, its heads and whether it judges mirror images."""
    loss, heads, tta_flip = request.param
    model = lively(loss=loss, heads=heads)
    how = {"views": VIEWS, "loss": loss}
    files = convert(model, tta_flip=tta_flip, layer="conv_last", **how)
    return model, KerasEngine(model, tta_flip=tta_flip, **how), OpenVinoEngine(*files, **how), (loss, heads, tta_flip)


@pytest.fixture(scope="module")
def pixels():
    return patterns(SIZE, views=VIEWS)[4:14]


# === Engines ===


def test_a_square_seen_as_one_view_has_the_logit_that_it_has_in_its_image(kind, pixels):
    _, reference, fast, _ = kind
    for engine in (reference, fast):
        by_view = engine.by_view(pixels).logits.reshape(-1, VIEWS)
        for view in range(VIEWS):
            np.testing.assert_array_equal(engine.of_view(pixels[:, view], view), by_view[:, view])


def test_the_logit_is_the_mean_over_views_and_the_features_are_the_first_views(kind, pixels):
    model, reference, fast, (loss, heads, tta_flip) = kind
    assert reference.heads == fast.heads == heads
    flips = (pixels, pixels[:, :, :, ::-1]) if tta_flip else (pixels,)
    expected = np.zeros(len(pixels))
    for view in range(VIEWS):
        for some in flips:
            outputs = model(some[:, view].astype(np.float32), training=False).numpy()
            of_view = outputs[:, 1] - outputs[:, 0] if loss == "categorical" else outputs[:, view if heads > 1 else 0]
            expected += of_view / (VIEWS * len(flips))
    alone = KerasEngine(lively(), tta_flip=tta_flip).outputs(pixels[:, 0]).features
    for engine in (reference, fast):
        result = engine.outputs(pixels)
        assert result.logits.dtype == np.float32 and result.logits.shape == (len(pixels),)
        np.testing.assert_allclose(result.logits, expected, rtol=1e-4, atol=2e-5)
        np.testing.assert_allclose(result.features, alone, rtol=1e-3, atol=1e-4)


def test_an_image_has_the_same_bits_alone_and_in_any_batch(kind, pixels):
    _, reference, fast, _ = kind
    for engine in (reference, fast):
        whole = engine.outputs(pixels)
        for some in ([3], [3, 0], [9, 3, 3, 5, 1]):
            part = engine.outputs(pixels[some])
            np.testing.assert_array_equal(part.logits, whole.logits[some])
            np.testing.assert_array_equal(part.features, whole.features[some])


def test_images_with_another_number_of_views_are_refused(kind, pixels):
    for engine in kind[1:3]:
        for wrong in (pixels[:, 0], pixels[:, :2], pixels[0, 0]):
            with pytest.raises(ValueError, match=f"images with {VIEWS} views. Received"):
                engine.outputs(wrong)


@pytest.mark.parametrize(
    ("units", "views", "loss", "heads"),
    [(1, 1, "binary", 1), (2, 1, "categorical", 1), (2, 1, "binary", 1), (1, 3, "binary", 1), (3, 3, "binary", 3),
     (2, 2, "binary", 2), (2, 2, "categorical", 1), (2, 3, "categorical", 1),
     (3, 1, "binary", None), (2, 3, "binary", None), (3, 3, "categorical", None), (1, 2, "categorical", None)],
)  # fmt: skip
def test_units_and_loss_tell_the_heads(units, views, loss, heads):
    if heads:
        assert count_heads(units, views, loss) == heads
        return
    with pytest.raises(ValueError, match=f"units for {views} views. Received: {units}"):
        count_heads(units, views, loss)


def test_heads_are_for_binary_loss_alone():
    with pytest.raises(InputError, match="one head with categorical loss"):
        build_model("cnn", size=SIZE, loss="categorical", heads=2)


# === Learning ===


def test_each_view_teaches_its_own_head():
    import keras

    config = make_config({"data_root": "x", "views": "native,native_br", "view_heads": "own", "label_smoothing": 0.1})
    targets = make_targets(config, np.array([1, 0])).reshape(-1, VIEWS)
    logits = np.random.default_rng(0).normal(size=(2 * VIEWS, VIEWS)).astype(np.float32)
    own = logits[np.arange(2 * VIEWS), np.arange(2 * VIEWS) % VIEWS]
    wanted = np.repeat([[1.0], [0.0]], VIEWS, axis=0)
    expected = keras.losses.binary_crossentropy(wanted, own[:, None], from_logits=True, label_smoothing=0.1)
    np.testing.assert_allclose(make_loss(config)(targets, logits), expected, rtol=1e-6)
    accuracy = make_accuracy(config)
    accuracy.update_state(targets, logits)
    np.testing.assert_allclose(accuracy.result(), ((own > 0) == wanted[:, 0]).mean())


@pytest.mark.parametrize("loss", ["binary", "categorical"])
def test_views_that_share_the_last_layer_have_the_label_of_their_image(loss):
    config = make_config({"data_root": "x", "views": "native", "loss": loss})
    alone = make_targets(make_config({"data_root": "x", "loss": loss}), np.array([1, 0]))
    np.testing.assert_array_equal(make_targets(config, np.array([1, 0])), np.stack([alone, alone], axis=1))


# === From training to the heat-map ===


@pytest.fixture(scope="module")
def run(tmp_path_factory, small_dataset) -> Run:
    """A run with views and heads of their own, cross-validated."""
    folder = tmp_path_factory.mktemp("views")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DFCORE_CACHE", str(folder / "cache"))
        return train(
            data_root=str(small_dataset), runs_dir=folder / "runs", arch="cnn", image_size=16, epochs=2,
            views="native,native_tl", view_heads="own", augmentation="standard", tta_flip=True,
            cross_validation="content", folds=2, early_stopping="off", lr=1e-3,
        )  # fmt: skip


@pytest.mark.slow
def test_a_trained_bundle_knows_its_views_and_both_engines_agree(run, small_dataset):
    fast, reference = (Detector.load(run.bundle, engine) for engine in ("openvino", "keras"))
    assert fast.card.preprocess.views == ("native", "native_tl")
    assert fast.engine.heads == reference.engine.heads == VIEWS
    assert fast.card.openvino.enabled and fast.card.openvino.gradcam_difference < 1e-3
    assert fast.card.calibration.fitted_on.startswith("2-fold cross-validation")
    files = sorted(small_dataset.rglob("test/*/*.png"))[:6]
    together, one_by_one = fast.predict(files), [fast.predict([file])[0] for file in files]
    assert [verdict.logit for verdict in together] == [verdict.logit for verdict in one_by_one]
    assert [verdict.ood for verdict in together] == [verdict.ood for verdict in one_by_one]
    np.testing.assert_allclose(
        [verdict.score for verdict in together], [verdict.score for verdict in reference.predict(files)], atol=1e-5
    )


@pytest.mark.slow
def test_stored_predictions_are_those_of_single_files(run, small_dataset):
    from dfcore.evaluation import predictions_path, read_predictions

    table = read_predictions(predictions_path(run.bundle, "test"))
    verdicts = Detector.load(run.bundle, "openvino").predict([small_dataset / path for path in table.path])
    assert table.logit.tolist() == [verdict.logit for verdict in verdicts]


@pytest.mark.slow
def test_colour_and_flat_areas_are_those_of_the_first_view(run):
    detector = Detector.load(run.bundle, "keras")
    images = np.random.default_rng(0).integers(0, 256, (2, 40, 60, 3)).astype(np.uint8)
    first = np.stack([detector.spec.apply(image)[0] for image in images])
    files = detector.card.ood.files.model_copy(update={"flatness": -1.0, "colourfulness": 2.0})
    detector.card = detector.card.model_copy(update={"ood": detector.card.ood.model_copy(update={"files": files})})
    result = detector.score(np.stack([detector.spec.apply(image) for image in images]))
    for ood, flat in zip(result.ood, flatness(first), strict=True):
        assert any(reason.startswith(f"{flat:.0%} of it is perfectly flat") for reason in ood.reasons)
    assert saturation(first).shape == (2,)


@pytest.mark.slow
def test_the_map_of_a_view_lies_in_its_region(run, tmp_path):
    path = make_image(tmp_path / "wide.png", (60, 40))
    fast, reference = (Detector.load(run.bundle, engine) for engine in ("openvino", "keras"))
    regions = fast.spec.regions(40, 60)
    assert regions == ((0, 0, 60, 40), (22, 12, 38, 28), (0, 0, 16, 16))
    shown = 0
    for view, (left, top, right, bottom) in enumerate(regions):
        for target in ("fake", "real"):
            ours, theirs = (one.explain(path, view=view, target=target) for one in (fast, reference))
            assert (ours.view, ours.region) == (view, regions[view])
            seen = np.zeros((40, 60), bool)
            seen[top:bottom, left:right] = True
            np.testing.assert_array_equal(np.isfinite(ours.values), seen)
            np.testing.assert_allclose(ours.values[seen], theirs.values[seen], atol=0.01)
            shown += ours.peak > 0
    assert shown >= VIEWS, "maps that are all empty show nothing"
    named = fast.explain(path, view="native")
    np.testing.assert_array_equal(named.values, fast.explain(path, view=1).values)
    with pytest.raises(InputError, match=r"0 \(stretch\), 1 \(native\), 2 \(native_tl\). Received: 3"):
        fast.explain(path, view=3)


@pytest.mark.parametrize("method", ["saliency", "layercam"])
@pytest.mark.slow
def test_each_view_is_explained_by_its_own_head(run, method):
    """Of three equal squares the heads see the same and may think differently."""
    detector = Detector.load(run.bundle, "keras")
    kernel, bias = detector.model.layers[-1].get_weights()
    kernel[:, 1], kernel[:, 2] = -kernel[:, 0], 2 * kernel[:, 0]
    detector.model.layers[-1].set_weights([kernel, bias])
    square = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    fake, against, twice = (
        detector.explain(square, view=view, method=method, target=target)
        for view, target in ((0, "fake"), (1, "real"), (2, "fake"))
    )
    assert fake.peak > 0
    np.testing.assert_allclose(against.values, fake.values, atol=1e-5)
    np.testing.assert_allclose([against.peak, twice.peak], [fake.peak, 2 * fake.peak], rtol=1e-4)


@pytest.mark.slow
def test_pixels_and_files_have_the_same_views(run, tmp_path):
    from PIL import Image

    detector, path = Detector.load(run.bundle, "openvino"), make_image(tmp_path / "a.png", (60, 40))
    pixels = np.asarray(Image.open(path))
    by_file, by_pixels = detector.predict([path, pixels])
    assert by_file.logit == by_pixels.logit
    assert PreparedImage.from_pixels(pixels, [detector.spec]).inputs[detector.spec].shape == (VIEWS, 16, 16, 3)


# === What is refused ===


def test_a_network_whose_units_do_not_fit_the_views_is_refused(tmp_path):
    model = build_model("cnn", size=SIZE, heads=2)
    for spec in (SPEC, {"size": SIZE, "resize": "stretch", "views": ["native"]}):
        write_bundle(tmp_path / "bundle", model, make_card(preprocess=spec))
        if len(spec["views"]) == 1:
            assert Detector.load(tmp_path / "bundle").engine.heads == 2
            continue
        with pytest.raises(BundleError, match=r"Expected 1 or 3 units for 3 views\. Received: 2"):
            Detector.load(tmp_path / "bundle")


def test_a_card_that_claims_other_views_than_the_graph_has_heads_for_is_refused(tmp_path):
    folder = tmp_path / "models" / "bundle"
    write_bundle(folder, lively(heads=VIEWS), make_card(preprocess=SPEC))
    card = optimize(folder)
    assert card.openvino.enabled and Detector.load(folder).engine.name == "openvino"
    from dfcore.detectors.bundle import write_card

    fewer = card.preprocess.model_copy(update={"views": ("native",)})
    write_card(folder, card.model_copy(update={"preprocess": fewer}))
    with pytest.raises(BundleError, match=r"Expected 1 or 2 units for 2 views\. Received: 3"):
        Detector.load(folder, "openvino")


@pytest.mark.parametrize("views", [["left"], ["native", "native"], ["native"] * 1000])
def test_a_card_with_unknown_or_too_many_views_is_refused(views, tmp_path):
    write_bundle(tmp_path / "bundle", lively(), make_card(preprocess=SPEC | {"views": views}))
    with pytest.raises(BundleError, match="invalid preprocessing: views: expected some of native, native_tl"):
        Detector.load(tmp_path / "bundle")
