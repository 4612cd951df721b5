"""Models made elsewhere: read as people make them, scored as their makers' own program scores them, and checked."""

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from dfcore.cli import main
from dfcore.confidence import sigmoid
from dfcore.detectors.bundle import read_card
from dfcore.detectors.detector import Detector
from dfcore.errors import InputError
from dfcore.foreign import check as checks
from dfcore.foreign.adopt import PreprocessingError, Said, adopt
from dfcore.foreign.build import build, cam_layer
from dfcore.foreign.check import Preprocessing
from dfcore.foreign.ranges import RANGES
from dfcore.foreign.read import read_network

pytestmark = pytest.mark.filterwarnings("ignore:.*tf.function retracing.*")


def pictures(count: int = 6, side: int = 32) -> np.ndarray:
    random = np.random.default_rng(0)
    levels = random.uniform(0.2, 1, (count, 1, 1, 3))
    return (levels * random.integers(0, 256, (count, side, side, 3))).astype(np.uint8)


def shaken(model):
    """The same network with weights that tell images apart: also those that begin as ones and zeros."""
    random = np.random.default_rng(1)
    for weight in model.weights:
        if "moving_variance" in weight.path:
            weight.assign(0.25 * weight)  # Else the deviations of images fade from layer to layer.
        elif weight.dtype == "float32" and "seed" not in weight.path:
            spread = 0.02 if len(weight.shape) < 2 else 1.5 / np.sqrt(np.prod(weight.shape[:-1]))
            weight.assign(weight + spread * random.normal(size=weight.shape))
    return model


def sequential():
    from keras import Sequential, layers

    return Sequential([
        layers.Input((32, 32, 3)), layers.RandomFlip("horizontal"), layers.Rescaling(1 / 255),
        layers.Conv2D(6, 3, strides=2, activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D(),
        layers.SeparableConv2D(8, 3, activation="swish"), layers.Dropout(0.3), layers.Flatten(),
        layers.Dense(8, activation="tanh"), layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip


def transfer():
    """As the tutorials do it: augmentation and a base model inside, `preprocess_input` as arithmetic between them."""
    import keras
    from keras import layers

    base = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None)
    base.trainable = False
    image = keras.Input((32, 32, 3))
    x = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.1)])(image)
    x = base(keras.applications.mobilenet_v2.preprocess_input(x), training=False)
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(2, activation="softmax")(x))


def branches():
    """Branches, a layer that is called twice, the preprocessing of ResNet50, and an activation as a layer."""
    import keras
    from keras import layers

    image = keras.Input((32, 32, 3))
    x = keras.applications.resnet50.preprocess_input(image)
    x = layers.Normalization(mean=[0.0, 1.0, 2.0], variance=[4.0, 4.0, 9.0])(x) * 0.05
    shared = layers.Conv2D(6, 3, padding="same")
    x = layers.Conv2D(6, 1)(x)
    y = layers.LeakyReLU(0.2)(shared(x)) + shared(x)
    z = layers.Concatenate()([layers.DepthwiseConv2D(3, padding="same")(y), layers.PReLU(shared_axes=[1, 2])(x)])
    z = layers.LayerNormalization()(layers.AveragePooling2D(2)(z))
    z = layers.GlobalMaxPooling2D()(z)
    return keras.Model(image, layers.Activation("softmax")(layers.Dense(2)(z)))


def mixed():
    import keras

    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        return sequential()
    finally:
        keras.mixed_precision.set_global_policy("float32")


MODELS = {"sequential": sequential, "transfer": transfer, "branches": branches}


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in MODELS])
def test_scores_are_those_of_the_model_itself(tmp_path, name, ending):
    model, path = shaken(MODELS[name]()), tmp_path / f"model.{ending}"
    model.save(path)
    x = pictures().astype(np.float32)
    expected = model.predict(x, verbose=0)
    network = read_network(path)
    flat = build(network, 32, fake_first=False)
    assert np.ptp(expected[:, -1]) > 1e-3, "a network that tells nothing apart"
    assert sigmoid(flat.predict(x, verbose=0)[:, 0]) == pytest.approx(expected[:, -1], abs=1e-5)
    swapped = build(network, 32, fake_first=True)
    assert sigmoid(swapped.predict(x, verbose=0)[:, 0]) == pytest.approx(1 - expected[:, -1], abs=1e-5)
    assert {type(layer).__name__ for layer in flat.layers}.isdisjoint({"Functional", "Sequential", "Dropout"})
    assert flat.get_layer(cam_layer(flat)).output.shape[1] > 0


