"""One contract that every registered architecture passes, and what is special about some."""

import re

import numpy as np
import pytest

from dfcore import architectures
from dfcore.architectures import backbone_layers, build_model, heat_map_layers
from dfcore.architectures.registry import HEAD, LOGIT
from dfcore.errors import InputError
from dfcore.explanation import METHODS, Explainer, explainer
from dfcore.imaging.preprocess import PreprocessSpec

NAMES = architectures.names()
WEIGHTS = "weights/mobilenet_v2_1.0_224_imagenet_no_top.weights.h5"


def some_images(count: int, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype(np.float32)


def least_size(name: str) -> int:
    return architectures.get(name).min_size


def values(variables) -> list[np.ndarray]:
    return [variable.numpy() for variable in variables]


@pytest.fixture(autouse=True, scope="module")
def float32_policy():
    import keras

    keras.config.set_dtype_policy("float32")
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="module")
def least(name):
    """Makes the untrained model at its least size, once for each loss."""
    made = {}

    def get(loss: str = "binary"):
        if loss not in made:
            made[loss] = build_model(name, size=least_size(name), loss=loss)
        return made[loss]

    return get


# === The contract ===


class TestContract:
    @pytest.mark.parametrize("size", [None, 64, 96], ids=["least", "64px", "96px"])
    def test_builds_one_flat_graph_at_three_sizes(self, name, least, size):
        import keras

        model = build_model(name, size=size) if size else least()
        size = size or least_size(name)
        assert model.input_shape == (None, size, size, 3)
        assert model.output_shape == (None, 1)
        nested = [layer.name for layer in model.layers if isinstance(layer, keras.Model)]
        assert not nested, "tf-keras-vis explains flat graphs only"
        assert len({layer.name for layer in model.layers}) == len(model.layers)

    @pytest.mark.parametrize(("loss", "units"), [("binary", 1), ("categorical", 2)])
    def test_ends_in_logits_without_activation(self, name, least, loss, units):
        import keras

        model = least(loss)
        last = model.layers[-1]
        assert isinstance(last, keras.layers.Dense)
        assert last.name == LOGIT
        assert last.activation is keras.activations.linear
        assert model.output_shape == (None, units)
        # The logit stays float32 whatever the precision of the rest.
        assert last.dtype_policy.name == "float32"

    def test_takes_images_of_any_size_with_the_same_weights_where_it_says_so(self, name, least):
        """Parts of images teach it then, and whole ones are judged."""
        if not architectures.get(name).any_size:
            pytest.skip("it takes the size that it was built for")
        model, size = build_model(name, size=None), least_size(name)
        assert model.input_shape == (None, None, None, 3)
        model.set_weights(least().get_weights())
        images = some_images(2, size)
        np.testing.assert_allclose(model(images).numpy(), least()(images).numpy(), rtol=1e-4, atol=1e-4)
        assert np.isfinite(model(some_images(2, size + 24)).numpy()).all()

    def test_trains_a_step(self, name, least):
        import keras

        model = least()
        model.compile(keras.optimizers.SGD(1e-4), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
        before = values(model.trainable_variables)
        assert np.isfinite(model.train_on_batch(some_images(2, least_size(name)), np.array([[0.0], [1.0]])))
        after = values(model.trainable_variables)
        assert all(np.isfinite(weight).all() for weight in after)
        moved = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
        assert moved[-1], "the head must learn"
        assert np.mean(moved) > 0.5, "and so must most of the rest"

    def test_saves_and_reloads_to_the_same_numbers(self, name, least, tmp_path):
        import keras

        model, images = least(), some_images(3, least_size(name))
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
        assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
        # The same graph with the same weights on the same batch: not a bit may differ.
        np.testing.assert_array_equal(loaded(images).numpy(), model(images).numpy())

    def test_has_a_layer_for_heat_maps(self, name, least):
        entry, model = architectures.get(name), least()
        layers = heat_map_layers(model)
        assert entry.cam_layer in layers
        assert len(set(layers)) == len(layers)
        shape = model.get_layer(entry.cam_layer).output.shape
        assert len(shape) == 4, "a heat-map needs rows, columns and channels"

    def test_backbone_and_head_are_apart(self, name, least):
        model = least()
        backbone = backbone_layers(model)
        head = [layer for layer in model.layers if layer not in backbone]
        assert any(layer.weights for layer in backbone)
        assert all(layer.name.startswith(HEAD) for layer in head)
        assert head[-1].name == LOGIT
        # Nothing of the backbone lies behind the first layer of the head.
        first = min(model.layers.index(layer) for layer in head)
        assert all(layer.name.startswith(HEAD) for layer in model.layers[first:])
        # The trainer keeps pretrained batch normalisation as it was by going through these layers alone.
        import keras

        assert not any(isinstance(layer, keras.Model) for layer in model.layers)

    def test_freezing_the_backbone_leaves_the_head_to_train(self, name, least):
        model = least()
        head = {variable.path for layer in model.layers if layer.name.startswith(HEAD) for variable in layer.variables}
        for layer in backbone_layers(model):
            layer.trainable = False
        left = {variable.path for variable in model.trainable_variables}
        for layer in backbone_layers(model):
            layer.trainable = True
        assert left
        assert left <= head

    def test_random_weights_depend_on_the_seed_alone(self, name, least):
        import keras

        drawn = []
        for _ in range(2):
            keras.utils.set_random_seed(7)
            drawn.append(build_model(name, size=least_size(name)).get_weights())
        for one, two in zip(*drawn, strict=True):
            np.testing.assert_array_equal(one, two)
        assert not all(np.array_equal(one, two) for one, two in zip(drawn[0], least().get_weights(), strict=True))

    def test_every_method_explains_it(self, name, least, monkeypatch):
        monkeypatch.setattr(explainer, "_SCORECAM_CHANNELS", 4)
        size = max(32, least_size(name))
        model = least() if least_size(name) == size else build_model(name, size=size)
        layer = architectures.get(name).cam_layer
        explains = Explainer(lambda: model, PreprocessSpec(size), layer)
        image = some_images(1, 40)[0, :36].astype(np.uint8)
        for method in METHODS:
            for target in ("fake", "real"):
                result = explains.explain(image, method=method, target=target)
                assert result.values.shape == image.shape[:2], (method, target)
                assert result.values.min() >= 0, (method, target)
                assert result.values.max() <= 1, (method, target)
                assert (result.values.max() > 0) == (result.peak > 0), (method, target)
                assert (result.method, result.target) == (method, target)
                assert result.layer == (None if method == "saliency" else layer)


# === What is refused ===


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"Expected an architecture out of cnn.*Received: 'vgg'"):
        build_model("vgg", size=32)


