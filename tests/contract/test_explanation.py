"""Heat-maps: the numbers of the papers, planted evidence that is found, and how maps are drawn."""

import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dfcore.architectures import build_model
from dfcore.errors import InputError
from dfcore.explanation import METHODS, Explainer, Heatmap, colours, drawn, explainer, figure, overlay
from dfcore.explanation import layer as layer_of
from dfcore.explanation.gradients import Gradients
from dfcore.imaging.preprocess import PreprocessSpec

SIZE, PATCH = 32, 8
# Those that tf-keras-vis has too: it is the oracle.
GRADIENT_METHODS = ["gradcam", "gradcam++", "layercam", "saliency"]


@pytest.fixture(autouse=True)
def few_channels(monkeypatch):
    monkeypatch.setattr(explainer, "_SCORECAM_CHANNELS", 4)


@pytest.fixture(scope="module")
def untrained():
    import keras

    keras.utils.set_random_seed(5)
    return build_model("cnn", size=SIZE)


@pytest.fixture(scope="module")
def explains(untrained):
    return Explainer(lambda: untrained, PreprocessSpec(SIZE), "conv_last")


def noise(count: int, seed: int, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 120, (count, size, size, 3)).astype(np.uint8)


# === The numbers ===


def direct_gradcam(model, pixels: np.ndarray, layer: str, sign: float) -> np.ndarray:
    """Selvaraju et al., 2017, equations 1 and 2, with a gradient tape."""
    import keras
    import tensorflow as tf

    both = keras.Model(model.inputs, [model.get_layer(layer).output, model.output])
    with tf.GradientTape() as tape:
        activation, logits = both(tf.constant(pixels))
        tape.watch(activation)
        logit = logits[:, 0] if logits.shape[-1] == 1 else logits[:, 1] - logits[:, 0]
        score = sign * logit
    weights = tf.reduce_mean(tape.gradient(score, activation), axis=(1, 2))
    return tf.nn.relu(tf.einsum("nhwc,nc->nhw", activation, weights)).numpy()[0]


@pytest.mark.parametrize("target", ["fake", "real"])
@pytest.mark.parametrize("layer", ["conv_1", "conv_last"])
@pytest.mark.parametrize("loss", ["binary", "categorical"])
def test_gradcam_is_that_of_the_paper(loss, layer, target, untrained):
    model = untrained if loss == "binary" else build_model("cnn", size=SIZE, loss=loss)
    explains = Explainer(lambda: model, PreprocessSpec(SIZE), "conv_last")
    seen = noise(1, seed=3)[0]
    expected = direct_gradcam(model, seen[None].astype(np.float32), layer, 1.0 if target == "fake" else -1.0)
    assert expected.max() > 0, "nothing to compare"
    np.testing.assert_allclose(explains.raw(seen, "gradcam", target, layer), expected, rtol=1e-4, atol=1e-7)
    # What users get is the same map, scaled to its peak and enlarged to the image.
    result = explains.explain(seen, method="gradcam", target=target, layer=layer)
    assert result.peak == pytest.approx(expected.max(), rel=1e-4)
    large = Image.fromarray(expected / expected.max()).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(result.values, np.clip(np.asarray(large), 0, 1), atol=1e-4)


def test_every_convolution_can_be_looked_at_by_name(explains, untrained):
    import keras

    convolutions = [layer.name for layer in untrained.layers if isinstance(layer, keras.layers.Conv2D)]
    assert explains.layers == convolutions
    image = noise(1, seed=4)[0]
    maps = [explains.explain(image, layer=name) for name in convolutions]
    assert [result.layer for result in maps] == convolutions
    assert not np.array_equal(maps[0].values, maps[-1].values)


def test_twice_the_same(explains):
    image = noise(1, seed=6)[0]
    for method in METHODS:
        one, two = (explains.explain(image, method=method) for _ in range(2))
        np.testing.assert_array_equal(one.values, two.values, err_msg=method)


