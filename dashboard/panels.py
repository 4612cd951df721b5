"""Panels of Evaluate: calibration and decisions, robustness, cross-evaluation matrix, comparison of two detectors."""

import pandas as pd
import streamlit as st

from dashboard import abstention, actions, detectors, inference_queue, prediction_sources, stored, widgets
from dfcore import figures
from dfcore.datasets import SPLITS
from dfcore.detectors.card import Card
from dfcore.evaluation import (
    calibration_error,
    mostly_refused,
    paired,
    reliability,
    robustness,
    splits_as_trained,
    three_way,
)
from dfcore.evaluation.metrics import METRICS, summary
from dfcore.evaluation.overlap import found, in_words, overlap


def show_overlap(source: prediction_sources.Source, predictions: pd.DataFrame, threshold: float) -> None:
    """Tells how many of the measured images the detector was trained on, and the figures on the rest."""
    result = overlap(predictions, threshold)
    same = bool((source.measured or {}).get("same_data_as_training"))
    text = widgets.plain(in_words(result, same_data=same))
    if found(result) or (same and not result["known"]):
        st.warning(text, icon=":material/content_copy:")
    else:
        st.caption(text)


def show_refused(predictions: pd.DataFrame) -> None:
    """Warns where the detector refuses most of the images, whose scores are shown all the same."""
    if "is_ood" in predictions and (
        told := mostly_refused(len(predictions), float(predictions.is_ood.fillna(False).astype(bool).mean()))
    ):
        st.warning(told, icon=":material/block:")


def show_confidence(entry: detectors.Entry, source: prediction_sources.Source) -> None:
    """Shows calibration, and the error and abstention rates of three-way decisions."""
    table = prediction_sources.table(source)
    labels, scores = table.label.to_numpy(int), table.score.to_numpy(float)
    result = three_way(labels, scores, entry.card.thresholds, table.get("is_ood"))
    ece = calibration_error(labels, scores)
    if ece is None:
        st.info("There are no images.")
        return
    st.caption(f"{len(table):,} images of the {widgets.plain(source.title)}. {widgets.plain(_fitted(entry.card))}")
    budget = entry.card.thresholds.budget
    names = ("fpr", f"False alarms (budget {budget.max_fpr:.0%})",
             "Of real images, the share called likely fake.")  # fmt: skip
    message = [
        names,
        (
            "passed",
            f"Passed fakes (budget {budget.max_fnr:.0%})",
            "Of fakes, the share below the lower threshold: "
            + (
                "called likely real." if result["says_real"] else "no sign of a fake found. They count as inconclusive."
            ),
        ),
        ("abstention_rate", "Inconclusive", "Share of all images called inconclusive."),
        ("selective_accuracy", "Accuracy when decided", "Of the images that were decided, the share called correctly."),
    ]
    with widgets.tiles():
        for key, title, text in message:
            widgets.tile(title, "none" if result[key] is None else f"{result[key]:.1%}", text)
    st.caption(widgets.plain(entry.card.words.in_words(entry.card.thresholds)))
    left, right = st.columns(2)
    with left:
        st.caption("Reliability: for calibrated scores, the points lie on the diagonal")
        shown = f"{METRICS['ece'].title} {ece:.3f}"
        widgets.chart(
            figures.reliability(reliability(labels, scores), shown), "reliability",
            f"Reliability diagram, share of fakes against score: {shown}.",
        )  # fmt: skip
    with right:
        st.caption("Decisions on real and fake images")
        widgets.chart(
            figures.answers(result), "answers",
            f"Decisions on real and fake images, as bars: {result['abstention_rate']:.1%} of all are inconclusive.",
        )  # fmt: skip
        if result["ood_rate"]:
            st.caption(f"{result['ood_rate']:.1%} are out of distribution (unlike the training images): inconclusive.")
    abstention.show_coverage(table, entry.card.thresholds)
    abstention.show_refusals(entry)


def _fitted(card: Card) -> str:
    return f"Calibration: {card.calibration.description}."


def show_robustness(entry: detectors.Entry, source: prediction_sources.Source) -> None:
    """Shows metrics after recompression, resizing and other changes; measures them on request and stores the result."""
    rows = prediction_sources.robustness_of(entry, source)
    if rows:
        st.caption(f"{rows[0]['images']:,} images of the {widgets.plain(source.title)}, rescored after each change.")
        widgets.chart(
            figures.robustness(rows, widgets.titles(summary())), "robustness",
            "Metrics after each change of the images; the table below has the same figures.",
        )  # fmt: skip
        columns = {metric.key: metric.title for metric in summary()} | {"abstention_rate": "Inconclusive"}
        table = pd.DataFrame(rows).set_index("title").rename_axis("Change")[list(columns)]
        digits = {name: st.column_config.NumberColumn(format="%.3f") for name in columns.values()}
        widgets.table(
            table.rename(columns=columns), "Metrics after each change of the images", hide_index=False,
            column_config=digits,
        )  # fmt: skip
    else:
        st.markdown("Not measured on these images yet. Measuring rescores each image after eleven small changes.")
    if source.root is None:
        st.info(prediction_sources.unknown_root(entry, source))
        return
    most = st.number_input("Maximum images", 20, 100_000, 300, 20, key="robust_most", help="A seeded sample.")
    if st.button("Measure again" if rows else "Measure", icon=":material/play_arrow:", key="robust_go"):
        actions.require_measuring()
        progress = widgets.progress("Loading the detector …")
        result = splits_as_trained(entry.card, stored.dataset(source.root), detectors.detector(entry).trained_on)
        part = source.split if source.split in SPLITS else None
        with inference_queue.measuring.take():
            rows = robustness(
                detectors.detector(entry), result, part, max_images=int(most),
                progress=progress,
            )  # fmt: skip
        prediction_sources.keep_robustness(entry, source, rows)
        st.rerun()


def show_comparison(entry: detectors.Entry, source: prediction_sources.Source) -> None:
    """Tests whether another detector is better on the same images."""
    others = {one.key: one for one in detectors.detectors() if one.key != entry.key}
    if not others:
        st.info("There is no second detector to compare with.", icon=":material/compare_arrows:")
        return
    key = st.selectbox("Compare with", list(others), format_func=lambda name: others[name].title, key="compare_with",
                       help="The test uses the images that both were measured on.")  # fmt: skip
    other = others[key]
    thresholds = (entry.card.threshold.value, other.card.threshold.value)
    for theirs in prediction_sources.sources(other):
        paths = source.predictions, theirs.predictions
        result = stored.comparison(
            str(paths[0]), stored.stamp(paths[0]), str(paths[1]), stored.stamp(paths[1]), thresholds
        )
        if result is not None:
            st.markdown(f"**A** is {widgets.plain(entry.title)}, **B** is {widgets.plain(other.title)}.")
            st.markdown(widgets.plain(paired.in_words(result)))
            return
    st.info(
        "The two were not measured on the same images. Choose the other detector above and measure it on this data "
        "set, then come back.",
        icon=":material/compare_arrows:",
    )
