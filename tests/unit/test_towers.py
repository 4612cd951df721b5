"""The tower that ships, and detectors whose bundle holds a head alone."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from dfcore.datasets import scan
from dfcore.detectors import on_tower
from dfcore.detectors.bundle import CARD, MODEL, read_card, read_replay
from dfcore.detectors.detector import Detector
from dfcore.engines import TowerEngine, tower_engine
from dfcore.engines.tower_engine import shared_tower
from dfcore.errors import BundleError, InputError
from dfcore.exchange.import_export import pack, unpack
from dfcore.towers import clip, tower
from dfcore.towers.graph import WIDTH
from dfcore.training.adapt import adapt
from dfcore.utils.files import read_json, write_json
from tests.conftest import ROOT


def picture(seed: int = 0, side: int = 224) -> np.ndarray:
    """A smooth random image."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def forward(weights: clip.Tower, image: np.ndarray) -> np.ndarray:
    """Class tokens of all blocks, each of length 1, by the words of the paper alone: (9216,)."""

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * weights.vector(f"{name}.weight") + weights.vector(f"{name}.bias")

    def dense(x, name):
        return x @ weights.kernel(name) + weights.vector(f"{name}.bias")

    x = (image / 255 - np.array(clip.MEAN)) / np.array(clip.SPREAD)
    patches = x.reshape(14, 16, 14, 16, 3).transpose(0, 2, 4, 1, 3).reshape(196, -1)
    x = patches @ weights.vector("embeddings.patch_embedding.weight").reshape(768, -1).T
    x = np.concatenate([weights.vector("embeddings.class_embedding").reshape(1, -1), x])
    x = norm(x + weights.vector("embeddings.position_embedding.weight"), "pre_layernorm")
    found = []
    for number in range(12):
        name = f"layers.{number}"
        inner = norm(x, f"{name}.layer_norm1")
        parts = [dense(inner, f"{name}.attention.{part}") for part in ("q_proj", "k_proj", "v_proj")]
        query, key, value = (part.reshape(197, 12, 64).transpose(1, 0, 2) for part in parts)
        scores = query @ key.transpose(0, 2, 1) / 8
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        joined = ((scores / scores.sum(-1, keepdims=True)) @ value).transpose(1, 0, 2).reshape(197, 768)
        x = x + dense(joined, f"{name}.attention.out_proj")
        inner = dense(norm(x, f"{name}.layer_norm2"), f"{name}.fc1")
        x = x + dense(inner / (1 + np.exp(-1.702 * inner)), f"{name}.fc2")
        found.append(x[0] / np.linalg.norm(x[0]))
    return np.concatenate(found)


@pytest.fixture(scope="module")
def engine():
    random = np.random.default_rng(0)
    return TowerEngine(random.normal(size=(WIDTH, 1)).astype(np.float32), np.zeros(1, np.float32))


@pytest.mark.slow
def test_features_are_those_of_a_forward_pass_in_numpy(engine):
    image = picture()
    np.testing.assert_allclose(engine.outputs(image[None]).features[0], forward(tower(), image), atol=2e-5)


@pytest.mark.slow
def test_a_head_of_fewer_blocks_costs_and_gives_no_more_than_these(engine):
    kernel = np.array(engine._kernel)
    kernel[8 * 768 :] = 0
    whole, short = (TowerEngine(each, np.ones(1, np.float32)) for each in (kernel, kernel[: 8 * 768]))
    images = np.stack([picture(seed) for seed in range(2)])
    ours, theirs = short.outputs(images), whole.outputs(images)
    assert ours.features.shape == (2, short.width) == (2, 8 * 768)
    np.testing.assert_allclose(ours.features, theirs.features[:, : 8 * 768], atol=1e-6)
    np.testing.assert_allclose(ours.logits, theirs.logits, atol=1e-5)
    # Where blocks that are left out had no weight, the map is the same.
    np.testing.assert_allclose(short.gradcam(images[0]), whole.gradcam(images[0]), atol=1e-6)
    alone = short.outputs(images[[1]])
    assert np.array_equal(alone.features, ours.features[[1]]) and np.array_equal(alone.logits, ours.logits[[1]])


