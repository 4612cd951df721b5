"""Faithfulness of a detector's heat-maps: of one image, and on average over images that it did not learn from."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from dfcore.detectors.card import MapFigures
from dfcore.detectors.detector import Detector
from dfcore.engines.base import mean_logits
from dfcore.errors import InputError
from dfcore.explanation import METHODS, Explainer, Faithfulness, Heatmap, faithfulness, random_orders, strengths
from dfcore.explanation.faithfulness import Score
from dfcore.explanation.sanity import rank_correlation, shuffle_weights
from dfcore.imaging.prepared import PreparedImage

# Images on which maps are compared with those of shuffled weights: each costs a second map, and their mean is steady.
_SHUFFLED = 8
# Random orders for averages, where time matters less.
_ORDERS = 10


def faithfulness_of(detector: Detector, image: PreparedImage, heatmap: Heatmap, **options: Any) -> Faithfulness:
    """Tests a heat-map of an image on the detector that it explains.

    Args:
        detector: The detector.
        image: The image, prepared for it.
        heatmap: Its map of any method, layer and view.
        options: `orders` and `seed`, as for `dfcore.explanation.faithfulness`.

    Raises:
        InputError: If the map is empty.
    """
    pixels = image.inputs[detector.spec]
    return faithfulness(_score(detector, pixels, heatmap.view), _square(pixels, heatmap.view), heatmap, **options)


def average_faithfulness(
    detector: Detector,
    images: Sequence[PreparedImage],
    split: str,
    *,
    methods: Sequence[str] = tuple(METHODS),
    progress: Callable[[int, int], None] | None = None,
) -> list[MapFigures]:
    """Tests each method at the default layer, in every view, on the evidence of the class that each image is given.

    Args:
        detector: The detector.
        images: Images that it was not trained on, prepared for it.
        split: What they are, for the card.
        methods: Keys of `METHODS`.
        progress: Called with (maps done, total).

    Returns:
        A row a method and view.

    Raises:
        InputError: If there are no images, or a method is unknown.
    """
    if not images:
        raise InputError("Expected images to test heat-maps on. Received: none.")
    if unknown := [method for method in methods if method not in METHODS]:
        raise InputError(f"Expected some of the methods {', '.join(METHODS)}. Received: {unknown}.")
    chance = _with_random_weights(detector)
    views = range(len(detector.spec.view_titles))
    found: dict[tuple[str, int], list[tuple[Faithfulness | None, float | None]]] = {}
    total, done = len(images) * len(views) * len(methods), 0
    for number, image in enumerate(images):
        for view in views:
            pixels = image.inputs[detector.spec]
            score, square = _score(detector, pixels, view), _square(pixels, view)
            target = "fake" if score(square[None])[0] >= detector.threshold else "real"
            random = random_orders(score, square, orders=_ORDERS)
            for method in methods:
                options: dict[str, Any] = {"method": method, "target": target, "view": view}
                one = detector.explain(image, **options)
                tested = faithfulness(score, square, one, random=random) if one.peak > 0 else None
                likeness = None
                if number < _SHUFFLED:
                    other = chance.explain_prepared(pixels, (image.height, image.width), **options)
                    likeness = rank_correlation(strengths(one), strengths(other))
                found.setdefault((method, view), []).append((tested, likeness))
                done += 1
                if progress:
                    progress(done, total)
    return [
        _row(method, detector.spec.view_titles[view] if len(views) > 1 else None, split, rows)
        for (method, view), rows in sorted(found.items(), key=lambda item: (methods.index(item[0][0]), item[0][1]))
    ]


def _row(method: str, view: str | None, split: str, rows: list[tuple[Faithfulness | None, float | None]]) -> MapFigures:
    """Means over the images; an empty map counts as a random one."""
    tested = [each for each, _ in rows if each is not None]

    def mean(values: Iterable[float]) -> float | None:
        some = list(values)
        return round(float(np.mean(some)), 4) if some else None

    return MapFigures(
        method=method,
        view=view,
        split=split,
        images=len(rows),
        empty=len(rows) - len(tested),
        deletion=mean(each.deletion_area for each in tested),
        insertion=mean(each.insertion_area for each in tested),
        random=mean(float(each.random_areas.mean()) for each in tested),
        beats_random=round(float(np.mean([0.5 if each is None else each.beats_random for each, _ in rows])), 4),
        sanity=round(float(np.mean([likeness for _, likeness in rows if likeness is not None])), 4),
    )


def _with_random_weights(detector: Detector) -> Explainer:
    """An explainer of the same network with shuffled weights; the detector's own network stays as it is."""
    import keras

    model = keras.models.clone_model(detector.model)
    model.set_weights(detector.model.get_weights())
    shuffle_weights(model)
    return Explainer(lambda: model, detector.spec, detector.card.cam_layer, heads=detector.engine.heads)


def _square(pixels: np.ndarray, view: int) -> np.ndarray:
    return pixels[view] if pixels.ndim == 4 else pixels


def _score(detector: Detector, pixels: np.ndarray, view: int) -> Score:
    """Scores of an image with one view replaced; the forward passes are those of this view alone."""
    base = detector.engine.by_view(pixels[None]).logits

    def score(squares: np.ndarray) -> np.ndarray:
        logits = np.repeat(base[None], len(squares), axis=0)
        logits[:, view] = detector.engine.of_view(squares, view)
        return detector.card.calibration.apply(mean_logits(logits))

    return score
