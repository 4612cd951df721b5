"""Plain checks of a data set: balance of classes, splits and groups; unreadable, tiny, huge and blank images."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from dfcore.audit.evidence import Evidence
from dfcore.audit.finding import MOST_SHOWN, Finding, Severity
from dfcore.labels import NAMES

# Below this contrast (standard deviation of brightness, in grey levels) an image shows nothing.
_BLANK = 2.0
_TINY_SIDE, _FACTOR = 32, 4.0
_HUGE_PIXELS = 24_000_000
_FEW = 100


def find(evidence: Evidence) -> Iterator[Finding]:
    """Makes all plain checks."""
    rows = evidence.rows
    yield _unreadable(evidence)
    yield _balance(rows)
    yield from _splits(rows)
    yield from _groups(rows)
    yield from _sizes(rows)
    yield _blank(evidence)


def _unreadable(evidence: Evidence) -> Finding:
    bad = evidence.dataset.unreadable
    total = len(evidence.dataset.table)
    if bad.empty:
        return _ok("unusable", "Every image can be read and used.")
    reasons = bad.error.value_counts()
    return Finding(
        kind="unusable", severity="medium" if len(bad) > 0.05 * total else "low",
        title=f"{len(bad):,} of {total:,} images cannot be used.",
        meaning="They are left out of training and measurement. If they are all of one kind, so is what remains.",
        advice="Look at the reasons; repair or remove the files.",
        count=len(bad), images=tuple(bad.path.head(MOST_SHOWN)),
        details=tuple(f"{count:,}: {reason}" for reason, count in reasons.head(10).items()),
    )  # fmt: skip


def _balance(rows: pd.DataFrame) -> Finding:
    counts = [int((rows.label == label).sum()) for label in (0, 1)]
    text = f"{counts[0]:,} real and {counts[1]:,} fake images"
    figures = {"real": float(counts[0]), "fake": float(counts[1])}
    if not min(counts):
        return Finding(
            kind="balance", severity="high", title=f"There is only one class: {text}.", figures=figures,
            meaning="Nothing can be learned or measured without both classes.", advice="Add images of the other class.",
        )  # fmt: skip
    ratio = max(counts) / min(counts)
    if ratio > 3:
        return Finding(
            kind="balance", severity="medium" if ratio > 10 else "low", figures=figures,
            title=f"The classes differ in number by a factor of {ratio:.1f}: {text}.",
            meaning="Accuracy and precision lean to the larger class; scores are badly calibrated for the other one.",
            advice="Judge by balanced accuracy and ROC AUC; add images of the smaller class or weigh the classes.",
        )  # fmt: skip
    if min(counts) < _FEW:
        return Finding(
            kind="balance", severity="low", title=f"The data set is small: {text}.", figures=figures,
            meaning="Figures measured on it have wide intervals.", advice="Use cross-validation, or add images.",
        )  # fmt: skip
    return _ok("balance", f"The classes are balanced: {text}.", figures)


def _splits(rows: pd.DataFrame) -> Iterator[Finding]:
    known = rows[rows.split.notna()]
    if known.empty:
        return
    counts = pd.crosstab(known.split, known.label).reindex(columns=[0, 1], fill_value=0)
    lone = counts.index[(counts == 0).any(axis=1)]
    shares = counts[1] / counts.sum(axis=1)
    if len(lone):
        yield Finding(
            kind="splits", severity="high", title=f"Only one class is in {', '.join(lone)}.", count=len(lone),
            meaning="Such a split can neither train nor measure a detector.", details=_cells(counts),
            advice="Divide both classes between all splits, or leave the splits to be drawn.",
        )  # fmt: skip
    elif shares.max() - shares.min() > 0.2:
        yield Finding(
            kind="splits", severity="low", title="The share of fakes differs between the splits.", count=len(counts),
            meaning="Thresholds and precision chosen on one split do not carry over to another.",
            advice="Draw the splits so that each has the same share of fakes.", details=_cells(counts),
        )  # fmt: skip
    else:
        yield _ok("splits", "Every split holds both classes in like shares.")


def _cells(counts: pd.DataFrame) -> tuple[str, ...]:
    return tuple(f"{name}: {row[0]:,} real, {row[1]:,} fake." for name, row in counts.iterrows())


def _groups(rows: pd.DataFrame) -> Iterator[Finding]:
    known = rows[rows.group.notna()]
    if known.group.nunique() < 2:
        return
    one_split = known[known.split.notna()].groupby("group").split.agg(["nunique", "first", "size"])
    if known.split.nunique() > 1:
        lone = one_split[one_split["nunique"] == 1]
        yield _lone_groups(known, lone) if len(lone) else _ok("groups", "Every group is in more than one split.")
    classes = known.groupby("group").label.agg(["nunique", "first", "size"])
    single = classes[classes["nunique"] == 1]
    both = len(single) > 0 and single["first"].nunique() == 2
    if both and len(single) == len(classes):
        yield Finding(
            kind="groups", severity="low", title="No group holds both classes.", count=len(single),
            meaning="Whatever a source leaves in its images (camera, coding, subjects) goes with the class.",
            advice="Trust the shortcut and content probes; measure on sources that hold both classes.",
            details=tuple(
                f"{name}: {row['size']:,} {NAMES[int(row['first'])]}." for name, row in single.head(20).iterrows()
            ),
        )  # fmt: skip


def _lone_groups(known: pd.DataFrame, lone: pd.DataFrame) -> Finding:
    images = known[known.group.isin(lone.index)]
    return Finding(
        kind="groups", severity="low", title=f"{len(lone)} of {known.group.nunique()} groups are in one split only.",
        meaning="A group that is only in training is never measured; one that is only in test measures generalisation. "
        "That is right if it is meant, and a mistake if it is not.",
        advice="Check that these groups were held out on purpose.", count=len(images),
        images=tuple(images.drop_duplicates("group").path.head(MOST_SHOWN)),
        details=tuple(
            f"{name}: {row['size']:,} images, all in {row['first']}." for name, row in lone.head(20).iterrows()
        ),
    )  # fmt: skip


def _sizes(rows: pd.DataFrame) -> Iterator[Finding]:
    width, height = rows.width.to_numpy(float), rows.height.to_numpy(float)
    side = np.minimum(width, height)
    middle = float(np.median(side)) if len(side) else 0.0
    tiny = (side < _TINY_SIDE) | (side < min(middle / _FACTOR, 256))
    huge = width * height >= _HUGE_PIXELS
    for kind, mask, limit, meaning in (
        ("tiny", tiny, f"far below the median of {middle:.0f} px", "Enlarged for a network they hold no traces."),
        ("huge", huge, "24 megapixels or more", "Shrunk for a network they lose their traces."),
    ):  # fmt: skip
        if not mask.any():
            yield _ok(kind, f"No image is {kind}.")
            continue
        numbers = np.flatnonzero(mask)
        numbers = numbers[np.argsort(side[numbers] if kind == "tiny" else -side[numbers], kind="stable")]
        share = len(numbers) / len(rows)
        yield Finding(
            kind=kind, severity="medium" if share > 0.1 and middle >= _TINY_SIDE else "low",
            title=f"{len(numbers):,} images are {kind}: {limit}.", meaning=meaning, count=len(numbers),
            advice="Look at them; take them out if they are thumbnails, icons or scans.",
            images=tuple(rows.path.iloc[numbers[:MOST_SHOWN]]), details=(_both(rows, numbers),),
            exclude=tuple(rows.pixels_sha256.iloc[numbers].unique()),
        )  # fmt: skip


def _blank(evidence: Evidence) -> Finding:
    spread = np.array([item.spread for item in evidence.signatures])
    numbers = np.flatnonzero(spread < _BLANK)
    if not len(numbers):
        return _ok("blank", "No image is blank.")
    severity: Severity = "medium" if len(numbers) > 0.01 * len(spread) else "low"
    return Finding(
        kind="blank", severity=severity, title=f"{len(numbers):,} images are blank: they show one colour.",
        meaning="They hold no evidence of either class; often a download or a generator failed.",
        advice="Take them out.", count=len(numbers), images=evidence.paths(numbers[:MOST_SHOWN]),
        exclude=evidence.hashes(numbers), details=(_both(evidence.rows, numbers),),
    )  # fmt: skip


def _both(rows: pd.DataFrame, numbers: np.ndarray) -> str:
    labels = rows.label.iloc[numbers]
    return ", ".join(f"{int((labels == label).sum()):,} {name}" for label, name in enumerate(NAMES)) + "."


def _ok(kind: str, title: str, figures: dict[str, float] | None = None) -> Finding:
    return Finding(kind=kind, severity="ok", title=title, meaning="This check was passed.", figures=figures or {})
