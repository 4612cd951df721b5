"""The reference engine: what a logit is, and that it does not depend on an image's company."""

import numpy as np
import pytest

from dfcore.architectures import build_model
from dfcore.engines import KerasEngine, fake_logit
from tests.contract.networks import LARGE, noise


def on_gpu() -> bool:
    from dfcore.training.hardware import gpu_count

    return gpu_count() > 0


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3)).astype(np.uint8)


def test_a_logit_is_the_same_to_the_last_bit_whatever_the_batch(reference):
    if on_gpu():
        pytest.skip("on a GPU images are judged together, and the last bits may differ")
    images = noise(5, LARGE)
    alone = np.array([reference.logits(image[None])[0] for image in images])
    assert alone.dtype == np.float32
    assert len(set(alone.tolist())) == len(images), "no two images alike"
    orders = {
        "five in order": [0, 1, 2, 3, 4],
        "five backwards": [4, 3, 2, 1, 0],
        "two": [3, 1],
        "two, the other way about": [1, 3],
        "one image several times": [2, 2, 0, 2],
    }
    for reason, order in orders.items():
        np.testing.assert_array_equal(reference.logits(images[order]), alone[order], err_msg=reason)


@pytest.mark.parametrize("loss", ["binary", "categorical"])
def test_a_logit_is_what_the_model_puts_out(loss, images):
    model = build_model("cnn", size=32, loss=loss)
    outputs = model(images.astype(np.float32), training=False).numpy()
    expected = outputs[:, 0] if loss == "binary" else outputs[:, 1] - outputs[:, 0]
    np.testing.assert_allclose(KerasEngine(model).logits(images), expected, rtol=1e-5, atol=1e-6)


def test_two_logits_become_the_logit_of_fake():
    """sigmoid(z1 - z0) is the softmax's share of fake."""
    outputs = np.array([[0.0, 2.0], [1.0, -1.0], [3.0, 3.0]])
    softmax = np.exp(outputs[:, 1]) / np.exp(outputs).sum(axis=1)
    np.testing.assert_allclose(1 / (1 + np.exp(-fake_logit(outputs))), softmax)


def test_judging_leaves_the_model_alone(images):
    """No dropout, no moving averages: twice the same, and the weights as before."""
    model = build_model("resnet18", size=32)
    before = model.get_weights()
    engine = KerasEngine(model)
    np.testing.assert_array_equal(engine.logits(images), engine.logits(images))
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_features_are_what_the_last_layer_decides_on(large, reference):
    """They must be the same to the last bit whatever the batch, as the logits are: distances hang on them."""
    images = noise(5, LARGE)
    result = reference.outputs(images)
    kernel, bias = large.layers[-1].get_weights()
    assert result.features.dtype == np.float32
    assert result.features.shape == (len(images), len(kernel))
    np.testing.assert_allclose(result.features @ kernel[:, 0] + bias[0], result.logits, rtol=1e-4, atol=1e-4)
    if not on_gpu():
        for some in ([3], [4, 1]):
            np.testing.assert_array_equal(reference.outputs(images[some]).features, result.features[some])


def test_logits_are_those_of_the_outputs(images):
    engine = KerasEngine(build_model("cnn", size=32, loss="categorical"))
    np.testing.assert_array_equal(engine.logits(images), engine.outputs(images).logits)


def test_a_mirrored_engine_gives_an_image_and_its_mirror_image_the_same(images):
    model = build_model("cnn", size=32)
    plain, tta_flip = KerasEngine(model), KerasEngine(model, tta_flip=True)
    turned = np.ascontiguousarray(images[:, :, ::-1])
    np.testing.assert_allclose(tta_flip.logits(images), tta_flip.logits(turned), atol=1e-5)
    np.testing.assert_allclose(tta_flip.logits(images), (plain.logits(images) + plain.logits(turned)) / 2, atol=1e-5)
    assert tta_flip.outputs(images).features.shape == plain.outputs(images).features.shape
    alone = [tta_flip.logits(image[None])[0] for image in images]
    np.testing.assert_array_equal(tta_flip.logits(images), alone)
