"""Content probe: can the classes be told apart by mean colours, or by pictures shrunk to 32 pixels?

Neither holds the traces that generators leave. Whatever such a probe reaches, a detector can reach by learning
subjects, framing and colours. Images that are hardly larger than 32 pixels are an exception: shrunk, they still hold
their traces, and the finding says so.
"""

from collections.abc import Sequence

import numpy as np

from dfcore.audit.finding import Finding, Severity
from dfcore.audit.probe import Auc, Fit, boosting, cross_validate, enough
from dfcore.audit.shortcuts import cannot_say, telling_images
from dfcore.imaging.signature import THUMB, Signature

KIND = "content"
_COMPONENTS = 48
_FINE = "Colours and pictures shrunk to 32 pixels do not tell the classes apart."
_MEANING = (
    "The classes show other subjects, framings or colours: a classifier tells them apart where no trace of a generator "
    "is left. A detector trained on them has learned subjects, not traces."
)
_ADVICE = (
    "Take real and fake images of the same subjects and sources, e.g. fakes made from descriptions of the real images, "
    "and test on data from elsewhere."
)


def find(
    paths: Sequence[str], signatures: Sequence[Signature], labels: np.ndarray, groups: np.ndarray, seed: int
) -> Finding:
    """Runs the probe on images by their paths, signatures, labels (N,) and groups (N,)."""
    if not enough(labels, groups):
        return cannot_say(KIND, "Whether subjects tell the classes apart cannot be said", labels)
    colours = np.array([[*item.mean, item.spread] for item in signatures], np.float32)
    thumbs = np.stack([item.thumb for item in signatures]).reshape(len(signatures), -1).astype(np.float32)
    by_colour = cross_validate(colours, labels, groups, boosting(seed), seed=seed)
    by_thumb = cross_validate(thumbs, labels, groups, _picture_classifier(seed), seed=seed)
    finding = _finding(by_colour, by_thumb, float(np.median([item.side for item in signatures])))
    scores = max(by_colour, by_thumb, key=lambda auc: auc.value).scores
    shown = () if finding.severity == "ok" else telling_images(paths, labels, scores)
    return finding.model_copy(update={"images": shown, "count": len(labels) if shown else 0})


def severity_of(auc: Auc) -> Severity:
    """How bad it is that content tells the classes apart; more is bearable than for facts of files."""
    if auc.value >= 0.9 and auc.low > 0.8:
        return "high"
    if auc.value >= 0.75 and auc.low > 0.65:
        return "medium"
    return "low" if auc.value >= 0.6 and auc.low > 0.53 else "ok"


def _picture_classifier(seed: int) -> Fit:
    """A support vector machine on principal components."""

    def fit(learned: np.ndarray, labels: np.ndarray, held: np.ndarray) -> np.ndarray:
        from sklearn.decomposition import PCA
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        count = min(_COMPONENTS, max(2, len(labels) // 4))
        model = make_pipeline(
            PCA(count, svd_solver="randomized", random_state=seed, whiten=False),
            StandardScaler(),
            SVC(C=1.0, class_weight="balanced"),
        )
        return model.fit(learned, labels).decision_function(held)

    return fit


def _finding(by_colour: Auc, by_thumb: Auc, side: float) -> Finding:
    better, what = max(
        (by_colour, "mean colour and contrast"),
        (by_thumb, "pictures shrunk to 32 pixels"),
        key=lambda pair: pair[0].value,
    )
    figures = {"auc": better.value, "auc_low": better.low, "auc_high": better.high}
    for name, auc in (("colour", by_colour), ("32 px", by_thumb)):
        figures |= {f"auc of {name}": auc.value, f"auc_low of {name}": auc.low, f"auc_high of {name}": auc.high}
    severity = severity_of(better)
    details = (f"Mean colour and contrast: AUC {by_colour}.", f"Pictures shrunk to 32 pixels: AUC {by_thumb}.")
    if severity == "ok":
        meaning = f"The better of two classifiers reaches an AUC of {better}; 0.5 is guessing."
        return Finding(kind=KIND, severity="ok", title=_FINE, meaning=meaning, figures=figures, details=details)
    much = "" if severity != "low" else " a little"
    title, meaning = f"{what[0].upper()}{what[1:]} tell the classes apart{much}: AUC {better}.", _MEANING
    if side < 2 * THUMB:
        severity = "low"
        meaning = (
            f"The images have a side of about {side:.0f} pixels, so pictures of 32 pixels still hold traces of "
            "generators: subjects and traces cannot be told apart here."
        )
    return Finding(
        kind=KIND, severity=severity, title=title, meaning=meaning, advice=_ADVICE, figures=figures, details=details
    )
