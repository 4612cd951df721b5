"""A detector is measured on images after each change as it would judge them."""

import numpy as np
import pytest
from PIL import Image

from dfcore.confidence import Calibration, DecisionThresholds, decide
from dfcore.datasets import scan
from dfcore.detectors.card import Card, Preprocess, Threshold, Training
from dfcore.detectors.detector import Detector
from dfcore.engines import Outputs
from dfcore.evaluation import METRICS, evaluate_scores, robustness, stability, three_way
from dfcore.evaluation.robustness import CHANGES
from tests.conftest import make_image

NAMES = [change.name for change in CHANGES]
ROW = ["change", "title", "images", *METRICS, "abstention_rate"]


class Brightness:
    """Finds bright images fake; it stands for a network, so that TensorFlow need not."""

    name = "brightness"

    def outputs(self, pixels: np.ndarray) -> Outputs:
        logits = (pixels.mean((1, 2, 3)) - 128) / 40
        return Outputs(logits.astype(np.float32), logits[:, None].astype(np.float32))

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        return self.outputs(pixels).logits


def made_detector(threshold=0.5, **card):
    card = Card(
        title="Brightness",
        created="today",
        arch="none",
        loss="binary",
        preprocess=Preprocess(size=32, resize="stretch"),
        threshold=Threshold(value=threshold, chosen_on="nothing", criterion="none"),
        cam_layer="none",
        training=Training(dataset="none"),
        **card,
    )
    return Detector(card, Brightness(), None)


@pytest.fixture
def detector():
    """With a calibration and two thresholds, so that what ignores them shows."""
    return made_detector(
        calibration=Calibration(method="platt", slope=2, offset=0.3),
        decision_thresholds=DecisionThresholds(real_below=0.4, fake_from=0.65),
    )


def write_grey(path, level, texture=0):
    """An image of one brightness, with some noise on it."""
    noise = np.random.default_rng(texture).integers(-8, 9, (32, 32, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((level + noise).astype(np.uint8)).save(path)


@pytest.fixture
def dark_and_bright(tmp_path):
    """30 dark real images and 10 bright fakes."""
    root = tmp_path / "images"
    for number in range(30):
        write_grey(root / "real" / f"{number}.png", 60, number)
    for number in range(10):
        write_grey(root / "fake" / f"{number}.png", 190, number)
    return root


# === A data set ===


def test_the_first_row_is_what_the_detector_says_of_the_images_as_they_are(detector, small_dataset):
    dataset = scan(small_dataset)
    rows = dataset.usable[dataset.usable.split == "test"]
    scores = [verdict.score for verdict in detector.predict([dataset.root / path for path in rows.path])]
    labels = rows.label.to_numpy(int)
    expected = evaluate_scores(labels, scores, 0.5)
    first, *_ = robustness(detector, dataset, "test")
    assert {key: first[key] for key in ROW[2:-1]} == pytest.approx({key: expected[key] for key in ROW[2:-1]})
    assert first["abstention_rate"] == pytest.approx(
        three_way(labels, scores, detector.card.thresholds)["abstention_rate"]
    )
    assert (first["change"], first["images"]) == ("original", 24)


def test_there_is_a_row_for_every_change(detector, small_dataset):
    text = []
    result = robustness(detector, scan(small_dataset), "test", progress=lambda *done: text.append(done))
    assert [row["change"] for row in result] == ["original", *NAMES]
    assert [row["title"] for row in result[1:]] == [change.title for change in CHANGES]
    assert all(list(row) == ROW for row in result)
    assert text[-1] == (24, 24)


def test_a_row_is_measured_on_changed_images(dark_and_bright):
    """Real images of 140 grey levels are called fake; darkened to 112 they are not."""
    for path in (dark_and_bright / "real").iterdir():
        write_grey(path, 140)
    result = {row["change"]: row for row in robustness(made_detector(), scan(dark_and_bright))}
    assert (result["original"]["false_positive_rate"], result["original"]["accuracy"]) == (1, 1 / 4)
    assert (result["darker"]["false_positive_rate"], result["darker"]["accuracy"]) == (0, 1)
    assert result["brighter"]["recall"] == 1


def test_without_a_split_all_labelled_images_are_measured(detector, small_dataset):
    assert {row["images"] for row in robustness(detector, scan(small_dataset), max_images=100)} == {72}


def test_a_sample_keeps_the_shares_of_the_classes(dark_and_bright):
    """With everything called fake the accuracy is the share of fakes."""
    dataset = scan(dark_and_bright)
    for row in robustness(made_detector(threshold=0.0), dataset, max_images=20):
        assert (row["images"], row["accuracy"], row["recall"]) == (20, 5 / 20, 1)


def test_a_sample_is_drawn_by_its_seed(detector, small_dataset):
    dataset = scan(small_dataset)
    first, again, other = (robustness(detector, dataset, max_images=10, seed=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_a_file_that_went_since_is_passed_over(dark_and_bright):
    dataset = scan(dark_and_bright)
    for name in ("real/0.png", "fake/3.png"):
        (dark_and_bright / name).unlink()
    (dark_and_bright / "fake/4.png").write_bytes(b"no image")
    for row in robustness(made_detector(), dataset):
        assert (row["images"], row["accuracy"]) == (37, 1), "every label stays with its image"


def test_with_one_class_there_is_no_auc(dark_and_bright):
    for path in (dark_and_bright / "real").iterdir():
        path.unlink()
    for row in robustness(made_detector(), scan(dark_and_bright)):
        assert (row["images"], row["roc_auc"], row["false_positive_rate"], row["recall"]) == (10, None, None, 1)


# === One image ===


def test_stability_tells_score_and_answer_after_every_change(detector, tmp_path):
    path = make_image(tmp_path / "noise.png", (50, 40))
    result = stability(detector, path)
    (verdict,) = detector.predict([path])
    assert [row["change"] for row in result] == ["original", *NAMES]
    assert (result[0]["score"], result[0]["decision"]) == (pytest.approx(verdict.score), verdict.decision)
    for row in result:
        assert row["decision"] == decide(row["score"], detector.card.thresholds)
    scores = {row["change"]: row["score"] for row in result}
    assert scores["darker"] < scores["original"] < scores["brighter"]
    chosen = [row for row in result if row["change"] in ("darker", "original", "brighter")]
    assert {row["change"]: row["decision"] for row in chosen} == {
        "darker": "inconclusive", "original": "inconclusive", "brighter": "fake"}  # fmt: skip
    assert [row["finding"] for row in chosen] == ["inconclusive", "no_sign", "fake"], "in the table's order"


def test_without_two_thresholds_stability_answers_at_the_one(tmp_path):
    answers = {row["finding"] for row in stability(made_detector(), make_image(tmp_path / "noise.png"))}
    assert answers == {"no_sign", "fake"}
