"""Measures on labelled images whether what was said of a network's preprocessing can be right.

A wrong range of pixels or a swapped order of classes is the usual fault with a network from elsewhere, and nothing
breaks: it only judges badly. So every range is measured with both orders of classes, and the other order of channels
with the range that was said.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfcore.confidence import sigmoid
from dfcore.datasets.cache import Pixels, Progress
from dfcore.evaluation import evaluate_scores
from dfcore.evaluation.paired import compare
from dfcore.foreign.ranges import RANGES, Colours, range_of
from dfcore.labels import FAKE, REAL

if TYPE_CHECKING:
    import keras

# Labelled images of each class without which nothing can be told, and how many are measured at most.
FEWEST, MOST = 20, 200
_BATCH = 16
# Another preprocessing is clearly better if its ROC AUC is higher by this much, and more than nothing at 95%, ...
_AUC_GAIN = 0.01
# ... or its ROC AUC is as good, and it decides this much more rightly at a score of 0.5, which is no chance.
_ACCURACY_GAIN, _CHANCE = 0.05, 0.001


@dataclass(frozen=True)
class Preprocessing:
    """A preprocessing that a network may have been trained with.

    Attributes:
        range: Name of the scaling, see `RANGES`.
        fake_first: Whether its first class is the fakes.
        colours: Order of the channels.
    """

    range: str
    fake_first: bool
    colours: Colours = "rgb"

    @property
    def classes(self) -> str:
        """The order of classes, in words."""
        return "fake,real" if self.fake_first else "real,fake"

    def __str__(self) -> str:
        """In words."""
        return f"range {self.range}, classes {self.classes}, colours {self.colours}"


@dataclass(frozen=True)
class Check:
    """What was measured.

    Attributes:
        said: The preprocessing that was said.
        tried: All that were measured, the best by ROC AUC first.
        figures: For each its ROC AUC, accuracy at 0.5 and ECE.
        better: What is clearly better than what was said; None if nothing is.
        chance: Whether what was said tells real from fake no better than chance.
        images: Number of images, {"real": n, "fake": n}.
    """

    said: Preprocessing
    tried: tuple[Preprocessing, ...]
    figures: tuple[dict[str, float], ...]
    better: Preprocessing | None
    chance: bool
    images: dict[str, int]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The table for people and for the card."""
        return [
            {"range": each.range, "classes": each.classes, "colours": each.colours, **figures}
            | {"said": "said" if each == self.said else ""}
            for each, figures in zip(self.tried, self.figures, strict=True)
        ]

    @property
    def problem(self) -> str | None:
        """Why what was said does not fit the images, as a sentence without its full stop; None if it may."""
        of = dict(zip(self.tried, self.figures, strict=True))
        told = f"On {self.images['real']} real and {self.images['fake']} fake images its ROC AUC is "
        told += f"{of[self.said]['roc_auc']:.3f} and its accuracy {of[self.said]['accuracy']:.3f} with {self.said}"
        if self.better is not None:
            best = of[self.better]
            return (
                f"{told}; with {self.better} they are {best['roc_auc']:.3f} and {best['accuracy']:.3f}, which is "
                "clearly better"
            )
        if self.chance:
            return f"{told}: no better than chance, and nothing that was tried is clearly better"
        return None


