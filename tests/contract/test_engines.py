"""The fast engine: it answers as Keras does or is not taken, and what is no network of ours is refused in words."""

import io
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfcore.architectures import build_model
from dfcore.cli import main
from dfcore.confidence import Calibration, DecisionThresholds, FileRange, OODDetector, sigmoid
from dfcore.datasets.listing import list_images
from dfcore.detectors import fast_engine
from dfcore.detectors.bundle import (
    CARD,
    MODEL,
    OOD_FILE,
    OPENVINO_FILES,
    read_card,
    write_bundle,
    write_card,
    write_openvino,
)
from dfcore.detectors.card import Card, OODRecord, OpenVINORecord
from dfcore.detectors.detector import Detector
from dfcore.engines import KerasEngine, OpenVinoEngine, convert, has_bfloat16, openvino_engine, weight_dedup
from dfcore.errors import BundleError, InputError
from dfcore.exchange import import_export, optimize
from dfcore.exchange.import_export import pack, unpack
from dfcore.exchange.optimize import LIMIT, patterns
from dfcore.utils.files import sha256_bytes
from tests.conftest import forget_peak, make_card, peak, untrained
from tests.contract.networks import INEXPRESSIBLE, LARGE, SIZE, lively, noise

ROOT = Path(__file__).parents[2]
MB = 2**20
Files = tuple[bytes, bytes]


def assert_alike(fast: OpenVinoEngine, reference: KerasEngine, pixels: np.ndarray) -> None:
    result, expected = fast.outputs(pixels), reference.outputs(pixels)
    scores = sigmoid(expected.logits)
    assert np.ptp(scores) > 0.2, "answers that are all alike show nothing"
    np.testing.assert_allclose(sigmoid(result.logits), scores, atol=LIMIT, rtol=0)
    np.testing.assert_allclose(result.features, expected.features, atol=1e-3 * np.abs(expected.features).max(), rtol=0)
    for ours, theirs in zip(result, expected, strict=True):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    assert fast.width == reference.width == result.features.shape[1]


def assert_same_bits(engine: OpenVinoEngine, pixels: np.ndarray, order: list[int], expected: Any) -> None:
    result = engine.outputs(pixels[order])
    np.testing.assert_array_equal(result.logits, expected.logits[order], err_msg=str(order))
    np.testing.assert_array_equal(result.features, expected.features[order], err_msg=str(order))


@pytest.fixture(scope="module")
def network():
    return lively("cnn")


@pytest.fixture(scope="module")
def another() -> Files:
    """The fast form of another network of the same kind."""
    return convert(lively("cnn", seed=2), tta_flip=False)


# === Every architecture ===


def test_the_fast_form_answers_as_keras_does_or_says_why_there_is_none(name, converted, reference):
    if name in INEXPRESSIBLE:
        assert str(converted).startswith("OpenVINO cannot represent this network: ")
        assert 45 < len(str(converted)) < 300
        assert str(converted).isprintable()
        return
    assert isinstance(converted, tuple), converted
    assert_alike(OpenVinoEngine(*converted), reference, patterns(LARGE, noise(3, LARGE)))


def test_an_image_alone_on_two_threads_has_the_same_answer(engine, converted):
    one, many = OpenVinoEngine(*converted, thread_invariant=True), engine
    pixels = patterns(LARGE)
    among = many.outputs(pixels)
    for at in range(0, len(pixels), 4):
        alone = one.outputs(pixels[[at]])
        np.testing.assert_allclose(sigmoid(alone.logits[0]), sigmoid(among.logits[at]), atol=LIMIT, rtol=0)
        np.testing.assert_allclose(alone.features[0], among.features[at], atol=1e-3 * np.abs(among.features).max())
    np.testing.assert_array_equal(one.outputs(pixels).logits, among.logits)


ORDERS = {
    "alone": [4],
    "alone, another": [16],
    "three": [0, 1, 2],
    "three, the other way about": [2, 1, 0],
    "one image several times": [7, 7, 0, 7],
    "seventeen backwards": list(range(17))[::-1],
}


def test_outputs_are_the_same_to_the_last_bit_whatever_the_batch(engine):
    pixels = noise(17, LARGE)
    whole = engine.outputs(pixels)
    assert len(set(whole.logits.tolist())) == 17
    for order in [*ORDERS.values(), np.random.default_rng(1).permutation(17).tolist()]:
        assert_same_bits(engine, pixels, order, whole)
    for number in range(17):
        assert_same_bits(engine, pixels, [number], whole)


def test_outputs_are_the_same_to_the_last_bit_from_four_threads_at_once(engine):
    pixels = noise(17, LARGE)
    whole = engine.outputs(pixels)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(assert_same_bits, engine, pixels, order, whole) for order in [*ORDERS.values()] * 4]
        for done in waiting:
            done.result()


# === Losses, mirror images, sizes ===


@pytest.mark.parametrize("tta_flip", [False, True], ids=["plain", "tta_flip"])
@pytest.mark.parametrize("loss", ["binary", "categorical"])
def test_either_loss_with_and_without_mirror_images(loss, tta_flip):
    model = lively("cnn", loss=loss)
    fast = OpenVinoEngine(*convert(model, tta_flip=tta_flip))
    assert (fast.tta_flip, fast.size) == (tta_flip, SIZE)
    assert_alike(fast, KerasEngine(model, tta_flip=tta_flip), patterns(SIZE, noise(3)))


def test_mirrored_outputs_are_an_images_own_and_those_of_its_mirror_image(network):
    fast = OpenVinoEngine(*convert(network, tta_flip=True))
    pixels = noise(17)
    whole = fast.outputs(pixels)
    for order in ORDERS.values():
        assert_same_bits(fast, pixels, order, whole)
    turned = fast.outputs(np.ascontiguousarray(pixels[:, :, ::-1]))
    np.testing.assert_allclose(turned.logits, whole.logits, atol=1e-4)


@pytest.mark.parametrize("size", [33, 50], ids=str)
def test_odd_sizes(size):
    model = lively("cnn", size=size)
    assert_alike(OpenVinoEngine(*convert(model, tta_flip=False)), KerasEngine(model), patterns(size)[:8])


def test_a_network_whose_last_bias_is_nought_has_a_fast_form():
    """OpenVINO leaves out what adds nothing, and the output then has two names."""
    model = untrained(1)
    assert not model.layers[-1].get_weights()[1].any()
    result = OpenVinoEngine(*convert(model, tta_flip=False)).outputs(noise(3))
    np.testing.assert_allclose(result.logits, KerasEngine(model).logits(noise(3)), rtol=1e-4, atol=1e-5)