@pytest.mark.slow
def test_a_further_view_costs_no_more_blocks_than_its_head_looks_at(monkeypatch):
    # What is compiled here alone is let go again: 0.4 GB.
    monkeypatch.setattr(tower_engine, "_towers", dict(tower_engine._towers))
    random = np.random.default_rng(1)
    kernel, bias = random.normal(size=(12 * 768, 2)).astype(np.float32), np.zeros(2, np.float32)
    kernel[8 * 768 :, 1] = 0
    apart, full = TowerEngine(kernel, bias, views=2), shared_tower("float32")
    images = np.stack([[picture(seed), picture(seed + 50)] for seed in range(2)])
    runs, run = [], apart._tower._run
    monkeypatch.setattr(
        apart._tower,
        "_run",
        lambda queue, inputs, keep: run(queue, [runs.append(n) or (n, x) for n, x in inputs], keep),
    )
    ours = apart.by_view(images)
    assert runs == [0, 1, 2, 3, 0, 2], "the later blocks see the first view of each image alone"
    theirs = full.features(images.reshape(-1, 224, 224, 3))
    np.testing.assert_allclose(ours.features[::2], theirs[::2], atol=1e-6)
    np.testing.assert_allclose(ours.features[1::2, : 8 * 768], theirs[1::2, : 8 * 768], atol=1e-6)
    logits = [row @ kernel[:, number % 2] for number, row in enumerate(theirs)]
    np.testing.assert_allclose(ours.logits, logits, atol=1e-4)
    np.testing.assert_allclose(apart.outputs(images).features, theirs[::2], atol=1e-6)
    assert np.array_equal(apart.outputs(images[[1]]).logits, apart.outputs(images).logits[[1]]), "in any batch"
    # Maps go through the blocks that both look at.
    for view in (0, 1):
        whole = TowerEngine(kernel[: 8 * 768, [view]], bias[:1])
        np.testing.assert_allclose(apart.gradcam(images[0, view], view), whole.gradcam(images[0, view]), atol=1e-5)


@pytest.mark.slow
def test_the_tokens_of_a_judged_image_are_not_computed_again(engine, monkeypatch):
    images = np.stack([picture(seed) for seed in range(40)])
    shared = shared_tower("float32")
    engine.outputs(images)
    runs = []
    monkeypatch.setattr(shared, "_run", lambda queue, inputs, keep: runs.append(len(list(inputs))))
    shared.tokens(images[39])
    assert not runs, "judged last"
    with pytest.raises(IndexError):
        shared.tokens(images[0])  # Forgotten, and nothing runs here that would compute them.
    assert runs == [1]


@pytest.mark.parametrize("width", [768 * 6, 768 * 13, 768 * 8 + 1, 0])
def test_a_head_that_fits_no_number_of_blocks_is_refused(width):
    with pytest.raises(ValueError, match="768 features a block, of 7 to 12 blocks"):
        TowerEngine(np.zeros((width, 1), np.float32), np.zeros(1, np.float32))


@pytest.mark.slow
def test_an_image_has_the_same_bits_in_any_batch(engine):
    images = np.stack([picture(seed) for seed in range(3)])
    whole = engine.outputs(images)
    for number in range(3):
        alone = engine.outputs(images[[number]])
        assert np.array_equal(alone.logits, whole.logits[[number]])
        assert np.array_equal(alone.features, whole.features[[number]])


@pytest.mark.slow
def test_threads_share_one_tower_and_get_the_bits_of_one(engine):
    image = picture(1)
    alone = engine.outputs(image[None]).logits
    with ThreadPoolExecutor(4) as pool:
        towers = set(pool.map(lambda _: id(shared_tower("float32")), range(8)))
        logits = list(pool.map(lambda _: engine.outputs(image[None]).logits, range(6)))
    assert len(towers) == 1
    assert all(np.array_equal(each, alone) for each in logits)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [np.zeros((1, 96, 96, 3), np.uint8), np.zeros((1, 224, 224, 3), np.float32)])
def test_other_squares_are_refused_and_nothing_hangs(engine, wrong):
    with pytest.raises(ValueError, match="Expected uint8 squares of 224 pixels"):
        engine.outputs(wrong)
    assert np.isfinite(engine.outputs(picture()[None]).logits).all()


def test_what_is_compiled_from_the_same_weights_shares_its_kernels():
    kernel = np.random.default_rng(0).integers(-127, 128, (4, 6)).astype(np.int8)
    scale = np.linspace(0.5, 1, 6, dtype=np.float32)
    weights = clip.Tower({"dense.kernel_q": kernel, "dense.scale": scale})
    (first, _), (second, _) = weights.quantised("dense"), weights.quantised("dense")
    assert first is second and first.shape == (6, 4) and first.flags.c_contiguous
    np.testing.assert_array_equal(weights.kernel("dense"), kernel * scale)


# === Detectors ===


@pytest.fixture(scope="module")
def detector_folder(tmp_path_factory):
    """A detector trained on smooth and noisy images, of two groups that are held out in turn; one view looks higher."""
    import dfcore

    root = tmp_path_factory.mktemp("on_tower")
    random = np.random.default_rng(0)
    for number in range(32):
        image = picture(number, 96).astype(int)
        if fake := number % 2:
            image = image + random.integers(-40, 41, image.shape)
        folder = root / "data" / ("one" if number < 16 else "two") / ("fake" if fake else "real")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    run = dfcore.train(
        data_root=str(root / "data"), runs_dir=root / "runs", arch="clip_vit_b16", weights="shipped", views="native",
        view_heads="own", pairs=1, late_weight=0.3, cross_validation="group", validation_share=0.25, test_share=0.0,
    )  # fmt: skip
    assert run.metrics()["cross-validation"]["images"] + run.metrics()["validation"]["images"] == 32
    return run.bundle


