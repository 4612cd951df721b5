"""Labels: those of files or names that contradict the label in use, and those that predictions contradict."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from dfcore import workspace
from dfcore.audit import label_noise
from dfcore.audit.evidence import Evidence, sample
from dfcore.audit.features import Features, best_features, classifier
from dfcore.audit.finding import MOST_SHOWN, Finding
from dfcore.audit.probe import LEAST, Auc, cross_validate
from dfcore.datasets import layouts
from dfcore.datasets.competition import label_files
from dfcore.errors import LayoutError
from dfcore.labels import FAKE, NAMES, REAL

KIND = "label doubts"
# Images run through a network.
MOST_JUDGED = 3000
# Below this AUC the features do not know the difference between the classes, so they cannot know a wrong label.
_LEAST_AUC = 0.8
# The check is made once more with this share of labels swapped on purpose, to see what it would find.
_SWAPPED = 0.05
_LEAST_RECALL, _LEAST_PRECISION = 0.3, 0.5


def find(evidence: Evidence, progress: Callable[[int], None] | None) -> Iterator[Finding]:
    """Makes all checks of labels.

    Args:
        evidence: The images.
        progress: Called with the number of images that a network has seen; None to ask no network.
    """
    yield _label_files(evidence)
    if evidence.dataset.layout.startswith("manifest"):
        yield _folders(evidence.rows)
    if progress:
        yield _doubts(evidence, progress)


def _label_files(evidence: Evidence) -> Finding:
    files = list(label_files(evidence.dataset.root, evidence.dataset.table))
    paths = [path for file in files for path in file.contradicted]
    notes = tuple(note for file in files for note in file.notes())
    if not notes:
        return Finding(
            kind="label files", severity="ok", title="No label file contradicts its folder.",
            meaning="This check was passed." if files else "There is none.",
        )  # fmt: skip
    title = f"{len(paths):,} labels in JSON files contradict the folders." if paths else "A label file does not fit."
    return Finding(
        kind="label files", severity="medium" if paths else "low", title=title,
        meaning="One of the two is wrong for these images. The folder is what is used here.",
        advice="Find out which is right, and correct the other.", count=len(paths), details=notes,
        images=tuple(paths[:MOST_SHOWN]),
    )  # fmt: skip


def _folders(rows: pd.DataFrame) -> Finding:
    """A manifest's labels against what the paths say."""
    try:
        places = layouts.place_all(rows.path).places
    except LayoutError as error:
        title = "Whether labels contradict folders cannot be said: folders contradict each other."
        return Finding(kind="manifest labels", severity="ok", title=title, meaning=str(error))
    told = np.array([-1 if place.label is None else place.label for place in places])
    labels = rows.label.to_numpy(int)
    wrong = np.flatnonzero((told >= 0) & (told != labels))
    if not len(wrong):
        title = "No label in the manifest contradicts its folder."
        return Finding(kind="manifest labels", severity="ok", title=title, meaning="This check was passed.")
    share = len(wrong) / int((told >= 0).sum())
    text = " All of them do: the manifest's numbers may mean the opposite." if share > 0.9 else ""
    return Finding(
        kind="manifest labels", severity="high", figures={"share": share}, count=len(wrong),
        title=f"{len(wrong):,} labels in the manifest contradict the folder that the image is in.{text}",
        meaning="Either the folder or the manifest is wrong; the manifest is what is used.",
        advice="Look at the images; correct the manifest, or turn its labels around.",
        images=tuple(rows.path.iloc[wrong[:MOST_SHOWN]]),
    )  # fmt: skip


def _doubts(evidence: Evidence, progress: Callable[[int], None]) -> Finding:
    chosen = sample(evidence.labels, MOST_JUDGED, evidence.seed)
    rows, groups = evidence.rows.iloc[chosen], evidence.related[chosen]
    labels = rows.label.to_numpy(int)
    if min(len(np.unique(groups[labels == label])) for label in (0, 1)) < 2 * LEAST:
        return _cannot_say(f"there are fewer than {2 * LEAST} unrelated images of a class")
    root, cache = evidence.dataset.root, workspace.cache_dir()
    features = best_features(root, rows, groups, evidence.seed, cache, progress)
    if features is None:
        return _cannot_say("no shipped network runs here; it needs the extra 'openvino'")
    kept = features.kept
    return _judged(evidence, features, chosen[kept], labels[kept], groups[kept])