def test_mixed_precision_is_computed_in_float32(tmp_path):
    model = shaken(mixed())
    model.save(tmp_path / "m.keras")
    flat = build(read_network(tmp_path / "m.keras"), 32, fake_first=False)
    x = pictures().astype(np.float32)
    assert {layer.compute_dtype for layer in flat.layers} == {"float32"}
    assert sigmoid(flat.predict(x, verbose=0)[:, 0]) == pytest.approx(model.predict(x, verbose=0)[:, 0], abs=0.02)


# === Keras 2 ===


def keras_2(path: Path, random: np.random.Generator) -> tuple[np.ndarray, ...]:
    """An `.h5` as tf.keras 2 writes it: a base model within, and `preprocess_input` of ResNet50 as operations."""

    def layer(kind: str, name: str, inbound: list, **config) -> dict:
        config = {"name": name, "trainable": True, "dtype": "float32"} | config
        return {"class_name": kind, "config": config, "name": name, "inbound_nodes": inbound}

    def operation(kind: str, name: str, of: str, **given) -> dict:
        return layer(kind, f"tf.{name}", [[of, 0, 0, given]], function=name)

    conv = {
        "filters": 4,
        "kernel_size": [3, 3],
        "strides": [1, 1],
        "padding": "valid",
        "data_format": "channels_last",
        "activation": "linear",
        "use_bias": True,
        "kernel_initializer": {"class_name": "Zeros", "config": {}},
    }
    inner = [
        layer("InputLayer", "input_1", [], batch_input_shape=[None, 8, 8, 3]),
        layer("Conv2D", "conv", [[["input_1", 0, 0, {}]]], **conv),
        layer("BatchNormalization", "bn", [[["conv", 0, 0, {}]]], axis=[3], epsilon=0.001, center=True, scale=True),
    ]  # fmt: skip
    base = layer("Functional", "base", [[["tf.nn.bias_add", 0, 0, {"training": False}]]])
    base["config"] = {"name": "base", "layers": inner, "input_layers": [["input_1", 0, 0]],
                      "output_layers": [["bn", 0, 0]]}  # fmt: skip
    everything = [{"class_name": "__ellipsis__"}, {"start": None, "stop": None, "step": -1}]
    outer = [
        layer("InputLayer", "input_2", [], batch_input_shape=[None, 8, 8, 3]),
        operation("SlicingOpLambda", "__operators__.getitem", "input_2", slice_spec=everything),
        operation("TFOpLambda", "nn.bias_add", "tf.__operators__.getitem", bias=[-103.939, -116.779, -123.68]),
        base,
        layer("LeakyReLU", "leaky", [[["base", 1, 0, {}]]], alpha=0.3),
        layer("GlobalAveragePooling2D", "pool", [[["leaky", 0, 0, {}]]], keepdims=False, data_format="channels_last"),
        layer("Dense", "dense", [[["pool", 0, 0, {}]]], units=1, activation="sigmoid", use_bias=True),
    ]
    config = {"name": "model", "layers": outer, "input_layers": [["input_2", 0, 0]], "output_layers": [["dense", 0, 0]]}
    kernel, bias = random.normal(0, 0.01, (3, 3, 3, 4)), random.normal(size=4)
    gamma, beta, mean = (random.normal(size=4) for _ in range(3))
    variance, last, end = random.uniform(0.5, 2, 4), random.normal(size=(4, 1)), random.normal(size=1)
    arrays = {"base": {"conv/kernel:0": kernel, "conv/bias:0": bias, "bn/gamma:0": gamma, "bn/beta:0": beta,
                       "bn/moving_mean:0": mean, "bn/moving_variance:0": variance},
              "dense": {"dense/kernel:0": last, "dense/bias:0": end}}  # fmt: skip
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "2.15.0", "tensorflow"
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        group = file.create_group("model_weights")
        for name, held in arrays.items():
            group.create_group(name).attrs["weight_names"] = np.array([key.encode() for key in held])
            for key, values in held.items():
                group[name].create_dataset(key, data=values.astype(np.float32))
    return kernel, bias, gamma, beta, mean, variance, last, end