# === Planted evidence ===


def with_patches(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise; every second image is fake, told by a bright patch alone, whose corner (row, column) is given."""
    random = np.random.default_rng(seed)
    images, corners = noise(count, seed), random.integers(0, SIZE - PATCH + 1, (count, 2))
    labels = np.arange(count) % 2
    for image, (row, column), label in zip(images, corners, labels, strict=True):
        if label:
            image[row : row + PATCH, column : column + PATCH] += 120
    return images, labels, corners


@pytest.fixture(scope="module")
def trained():
    """A small network that has learned the patch and nothing else."""
    import keras

    keras.utils.set_random_seed(2)
    model = build_model("cnn", size=SIZE)
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    images, labels, _ = with_patches(256, seed=0)
    model.fit(images.astype(np.float32), labels[:, None].astype(np.float32), epochs=8, batch_size=16, verbose=0)
    held, truth, _ = with_patches(64, seed=1)
    accuracy = ((model(held.astype(np.float32)).numpy()[:, 0] > 0) == truth).mean()
    assert accuracy >= 0.98, "it must have learned the patch before its maps mean anything"
    return Explainer(lambda: model, PreprocessSpec(SIZE), "conv_last")


@pytest.mark.parametrize("method", ["gradcam", "gradcam++", "layercam", "scorecam"])
def test_the_strongest_evidence_lies_on_the_planted_patch(method, trained):
    images, labels, corners = with_patches(20, seed=7)
    hits = 0
    for image, (row, column) in zip(images[labels == 1], corners[labels == 1], strict=True):
        values = trained.explain(image, method=method).values
        at = np.unravel_index(values.argmax(), values.shape)
        hits += row <= at[0] < row + PATCH and column <= at[1] < column + PATCH
    assert hits >= 8, f"{hits} of 10"


def test_saliency_is_denser_on_the_planted_patch(trained):
    """Pixel by pixel it is too rough for its maximum to mean much."""
    images, labels, corners = with_patches(20, seed=7)
    hits = 0
    for image, (row, column) in zip(images[labels == 1], corners[labels == 1], strict=True):
        values = trained.explain(image, method="saliency").values
        patch = np.zeros(values.shape, bool)
        patch[row : row + PATCH, column : column + PATCH] = True
        hits += values[patch].mean() > 1.5 * values[~patch].mean()
    assert hits >= 8, f"{hits} of 10"


def test_evidence_of_the_class_that_is_there_is_stronger(trained):
    images, labels, _ = with_patches(10, seed=8)
    for image in images[labels == 1]:
        assert trained.explain(image, target="fake").peak > trained.explain(image, target="real").peak


# === Side by side with tf-keras-vis ===

LARGE = 64
TARGETS = {"fake": 1.0, "real": -1.0}
NETWORKS = ("cnn", "resnet18", "vit", "mobilenetv2_multiscale")
Maps = Callable[[np.ndarray, str, float, str], np.ndarray]


def reference(model: Any) -> Maps:
    """The maps of tf-keras-vis."""
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Please import `zoom`", DeprecationWarning)
        from tf_keras_vis.gradcam import Gradcam
        from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
        from tf_keras_vis.layercam import Layercam
        from tf_keras_vis.saliency import Saliency
    kinds = {"gradcam": Gradcam, "gradcam++": GradcamPlusPlus, "layercam": Layercam, "saliency": Saliency}

    def compute(pixels: np.ndarray, method: str, sign: float, layer: str) -> np.ndarray:
        def score(logits: Any) -> Any:
            # Grad-CAM++ exponentiates its value.
            logit = sign * (logits[:, 1] - logits[:, 0])
            return logit - tf.stop_gradient(logit)

        visualizer = kinds[method](model, clone=False)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The structure of `inputs`", UserWarning)
            if method == "saliency":
                return np.asarray(visualizer(score, pixels, normalize_map=False))[0]
            options = {"seek_penultimate_conv_layer": False, "expand_cam": False, "normalize_cam": False}
            return np.asarray(visualizer(score, pixels, penultimate_layer=layer, **options))[0]

    return compute


def assert_same_map(result: np.ndarray, expected: np.ndarray, method: str) -> None:
    assert result.dtype == np.float32
    assert result.shape == expected.shape
    peak = expected.max()
    if method == "gradcam++" and peak > 0:
        # Its denominators come close to nought, where rounding decides.
        assert np.corrcoef(result.ravel(), expected.ravel())[0, 1] > 0.999
        assert result.max() == pytest.approx(peak, rel=0.01)
    else:
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-4 * peak)


@pytest.fixture(scope="module", params=NETWORKS)
def both_maps(request):
    """Ours and theirs of one untrained network, and its layers."""
    import keras

    keras.utils.set_random_seed(4)
    model = build_model(request.param, size=LARGE)
    explains = Explainer(lambda: model, PreprocessSpec(LARGE), "")
    return Gradients(explains.network().model).map, reference(explains.network().model), explains.layers


@pytest.mark.slow
@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_a_map_is_that_of_tf_keras_vis(method, both_maps):
    ours, theirs, layers = both_maps
    pixels = noise(1, seed=3, size=LARGE).astype(np.float32)
    # An early layer, too; saliency knows none.
    looked_at = layers[-1:] if method == "saliency" else [layers[0], layers[-1]]
    peaks = []
    for layer in looked_at:
        for sign in TARGETS.values():
            expected = theirs(pixels, method, sign, layer)
            assert_same_map(ours(pixels, method, sign, layer), expected, method)
            peaks.append(expected.max())
    assert max(peaks) > 0, "nothing to compare"


@pytest.mark.parametrize("method", GRADIENT_METHODS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_map_of_two_logits_is_that_of_tf_keras_vis(target, method):
    import keras

    keras.utils.set_random_seed(5)
    model = build_model("cnn", size=SIZE, loss="categorical")
    pixels, sign = noise(1, seed=3).astype(np.float32), TARGETS[target]
    result = Gradients(model).map(pixels, method, sign, "conv_last")
    assert_same_map(result, reference(model)(pixels, method, sign, "conv_last"), method)
    # What users get is the same map.
    heatmap = Explainer(lambda: model, PreprocessSpec(SIZE), "conv_last").explain(
        pixels[0].astype(np.uint8), method=method, target=target
    )
    assert heatmap.peak == pytest.approx(result.max(), rel=1e-5)


@pytest.mark.parametrize("method", ["gradcam", "layercam"])
def test_a_map_of_a_learned_network_is_that_of_tf_keras_vis(method, trained):
    theirs = reference(trained.network().model)
    for image in with_patches(6, seed=7)[0].astype(np.float32)[:, None]:
        for sign in TARGETS.values():
            expected = theirs(image, method, sign, "conv_last")
            assert_same_map(trained.network().gradients.map(image, method, sign, "conv_last"), expected, method)


def test_saliency_is_the_same_whatever_the_layer(explains):
    pixels = noise(1, seed=3).astype(np.float32)
    maps = [explains.network().gradients.map(pixels, "saliency", 1.0, layer) for layer in explains.layers]
    for result in maps:
        np.testing.assert_array_equal(result, maps[0])


def test_four_threads_that_ask_at_once_get_the_same_maps(untrained):
    """Each method and layer is compiled by whoever asks first."""
    pixels = noise(1, seed=3).astype(np.float32)
    layers = Explainer(lambda: untrained, PreprocessSpec(SIZE), "").layers
    asked = [(method, sign, layer) for method in GRADIENT_METHODS for sign in TARGETS.values() for layer in layers]
    shared, alone = (
        Gradients(Explainer(lambda: untrained, PreprocessSpec(SIZE), "").network().model) for _ in range(2)
    )
    with ThreadPoolExecutor(4) as pool:
        result = list(pool.map(lambda one: shared.map(pixels, *one), asked))
    for one, values in zip(asked, result, strict=True):
        np.testing.assert_array_equal(values, alone.map(pixels, *one), err_msg=str(one))


# === Sizes and crops ===

PLACES = {
    "stretch sees all": ("stretch", (48, 80), (slice(0, 48), slice(0, 80))),
    "fit_crop sees the centre square": ("fit_crop", (48, 80), (slice(0, 48), slice(16, 64))),
    "native_crop sees its own size": ("native_crop", (48, 80), (slice(8, 40), slice(24, 56))),
    "native_crop of a small image sees the square": ("native_crop", (20, 30), (slice(0, 20), slice(5, 25))),
    "odd sides": ("fit_crop", (33, 50), (slice(0, 33), slice(8, 41))),
}


@pytest.mark.parametrize(("policy", "shape", "seen"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("method", ["gradcam", "saliency"])
def test_a_map_has_the_images_size_and_is_empty_outside_of_the_crop(method, policy, shape, seen, untrained):
    explains = Explainer(lambda: untrained, PreprocessSpec(SIZE, policy), "conv_last")
    image = np.random.default_rng(9).integers(0, 256, (*shape, 3)).astype(np.uint8)
    values = explains.explain(image, method=method).values
    inside = np.zeros(shape, bool)
    inside[seen] = True
    assert values.shape == shape
    assert values.dtype == np.float32
    np.testing.assert_array_equal(np.isfinite(values), inside)


# Score-CAM weighs by the answer itself and not by its slope: a constant answer weighs all channels alike.
@pytest.mark.parametrize("method", [method for method in METHODS if method != "scorecam"])
def test_no_evidence_is_an_empty_map_and_no_noise(method):
    """A network whose answer is a constant: nothing is scaled up to look like evidence."""
    model = build_model("cnn", size=SIZE)
    model.get_layer("head_logit").set_weights([np.zeros((128, 1), np.float32), np.ones(1, np.float32)])
    result = Explainer(lambda: model, PreprocessSpec(SIZE), "conv_last").explain(noise(1, seed=1)[0], method=method)
    assert result.peak == 0
    assert not result.values.any()


# === What is refused ===

WRONG = {
    "method": ({"method": "lime"}, r"Expected one of the methods gradcam, .*Received: 'lime'"),
    "target": ({"target": "dog"}, r"Expected one of the targets fake, real.*Received: 'dog'"),
    "layer": ({"layer": "conv_99"}, r"Expected one of the layers conv_1, conv_last.*Received: 'conv_99'"),
    "a layer without a map": ({"layer": "head_dense"}, r"Expected one of the layers conv_1"),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_wrong_options_are_refused_with_the_right_ones(options, message, explains):
    with pytest.raises(InputError, match=message):
        explains.explain(noise(1, seed=1)[0], **options)


def test_an_unknown_default_layer_falls_back_to_the_last(untrained):
    assert Explainer(lambda: untrained, PreprocessSpec(SIZE), "gone").default_layer == "conv_last"


# === Pictures ===


def heatmap(height: int, width: int) -> Heatmap:
    values = np.linspace(0, 1, height * width, dtype=np.float32).reshape(height, width)
    return Heatmap(values, 3.0, "gradcam", "fake", "conv_last")


def test_the_colours_are_those_of_plotlys_inferno():
    from plotly.colors import hex_to_rgb, sequential

    stops = np.array([hex_to_rgb(colour) for colour in sequential.Inferno])
    np.testing.assert_array_equal(colours(np.linspace(0, 1, len(stops)))[[0, -1]], stops[[0, -1]])
    fine = [np.interp(np.linspace(0, 1, 256), np.linspace(0, 1, len(stops)), stops[:, band]) for band in range(3)]
    np.testing.assert_array_equal(colours(np.linspace(0, 1, 256)), np.stack(fine, 1).round().astype(np.uint8))


def test_colours_rise_from_dark_to_bright():
    ramp = colours(np.linspace(0, 1, 9))
    assert ramp.shape == (9, 3)
    assert ramp.dtype == np.uint8
    brightness = ramp @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(brightness) > 0).all()
    np.testing.assert_array_equal(colours(np.array([-1.0, 2.0, np.nan])), colours(np.array([0.0, 1.0, 0.0])))


@pytest.mark.parametrize("shape", [(16, 24), (1, 1), (300, 200)], ids=["wide", "one pixel", "tall"])
def test_an_overlay_has_the_images_size(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    shown = overlay(image, heatmap(*shape))
    assert shown.shape == image.shape
    assert shown.dtype == np.uint8


def test_opacity_leads_from_the_image_to_the_map():
    image, result = noise(1, seed=0, size=16)[0], heatmap(16, 16)
    np.testing.assert_array_equal(overlay(image, result, opacity=0), image)
    np.testing.assert_array_equal(overlay(image, result, opacity=1), colours(drawn(result)))
    assert not np.array_equal(overlay(image, result, opacity=0.5), image)


@pytest.mark.parametrize("shape", [(300, 500), (500, 300), (3, 900), (40, 30)])
def test_a_smaller_layer_shows_the_same(shape):
    whole = heatmap(*shape)
    box = (shape[1] // 5, 0, shape[1], shape[0])
    values = np.full(shape, np.nan, np.float32)
    values[:, box[0] :] = whole.values[:, box[0] :]
    cropped = replace(whole, values=values, region=box)
    large, small = layer_of(cropped), layer_of(cropped, 120)
    assert small.shape == (*(max(1, round(side * min(1, 120 / max(shape)))) for side in shape), 4)
    enlarged = np.asarray(Image.fromarray(small).resize(large.shape[1::-1], Image.Resampling.BILINEAR))
    inner = np.zeros(shape, bool)
    inner[4:-4, box[0] + 8 : -4] = True
    assert np.abs(enlarged.astype(int) - large)[inner].max(initial=0) <= 24
    assert {*np.unique(small[..., 3])} <= {0, 255} and abs((small[..., 3] > 0).mean() - 0.8) < 0.05


@pytest.mark.parametrize("box", [(899, 0, 900, 40), (0, 39, 900, 40), (899, 39, 900, 40), (0, 0, 1, 1)])
def test_of_the_narrowest_region_something_is_left_in_a_smaller_layer(box):
    values = np.full((40, 900), np.nan, np.float32)
    values[box[1] : box[3], box[0] : box[2]] = 0.5
    small = layer_of(replace(heatmap(40, 900), values=values, region=box), 320)
    assert small.shape == (14, 320, 4) and small[..., 3].any()


def test_an_overlay_is_the_same_in_one_piece_and_in_bands(monkeypatch):
    image, result = np.random.default_rng(0).integers(0, 256, (37, 20, 3)).astype(np.uint8), heatmap(37, 20)
    whole, picture = overlay(image, result), np.asarray(figure(image, result))
    module = sys.modules[overlay.__module__]
    for pixels in (1, 20, 100):
        monkeypatch.setattr(module, "_BAND_PIXELS", pixels)
        np.testing.assert_array_equal(overlay(image, result), whole)
        np.testing.assert_array_equal(np.asarray(figure(image, result)), picture)


def test_where_the_network_did_not_look_the_image_is_darkened():
    image = np.full((8, 12, 3), 100, np.uint8)
    values = np.full((8, 12), np.nan, np.float32)
    values[:, 2:10] = 0.5
    shown = overlay(image, Heatmap(values, 1.0, "gradcam", "fake", "conv_last"))
    assert (shown[:, :2] == 40).all()
    assert (shown[:, 10:] == 40).all()
    assert (shown[:, 2:10] != 40).any()


def of(values: np.ndarray, method: str = "gradcam") -> Heatmap:
    return Heatmap(values.astype(np.float32), 1.0, method, "fake", None)


def points_on_nothing(side: int) -> np.ndarray:
    """As saliency: a rough map, denser on the left, with one point far above all others."""
    random = np.random.default_rng(0)
    values = random.exponential(0.02, (side, side)) * np.linspace(2, 0.2, side)
    values[side // 3, side // 5] = 1.0
    return values


MAPS = {
    "points": points_on_nothing(224),
    "points of a thumbnail": points_on_nothing(32),
    "nowhere near nothing": 0.8 + 0.2 * np.tile(np.linspace(1, 0, 90), (60, 1)),
    "one cell": np.pad(np.ones((20, 20)), ((40, 164), (20, 184))),
    "large": np.tile(np.linspace(1, 0, 2000), (1500, 1)),
}


@pytest.mark.parametrize("name", MAPS)
def test_a_map_is_drawn_in_all_colours_and_where_its_evidence_lies(name):
    values = MAPS[name]
    shown = drawn(of(values, "saliency"))
    assert shown.shape == values.shape and shown.dtype == np.float32
    assert shown.min() < 0.02 and shown.max() > 0.98
    assert (shown > 0.3).mean() > 0.01, "more than points are to be seen"
    third = values.shape[1] // 3
    assert shown[:, :third].mean() > 2 * shown[:, -third:].mean()


@pytest.mark.parametrize("level", [0.0, 1e-6, 0.4, 1.0])
def test_a_map_that_is_the_same_everywhere_is_drawn_so(level):
    rounding = np.random.default_rng(0).uniform(0, 1e-4, (64, 64))
    shown = drawn(of(level * (1 - rounding)))
    assert np.ptp(shown) < 0.01 and shown.mean() == pytest.approx(level, abs=0.01)


@pytest.mark.parametrize("region", [(0, 0, 30, 20), (3, 5, 11, 12), (29, 19, 30, 20)], ids=["all", "part", "pixel"])
@pytest.mark.parametrize("told", [True, False], ids=["told", "found"])
def test_a_layer_is_opaque_on_what_was_judged_and_nowhere_else(region, told):
    left, top, right, bottom = region
    values = np.full((20, 30), np.nan, np.float32)
    values[top:bottom, left:right] = np.linspace(0, 1, (bottom - top) * (right - left)).reshape(bottom - top, -1)
    result = layer_of(Heatmap(values, 1.0, "gradcam", "fake", "conv_last", region=region if told else None))
    assert result.shape == (20, 30, 4) and result.dtype == np.uint8
    inside = np.isfinite(values)
    np.testing.assert_array_equal(result[..., 3], np.where(inside, 255, 0))
    assert not result[~inside].any()
    np.testing.assert_array_equal(result[inside][:, :3], colours(drawn(of(values)))[inside])


def test_a_map_of_nothing_is_drawn_as_nothing():
    assert not layer_of(of(np.full((4, 6), np.nan))).any()
    assert np.isnan(drawn(of(np.full((4, 6), np.nan)))).all()


@pytest.mark.parametrize("shape", [(32, 32), (400, 300)], ids=["small", "large"])
def test_a_figure_adds_a_colour_bar_beside_the_overlay(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    result = heatmap(*shape)
    picture = figure(image, result)
    assert picture.width > shape[1]
    assert picture.height > shape[0]
    np.testing.assert_array_equal(np.asarray(picture)[: shape[0], : shape[1]], overlay(image, result))
    beside = np.asarray(picture)[:, shape[1] :].reshape(-1, 3)
    for end in colours(np.array([0.05, 0.95])):
        assert (np.abs(beside.astype(int) - end).sum(axis=1) < 20).any(), "the bar runs from low to high"