def test_listing_architectures_names_the_simple_ones_first():
    assert NAMES[0] == "cnn"
    assert {"cnn", "spectral_cnn", "resnet18", "mobilenetv2", "resnet50", "efficientnetv2b0", "vit"} <= set(NAMES)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Keras tells at length what it could not load.
@pytest.mark.parametrize("kind", ["text", "weights.h5", "keras"], ids=["no weights at all", "weights file", "model"])
@pytest.mark.parametrize("arch", ["cnn", "mobilenetv2"], ids=["own", "keras.applications"])
def test_weights_that_do_not_fit_are_refused(arch, kind, tmp_path):
    path = tmp_path / f"other.{kind}"
    if kind == "text":
        path = tmp_path / "other.weights.h5"
        path.write_text("no weights")
    elif kind == "keras":
        build_model("vit", size=16).save(path)
    else:
        build_model("vit", size=16).save_weights(path)
    with pytest.raises(InputError, match=f"do not fit {arch} at 32 pixels"):
        build_model(arch, size=32, weights=str(path))


# === Weights that fit ===


@pytest.mark.parametrize("kind", ["weights.h5", "keras"])
def test_own_weights_load_from_a_file(kind, tmp_path):
    given, path = build_model("cnn", size=32), tmp_path / f"own.{kind}"
    given.save(path) if kind == "keras" else given.save_weights(path)
    loaded = build_model("cnn", size=32, weights=str(path))
    for ours, theirs in zip(loaded.get_weights(), given.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_model_of_the_other_loss_is_refused_in_few_words(tmp_path):
    """Keras's own message prints all the values of the layer; people should not have to read them."""
    path = tmp_path / "own.keras"
    build_model("cnn", size=32, loss="categorical").save(path)
    with pytest.raises(InputError, match="do not fit cnn at 32 pixels") as refused:
        build_model("cnn", size=32, weights=str(path))
    assert "head_logit" in str(refused.value)
    assert len(str(refused.value)) < 600 + len(str(path))


@pytest.mark.shared
@pytest.mark.parametrize("arch", ["mobilenetv2", "mobilenetv2_multiscale", "mobilenetv2_multiscale_fine"])
def test_mobilenetv2_takes_imagenet_weights_from_a_file(arch, shared):
    import h5py

    path = shared / WEIGHTS
    if not path.is_file():
        pytest.skip("There are no MobileNetV2 weights here.")
    loaded, random = build_model(arch, size=96, weights=str(path)), build_model(arch, size=96)
    kernels = []
    with h5py.File(path) as file:
        file.visititems(lambda _, item: kernels.append(np.asarray(item)) if isinstance(item, h5py.Dataset) else None)
    for layer in ("Conv1", "Conv_1"):
        kernel = loaded.get_layer(layer).get_weights()[0]
        assert any(kernel.shape == k.shape and np.array_equal(kernel, k) for k in kernels), layer
        assert not np.array_equal(kernel, random.get_layer(layer).get_weights()[0]), layer
    # The moving averages of pretrained layers are left as they came.
    assert loaded.get_layer("bn_Conv1").momentum > 0.99
    assert random.get_layer("bn_Conv1").momentum == 0.9


# === MobileNetV2 at all depths ===


def test_features_are_means_and_deviations_of_every_depth():
    import keras

    from dfcore.architectures.multiscale import SCALES

    model = build_model("mobilenetv2_multiscale", size=32)
    maps = keras.Model(model.input, [model.get_layer(name).output for name in SCALES])
    features = keras.Model(model.input, model.get_layer(f"{HEAD}levels").output)
    images = some_images(2, 32)
    expected = []
    for result in maps(images):
        values = result.numpy().astype(float)
        expected += [values.mean(axis=(1, 2)), values.std(axis=(1, 2))]
    result = features(images).numpy()
    assert result.shape[1] == sum(part.shape[1] for part in expected)
    # A deviation of zero is kept a little above it, for the sake of its slope.
    np.testing.assert_allclose(result, np.concatenate(expected, axis=1), rtol=1e-2, atol=5e-3)


def test_the_fine_one_sees_every_pixel_with_the_same_weights():
    coarse, fine = (build_model(name, size=64) for name in ("mobilenetv2_multiscale", "mobilenetv2_multiscale_fine"))
    fine.set_weights(coarse.get_weights())
    layer = architectures.get("mobilenetv2_multiscale_fine").cam_layer
    assert coarse.get_layer(layer).output.shape[1:3] == (8, 8)
    assert fine.get_layer(layer).output.shape[1:3] == (16, 16)
    assert [layer.name for layer in fine.layers] == [layer.name for layer in coarse.layers]


# === ConvNeXt ===


def leaves(model):
    import keras

    for layer in model.layers:
        yield from leaves(layer) if isinstance(layer, keras.Model) else (layer,)


@pytest.mark.slow
def test_flattened_convnext_gives_the_numbers_of_the_nested_one():
    """Keras nests Sequentials in ConvNeXt; unnesting them must not change what the network computes."""
    import keras

    def name_of(layer):  # The last norm has no name of its own, but a number that Keras counts up.
        return re.sub(r"^(layer_normalization)_\d+$", r"\1", layer.name)

    flat = build_model("convnext_tiny", size=32)
    random = np.random.default_rng(0)
    # LayerScale begins at 1e-6, which would hide whole blocks: every weight gets a value that matters.
    for layer in flat.layers:
        layer.set_weights([w + random.normal(0, 0.02, w.shape).astype(w.dtype) for w in layer.get_weights()])
    features = keras.Model(flat.input, flat.get_layer("head_pool").input)
    nested = keras.applications.ConvNeXtTiny(include_top=False, weights=None, input_shape=(32, 32, 3))
    assert any(isinstance(layer, keras.Model) for layer in nested.layers), "nothing is nested any more: simplify"
    ours = {name_of(layer): layer for layer in flat.layers}
    for layer in leaves(nested):
        if layer.weights:
            layer.set_weights(ours[name_of(layer)].get_weights())
    images = some_images(2, 32)
    np.testing.assert_allclose(features(images).numpy(), nested(images).numpy(), rtol=1e-4, atol=1e-4)