def test_a_network_without_dropout_has_a_fast_form():
    model = build_model("cnn", size=SIZE, dropout=0)
    assert OpenVinoEngine(*convert(model, tta_flip=False)).width == 128


@pytest.mark.slow
def test_converting_leaves_the_model_alone_and_gives_the_same_files_whatever_was_made_before(network):
    before = network.get_weights()
    first = convert(network, tta_flip=False, layer="conv_last")
    convert(lively("resnet18"), tta_flip=False)
    assert convert(lively("cnn"), tta_flip=False, layer="conv_last") == first
    assert convert(network, tta_flip=False)[1] == convert(network, tta_flip=False)[1]
    for ours, theirs in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_pixels_need_not_lie_in_order_in_memory(network):
    fast = OpenVinoEngine(*convert(network, tta_flip=True))
    pixels = noise(3)
    strange = np.asfortranarray(pixels)[:, ::-1][:, ::-1]
    np.testing.assert_array_equal(fast.logits(strange), fast.logits(pixels))


# === What is no network of ours ===


def saved(model: Any) -> Files:
    """A graph of OpenVINO as its two files."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        openvino_engine._openvino().save_model(model, path, compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()


def built(
    change: Callable[[Any, Any], Any] | None = None,
    *,
    shape: tuple[int, ...] = (1, 8, 8, 3),
    kind: str = "u8",
    units: int = 1,
    names: tuple[str, str] = ("logits", "features"),
    further: str = "",
) -> Files:
    """A tiny network as the engine takes it: the mean colour, judged; `change` adds to it with the operations `op`."""
    ov = openvino_engine._openvino()
    import openvino.opset8 as op

    image = op.parameter(list(shape), getattr(ov.Type, kind), name="image")
    given, sinks = [image], []
    x = op.convert(image, "f32")
    if further == "memory":
        x = op.read_value(x, "kept")
        sinks = [op.assign(x, "kept")]
    x = change(op, x) if change else x
    features = op.reduce_mean(x, op.constant([1, 2]), False)
    if further == "input":
        second = op.parameter([1, 3], ov.Type.f32, name="second")
        given, features = [*given, second], op.add(features, second)
    kernel = np.random.default_rng(0).normal(size=(shape[3], units)).astype(np.float32)
    logits = op.add(op.matmul(features, op.constant(kernel), False, False), op.constant(np.float32(0.25)))
    features = op.multiply(features, op.constant(np.full((1, 1), 2, np.float32)))
    for made, called in zip((logits, features), names, strict=True):
        made.output(0).get_tensor().set_names({called})
    results = [op.result(part) for part in ((logits, features, x) if further == "output" else (logits, features))]
    return saved(ov.Model(results, sinks, given, "net"))


def with_if(op: Any, x: Any) -> Any:
    ov, chosen = openvino_engine._openvino(), op.if_op(op.constant(True))
    ways = []
    for way in (op.relu, op.tanh):
        inner = op.parameter([1, 8, 8, 3], ov.Type.f32)
        ways.append(ov.Model([op.result(way(inner))], [inner], "way"))
    chosen.set_then_body(ways[0])
    chosen.set_else_body(ways[1])
    chosen.set_input(x.output(0), *(way.get_parameters()[0] for way in ways))
    return op.relu(chosen.set_output(*(way.results[0] for way in ways)))


def with_loop(op: Any, x: Any) -> Any:
    ov, loop = openvino_engine._openvino(), op.loop(op.constant(2**40), op.constant(np.array([True])))
    inner = op.parameter([1, 8, 8, 3], ov.Type.f32)
    body = ov.Model([op.result(op.constant(np.array([True]))), op.result(op.tanh(inner))], [inner], "body")
    loop.set_function(body)
    loop.set_special_body_ports([-1, 0])
    loop.set_merged_input(inner, x.output(0), body.results[1].output(0))
    return op.relu(loop.get_iter_value(body.results[1].output(0), -1))


def with_iterator(op: Any, x: Any) -> Any:
    ov, iterator = openvino_engine._openvino(), op.tensor_iterator()
    inner = op.parameter([1, 1, 8, 3], ov.Type.f32)
    body = ov.Model([op.result(op.relu(inner))], [inner], "body")
    iterator.set_function(body)
    iterator.set_sliced_input(inner, x.output(0), 0, 1, 1, -1, 1)
    return op.relu(iterator.get_concatenated_slices(body.results[0].output(0), 0, 1, 1, -1, 1))


def with_data_as_shape(op: Any, x: Any) -> Any:
    return op.add(x, op.convert(op.reduce_sum(op.non_zero(x), op.constant([0, 1]), False), "f32"))


def with_chance(op: Any, x: Any) -> Any:
    low, high = op.constant(np.float32(0)), op.constant(np.float32(1))
    return op.add(x, op.random_uniform(op.constant([1, 8, 8, 3]), low, high, "f32", 1, 1))


def enlarged(*shape: int) -> Callable[[Any, Any], Any]:
    """Something of that shape, of which only the sum is used."""

    def change(op: Any, x: Any) -> Any:
        huge = op.broadcast(op.constant(np.float32(1)), op.constant(np.array(shape, np.int64)))
        return op.add(x, op.reduce_sum(huge, op.constant(np.arange(len(shape))), False))

    return change


def shaped_by_a_sum(count: int) -> Files:
    """A shape that hangs on the sum of many numbers: whoever asks for it computes them all."""

    def change(op: Any, x: Any) -> Any:
        huge = op.broadcast(op.constant(0), op.constant(np.array([1234567], np.int64)))
        colours = op.add(op.reduce_sum(huge, op.constant([0]), True), op.constant([3]))
        return op.reshape(x, op.concat([op.constant([1, 8, 8]), colours], 0), False)

    graph, weights = built(change)
    small, large = (np.array([number], np.int64).tobytes() for number in (1234567, count))
    assert weights.count(small) == 1
    return graph, weights.replace(small, large)


def chain(length: int) -> Files:
    """One operation after the other."""
    port = '<port id="{}" precision="U8"><dim>1</dim><dim>8</dim><dim>8</dim><dim>3</dim></port>'
    into, out = f"<input>{port.format(0)}</input>", f"<output>{port.format(1)}</output>"
    first = '<layer id="0" name="image" type="Parameter" version="opset1"><data shape="1,8,8,3" element_type="u8"/>'
    layers = [f"{first}{out}</layer>"]
    layers += [
        f'<layer id="{n}" name="{n}" type="ReLU" version="opset1">{into}{out}</layer>' for n in range(1, length + 1)
    ]
    layers += [f'<layer id="{length + 1}" name="end" type="Result" version="opset1">{into}</layer>']
    edges = [f'<edge from-layer="{n}" from-port="1" to-layer="{n + 1}" to-port="0"/>' for n in range(length + 1)]
    text = f"<layers>{''.join(layers)}</layers><edges>{''.join(edges)}</edges>"
    return f'<?xml version="1.0"?><net name="x" version="11">{text}</net>'.encode(), b""


def put(old: str, new: str, count: int = 1) -> Callable[[Files], Files]:
    """Puts something else in the place of a pattern in the graph."""

    def change(sound: Files) -> Files:
        text, result = re.subn(old, new, sound[0].decode(), count=count)
        assert result, "nothing was changed"
        return text.encode(), sound[1]

    return change


def constant(**changes: object) -> Callable[[Files], Files]:
    """Says something else of the first constant of floats."""

    def change(sound: Files) -> Files:
        text = sound[0].decode()
        said = re.search(r'<data element_type="f32" shape="[^"]*" offset="\d+" size="\d+" />', text)[0]
        other = said
        for key, value in changes.items():
            other = re.sub(rf'{key}="[^"]*"', f'{key}="{value}"', other)
        assert other != said
        return text.replace(said, other, 1).encode(), sound[1]

    return change


def cut(graph: float = 1.0, weights: float = 1.0) -> Callable[[Files], Files]:
    return lambda sound: (sound[0][: int(graph * len(sound[0]))], sound[1][: int(weights * len(sound[1]))])


def made(function: Callable[..., Files], *arguments: Any, **options: Any) -> Callable[[Files], Files]:
    return lambda _: function(*arguments, **options)


EDGE = r'<edge from-layer="(\d+)" from-port="(\d+)" to-layer="(\d+)" to-port="(\d+)" />'
BOMB = '<!DOCTYPE net [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE: dict[str, Callable[[Files], Files]] = {
    # No graph at all.
    "nothing": lambda _: (b"", b""),
    "nothing-but-weights": lambda sound: (b"", sound[1]),
    "text": lambda sound: (b"not XML", sound[1]),
    "zeros": lambda sound: (bytes(1000), sound[1]),
    "noise": lambda sound: (random.Random(0).randbytes(5000), sound[1]),
    "a-page": lambda sound: (b"<html><body>hello</body></html>", sound[1]),
    "a-zip": lambda sound: (b"PK\3\4" + bytes(100), sound[1]),
    "the-weights-twice": lambda sound: (sound[1], sound[1]),
    "a-net-of-nothing": lambda sound: (b'<?xml version="1.0"?><net name="x" version="11"/>', sound[1]),
    "no-layers": lambda _: (b'<?xml version="1.0"?><net name="x" version="11"><layers/><edges/></net>', b""),
    # Cut off.
    **{f"graph-cut-{share:.0%}": cut(graph=share) for share in (0.1, 0.3, 0.5, 0.7, 0.9, 0.99)},
    **{f"weights-cut-{share:.0%}": cut(weights=share) for share in (0, 0.3, 0.7, 0.99)},
    "weights-one-byte-less": lambda sound: (sound[0], sound[1][:-1]),
    # Versions and kinds.
    **{f"version-{text or 'none'}": put('version="11"', f'version="{text}"') for text in ("", "0", "7", "-1", "x")},
    "version-of-many-digits": put('version="11"', f'version="{"9" * 30}"'),
    "set-of-operations-unknown": put('type="Convert" version="opset1"', 'type="Convert" version="opset99"'),
    "operation-of-an-extension": put('type="Convert" version="opset1"', 'type="Convert" version="extension"'),
    "operation-unknown": put('type="Convert"', 'type="Nonsense"'),
    "operation-is-a-path": put('type="Convert"', 'type="../../evil.so"'),
    # Entities.
    "bomb-in-a-size": lambda sound: put("<dim>8</dim>", "<dim>&i;</dim>")(put(r"\?>", f"?>{BOMB}]>")(sound)),
    "entity-in-a-shape": lambda sound: put('shape="1,8,8,3"', 'shape="1,&x;,8,3"')(
        put(r"\?>", '?><!DOCTYPE net [<!ENTITY x "8">]>')(sound)
    ),
    "file-in-a-shape": lambda sound: put('shape="1,8,8,3"', 'shape="1,&x;,8,3"')(
        put(r"\?>", '?><!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/hostname">]>')(sound)
    ),
    # Constants that lie outside of the weights, or are not what they say.
    **{f"offset-{text}": constant(offset=text) for text in (10**6, 2**62, 2**63, 2**64 - 8, 2**64 - 4096, -8, "x", "")},
    **{f"size-{text}": constant(size=text) for text in (0, 10**9, 2**62, 2**63, 2**64 - 1, -1, "x", "")},
    "offset-and-size-wrap": constant(offset=2**64 - 16, size=32),
    "offset-and-size-wrap-signed": constant(offset=2**63 - 16, size=32),
    **{
        f"constant-of-shape-{text}": constant(shape=text)
        for text in ("1000000,1000000", "4294967296,4294967296", "4611686018427387904,3", "-1,3", "0,3", "a", "9" * 30)
    },
    **{
        f"constant-of-{text or 'nothing'}": constant(element_type=text)
        for text in ("string", "u1", "u4", "nf4", "f64", "i64", "boolean", "xyz", "")
    },
    "constant-of-many-texts": constant(element_type="string", shape=2**62),
    # Edges and numbers.
    "no-edges": put(EDGE, "", 0),
    "an-edge-less": put(EDGE, ""),
    "edge-to-itself": put(EDGE, r'<edge from-layer="\3" from-port="\2" to-layer="\3" to-port="\4" />'),
    "edges-backwards": put(EDGE, r'<edge from-layer="\3" from-port="\4" to-layer="\1" to-port="\2" />', 0),
    "edge-from-nowhere": put(EDGE, r'<edge from-layer="777" from-port="\2" to-layer="\3" to-port="\4" />'),
    "edge-from-no-port": put(EDGE, r'<edge from-layer="\1" from-port="77" to-layer="\3" to-port="\4" />'),
    "edge-to-no-port": put(EDGE, r'<edge from-layer="\1" from-port="\2" to-layer="\3" to-port="9999" />'),
    "edge-below-nought": put(EDGE, '<edge from-layer="-1" from-port="-1" to-layer="-1" to-port="-1" />'),
    "one-number-for-all": put(r'layer id="\d+"', 'layer id="0"', 0),
    "no-numbers": put(r'layer id="\d+"', "layer", 0),
    "a-number-too-large": put('layer id="0"', f'layer id="{2**64}"'),
    "longer-than-any": made(chain, 30_000),
    # Operations that none of ours has.
    "if": made(built, with_if),
    "loop": made(built, with_loop),
    "iterator": made(built, with_iterator),
    "memory": made(built, further="memory"),
    "a-shape-out-of-data": made(built, with_data_as_shape),
    "chance": made(built, with_chance),
    "sorting": made(built, lambda op, x: op.topk(x, op.constant(3), 1, "max", "value").output(0)),
    "running-sum": made(built, lambda op, x: op.cum_sum(x, op.constant(1))),
    # Shapes that are not fixed.
    **{
        f"shape-{text or 'none'}": put('shape="1,8,8,3"', f'shape="{text}"')
        for text in ("?,8,8,3", "1,?,?,3", "1..2,8,8,3", "...", "-1,8,8,3", "8,8,3", "")
    },
    # Other inputs and outputs.
    "a-further-input": made(built, further="input"),
    "a-further-output": made(built, further="output"),
    "other-names": made(built, names=("logit", "feature")),
    "one-name-for-both": made(built, names=("logits", "logits")),
    "names-the-other-way-about": made(built, names=("features", "logits")),
    "floats": made(built, kind="f32"),
    "signed": made(built, kind="i8"),
    "three-logits": made(built, units=3),
    "three-views": made(built, shape=(3, 8, 8, 3)),
    "oblong": made(built, shape=(1, 8, 9, 3)),
    "four-colours": made(built, shape=(1, 8, 8, 4)),
    # Memory.
    "image-of-a-terabyte": put('shape="1,8,8,3"', f'shape="1,{2**20},{2**20},3"'),
    "image-whose-size-wraps": put('shape="1,8,8,3"', f'shape="1,{2**32},{2**32},3"'),
    "image-of-the-largest-sides": put('shape="1,8,8,3"', f'shape="1,{2**62},{2**62},3"'),
    "2**28-numbers": made(built, enlarged(2**28)),
    "2**40-numbers": made(built, enlarged(2**40)),
    "2**62-numbers": made(built, enlarged(2**62)),
    "numbers-that-wrap": made(built, enlarged(2**32, 2**32)),
    "many-large-ones": made(built, lambda op, x: [x := enlarged(2**26 + n)(op, x) for n in range(40)][-1]),
    "shape-out-of-2**24-numbers": made(shaped_by_a_sum, 2**24),
    "shape-out-of-2**50-numbers": made(shaped_by_a_sum, 2**50),
}  # fmt: skip


@pytest.fixture(scope="module")
def sound() -> Files:
    return built()


def test_the_sound_network_is_read(sound):
    engine = OpenVinoEngine(*sound)
    pixels = noise(2, 8)
    np.testing.assert_allclose(engine.outputs(pixels).features, 2 * pixels.mean((1, 2)), rtol=1e-5)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_network_is_refused_at_once(case, sound, request):
    files = HOSTILE[case](sound)
    request.getfixturevalue("safety_net")
    before, started = forget_peak(), time.monotonic()
    with pytest.raises(BundleError) as caught:
        OpenVinoEngine(*files)
    took, grown = time.monotonic() - started, peak() - before
    text = str(caught.value)
    assert text.strip()
    assert len(text) < 2000
    assert all(sign.isprintable() or sign == "\n" for sign in text), text
    assert grown < 256 * MB, f"{grown / MB:.0f} MB were taken"
    assert took < 5, f"it took {took:.0f} s"


def test_a_refusal_is_one_line_that_can_be_printed(sound):
    """OpenVINO tells what a stranger wrote, in several lines."""
    with pytest.raises(BundleError) as caught:
        OpenVinoEngine(*put('type="Convert"', 'type="\u202eEVIL\x85"')(sound))
    assert "EVIL" in str(caught.value)
    assert str(caught.value).isprintable(), ascii(str(caught.value))


@pytest.mark.parametrize(
    "entity", [f"{BOMB}]>", '<!DOCTYPE net [<!ENTITY i SYSTEM "file:///etc/hostname">]>'], ids=["bomb", "file"]
)
def test_an_entity_where_it_does_not_matter_is_refused_or_not_expanded(sound, entity, safety_net):
    files = put('name="net"', 'name="&i;"')(put(r"\?>", f"?>{entity}")(sound))
    before = forget_peak()
    try:
        engine = OpenVinoEngine(*files)
    except BundleError:
        pass
    else:
        assert engine._model.get_friendly_name() == "&i;"
    assert peak() - before < 64 * MB


@pytest.mark.slow
def test_whatever_is_changed_nothing_but_a_bundle_error_comes_of_it(sound, safety_net):
    """Numbers, names and bytes of the weights, at random; what passes the gate can be run."""
    graph, weights = sound[0].decode(), sound[1]
    values = ["0", "1", "-1", "3", "255", "4294967296", "9223372036854775807", "", "a", "1,1", "-1,-1"]
    refused = 0
    for seed in range(300):
        drawn = random.Random(seed)
        text, content = graph, bytearray(weights)
        for _ in range(drawn.choice([1, 1, 2, 4])):
            if drawn.random() < 0.2:
                at = drawn.randrange(len(content) - 8) & ~7
                content[at : at + 8] = drawn.choice([0, 1, 5, 2**31, 2**40, 2**62]).to_bytes(8, "little")
            else:
                at = drawn.choice(list(re.finditer(r'(?<!type)="([^"]*)"', text)))
                text = text[: at.start(1)] + drawn.choice(values) + text[at.end(1) :]
        try:
            engine = OpenVinoEngine(text.encode(), bytes(content))
        except BundleError:
            refused += 1
        else:
            engine.outputs(noise(1, engine.size))
    assert 100 < refused < 300


# === Which engine a detector takes ===


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    """A folder of detectors that is this workbench's own."""
    return tmp_path_factory.mktemp("library")