def chosen(labels: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Positions of at most `MOST` images of each class, drawn at random, in order.

    Args:
        labels: 0 real, 1 fake, of the positions, (N,).
        positions: Positions of images, (N,).
    """
    random = np.random.default_rng(0)
    parts = [random.permutation(positions[labels == label])[:MOST] for label in (REAL, FAKE)]
    return np.sort(np.concatenate(parts))


def check(
    core: "keras.Model",
    said: Preprocessing,
    pixels: Pixels,
    positions: np.ndarray,
    labels: np.ndarray,
    progress: Progress | None = None,
) -> Check:
    """Measures what was said, and what else it could be.

    Args:
        core: The network without preprocessing, up to one logit of its second class.
        said: What was said.
        pixels: Preprocessed images.
        positions: Which of them are measured, (N,).
        labels: 0 real, 1 fake, (N,).
        progress: Called with (images done, images in all, over all that is tried).
    """
    colours: Colours = "rgb" if said.colours == "bgr" else "bgr"
    scalings = [(name, said.colours) for name in RANGES]
    if not range_of(said.range).bgr:
        scalings.append((said.range, colours))
    table: dict[Preprocessing, np.ndarray] = {}
    for number, (name, order) in enumerate(scalings):

        def tell(done: int, before: int = number * len(positions)) -> None:
            if progress:
                progress(before + done, len(scalings) * len(positions))

        logits = _logits(core, name, order, pixels, positions, tell)
        order = "bgr" if range_of(name).bgr else order
        table[Preprocessing(name, False, order)] = logits
        table[Preprocessing(name, True, order)] = -logits
    said = replace(said, colours="bgr" if range_of(said.range).bgr else said.colours)
    return _judged(said, table, labels)


def _logits(
    core: "keras.Model",
    name: str,
    colours: Colours,
    pixels: Pixels,
    positions: np.ndarray,
    tell: Callable[[int], None],
) -> np.ndarray:
    """Logits of the second class, (N,); where a range makes the network overflow, 0."""
    parts = []
    for start in range(0, len(positions), _BATCH):
        some = pixels.gather(positions[start : start + _BATCH])
        parts.append(core.predict_on_batch(range_of(name).apply(some, colours))[:, 0])
        tell(start + len(some))
    return np.nan_to_num(np.concatenate(parts).astype(np.float64), posinf=1e30, neginf=-1e30)


def _judged(said: Preprocessing, table: dict[Preprocessing, np.ndarray], labels: np.ndarray) -> Check:
    figures = {each: _figures(labels, scores) for each, scores in table.items()}
    order = sorted(figures, key=lambda each: (-figures[each]["roc_auc"], -figures[each]["accuracy"]))
    better = [
        each
        for each in order
        if _may_be_better(figures[said], figures[each]) and _is_better(table[said], table[each], labels)
    ]
    if better:
        # Among those that are as good as the best, the one that is most like what was said.
        auc = figures[better[0]]["roc_auc"] - _AUC_GAIN
        accuracy = max(figures[each]["accuracy"] for each in better if figures[each]["roc_auc"] >= auc)
        better.sort(
            key=lambda each: (
                figures[each]["roc_auc"] < auc,
                figures[each]["accuracy"] < accuracy - _ACCURACY_GAIN,
                (each.range != said.range) + (each.fake_first != said.fake_first) + (each.colours != said.colours),
                -figures[each]["accuracy"],
            )
        )
    counts = {"real": int((labels == REAL).sum()), "fake": int((labels == FAKE).sum())}
    return Check(
        said,
        tuple(order),
        tuple(figures[each] for each in order),
        better[0] if better else None,
        _is_chance(table[said], labels),
        counts,
    )


def _figures(labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import roc_auc_score

    result = evaluate_scores(labels, sigmoid(logits), 0.5).to_dict()
    # Scores of a wrong range are often all 0 or 1, where logits still tell images apart.
    return {"roc_auc": float(roc_auc_score(labels, logits))} | {key: float(result[key]) for key in ("accuracy", "ece")}


def _compared(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    both = pd.DataFrame({"label": labels, "score_a": first, "score_b": second})
    return dict(compare(both, 0.0, 0.0))


def _may_be_better(said: dict[str, float], other: dict[str, float]) -> bool:
    """Whether it is worth the test that takes long."""
    more = {key: other[key] - said[key] for key in ("roc_auc", "accuracy")}
    return more["roc_auc"] >= _AUC_GAIN or (more["accuracy"] >= _ACCURACY_GAIN and more["roc_auc"] > -_AUC_GAIN)


def _is_better(said: np.ndarray, other: np.ndarray, labels: np.ndarray) -> bool:
    found = _compared(said, other, labels)
    gain = found["auc_difference"]
    if gain >= _AUC_GAIN and found["auc_low"] > 0:
        return True
    righter = found["accuracy_b"] - found["accuracy_a"] >= _ACCURACY_GAIN and found["mcnemar_p"] < _CHANCE
    return righter and gain > -_AUC_GAIN and not found["auc_high"] < 0


def _is_chance(logits: np.ndarray, labels: np.ndarray) -> bool:
    """Whether their ROC AUC may be 0.5 or less."""
    return not _compared(np.zeros(len(logits)), logits, labels)["auc_low"] > 0


def words(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The table of a check with the titles that people see."""
    titles = {"range": "Range", "classes": "Classes", "colours": "Colours", "roc_auc": "ROC AUC"}
    titles |= {"accuracy": "Accuracy at 0.5", "ece": "ECE", "said": "Said"}
    return [{title: row.get(key) for key, title in titles.items()} for row in rows]
