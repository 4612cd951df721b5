"""Grad-CAM without Keras: the same map as by TensorFlow's gradients, or none at all."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dfcore import architectures
from dfcore.detectors.bundle import read_card, write_bundle
from dfcore.detectors.detector import Detector
from dfcore.engines import OpenVinoEngine, convert, gradcam
from dfcore.exchange import optimize
from dfcore.exchange.optimize import GRADCAM_LIMIT, patterns
from dfcore.explanation import Explainer
from dfcore.imaging.preprocess import PreprocessSpec
from tests.conftest import make_card
from tests.contract.networks import LARGE, SIZE, WITHOUT_MAP, lively, noise

ROOT = Path(__file__).parents[2]
SIGNS = {"fake": 1, "real": -1}


def differences(model, layer: str, engine: OpenVinoEngine, pixels: np.ndarray) -> list[float]:
    """Of the maps of both targets, as shares of their largest number."""
    explainer = Explainer(lambda: model, PreprocessSpec(pixels.shape[1]), layer)
    result = []
    for image in pixels:
        ours = engine.gradcam(image)
        assert ours.dtype == np.float32
        for target, sign in SIGNS.items():
            theirs = explainer.raw(image, "gradcam", target, layer)
            assert theirs.shape == ours.shape
            most = max(theirs.max(), (sign * ours).max())
            if most > 0:
                result.append(float(np.abs(np.maximum(sign * ours, 0) - theirs).max() / most))
    assert len(result) > len(pixels) / 2, "maps that are all empty show nothing"
    return result


def sensitivity(model, layer: str, pixels: np.ndarray) -> list[float]:
    """How far Keras's own maps move, as shares of their largest number, when pixels move by a thousandth of a level."""
    gradients = Explainer(lambda: model, PreprocessSpec(pixels.shape[1]), layer).network().gradients
    drawn, result = np.random.default_rng(0), []
    for image in pixels.astype(np.float32)[:, None]:
        moved = image + drawn.normal(0, 1e-3, image.shape).astype(np.float32)
        for sign in SIGNS.values():
            before, after = (gradients.map(seen, "gradcam", float(sign), layer) for seen in (image, moved))
            if before.max() > 0:
                result.append(float(np.abs(after - before).max() / before.max()))
    return result


@pytest.mark.slow
def test_every_architecture_has_the_map_of_tensorflow(name, large, engine):
    """Random deep networks have rectifiers at their edges, where rounding alone decides whether there is a slope."""
    layer, pixels = architectures.get(name).cam_layer, patterns(LARGE)
    assert engine.has_gradcam == (name not in WITHOUT_MAP)
    if name in WITHOUT_MAP:
        return
    result, own = differences(large, layer, engine, pixels), sensitivity(large, layer, pixels)
    for share in (0.5, 0.9):
        assert np.quantile(result, share) < 0.5 * np.quantile(own, share)
    assert np.median(result) < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["binary", "categorical"])
@pytest.mark.parametrize("tta_flip", [False, True])
def test_any_loss_and_mirror_images_too(loss, tta_flip):
    model = lively("cnn", loss=loss)
    engine = OpenVinoEngine(*convert(model, tta_flip=tta_flip, layer="conv_last"))
    assert engine.tta_flip == tta_flip
    assert max(differences(model, "conv_last", engine, patterns(SIZE)[::4])) < 1e-4


@pytest.mark.slow
def test_it_changes_nothing_about_scores():
    model, pixels = lively("cnn"), noise(5)
    plain = OpenVinoEngine(*convert(model, tta_flip=False))
    engine = OpenVinoEngine(*convert(model, tta_flip=False, layer="conv_last"))
    assert engine.has_gradcam and not plain.has_gradcam
    before = engine.outputs(pixels)
    engine.gradcam(pixels[0])
    for ours, again, theirs in zip(before, engine.outputs(pixels), plain.outputs(pixels), strict=True):
        np.testing.assert_array_equal(ours, again)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


# === Single operations ===