def _judged(
    evidence: Evidence, features: Features, numbers: np.ndarray, labels: np.ndarray, groups: np.ndarray
) -> Finding:
    auc = _scores(features, labels, groups, evidence.seed)
    figures = {"auc": auc.value, "images": float(len(labels))}
    text = f"features of the detector {features.network!r} tell these classes apart with an AUC of {auc}"
    if auc.value < _LEAST_AUC:
        return _cannot_say(f"{text}, too little to know a wrong label", figures)
    result = label_noise.doubts(auc.scores, labels)
    recall, precision = _trial(features, labels, groups, result.flagged, evidence.seed)
    trial = f"In a trial with {_SWAPPED:.0%} of the labels swapped on purpose it found {recall:.0%} of them"
    trial += f", and {precision:.0%} of what it flagged was swapped." if recall else "."
    figures |= {"trial recall": recall, "trial precision": precision}
    if recall < _LEAST_RECALL or precision < _LEAST_PRECISION:
        return _cannot_say(f"{text}, but hard images look like wrong labels to them. {trial}".rstrip("."), figures)
    flagged, details = result.flagged, (f"{text[0].upper()}{text[1:]}.", trial)
    if not len(flagged):
        return Finding(
            kind=KIND, severity="ok", title="No label is contradicted by cross-validated predictions.", meaning=trial,
            figures=figures, details=details,
        )  # fmt: skip
    expected = min(result.precision, precision)
    return Finding(
        kind=KIND, severity="high" if len(flagged) > 0.02 * len(labels) else "medium",
        title=f"{len(flagged):,} of {len(labels):,} labels are contradicted by predictions; about "
        f"{expected:.0%} of them are expected to be wrong.",
        meaning="A network learns wrong labels by heart, and figures measured with them are wrong.",
        advice="Look at each; correct the label (move the file) or take the image out.",
        count=len(flagged), images=evidence.paths(numbers[flagged[:MOST_SHOWN]]),
        figures=figures | {"expected precision": expected, "support": result.support},
        details=(*details, _by_label(labels[flagged])), exclude=evidence.hashes(numbers[flagged]),
    )  # fmt: skip


def _scores(features: Features, labels: np.ndarray, groups: np.ndarray, seed: int) -> Auc:
    return cross_validate(features.values, labels, groups, classifier(seed), seed=seed, repeats=1)


def _trial(
    features: Features, labels: np.ndarray, groups: np.ndarray, doubted: np.ndarray, seed: int
) -> tuple[float, float]:
    """Recall and precision of the check on labels swapped on purpose; those doubted before count neither way."""
    sound = np.setdiff1d(np.arange(len(labels)), doubted)
    random = np.random.default_rng(seed)
    swapped = np.zeros(len(labels), bool)
    swapped[random.choice(sound, max(1, round(_SWAPPED * len(sound))), replace=False)] = True
    given = np.where(swapped, 1 - labels, labels)
    flagged = label_noise.doubts(_scores(features, given, groups, seed).scores, given).flagged
    flagged = np.setdiff1d(flagged, doubted)
    hits = int(swapped[flagged].sum())
    return hits / int(swapped.sum()), hits / max(len(flagged), 1)


def _by_label(labels: np.ndarray) -> str:
    return ", ".join(f"{int((labels == label).sum())} are labelled {NAMES[label]}" for label in (REAL, FAKE)) + "."


def _cannot_say(why: str, figures: dict[str, float] | None = None) -> Finding:
    return Finding(
        kind=KIND, severity="ok", title="Whether labels are wrong cannot be said by predictions.",
        meaning=f"{why[0].upper()}{why[1:]}.", figures=figures or {},
    )  # fmt: skip
