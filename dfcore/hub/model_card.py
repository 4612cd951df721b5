"""A detector's model card on the Hugging Face Hub: README.md with the Hub's metadata, from the bundle's card alone.

Figures name the images that they are of. What the detector has no right to say is said before any figure, and so are
its limits. Texts on a card are strangers' words wherever the card came from, so they are escaped.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dfcore.confidence import FINDINGS
from dfcore.detectors.card import Card
from dfcore.evaluation.metrics import METRICS, headline, summary
from dfcore.hub.addresses import Address
from dfcore.hub.licences import OTHER
from dfcore.utils.extras import require
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

_TASK = "image-classification"
# Metrics that the Hub knows under these names; the others stand in the results under ours.
_HUB_METRICS = ("accuracy", "roc_auc", "f1", "precision", "recall")
_REPORTED = ("roc_auc", "balanced_accuracy", "accuracy", "f1", "precision", "recall", "false_positive_rate", "ece")
_MEASURED = {
    "data set": "Images", "real": "Real", "fake": "Fake", "roc_auc": METRICS["roc_auc"].title,
    "balanced_accuracy": METRICS["balanced_accuracy"].title, "three_way_fpr": "Real, called likely fake",
    "three_way_fnr": "Fake, called likely real", "passed": "Fake, below the lower threshold",
    "abstention_rate": "Inconclusive", "ood_rate": "Out of distribution",
}  # fmt: skip
# What is markup anywhere in a line, what is only at its beginning, and what the Hub turns into links and mentions.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~$&])")
_AT_START = re.compile(r"^(?:[#+\-=:]|\d+[.)])")
_LINKED = re.compile(r":(?=//)|(?i:www)(?=\.)|@(?=\w)")
# Invisible, and ends what would become a link.
_JOINER = "\N{WORD JOINER}"


def make(
    card: Card, address: Address, *, licence: str, licence_name: str, digest: str, files: Mapping[str, int]
) -> str:
    """Writes the model card.

    Args:
        card: The bundle's card.
        address: Where the detector will be.
        licence: Identifier of its licence on the Hub; "" if none is stated.
        licence_name: Name of the licence, if the identifier is "other".
        digest: Digest of the bundle's files, see `dfcore.hub.pinned`.
        files: {name: bytes} of the files that go there.

    Returns:
        The text of README.md.
    """
    require("huggingface_hub", "hub", "A model card")
    from huggingface_hub import ModelCard, ModelCardData

    results = _results(card)
    named = {result.metric_type for result in results}
    data = ModelCardData(
        license=licence or None,
        license_name=licence_name or None,
        library_name="keras",
        pipeline_tag=_TASK,
        tags=_tags(card),
        datasets=[_identifier(card.training.dataset)] if _is_named(card) else None,
        metrics=[name for name in _HUB_METRICS if name in named] or None,
        model_name=_line(card.title, 200),
        eval_results=results or None,
    )
    body = "\n\n".join(part for part in _body(card, address, licence, digest, files) if part)
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}\n"))


# === Metadata ===


def _tags(card: Card) -> list[str]:
    tags = ["dfcore", "deepfake-detection", "ai-generated-image-detection", _identifier(card.arch)]
    return tags + (["demonstration"] if card.training.demonstration else [])


def _is_named(card: Card) -> bool:
    """Whether the card names the images that it was trained on."""
    known = bool(_identifier(card.training.dataset)) and card.adopted is None
    return known and not card.training.demonstration


def _identifier(text: str) -> str:
    """A text as an identifier: letters, digits, dots, hyphens and underscores."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:90]


def _results(card: Card) -> "list[EvalResult]":
    """Figures of all splits, and on other data sets, in the Hub's form."""
    own = _line(card.training.dataset, 80) or "its own data set"
    results = []
    for split, figures in card.results.items():
        if figures["images"]:
            results += _result(own, _line(split, 40), figures)
    for row in card.measured:
        name = _line(row.get("data set", ""), 80)
        if name:
            results += _result(name, "", row)
    return results