def network(tail, size: int, channels: int = 6):
    """A small network with what stands between the layer "looked_at" and its head."""
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    image = keras.Input((size, size, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = layers.Conv2D(channels, 3, strides=2, padding="same", name="looked_at")(x)
    x = layers.Dropout(0.1, name="head_dropout")(layers.Flatten()(tail(x, layers)))
    model = keras.Model(image, layers.Dense(1, name="head_logit")(x))
    drawn = np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([drawn.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


def convolution(**options):
    return lambda x, layers: layers.Conv2D(**{"filters": 8, "kernel_size": 3, "activation": "relu", **options})(x)


def depthwise(**options):
    return lambda x, layers: layers.DepthwiseConv2D(**{"kernel_size": 3, "activation": "relu", **options})(x)


def branches(x, layers):
    left, right = layers.Conv2D(4, 1)(x), layers.Conv2D(6, 3, padding="same")(x)
    return layers.ReLU()(layers.Add()([layers.Concatenate()([left, right]), layers.Conv2D(10, 1)(x)]))


def gate(x, layers):
    weights = layers.GlobalAveragePooling2D(keepdims=True)(x)
    return layers.Multiply()([x, layers.Conv2D(6, 1, activation="sigmoid")(weights)])


TAILS = {
    "nothing": lambda x, layers: x,
    "same": convolution(padding="same"),
    "valid": convolution(),
    "stride 2, same": convolution(strides=2, padding="same"),
    "stride 2, valid": convolution(strides=2),
    "stride 3, kernel 2": convolution(strides=3, kernel_size=2),
    "stride 2, kernel 1": convolution(strides=2, kernel_size=1),
    "dilated": convolution(dilation_rate=2, padding="same"),
    "uneven kernel": convolution(kernel_size=(1, 4), padding="same"),
    "groups": convolution(groups=2),
    "as many channels": convolution(filters=6, padding="same"),
    "as many channels, valid": convolution(filters=6, kernel_size=(2, 3), dilation_rate=2),
    "as many channels in groups": convolution(filters=6, groups=2),
    "as many channels, stride 2": convolution(filters=6, strides=2),
    "depthwise": depthwise(padding="same"),
    "depthwise, stride 2": depthwise(strides=2, padding="same"),
    "depthwise, multiplied": depthwise(depth_multiplier=3),
    "relu": lambda x, layers: layers.ReLU()(x),
    "relu 6": lambda x, layers: layers.ReLU(6.0)(x * 9.0),
    "swish": lambda x, layers: layers.Activation("swish")(x),
    "gelu": lambda x, layers: layers.Activation("gelu")(x),
    "batch normalisation": lambda x, layers: layers.BatchNormalization()(x),
    "layer normalisation": lambda x, layers: layers.LayerNormalization(epsilon=1e-6)(x),
    "mean": lambda x, layers: layers.GlobalAveragePooling2D()(x * x),
    "dense": lambda x, layers: layers.Dense(7, activation="relu")(layers.Flatten()(x)),
    "dense by pixel": lambda x, layers: layers.Dense(7, activation="relu")(x),
    "turned": lambda x, layers: layers.Conv2D(4, 3, activation="relu")(layers.Permute((2, 3, 1))(x)),
    "largest of windows": lambda x, layers: layers.Conv2D(4, 3, activation="relu")(layers.MaxPooling2D(2)(x)),
    "branches": branches,
    "used twice": lambda x, layers: layers.Concatenate()([x, layers.ReLU()(x), x * x - x]),
    "gate": gate,
    "square kernel": lambda x, layers: layers.Multiply()([x, layers.Dense(6)(x)]),
    "linear": convolution(activation=None),
}  # fmt: skip
# There is no rule for them, or the gradient is the same for all images: Keras makes the maps of such networks.
WITHOUT_RULE = {"linear", "as many channels, stride 2"}


@pytest.mark.slow
@pytest.mark.parametrize("case", TAILS)
def test_the_gradient_of_each_operation(case):
    size = 20 if case == "largest of windows" else 21
    model = network(TAILS[case], size)
    engine = OpenVinoEngine(*convert(model, tta_flip=False, layer="looked_at"))
    assert engine.has_gradcam == (case not in WITHOUT_RULE)
    if engine.has_gradcam:
        assert np.median(differences(model, "looked_at", engine, noise(6, size))) < 1e-5


# Of graphs that are built for OpenVINO rather than converted.
KERNEL = np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)
GRAPHS = {
    "softmax": lambda x, op: op.softmax(x, -1),
    "normalised": lambda x, op: op.mvn(x, np.array([-1]), True, 1e-5, "inside_sqrt"),
    "first": lambda x, op: op.slice(x, np.array([0]), np.array([1]), np.array([1]), np.array([1])),
    "middle": lambda x, op: op.slice(x, np.array([1]), np.array([3]), np.array([1]), np.array([2])),
    "length 1": lambda x, op: op.divide(x, op.sqrt(op.reduce_sum(op.multiply(x, x), np.array([2]), keep_dims=True))),
    "divisor": lambda x, op: op.divide(np.float32(1), op.add(op.multiply(x, x), np.float32(1))),
    "by itself": lambda x, op: op.matmul(op.matmul(x, x, False, True), x, False, False),
    "square kernel, turned": lambda x, op: op.multiply(op.matmul(x, KERNEL, False, True), x),
    "square kernel": lambda x, op: op.multiply(op.matmul(x, KERNEL, False, False), x),
    "quick gelu": lambda x, op: op.multiply(x, op.sigmoid(op.multiply(x, np.float32(1.702)))),
}  # fmt: skip


@pytest.mark.parametrize("case", GRAPHS)
def test_gradients_are_differences(case):
    import openvino as ov
    from openvino import opset13 as op

    image = op.parameter([1, 3, 4], np.float32)
    inner = op.multiply(image, np.float32(1))
    outer = GRAPHS[case](inner, op)
    drawn = np.random.default_rng(0)
    weights = drawn.normal(size=[int(side) for side in outer.output(0).get_shape()]).astype(np.float32)
    total = op.reduce_sum(op.multiply(outer, weights), np.arange(weights.ndim), keep_dims=False)
    logit = op.reshape(total, np.array([1, 1]), special_zero=False)
    model = ov.Model([op.result(logit)], [image])
    gradient = gradcam._gradient(model, logit.output(0), inner.output(0), np.ones((1, 1), np.float32))
    both = ov.Model([op.result(logit), op.result(gradient)], [image])
    run = ov.Core().compile_model(both, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    at = drawn.normal(size=(1, 3, 4)).astype(np.float32)
    expected = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[place] = 1e-2
        expected[place] = (run({0: at + step})[0].item() - run({0: at - step})[0].item()) / 2e-2
    np.testing.assert_allclose(run({0: at})[1], expected, atol=2e-3 * np.abs(expected).max())


# === In a detector ===


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return tmp_path_factory.mktemp("library")


@pytest.fixture(autouse=True)
def _own_library(library, monkeypatch):
    monkeypatch.setenv("DFCORE_MODELS", str(library))


@pytest.fixture(scope="module")
def bundle(library) -> Path:
    folder = library / "quick"
    write_bundle(folder, lively("cnn"), make_card())
    optimize.optimize(folder)
    return folder


def test_the_card_says_how_well_the_maps_agree_and_at_which_layers_keras_can_look(bundle):
    fast = read_card(bundle).openvino
    assert fast is not None and fast.gradcam_difference is not None
    assert 0 <= fast.gradcam_difference < GRADCAM_LIMIT
    assert list(fast.layers) == Detector.load(bundle, "keras").explainer().layers


def test_the_usual_heat_map_needs_no_tensorflow(bundle):
    code = f"""
import sys
import numpy as np
from dfcore.detectors.detector import Detector
detector = Detector.load({str(bundle)!r})
detector.warm()
found = detector.explain(np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8), target="real")
assert found.values.shape == (50, 70) and found.method == "gradcam" and found.layer == "conv_last", found
assert len(detector.explainer().layers) > 1
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("target", SIGNS)
@pytest.mark.parametrize("method", ["gradcam", "gradcam++", "layercam", "saliency", "scorecam"])
def test_maps_are_those_of_the_keras_engine(method, target, bundle):
    image = noise(1, 60, seed=4)[0]
    fast, slow = (
        Detector.load(bundle, engine).explain(image, method=method, target=target) for engine in ("auto", "keras")
    )
    assert (fast.method, fast.target, fast.layer) == (slow.method, slow.target, slow.layer)
    np.testing.assert_allclose(fast.values, slow.values, atol=1e-3)
    assert fast.peak == pytest.approx(slow.peak, rel=1e-3)


def test_other_layers_are_looked_at_with_keras(bundle):
    detector = Detector.load(bundle)
    result = detector.explain(noise(1)[0], layer=detector.explainer().layers[0])
    assert result.layer == detector.explainer().layers[0] != "conv_last"
    assert detector._model is not None


def without_rule(monkeypatch) -> None:
    monkeypatch.delitem(gradcam.RULES, "MaxPool")


def with_another_map(monkeypatch) -> None:
    evidence_of = OpenVinoEngine.gradcam
    monkeypatch.setattr(OpenVinoEngine, "gradcam", lambda self, pixels, view: 1.1 * evidence_of(self, pixels, view))


def without_numbers(monkeypatch) -> None:
    monkeypatch.setattr(
        OpenVinoEngine, "gradcam", lambda self, pixels, view: np.full((SIZE // 2, SIZE // 2), np.nan, np.float32)
    )


@pytest.mark.slow
@pytest.mark.parametrize("how", [without_rule, with_another_map, without_numbers])
def test_where_it_gives_none_or_another_map_keras_makes_it(how, library, tmp_path, monkeypatch):
    folder = library / tmp_path.name
    write_bundle(folder, lively("cnn"), make_card())
    how(monkeypatch)
    fast = optimize.optimize(folder).openvino
    assert fast is not None and fast.enabled and fast.gradcam_difference is None
    detector = Detector.load(folder)
    assert detector.engine.name == "openvino"
    image = noise(1, seed=5)[0]
    np.testing.assert_array_equal(detector.explain(image).values, Detector.load(folder, "keras").explain(image).values)


def test_a_graph_whose_evidence_has_another_shape_is_refused():
    graph, weights = convert(lively("cnn"), tta_flip=False)
    claimed = graph.replace(b'names="features"', b'names="evidence"')
    with pytest.raises(Exception, match="unexpected inputs or outputs"):
        OpenVinoEngine(claimed, weights)