@pytest.fixture(autouse=True)
def _own_library(library, monkeypatch):
    monkeypatch.setenv("DFCORE_MODELS", str(library))


@pytest.fixture(scope="module")
def images(small_dataset) -> list[Path]:
    return list_images([small_dataset / "test"])


@pytest.fixture(scope="module")
def plain(network, images, library) -> Path:
    """A detector with everything but a fast form."""
    from PIL import Image

    folder = library / "plain"
    pixels = np.stack([np.asarray(Image.open(path)) for path in images])
    result = KerasEngine(network).outputs(pixels)
    calibration = Calibration(method="platt", slope=0.9, offset=0.1, fitted_on="nothing", images=100)
    # Far from every score, so that the last bits decide nothing.
    scores = np.sort(calibration.apply(result.logits))
    low, high = ((scores[at] + scores[at + 1]) / 2 for at in (len(scores) // 3, 2 * len(scores) // 3))
    card = make_card(
        ood=OODRecord(files=FileRange(sides=(SIZE, SIZE)), sha256=""),
        decision_thresholds=DecisionThresholds(real_below=low, fake_from=high),
        calibration=calibration,
    )
    domain = OODDetector.fit(result.features, result.features)
    domain = OODDetector(domain.mean, domain.basis, domain.references, 10 * domain.limit)
    write_bundle(folder, network, card, domain)
    return folder


@pytest.fixture(scope="module")
def quick(plain, library) -> Path:
    """The same detector with its fast form."""
    folder = library / "quick"
    shutil.copytree(plain, folder)
    optimize.optimize(folder)
    return folder


@pytest.fixture
def own(quick, library, tmp_path) -> Path:
    """A copy of the quick one that may be spoilt."""
    return shutil.copytree(quick, library / tmp_path.name)


def claim(folder: Path, **changes: Any) -> None:
    """Says something else of the fast form on the card."""
    card = read_card(folder)
    write_card(folder, card.model_copy(update={"openvino": card.openvino.model_copy(update=changes)}))


def other_form(folder: Path, files: Files) -> None:
    """Puts in another fast form, with its hashes on the card."""
    graph, weights = files
    whole = weight_dedup.pack(b"<net/>", weights, {})  # It need not share anything with the model.
    write_openvino(folder, read_card(folder), OpenVINORecord(enabled=True), (graph, whole))


def test_auto_takes_the_fast_form_where_the_card_says_so_and_loads_nothing_else(quick):
    result = Detector.load(quick)
    assert result.engine.name == "openvino"
    assert result._model is None
    assert Detector.load(quick, "openvino").engine.name == "openvino"
    assert Detector.load(quick, "keras").engine.name == "keras"


def without(*names: str) -> Callable[[Path, Any], None]:
    def change(folder: Path, _: Any) -> None:
        for name in names:
            (folder / name).unlink()

    return change


NOT_TAKEN: dict[str, Callable[[Path, Any], None]] = {
    "the card says that it is not taken": lambda folder, _: claim(folder, enabled=False),
    "the card has no hashes": lambda folder, _: claim(folder, sha256=()),
    "the card knows of none": lambda folder, _: write_card(
        folder, read_card(folder).model_copy(update={"openvino": None})
    ),
    "OpenVINO is not installed": lambda _, patch: patch.setitem(sys.modules, "openvino", None),
    "both files are gone": without(*OPENVINO_FILES),
    "the graph is gone": without(OPENVINO_FILES[0]),
    "the weights are gone": without(OPENVINO_FILES[1]),
    "somebody else may have made it": lambda folder, patch: patch.setenv("DFCORE_MODELS", str(folder.parent / "other")),
}


@pytest.mark.parametrize("case", NOT_TAKEN)
def test_auto_falls_back_to_keras(case, own, quick, images, monkeypatch):
    NOT_TAKEN[case](own, monkeypatch)
    result = Detector.load(own)
    assert result.engine.name == "keras"
    assert result.predict(images[:3]) == Detector.load(quick, "keras").predict(images[:3])


@pytest.mark.parametrize(
    "case", [case for case in NOT_TAKEN if not case.startswith(("the card says", "somebody else"))]
)
def test_asked_for_by_name_it_must_be_there(case, own, monkeypatch):
    NOT_TAKEN[case](own, monkeypatch)
    right = r"pip install 'dfcore\[openvino\]'" if "installed" in case else "dfcore optimize"
    with pytest.raises(InputError, match=right):
        Detector.load(own, "openvino")


def test_a_form_that_is_not_taken_by_itself_may_be_asked_for(own):
    claim(own, enabled=False, reason="it was slow")
    assert Detector.load(own, "openvino").engine.name == "openvino"


def test_why_there_is_no_form_is_told_to_who_asks_for_it(own):
    claim(own, enabled=False, reason="it cannot swim", sha256=())
    with pytest.raises(InputError, match=r"has no network for OpenVINO \(it cannot swim\)"):
        Detector.load(own, "openvino")


in_bfloat16 = pytest.mark.skipif(not has_bfloat16(), reason="a processor that computes in bfloat16")


@in_bfloat16
def test_bfloat16_is_taken_only_when_asked_for_and_tells_what_it_costs(quick, images, capsys):
    cost = read_card(quick).openvino.bfloat16
    assert 0 < cost.difference < 0.1
    assert 0 <= cost.changed <= 0.2
    assert Detector.load(quick).engine.name == "openvino"
    cheap, exact = Detector.load(quick, "openvino-bf16"), Detector.load(quick, "keras")
    assert cheap.engine.name == "openvino-bf16"
    pixels = patterns(SIZE)
    result, expected = (one.card.calibration.apply(one.engine.outputs(pixels).logits) for one in (cheap, exact))
    assert np.abs(result - expected).max() == pytest.approx(cost.difference, rel=1e-3)
    assert ((result >= exact.threshold) != (expected >= exact.threshold)).mean() == cost.changed
    assert main(["predict", str(quick), str(images[0]), "--engine", "openvino-bf16"]) == 0
    assert f"quick in bfloat16: on 32 images {cost}." in capsys.readouterr().err


@in_bfloat16
def test_bfloat16_whose_cost_nobody_knows_is_refused(own):
    claim(own, bfloat16=None)
    with pytest.raises(InputError, match="the cost of bfloat16 has not been measured"):
        Detector.load(own, "openvino-bf16")


def test_a_processor_without_bfloat16_says_so(own, monkeypatch):
    for module in (fast_engine, optimize):
        monkeypatch.setattr(module, "has_bfloat16", lambda: False)
    assert optimize.optimize(own).openvino.bfloat16 is None
    with pytest.raises(InputError, match="does not support bfloat16; use --engine openvino"):
        Detector.load(own, "openvino-bf16")


@pytest.mark.parametrize("engine", ["", "tensorrt", "OpenVINO", None, 1])
def test_an_engine_that_nobody_knows_is_refused(engine, quick):
    with pytest.raises(InputError, match="Expected one of the engines auto, keras, openvino"):
        Detector.load(quick, engine)


@pytest.mark.parametrize("engine", ["auto", "openvino"])
@pytest.mark.parametrize("name", OPENVINO_FILES)
@pytest.mark.parametrize("how", ["a byte", "longer", "empty"])
def test_altered_files_are_refused(name, how, engine, own):
    content = bytearray((own / name).read_bytes())
    content[len(content) // 2] ^= 1
    changed = {"a byte": bytes(content), "longer": (own / name).read_bytes() + b" ", "empty": b""}[how]
    (own / name).write_bytes(changed)
    with pytest.raises(BundleError, match="not the network that its card was written for, and was refused"):
        Detector.load(own, engine)
    assert Detector.load(own, "keras").engine.name == "keras", "the reference is still there"


@pytest.mark.parametrize("hashes", [1, 3])
def test_a_card_with_too_few_or_too_many_hashes_is_refused(hashes, own):
    claim(own, sha256=(read_card(own).openvino.sha256 * 2)[:hashes])
    with pytest.raises(BundleError, match="not the network that its card was written for"):
        Detector.load(own)


@pytest.mark.skipif(sys.platform != "linux", reason="files with holes")
@pytest.mark.parametrize("name", OPENVINO_FILES)
def test_a_file_too_large_for_the_memory_is_refused(name, own, safety_net):
    try:
        with (own / name).open("r+b") as file:
            file.truncate(2**40)
    except OSError:
        pytest.skip("no such files can be made here")
    with pytest.raises(BundleError):
        Detector.load(own)


OTHER_FORMS: dict[str, tuple[Callable[[], Any], bool, str]] = {
    "of another size": (lambda: build_model("cnn", size=40), False, "does not match the card"),
    "of mirror images": (lambda: build_model("cnn", size=SIZE), True, "does not match the card"),
    "with other features": (
        lambda: build_model("resnet18", size=SIZE),
        False,
        r"Expected 512 features\. Received: 128",
    ),
}


@pytest.mark.parametrize("case", OTHER_FORMS)
def test_a_fast_form_that_does_not_fit_the_card_is_refused(case, own):
    model, tta_flip, match = OTHER_FORMS[case]
    other_form(own, convert(model(), tta_flip=tta_flip))
    with pytest.raises(BundleError, match=match):
        Detector.load(own)


FORMS: dict[str, Callable[[Files], Files]] = {
    **{case: HOSTILE[case] for case in ("loop", "graph-cut-50%", "weights-cut-30%", "text")},
    # They are read, but do not run.
    "five-axes": made(built, lambda op, x: op.squeeze(x, op.constant([4])), shape=(1, SIZE, SIZE, 3, 1)),
    "no-pixels": put('shape="1,8,8,3"', 'shape="1,0,0,3"'),
    "constant-of-dynamic": lambda _: constant(element_type="dynamic")(built(shape=(1, SIZE, SIZE, 3))),
}


@pytest.mark.parametrize("case", FORMS)
def test_a_hostile_form_whose_hashes_match_is_refused(case, own, sound):
    other_form(own, FORMS[case](sound))
    with pytest.raises(BundleError):
        Detector.load(own)


@pytest.mark.parametrize("how", ["elsewhere", "by a link among the models"])
def test_a_graph_that_somebody_else_made_is_not_read_unasked(how, own, library, tmp_path, monkeypatch):
    other_form(own, HOSTILE["loop"](built()))
    theirs = shutil.move(own, tmp_path / "theirs")
    if how != "elsewhere":
        own.symlink_to(theirs)
        theirs = own
    assert Detector.load(theirs).engine.name == "keras"
    with pytest.raises(BundleError, match="Loop"):
        Detector.load(theirs, "openvino")


def test_the_folder_of_models_may_be_reached_by_a_link(quick, library, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(library)
    monkeypatch.setenv("DFCORE_MODELS", str(tmp_path / "link"))
    assert Detector.load("quick").engine.name == "openvino"
    assert Detector.load(tmp_path / "link" / "quick").engine.name == "openvino"


def test_the_verdict_is_the_same_with_either_engine(quick, images):
    large = noise(1, 200)[0]
    fast, slow = (Detector.load(quick, engine).predict([*images, large]) for engine in ("openvino", "keras"))
    assert {result.finding for result in slow} == {"no_sign", "inconclusive", "fake"}, "every answer is there"
    assert slow[-1].ood.is_ood
    for ours, theirs in zip(fast, slow, strict=True):
        assert (ours.finding, ours.decision, ours.label, ours.reason, ours.error) == (
            theirs.finding,
            theirs.decision,
            theirs.label,
            theirs.reason,
            None,
        )
        assert ours.score == pytest.approx(theirs.score, abs=LIMIT)
        assert ours.ood.distance == pytest.approx(theirs.ood.distance, rel=1e-3)


def test_a_verdict_does_not_depend_on_the_batch_or_on_who_else_asks(quick, images):
    result = Detector.load(quick)
    whole = result.predict(images)
    assert [verdict for path in images for verdict in result.predict([path])] == whole
    with ThreadPoolExecutor(4) as pool:
        for again in pool.map(lambda size: result.predict(images, batch_size=size), (1, 2, 7, 17)):
            assert again == whole


# === The Keras model behind the fast one ===


def test_the_model_is_loaded_when_somebody_asks_for_it(quick, images):
    result = Detector.load(quick)
    assert result._model is None
    heatmap = result.explain(images[0])
    assert heatmap.values.shape == (SIZE, SIZE)
    assert result.model is result.model
    assert result.model.input_shape == (None, SIZE, SIZE, 3)
    assert result.engine.name == "openvino"


def test_four_threads_that_ask_for_the_model_get_one(quick):
    result = Detector.load(quick)
    with ThreadPoolExecutor(4) as pool:
        assert len({id(model) for model in pool.map(lambda _: result.model, range(4))}) == 1


def test_a_model_that_was_altered_is_refused_whatever_the_engine(own):
    (own / MODEL).write_bytes((own / MODEL).read_bytes() + b"!")
    for engine in ("auto", "openvino", "keras"):
        with pytest.raises(BundleError, match="not the model that its card was written for"):
            Detector.load(own, engine)


def test_a_model_that_was_exchanged_since_is_not_taken_for_that_of_the_verdicts(own):
    """A detector in a server lives long; a heat-map of another network would explain nothing."""
    result = Detector.load(own)
    lively("cnn", seed=2).save(own / MODEL)
    with pytest.raises(BundleError, match="not the model that its card was written for"):
        _ = result.model


def imported(*arguments: object) -> tuple[set[str], str]:
    """What a fresh `python -m dfcore …` imports, and what it prints."""
    command = [sys.executable, "-X", "importtime", "-m", "dfcore", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip() for line in lines}, done.stdout


def test_judging_with_the_fast_engine_imports_no_tensorflow(quick, images):
    modules, out = imported("predict", quick, *images[:3], "--json")
    assert {"numpy", "dfcore.detectors.detector", "openvino"} <= modules, "what is imported is seen"
    assert not {"tensorflow", "keras"} & modules
    expected = Detector.load(quick, "keras").predict(images[:3])
    assert [row["verdict"] for row in json.loads(out)] == [verdict.decision for verdict in expected]


def test_a_detector_in_a_fresh_process_imports_no_tensorflow(quick, images):
    code = (
        "import sys; from dfcore.detectors.detector import Detector; "
        "print(Detector.load(sys.argv[1]).predict([sys.argv[2]])[0].score); "
        "print(sorted({'tensorflow', 'keras', 'openvino_telemetry'} & {n for n, m in sys.modules.items() if m}))"
    )
    command = [sys.executable, "-c", code, str(quick), str(images[0])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    score, modules = done.stdout.splitlines()
    assert float(score) == Detector.load(quick).predict([images[0]])[0].score
    assert modules == "[]"


# === Making the fast form ===


@pytest.fixture
def slow_one(plain, library, tmp_path) -> Path:
    """A copy of the plain one."""
    return shutil.copytree(plain, library / tmp_path.name)


def assert_not_enabled(folder: Path, card: Card, reason: str) -> None:
    assert card.openvino is not None and not card.openvino.enabled
    assert re.search(reason, card.openvino.reason), card.openvino.reason
    assert card.openvino.reason.isprintable()
    assert read_card(folder) == card
    assert Detector.load(folder).engine.name == "keras"


def test_a_network_that_answers_alike_is_enabled(slow_one):
    before = {path.name: path.read_bytes() for path in slow_one.iterdir()}
    card = optimize.optimize(slow_one, noise(5))
    assert card.openvino.enabled and card.openvino.reason == ""
    assert 0 <= card.openvino.difference < LIMIT
    assert card.openvino.images == len(patterns(SIZE)) + 5
    assert card.openvino.version
    assert card.openvino.sha256 == tuple(sha256_bytes((slow_one / name).read_bytes()) for name in OPENVINO_FILES)
    assert read_card(slow_one) == card
    after = {path.name: path.read_bytes() for path in slow_one.iterdir()}
    assert set(after) == set(before) | set(OPENVINO_FILES)
    assert all(after[name] == content for name, content in before.items() if name != CARD)
    changed = {key for key, value in json.loads(after[CARD]).items() if value != json.loads(before[CARD])[key]}
    assert changed == {"openvino"}


def test_quickening_again_mends_what_was_spoilt(own):
    (own / OPENVINO_FILES[0]).write_text("spoilt")
    with pytest.raises(BundleError):
        Detector.load(own)
    assert optimize.optimize(own).openvino.enabled
    assert Detector.load(own).engine.name == "openvino"


def test_patterns_are_always_the_same_and_reach_from_black_to_white():
    first = patterns(40)
    np.testing.assert_array_equal(first, patterns(40))
    assert first.shape == (32, 40, 40, 3)
    assert first.dtype == np.uint8
    assert {0, 255} <= set(first.mean((1, 2, 3)).tolist())
    assert first.std((1, 2, 3)).max() > 40


def instead(monkeypatch, files: Files) -> None:
    """Lets the converter give another form."""
    monkeypatch.setattr(optimize, "convert", lambda *_arguments, **_options: files)


def test_a_form_of_another_network_is_not_enabled(slow_one, another, monkeypatch):
    instead(monkeypatch, another)
    card = optimize.optimize(slow_one)
    assert_not_enabled(slow_one, card, r"its scores differ from Keras's by up to 0\.\d+ \(limit 0\.0001\)")
    assert card.openvino.difference > LIMIT


def test_a_form_of_a_network_that_differs_a_little_is_not_enabled(slow_one, network, monkeypatch):
    other = lively("cnn")
    kernel, bias = network.layers[-1].get_weights()
    other.layers[-1].set_weights([kernel, bias + 0.002])
    instead(monkeypatch, convert(other, tta_flip=False))
    assert_not_enabled(slow_one, optimize.optimize(slow_one), "its scores differ")


def test_a_form_that_differs_on_the_given_images_alone_is_not_enabled(slow_one, monkeypatch):
    """Images such as the detector is made for are compared besides patterns."""
    strange, judge = noise(2, seed=9), OpenVinoEngine.outputs

    def outputs(self, pixels):
        result = judge(self, pixels)
        return result._replace(logits=result.logits + np.float32([(image == strange[1]).all() for image in pixels]))

    monkeypatch.setattr(OpenVinoEngine, "outputs", outputs)
    assert optimize.optimize(slow_one).openvino.enabled
    assert_not_enabled(slow_one, optimize.optimize(slow_one, strange), "its scores differ")


def test_an_image_alone_has_two_threads_only_if_they_change_no_bit(slow_one, images, monkeypatch):
    optimize.optimize(slow_one)
    result = Detector.load(slow_one)
    assert [result.predict([image])[0] for image in images] == result.predict(images)
    judge = OpenVinoEngine.outputs

    def outputs(self, pixels):
        result = judge(self, pixels)
        return (
            result._replace(logits=np.nextafter(result.logits, 9))
            if self._thread_invariant and len(pixels) == 1
            else result
        )

    monkeypatch.setattr(OpenVinoEngine, "outputs", outputs)
    other = optimize.optimize(slow_one)
    assert other.openvino.enabled and not other.openvino.thread_invariant
    result = Detector.load(slow_one)
    assert [result.predict([image])[0] for image in images] == result.predict(images)


@pytest.mark.parametrize("where", ["the fast form", "both"])
@pytest.mark.parametrize("value", [np.nan, np.inf], ids=["nan", "infinite"])
def test_a_form_without_numbers_is_not_enabled(where, value, slow_one, monkeypatch):
    broken = lively("cnn")
    kernel, bias = broken.layers[-1].get_weights()
    broken.layers[-1].set_weights([np.full_like(kernel, value), bias])
    instead(monkeypatch, convert(broken, tta_flip=False))
    if where == "both":
        write_bundle(slow_one, broken, make_card())
    card = optimize.optimize(slow_one)
    assert_not_enabled(slow_one, card, "differ")
    assert card.openvino.difference is None or np.isfinite(card.openvino.difference)
    json.loads((slow_one / CARD).read_text(), parse_constant=pytest.fail)


def test_equal_scores_with_other_features_are_not_enough(slow_one, network, monkeypatch):
    """Whether an image is unlike those of the training hangs on the features: here their order is another one."""
    import keras

    x = network.layers[-1].input
    kernel, bias = network.layers[-1].get_weights()
    turned = keras.layers.Dense(x.shape[-1], use_bias=False, name="turned")
    last = keras.layers.Dense(1, name="head_last")
    other = keras.Model(network.inputs, last(turned(x)))
    turned.set_weights([np.eye(x.shape[-1], dtype=np.float32)[::-1]])
    last.set_weights([kernel[::-1], bias])
    instead(monkeypatch, convert(other, tta_flip=False))
    assert_not_enabled(slow_one, optimize.optimize(slow_one), "features|distance")


def test_a_calibration_that_makes_all_scores_alike_hides_nothing(slow_one, another, monkeypatch):
    """Where it is flat, the score says nothing of the logit, which is told too, and another calibration would use."""
    flat = Calibration(method="isotonic", knots=[(-1000.0, 0.5), (1000.0, 0.5)], images=9000)
    write_card(slow_one, read_card(slow_one).model_copy(update={"calibration": flat}))
    instead(monkeypatch, another)
    assert_not_enabled(slow_one, optimize.optimize(slow_one), "differ")


def test_without_openvino_there_is_no_form_and_the_card_says_so(slow_one, monkeypatch):
    for module in (optimize, fast_engine):
        monkeypatch.setattr(module, "installed", lambda: False)
    card = optimize.optimize(slow_one)
    assert_not_enabled(slow_one, card, "OpenVINO was not installed")
    assert card.openvino.sha256 == ()
    assert not any((slow_one / name).exists() for name in OPENVINO_FILES)


def test_a_network_that_openvino_cannot_express_is_not_enabled(library):
    write_bundle(library / "spectral", lively("spectral_cnn"), make_card(arch="spectral_cnn"))
    card = optimize.optimize(library / "spectral")
    assert_not_enabled(library / "spectral", card, "OpenVINO cannot represent this network: ")
    assert card.openvino.sha256 == ()


def test_a_form_that_was_there_before_is_not_taken_once_it_is_given_up(own, monkeypatch):
    def fail(*_arguments, **_options):
        raise BundleError("OpenVINO cannot represent this network: not today")

    monkeypatch.setattr(optimize, "convert", fail)
    assert_not_enabled(own, optimize.optimize(own), "not today")
    with pytest.raises(InputError, match="not today"):
        Detector.load(own, "openvino")


def test_an_engine_that_fails_while_it_judges_is_not_enabled(slow_one, monkeypatch):
    """A processor on which OpenVINO cannot run a network must not cost a run of training its detector."""

    def fail(*_arguments):
        raise RuntimeError("[CPU] no such instruction\non this processor")

    monkeypatch.setattr(OpenVinoEngine, "outputs", fail)
    assert_not_enabled(slow_one, optimize.optimize(slow_one), "no such instruction")


# === On the command line ===


def test_optimize_without_images_of_its_own(slow_one, capsys):
    assert main(["optimize", str(slow_one)]) == 0, capsys.readouterr().err
    text = r"OpenVINO \S+ is enabled: its scores on 32 images differ by \S+, its heat-maps by \S+ of 1\.\n"
    assert re.fullmatch(text, capsys.readouterr().out)
    assert Detector.load(slow_one).engine.name == "openvino"


def test_optimize_with_images_tells_what_is_on_the_card(slow_one, images, capsys):
    assert main(["optimize", str(slow_one), str(images[0].parent), "--json"]) == 0
    text = json.loads(capsys.readouterr().out)
    assert text == read_card(slow_one).openvino.model_dump(mode="json")
    assert (text["enabled"], text["images"]) == (True, 32 + 12)


def test_optimize_says_why_it_is_not_enabled(slow_one, another, images, monkeypatch, capsys):
    instead(monkeypatch, another)
    assert main(["optimize", str(slow_one), str(images[0])]) == 0
    assert "OpenVINO is not enabled: its scores differ" in capsys.readouterr().out


def test_predict_with_an_engine_that_is_not_to_be_had_is_a_mistake(plain, images, capsys):
    assert main(["predict", str(plain), str(images[0]), "--engine", "openvino"]) == 2
    assert (
        "has no network for OpenVINO (none was created). Create one with 'dfcore optimize'" in capsys.readouterr().err
    )


# === Passed on ===


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(content: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_the_fast_form_is_not_passed_on(quick):
    assert set(members(pack(quick))) == {MODEL, CARD, OOD_FILE}


@pytest.mark.parametrize("name", OPENVINO_FILES)
def test_an_archive_with_a_fast_form_is_refused_before_anything_is_loaded(name, quick, library, monkeypatch):
    monkeypatch.setattr(import_export, "_check_isolated", pytest.fail)
    content = members(pack(quick)) | {name: (quick / name).read_bytes()}
    with pytest.raises(BundleError, match="no place here"):
        unpack(zipped(content), library, "with-a-form")
    assert not (library / "with-a-form").exists()


CLAIMS: dict[str, Any] = {
    "none": None,
    "that of the one who packed it": "kept",
    "wrong hashes": {"enabled": True, "reason": "", "difference": 0.0, "images": 9, "sha256": ["0" * 64, "1" * 64]},
    "not taken": {"enabled": False, "reason": "because I say so", "version": "1"},
}


def taken_in(content: dict[str, bytes], claimed: Any, folder: Path) -> Path:
    """Takes a detector in whose card claims that of its fast form."""
    card = json.loads(content[CARD])
    card = card if claimed == "kept" else card | {"openvino": claimed}
    return unpack(zipped(content | {CARD: json.dumps(card).encode()}), folder.parent, folder.name)


def assert_made_here(folder: Path, original: Path, images: list[Path]) -> None:
    fast = read_card(folder).openvino
    assert fast.enabled and fast.reason == ""
    assert fast.images == len(patterns(SIZE))
    assert fast.sha256 == tuple(sha256_bytes((folder / name).read_bytes()) for name in OPENVINO_FILES)
    result = Detector.load(folder)
    assert result.engine.name == "openvino"
    assert result.predict(images[:5]) == Detector.load(original).predict(images[:5])


@pytest.mark.parametrize("case", CLAIMS)
def test_what_is_taken_in_gets_a_fast_form_that_was_made_here(case, quick, images, library, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(import_export, "_check_isolated", lambda folder: read.append(import_export._problem(folder)))
    assert_made_here(taken_in(members(pack(quick)), CLAIMS[case], library / tmp_path.name), quick, images)
    assert read == [None]


@pytest.mark.slow
def test_the_process_that_loads_a_strangers_detector_makes_its_fast_form(quick, images, library):
    assert_made_here(taken_in(members(pack(quick)), CLAIMS["wrong hashes"], library / "strange"), quick, images)