def _result(dataset: str, split: str, figures: Mapping[str, Any]) -> "list[EvalResult]":
    from huggingface_hub import EvalResult

    counts = {name: figures[name] for name in ("images", "real", "fake") if isinstance(figures.get(name), int)}
    return [
        EvalResult(
            task_type=_TASK,
            task_name="Real or fake",
            dataset_type=_identifier(dataset) or "unnamed",
            dataset_name=f"{dataset}, {split}" if split else dataset,
            dataset_split=split or None,
            dataset_args=counts or None,
            metric_type=key,
            metric_name=METRICS[key].title,
            metric_value=round(float(figures[key]), 4),
        )
        for key in _REPORTED
        if isinstance(figures.get(key), (int, float))
    ]


# === Text ===


def _body(card: Card, address: Address, licence: str, digest: str, files: Mapping[str, int]) -> Iterable[str]:
    yield f"# {plain(card.title)}"
    yield plain(card.description)
    if card.training.demonstration:
        yield "**It was trained on a demonstration set: it recognises a simulation, and says nothing of other images.**"
    yield "## What it says"
    yield _says(card)
    if card.limits:
        yield "## Limits"
        yield "\n".join(f"- {plain(limit)}" for limit in card.limits)
    yield "## Use"
    yield _use(address, digest)
    yield from _figures(card)
    yield "## Training"
    yield _training(card)
    yield "## Licence"
    yield _licence(card, licence)
    yield "## Files"
    yield _files(card, digest, files)


def _says(card: Card) -> str:
    t = card.thresholds
    low = FINDINGS["real" if t.says_real else "no_sign"]
    lines = [
        f"An image gets a score, the calibrated probability that it is fake where half of the images are. From "
        f"{t.fake_from:.3f} it is “{FINDINGS['fake']}”, below {t.real_below:.3f} “{low}”, in between "
        f"“{FINDINGS['inconclusive']}”. Images unlike those that it was trained on are not decided.",
        f"The thresholds are for at most {t.budget.max_fpr:.1%} false alarms and {t.budget.max_fnr:.1%} missed fakes "
        f"on images like those of {plain(t.chosen_on)}; there {t.abstention_rate:.0%} are inconclusive.",
        f"**Its right to “{FINDINGS['real']}”**: {plain(card.words.in_words(card.thresholds))}",
    ]
    if card.ood is None:
        lines.append("It cannot tell images that are unlike its training images.")
    if card.decision_thresholds is None:
        lines[1] = "It has no thresholds for an error budget, only the one of its two-way decision."
    return "\n\n".join(lines)


def _use(address: Address, digest: str) -> str:
    return (
        "It is a bundle of dfcore, the deepfake workbench: a Keras network with its calibration, its thresholds, and a "
        "card of what is known of it. The network alone (`model.keras`) gives logits that are neither calibrated nor "
        "guarded. With dfcore and its extra `hub` installed:\n\n```\n"
        f"dfcore pull {address} --digest {digest}\n"
        f"dfcore predict {address.name} IMAGE\n```"
    )


def _figures(card: Card) -> Iterable[str]:
    shown = [split for split, figures in card.results.items() if figures["images"]]
    if shown:
        yield "## Figures"
        yield (
            f"On images {'that it was calibrated with' if card.adopted else 'of its own data set'}"
            + (f" ({plain(card.training.dataset)})" if card.training.dataset else "")
            + ", each split by itself. Validation images have also set calibration and thresholds, unless "
            "cross-validation is listed."
        )
        yield _table([_row(split, card.results[split]) for split in shown])
    if card.measured:
        yield "On other images:"
        yield _table([{title: _shown(row.get(key)) for key, title in _MEASURED.items()} for row in card.measured])
    if card.robustness:
        result = card.robustness[0]
        yield f"After changes, on {plain(result['split'])}:"
        titles = {"title": "Change", "images": "Images"} | {metric.key: metric.title for metric in summary()}
        rows = [{title: _shown(row.get(key)) for key, title in titles.items()} for row in result["rows"]]
        yield _table(rows)
    if card.adapted:
        yield f"Gained and lost by adapting to {plain(card.adapted.source)}, before and after; the new source first:"
        yield _table(card.adapted.shown())