def test_a_file_of_keras_2_is_read_by_its_own_names(tmp_path):
    """The scores are computed here by hand, by what the layers are."""
    kernel, bias, gamma, beta, mean, variance, last, end = keras_2(tmp_path / "m.h5", np.random.default_rng(2))
    network = read_network(tmp_path / "m.h5")
    x = pictures(4, 8).astype(np.float64)
    caffe = x[..., ::-1] - [103.939, 116.779, 123.68]
    windows = np.lib.stride_tricks.sliding_window_view(caffe, (3, 3), axis=(1, 2))
    maps = np.einsum("nhwcij,ijcf->nhwf", windows, kernel) + bias
    maps = gamma * (maps - mean) / np.sqrt(variance + 0.001) + beta
    features = np.where(maps > 0, maps, 0.3 * maps).mean((1, 2))
    expected = sigmoid(features @ last[:, 0] + end)
    got = build(network, 8, fake_first=False).predict(x.astype(np.float32), verbose=0)[:, 0]
    assert network.keras == "2.15.0" and network.side == 8
    assert sigmoid(got) == pytest.approx(expected, abs=1e-5)
    assert np.ptp(expected) > 1e-4


# === What is not a network of this kind ===


def saved(tmp_path: Path, *layers) -> Path:
    import keras

    keras.Sequential(list(layers)).save(tmp_path / "m.keras")
    return tmp_path / "m.keras"


def test_other_networks_are_refused_with_what_would_be_right(tmp_path):
    from keras import layers as kl

    image, conv, pool = kl.Input((16, 16, 3)), kl.Conv2D(2, 3), kl.GlobalAveragePooling2D()
    cases = {
        "3 outputs. Expected one": [image, conv, pool, kl.Dense(3, activation="softmax")],
        "ends in the activation tanh": [image, conv, pool, kl.Dense(1, activation="tanh")],
        "no convolution": [image, kl.Flatten(), kl.Dense(1)],
        "expected colour images": [kl.Input((16, 16, 1)), kl.Conv2D(2, 3), pool, kl.Dense(1)],
        "expected a square input. Received: 16 x 24": [kl.Input((16, 24, 3)), kl.Conv2D(2, 3), pool, kl.Dense(1)],
        "shape .* an image. Expected one or two": [image, conv, kl.Dense(1, activation="sigmoid")],
        "of the kind LSTM, is none of those": [image, kl.Reshape((16, 48)), kl.LSTM(2), kl.Dense(1)],
    }
    for match, layers in cases.items():
        with pytest.raises(InputError, match=match):
            build(read_network(saved(tmp_path, *layers)), 16, fake_first=False)