@pytest.mark.slow
def test_a_bundle_holds_the_head_alone_and_names_its_tower(detector_folder):
    card = read_card(detector_folder)
    assert card.tower is not None and card.tower.sha256 == clip.SHA256
    assert sum(path.stat().st_size for path in detector_folder.iterdir()) < 4 * 2**20
    assert (detector_folder / MODEL).stat().st_size < 200_000
    record = card.openvino
    assert record is not None and record.enabled and record.difference < 1e-4 and record.gradcam_difference < 0.05
    assert record.int8 is not None
    images = [picture(seed, 120) for seed in range(3)]
    fast, reference = (Detector.load(detector_folder, name) for name in ("auto", "keras"))
    assert (fast.engine.name, reference.engine.name) == ("openvino", "keras")
    for ours, theirs in zip(fast.predict(images), reference.predict(images), strict=True):
        assert ours.logit == pytest.approx(theirs.logit, abs=1e-4)
        assert ours.ood.distance == pytest.approx(theirs.ood.distance, rel=1e-3)
    assert fast.engine.width == reference.engine.width == 12 * 768
    assert len(fast.ood_detector.mean) == 8 * 768, "what later blocks see is no matter of the domain"
    for view in (0, 1):
        ours, theirs = (each.explain(images[0], view=view) for each in (fast, reference))
        assert ours.layer == theirs.layer == "token_map"
        np.testing.assert_allclose(ours.values, theirs.values, atol=1e-3)
    low = Detector.load(detector_folder, "openvino-int8")
    assert low.engine.name == "openvino-int8" and low.predict(images)[0].score is not None


@pytest.mark.slow
def test_verdict_and_heat_map_need_no_tensorflow(detector_folder):
    code = f"""
import sys
import numpy as np
from dfcore.detectors.detector import Detector
detector = Detector.load({str(detector_folder)!r})
image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
assert detector.predict([image])[0].score is not None
assert detector.explain(image).values.shape == (50, 70)
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_an_archive_holds_the_head_and_is_imported_where_the_tower_is(detector_folder, tmp_path):
    imported = unpack(pack(detector_folder), tmp_path / "models", "copy")
    assert sum(path.stat().st_size for path in imported.iterdir()) < 4 * 2**20
    image = picture(5)
    (ours,), (theirs,) = (Detector.load(each).predict([image]) for each in (imported, detector_folder))
    assert (ours.logit, ours.ood.distance) == (theirs.logit, theirs.ood.distance)
    assert read_card(imported).replay == read_card(detector_folder).replay is not None


@pytest.mark.slow
def test_it_is_adapted_by_what_its_bundle_keeps(detector_folder, tmp_path):
    random = np.random.default_rng(3)
    for number in range(20):
        pixels = picture(100 + number, 96).astype(int)
        if number % 2:
            pixels[:, ::2] += 30
        folder = tmp_path / "lines" / ("fake" if number % 2 else "real")
        folder.mkdir(parents=True, exist_ok=True)
        noise = random.integers(-3, 4, pixels.shape)
        Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    card = adapt(detector_folder, scan(tmp_path / "lines"), tmp_path / "new")
    first, *others = card.adapted.rows
    assert first["source"] == "lines" and {row["source"] for row in others} == {"one", "two"}
    assert first["roc_auc_after"] >= first["roc_auc_before"]
    assert card.tower == read_card(detector_folder).tower
    fast, reference = (Detector.load(tmp_path / "new", name) for name in ("auto", "keras"))
    images = [picture(seed, 120) for seed in range(2)]
    for ours, theirs in zip(fast.predict(images), reference.predict(images), strict=True):
        assert ours.logit == pytest.approx(theirs.logit, abs=1e-4)
    replay, kernel = read_replay(tmp_path / "new", read_card(tmp_path / "new")), on_tower.head(tmp_path / "new")[0]
    assert replay.views == 2
    late = replay.columns >= 8 * 768
    assert late.any() and replay.features[:, 0, late].any() and not replay.features[:, 1, late].any()
    assert kernel[8 * 768 :, 0].any() and not kernel[8 * 768 :, 1].any(), "a view learns from what it looks at"


@pytest.mark.slow
def test_what_does_not_fit_the_tower_is_refused(detector_folder, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(detector_folder, copy)
    card = read_json(copy / CARD)
    for change, reason in (
        ({"tower": {"name": clip.NAME, "sha256": "0" * 64}}, "not the one that ships"),
        ({"arch": "cnn"}, "with a tower"),
        ({"preprocess": card["preprocess"] | {"size": 96}}, "224 pixels"),
        ({"preprocess": card["preprocess"] | {"views": ["native", "native_tl"]}}, "head does not fit"),
        ({"tower": None}, "does not match|Expected input"),
    ):
        write_json(copy / CARD, card | change)
        for engine in ("auto", "keras"):
            with pytest.raises(BundleError, match=reason):
                Detector.load(copy, engine)
    write_json(copy / CARD, card)
    monkeypatch.setattr(clip, "SHA256", "1" * 64)
    write_json(copy / CARD, card | {"tower": {"name": clip.NAME, "sha256": clip.SHA256}})
    with pytest.raises(BundleError, match="not those that ship"):
        Detector.load(copy)


def test_8_bits_are_for_detectors_on_a_tower():
    with pytest.raises(InputError, match="8 bits"):
        Detector.load(ROOT / "models" / "small", "openvino-int8")