def _row(split: str, figures: Mapping[str, Any]) -> dict[str, object]:
    three = figures.get("three_way") or {}
    row: dict[str, object] = {"Split": split}
    row |= {name.capitalize(): f"{figures[name]:,}" for name in ("images", "real", "fake")}
    row |= {metric.title: metric.shown(figures.get(metric.key)) for metric in headline()}
    return row | {"Inconclusive": _shown(three.get("abstention_rate"))}


def _training(card: Card) -> str:
    training = card.training
    counts = "; ".join(f"{name}: {n['real']:,} real, {n['fake']:,} fake" for name, n in training.counts.items())
    elsewhere = card.adopted is not None
    lines = {
        "Made elsewhere": f"{card.adopted}. What it was trained on is unknown." if elsewhere else "",
        "Calibrated on" if elsewhere else "Data set": f"{training.dataset}, {training.layout}".strip(", "),
        "Images": counts,
        "Self-made fakes": training.self_made,
        "Adapted": f"to {card.adapted.source}, from {card.adapted.base}" if card.adapted else "",
        "Architecture": card.arch,
        "Input": f"{card.preprocess.size} pixels: {', '.join(card.spec.view_titles)}",
        "Head on a shared network": f"{card.tower.name}, which comes with dfcore" if card.tower else "",
        "Epochs": "" if elsewhere else f"{training.epochs_run}, the best was {training.best_epoch}",
        "Created": card.created,
        "With": ", ".join(f"{name} {version}" for name, version in card.versions.items()),
    }
    text = "\n".join(f"- {name}: {plain(value)}" for name, value in lines.items() if value)
    notes = "\n".join(f"- {plain(note)}" for note in training.notes)
    return f"{text}\n{notes}".strip()


def _licence(card: Card, licence: str) -> str:
    stated = f"The detector's card says: {plain(card.licence)}" if card.licence else "Its card states no licence."
    chosen = f"Published under {plain(licence)}." if licence and licence != OTHER else ""
    return "\n\n".join(part for part in (chosen, stated) if part)


def _files(card: Card, digest: str, files: Mapping[str, int]) -> str:
    rows = [{"File": name, "Bytes": f"{size:,}", "Holds": holds(name)} for name, size in sorted(files.items())]
    return (
        f"{_table(rows)}\n\nSHA-256 of the network: `{card.model_sha256}`. Digest of all files (`sha256sum` of them in "
        f"the order of their names, and of what that prints): `{digest}`."
    )


def holds(name: str) -> str:
    """What a file of a bundle tells whoever has it."""
    return {
        "model.keras": "the network",
        "card.json": "all that the model card says, and the settings of the training",
        "domain.npz": "features of images of its data set, by which unlike images are told",
        "trained_on.npz": "hashes of training images, by which they are recognised",
        "replay.npz": "features of training images, with which it can be adapted",
        "README.md": "the model card",
    }.get(name, "scores of images with their paths in the data set and their hashes")


# === Escaping ===


def plain(text: object) -> str:
    """A stranger's text in Markdown: one line, nothing in it is markup, HTML, a link or a mention."""
    escaped = _SPECIAL.sub(r"\\\1", _LINKED.sub(rf"\g<0>{_JOINER}", _line(text, 4000)))
    return _AT_START.sub(lambda start: f"{start[0][:-1]}\\{start[0][-1]}", escaped)


def _line(text: object, most: int) -> str:
    return printable(" ".join(str(text).split()))[:most]


def _shown(value: object) -> object:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else value


def _table(rows: Sequence[Mapping[str, object]]) -> str:
    titles = list(rows[0])
    lines = ["| " + " | ".join(map(plain, titles)) + " |", "|" + " --- |" * len(titles)]
    lines += ["| " + " | ".join(plain(row.get(title, "")) for title in titles) + " |" for row in rows]
    return "\n".join(lines)