def test_files_of_other_programs_are_refused_with_the_way_round(tmp_path):
    def written(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        archive.writestr("net/data.pkl", b"")
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        file.create_group("layers")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    cases = {
        "it is an ONNX file": written("net.onnx", b"\x08\x07\x12\x07pytorch"),
        "it is a PyTorch file, a pickle": tmp_path / "net.pt",
        "it is a pickle: reading it runs": written("net.bin", b"\x80\x04\x95"),
        "it is a LiteRT": written("net.any", b"\x1c\0\0\0TFL3"),
        "weights without a network": tmp_path / "w.weights.h5",
        r"SavedModel: a graph .* model\.save\('model\.keras'\)": tmp_path / "saved",
        "it is no file of Keras": written("text.keras", b"hello"),
        "there is no such file": tmp_path / "gone.keras",
    }
    for match, path in cases.items():
        with pytest.raises(InputError, match=f"{path.name} cannot be adopted: .*{match}"):
            read_network(path)


# === What was said, checked ===


class Core:
    """A network that calls an image fake by how red it is, of pixels in a range."""

    def __init__(self, scaling: str, classes: int = 1, channel: int = 0):
        self.scaling, self.sign, self.channel = RANGES[scaling], classes, channel

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        scale, offset = (np.broadcast_to(part, 3)[self.channel] for part in (self.scaling.scale, self.scaling.offset))
        level = (images[..., self.channel].mean((1, 2)) - offset) / scale
        # Pixels that it never saw: anything far from [0, 255] saturates it.
        return self.sign * np.clip(level[:, None] - 128, -60, 60) * (np.ptp(images) > 0.5 * 255 * scale)


def labelled(count: int = 120) -> tuple:
    """Fakes are reddish: mean of red about 140, of real ones 116; the other channels tell nothing."""
    from dfcore.datasets.cache import Pixels

    random = np.random.default_rng(0)
    labels = np.arange(count) % 2
    means = np.where(labels, 140, 116) + random.normal(0, 8, count)
    images = random.integers(-60, 60, (count, 8, 8, 3)) + 128.0
    images[..., 0] += (means - 128)[:, None, None]
    images = images.clip(0, 255).astype(np.uint8)
    return Pixels(images, np.arange(count), {}), np.arange(count), labels


@pytest.mark.parametrize("said", [
    Preprocessing("0..255", False), Preprocessing("0..1", True), Preprocessing("0..1", False, "bgr"),
], ids=str)  # fmt: skip
def test_what_was_said_wrongly_is_found_by_the_images(said):
    found = checks.check(Core("0..1"), said, *labelled())
    assert found.better == Preprocessing("0..1", False)
    assert "which is clearly better" in found.problem
    ranges = {(row["range"], row["classes"]) for row in found.rows}
    assert len(ranges) == 2 * len(RANGES), "every range with both orders of classes"
    assert found.rows[0]["roc_auc"] > 0.9


def test_what_was_said_rightly_passes_and_chance_does_not():
    said = Preprocessing("0..1", False)
    right = checks.check(Core("0..1"), said, *labelled())
    assert (right.problem, right.better) == (None, None)
    blind = checks.check(Core("0..1", channel=1), said, *labelled())
    assert "no better than chance" in blind.problem or "clearly better" in blind.problem


# === The whole way ===


@pytest.fixture(scope="module")
def red_data(tmp_path_factory) -> Path:
    """{train,validation}/{real,fake}: fakes are reddish."""
    root, random = tmp_path_factory.mktemp("foreign") / "red", np.random.default_rng(3)
    for split, count in (("train", 12), ("validation", 24)):
        for label, level in (("real", 105), ("fake", 150)):
            (root / split / label).mkdir(parents=True)
            for number in range(count):
                pixels = np.asarray(
                    Image.fromarray(random.integers(60, 190, (5, 5, 3), dtype=np.uint8)).resize((40, 32))
                )
                pixels = pixels.astype(float)
                pixels[..., 0] += level + random.normal(0, 9) - pixels[..., 0].mean()
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / split / label / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def red_model(tmp_path_factory) -> Path:
    """A network with an output of P(real), as Keras numbers fake and real, of pixels in [-1, 1]."""
    import keras
    from keras import layers

    model = keras.Sequential([
        layers.Input((32, 32, 3)), layers.RandomFlip(), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(),
        layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    kernel = np.random.default_rng(0).normal(0, 0.05, (3, 3, 3, 4)).astype(np.float32)
    kernel[:, :, 0, 0] += 1 / 9
    model.set_weights([kernel, np.zeros(4, np.float32), np.array([[-12.0], [0.1], [0], [0]], np.float32), np.zeros(1)])
    path = tmp_path_factory.mktemp("model") / "red.keras"
    model.save(path)
    return path


@pytest.mark.slow
def test_a_model_becomes_a_detector_that_judges_as_it_did(red_model, red_data, tmp_path):
    import keras

    with pytest.raises(PreprocessingError, match=r"with range -1\.\.1, classes fake,real, .* clearly better") as caught:
        adopt(red_model, red_data, Said("-1..1", "real,fake"), "red", folder=tmp_path / "models")
    assert {row["said"] for row in caught.value.check.rows} == {"said", ""}
    assert not list((tmp_path / "models").glob("*")), "what was refused leaves something behind"
    made = adopt(red_model, red_data, Said("-1..1", "fake,real"), "red", folder=tmp_path / "models")
    files = sorted((red_data / "validation").rglob("*.png"))[:20]
    detector = Detector.load(made.folder, "keras")
    verdicts = detector.predict(files)
    squares = [np.asarray(Image.open(file).resize((32, 32), Image.Resampling.BILINEAR)) for file in files]
    original = keras.saving.load_model(red_model).predict(np.stack(squares) / 127.5 - 1, verbose=0)[:, 0]
    assert sigmoid(np.array([verdict.logit for verdict in verdicts])) == pytest.approx(1 - original, abs=1e-5)
    card = read_card(made.folder)
    assert card.limits[0].startswith("MADE ELSEWHERE") and card.trained_on is None and card.replay is None
    assert (card.adopted.range, card.adopted.classes, card.adopted.insisted) == ("-1..1", "fake,real", "")
    assert card.adopted.idle and sum(row["said"] == "said" for row in card.adopted.check) == 1
    assert card.ood.gate is not None and card.calibration.images == 48 and card.decision_thresholds is not None
    assert card.results["validation"]["roc_auc"] > 0.95
    heatmap = detector.explain(files[0])
    assert heatmap.values.shape == (32, 40)


@pytest.mark.slow
def test_the_command_shows_the_table_and_may_be_told_to_insist(red_model, red_data, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("dfcore.foreign.adopt._finish", lambda *_: None)
    asked = ["adopt", str(red_model), "--data-root", str(red_data), "--name", "red", "--classes", "real,fake"]
    assert main([*asked, "--range", "-1..1"]) == 2
    shown = capsys.readouterr()
    assert "clearly better" in shown.err and "fake,real" in shown.out and "ROC AUC" in shown.out
    assert "does not fit these images" in shown.err and "goes on with --insist." in shown.err
    assert main([*asked, "--range", "-1..1", "--insist"]) == 0
    shown = capsys.readouterr()
    assert "--ignore-ood" not in shown.err
    assert "Its preprocessing seems wrong, and somebody insisted" in shown.out
    assert "(RandomFlip)" in shown.out
    assert main([*asked, "--range", "-1..1", "--insist"]) == 2, "the name is taken"
    assert main([*asked[:5], "other", *asked[6:], "--range", "0..1", "--size", "64"]) == 2
    assert "takes squares of 32 pixels. Received a size of 64" in capsys.readouterr().err


def test_a_set_with_too_few_images_for_validation_says_how_many_it_needs():
    from types import SimpleNamespace

    import pandas as pd

    from dfcore.foreign.adopt import _some
    from dfcore.training.data import TrainingData

    rows = pd.DataFrame({"split": (["validation"] * 8 + ["train"] * 40), "label": [0, 1] * 24})
    with pytest.raises(InputError) as refused:
        _some(TrainingData(SimpleNamespace(name="faces"), rows, None, None))
    assert "faces, with 4 real and 4 fake for validation, of 24 real and 24 fake in all" in str(refused.value)
    assert "of which 15% are drawn for it, needs about 134 of each" in str(refused.value)


def test_what_is_said_is_checked_before_the_file_is_read(tmp_path):
    for said, match in (
        (Said("0..2", "real,fake"), "Expected a range out of 0..1, -1..1"),
        (Said("0..1", "real"), "Expected the classes in the order of its outputs"),
        (Said("0..1", "real,fake", colours="rbg"), "Expected a colour order out of rgb, bgr"),
    ):
        with pytest.raises(InputError, match=match):
            adopt(tmp_path / "none", tmp_path, said, "x", folder=tmp_path / "models")


@pytest.mark.parametrize("name", RANGES)
def test_a_range_inside_the_model_is_the_range_that_was_measured(name):
    import keras

    from dfcore.foreign.build import _layer

    pixels = pictures(2, 4)
    for colours in ("rgb", "bgr"):
        x = keras.ops.convert_to_tensor(pixels.astype(np.float32))
        for number, (kind, config) in enumerate(RANGES[name].steps(colours)):
            x = _layer(kind, config, f"n{number}")(x)
        assert np.asarray(x) == pytest.approx(RANGES[name].apply(pixels, colours), abs=1e-4)
