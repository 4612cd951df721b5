"""What `dfcore doctor` says of trackers."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib import metadata

from dfcore.diagnostics.finding import Finding
from dfcore.errors import InputError
from dfcore.trackers.address import OWN, THEIRS, Tracker, configured, redacted
from dfcore.utils import extras
from dfcore.utils.texts import printable

_PATIENCE_SECONDS = 5


def tracker_findings() -> Iterator[Finding]:
    """Whether runs are mirrored to MLflow, to which server, and whether it answers; and TensorBoard's version."""
    yield _mlflow()
    yield Finding("trackers", "tensorboard", True, f"{metadata.version('tensorboard')}; dfcore tensorboard opens it")


def _mlflow() -> Finding:
    try:
        tracker = configured()
    except InputError as error:
        return Finding("trackers", "mlflow", False, str(error), f"Set {THEIRS}, or unset it.")
    if tracker is None:
        return Finding("trackers", "mlflow", True, f"runs are not mirrored; {THEIRS} or {OWN} would name a server")
    detail = f"{tracker.shown}, experiment {tracker.experiment} (from {tracker.variable})"
    if not extras.installed("mlflow"):
        return Finding(
            "trackers", "mlflow", False, f"{detail}; its client is not installed",
            f"{extras.install('mlflow')} installs it; until then runs are not mirrored.",
        )  # fmt: skip
    if tracker.is_http and (problem := _problem(tracker)):
        advice = "Runs go on without it; what they could not send goes out later: dfcore runs mirror."
        return Finding("trackers", "mlflow", False, f"{detail}; {problem}", advice)
    return Finding("trackers", "mlflow", True, detail)


def _problem(tracker: Tracker) -> str:
    """Why a server does not answer; "" if it does."""
    try:
        with urllib.request.urlopen(f"{tracker.shown}/health", timeout=_PATIENCE_SECONDS):  # nosec B310  # http or https
            return ""
    except urllib.error.HTTPError as error:
        return "" if error.code in (401, 403, 404) else f"it answers {error.code}"
    except (OSError, ValueError) as error:
        return f"it does not answer ({printable(redacted(getattr(error, 'reason', error)))[:200]})"
