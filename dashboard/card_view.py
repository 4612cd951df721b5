"""A detector's card: what it is, its limits, its results, and the full record when opened."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import abstention, adopt_view, error_reporting, widgets
from dfcore import figures
from dfcore.confidence import sides_in_words
from dfcore.detectors.card import Card
from dfcore.evaluation import METRICS
from dfcore.evaluation.metrics import summary


def _measured_columns() -> dict[str, str]:
    """Columns of the table of measurements on other images, {key in the card: title}."""
    ece = METRICS["ece"].title
    return {"data set": "Data set", "real": "Real", "fake": "Fake"} | {
        "roc_auc": METRICS["roc_auc"].title, "balanced_accuracy": METRICS["balanced_accuracy"].title, "ece": ece,
        "three_way_fpr": "Real, called likely fake", "three_way_fnr": "Fake, called likely real",
        "passed": "Fake, below the lower threshold",
        "abstention_rate": "Inconclusive", "ood_rate": "Out of distribution",
    }  # fmt: skip


def show_card(card: Card, key: str) -> None:
    """Shows a card; `key` distinguishes the widgets of several cards on a page."""
    if card.description:
        st.markdown(widgets.plain(card.description))
    if card.limits:
        st.warning(widgets.plain(card.limits[0]), icon=":material/report:")
        st.markdown("\n".join(f"- {widgets.plain(limit)}" for limit in card.limits[1:]))
    for split, metrics in card.results.items():
        if not metrics["images"]:
            continue
        st.markdown(
            f"**On {split}: {metrics['images']:,} images** ({metrics['real']:,} real, {metrics['fake']:,} fake), "
            f"threshold {metrics['threshold']:.3f}"
        )
        widgets.show_metrics(metrics, summary())
    if card.adapted:
        st.markdown(
            f"**What adapting to {widgets.plain(card.adapted.source)} gained and cost**, on images that nothing had "
            "learned from, before and after; the new source first"
        )
        widgets.table(card.adapted.shown(), "Metrics by source, before and after adapting")
    if card.adopted and card.adopted.check:
        adopt_view.show_check(card.adopted.check, card.adopted.images, place=f"check_{key}")
    if card.robustness:
        _show_robustness(card, key)
    if card.measured:
        st.markdown("**On other images**")
        columns = _measured_columns()
        rows = [{title: row.get(key) for key, title in columns.items()} for row in card.measured]
        shares = list(columns.values())[3:]
        digits = {name: st.column_config.NumberColumn(format="%.3f") for name in shares}
        widgets.table(rows, "Metrics on other data sets", column_config=digits)
    if (card.ood and card.ood.gate) or card.words.sources:
        _show_gate(card, key)
    _show_whole(card, key)


@error_reporting.fragment()
def _show_gate(card: Card, key: str) -> None:
    if place := widgets.folded("Abstention: what it refuses, and its right to say likely real", f"gate_{key}"):
        with place:
            abstention.show_gate(card)


@error_reporting.fragment()
def _show_robustness(card: Card, key: str) -> None:
    result = card.robustness[0]
    if place := widgets.folded(
        f"Robustness to recompression, resizing and other changes, on {result['split']}", f"robustness_{key}"
    ):
        figure = figures.robustness(result["rows"], widgets.titles(summary()))
        with place:
            widgets.chart(figure, f"robust_{key}", f"Metrics after each change of the images. {_told(result['rows'])}")


def _told(rows: Sequence[Mapping[str, Any]]) -> str:
    """ROC AUC after each change, in words."""
    name = METRICS["roc_auc"].title
    return "; ".join(f"{row['title']}: {name} {METRICS['roc_auc'].shown(row.get('roc_auc'))}" for row in rows)


@error_reporting.fragment()
def _show_whole(card: Card, key: str) -> None:
    training = card.training
    rows = {
        "Architecture": card.arch,
        "Input": f"{card.preprocess.size} pixels: {', '.join(card.spec.view_titles)}",
        "Binary threshold": f"{card.threshold.value:.4f}: {card.threshold.criterion}",
        "Three-way thresholds": _thresholds(card),
        "Right to say likely real": card.words.in_words(card.thresholds),
        "Calibration": card.calibration.description,
        "Training images": _training_images(card),
        "Listed images": _listed(card),
        "Engine": _engine(card),
        "Trained on": "unknown: it was made elsewhere" if card.adopted else f"{training.dataset}, {training.layout}",
        "Adapted": _adapted(card),
        "Images": "; ".join(f"{split}: {n['real']} real, {n['fake']} fake" for split, n in training.counts.items()),
        "Excluded images": str(training.excluded),
        "Epochs": f"{training.epochs_run}, best epoch {training.best_epoch}",
        "Licence": card.licence or "none stated",
        "Created": card.created,
        "SHA-256 of the model": card.model_sha256,
        "Created with": ", ".join(f"{name} {version}" for name, version in card.versions.items()),
    }
    if card.adopted:
        rows["Adopted"] = str(card.adopted)
        rows["Calibrated on"] = f"{training.dataset}, {training.layout}"
    if training.self_made:
        rows["Self-made fakes"] = training.self_made
    if whole := widgets.folded("Full card", f"card_{key}"):
        text = [widgets.plain(value) for value in rows.values()]
        whole.table({"Entry": list(rows), "Value": text}, hide_index=True, border="horizontal", alt="Full card")
        whole.json(card.model_dump(mode="json"), expanded=False)


def _thresholds(card: Card) -> str:
    if card.decision_thresholds is None:
        return "none"
    result = card.thresholds
    return (
        f"{sides_in_words(result.real_below, result.fake_from, says_real=result.says_real)}: at most "
        f"{result.budget.max_fpr:.0%} false alarms and {result.budget.max_fnr:.0%} fakes below on images like those of "
        f"{result.chosen_on}, {result.abstention_rate:.0%} inconclusive"
    )


def _training_images(card: Card) -> str:
    if card.ood is None:
        return "not recorded: it cannot detect images unlike its training images (out of distribution)"
    files = card.ood.files
    quality = f", JPEG quality {files.qualities[0]} to {files.qualities[1]}" if files.qualities else ""
    return f"shorter side {files.sides[0]} to {files.sides[1]} pixels{quality}"


def _adapted(card: Card) -> str:
    if card.adapted is None:
        return "no" if card.replay else "no; it keeps no features of its training images"
    made = card.adapted
    return f"to {made.source} ({made.counts['real']} real, {made.counts['fake']} fake), from {made.base}"


def _listed(card: Card) -> str:
    if card.trained_on is None:
        return "none: it cannot tell whether an image was among those that it was trained on"
    return (
        f"hashes of {card.trained_on.train:,} training and {card.trained_on.validation:,} validation images, so that "
        "it can recognise them"
    )


def _engine(card: Card) -> str:
    record = card.openvino
    if record is None or not record.enabled:
        return f"Keras{f'; not OpenVINO: {record.reason}' if record else ''}"
    text = f"on {record.images} images its scores were within {record.difference:.0e} of Keras's"
    costs = {"bfloat16": record.bfloat16, "8 bits": record.int8}
    cheaper = "".join(f"; in {name}, only on request, {cost}" for name, cost in costs.items() if cost)
    return f"OpenVINO {record.version} in float32 where it is installed: {text}{cheaper}"
