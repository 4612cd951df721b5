"""A tracking server of MLflow, through MLflow's own client (2.x or 3.x); everything that it raises is a `TrackerError`.

What is there already is asked of the server, so whatever is sent may be sent again, by whoever and whenever.
"""

import json
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from dfcore.errors import DfcoreError
from dfcore.trackers.address import Tracker, redacted
from dfcore.trackers.content import Data, Figure
from dfcore.utils import extras
from dfcore.utils.texts import printable

_Result = TypeVar("_Result")
# Of this process; what the user has set stays. A retry within a call would repeat what the server may have done before
# its answer was lost; the mirror asks what is there and tries again later. No statistics to MLflow's makers.
_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
# Values that a user's environment must not change.
_FIXED = ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "MLFLOW_DISABLE_AGENT_HINT")
# Else MLflow's pages would show it as one of language models.
_EXPERIMENT = {"mlflow.experimentKind": "custom_model_development"}
_METRICS_A_CALL, _PARAMETERS_A_CALL = 900, 90
# The bounds of servers that still run: 500 characters (2.0), 6,000 since.
_LONGEST_PARAMETER, _LONGEST_TAG, _LONGEST_DIGEST = 500, 5000, 36

# What its errors say, in lower case, and what that means.
_REASONS = (
    (
        ("401", "unauthorized", "unauthenticated", "not authenticated"),
        "it refuses the credentials. Check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
        "MLFLOW_TRACKING_TOKEN",
    ),
    (("403", "permission_denied", "permission denied"), "this account may not do that there"),
    (("timed out", "timeout"), "no answer in time"),
    (
        ("connection refused", "name or service not known", "failed to resolve", "max retries exceeded",
         "connection aborted", "connection reset", "remotedisconnected"),
        "it cannot be reached",
    ),
)  # fmt: skip


class TrackerError(DfcoreError):
    """The tracking server cannot be reached, or refuses something."""


class DeletedRun(TrackerError):  # noqa: N818  (not a fault of the server: somebody deleted it)
    """The run was deleted on the server."""


def _telling(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """Decorator that turns whatever MLflow raises into a `TrackerError` of one line, without secrets."""

    @wraps(function)
    def told(self: "Server", *args: Any, **kwargs: Any) -> _Result:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return function(self, *args, **kwargs)
        except TrackerError:
            raise
        except Exception as error:  # MLflow, requests and the client of a database raise all sorts.
            raise TrackerError(f"{self.tracker.shown}: {_reason(error)}") from None

    return told


@dataclass
class Stored:
    """What a server has of a run.

    Attributes:
        parameters, tags, metrics: By name; of metrics the latest.
        status: RUNNING, FINISHED, FAILED, KILLED or SCHEDULED.
        has_data: Whether its data set is named.
    """

    parameters: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    status: str
    has_data: bool


class Server:
    """A tracking server.

    Args:
        tracker: Its address.

    Raises:
        MissingExtraError: If MLflow's client is not installed.
    """

    def __init__(self, tracker: Tracker):
        extras.require("mlflow", "mlflow", "Mirroring runs to MLflow")
        for name, value in _SETTINGS.items():
            if name in _FIXED:
                os.environ[name] = value
            os.environ.setdefault(name, value)
        # Some stores of artefacts look it up there.
        os.environ["MLFLOW_TRACKING_URI"] = tracker.uri
        self.tracker = tracker
        self._made: Any = None

    @property
    def _client(self) -> Any:
        if self._made is None:
            import logging

            from mlflow import MlflowClient

            # Its warnings name addresses in full; what fails is told by the errors.
            logging.getLogger("mlflow").setLevel(logging.CRITICAL)
            self._made = MlflowClient(tracking_uri=self.tracker.uri)
        return self._made

    @_telling
    def experiment(self) -> str:
        """Id of the experiment, which is made if there is none.

        Raises:
            TrackerError: If it was deleted, or the server cannot be reached.
        """
        name = self.tracker.experiment
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name, tags=_EXPERIMENT))
            except Exception:  # Somebody else made it in between.
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            raise TrackerError(
                f"{self.tracker.shown}: the experiment {name} was deleted there. Restore it (mlflow experiments "
                f"restore --experiment-id {found.experiment_id}), or name another in MLFLOW_EXPERIMENT_NAME."
            )
        return str(found.experiment_id)

    @_telling
    def find(self, experiment_id: str, identity: dict[str, str]) -> str:
        """Id of the run with these tags; "" if there is none."""
        wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in identity.items())
        found = self._client.search_runs([experiment_id], wanted, max_results=1, order_by=["attributes.start_time ASC"])
        return str(found[0].info.run_id) if found else ""

    @_telling
    def create(self, experiment_id: str, name: str, began: float, tags: dict[str, str]) -> str:
        """Makes a run and returns its id.

        Args:
            experiment_id: Id of its experiment.
            name: Its displayed name.
            began: When it began, in seconds since the Unix epoch.
            tags: Its first tags, by which it is found again.
        """
        known = {"mlflow.runName": name[:_LONGEST_TAG], "mlflow.source.name": "dfcore", "mlflow.source.type": "LOCAL"}
        made = self._client.create_run(experiment_id, start_time=round(1000 * began), tags=known | tags)
        return str(made.info.run_id)

    @_telling
    def stored(self, run_id: str) -> Stored:
        """What the server has of a run.

        Raises:
            DeletedRun: If it was deleted there.
        """
        run = self._client.get_run(run_id)
        if run.info.lifecycle_stage != "active":
            raise DeletedRun(
                f"{self.tracker.shown}: run {run_id} was deleted there. Restore it (mlflow runs restore --run-id "
                f"{run_id})"
            )
        inputs = getattr(run, "inputs", None)
        return Stored(
            parameters=dict(run.data.params), tags=dict(run.data.tags), metrics=dict(run.data.metrics),
            status=str(run.info.status), has_data=bool(inputs and inputs.dataset_inputs),
        )  # fmt: skip

    @_telling
    def steps(self, run_id: str, name: str) -> set[int]:
        """The steps at which the server has a metric."""
        return {int(each.step) for each in self._client.get_metric_history(run_id, name)}

    @_telling
    def describe(self, run_id: str, parameters: dict[str, str], tags: dict[str, str]) -> None:
        """Adds parameters, which cannot be changed, and sets tags."""
        from mlflow.entities import Param, RunTag

        params = [Param(name, _cut(value, _LONGEST_PARAMETER)) for name, value in parameters.items()]
        marks = [RunTag(name, _cut(value, _LONGEST_TAG)) for name, value in tags.items()]
        for some in _chunks(params, _PARAMETERS_A_CALL):
            self._client.log_batch(run_id, params=some)
        for some in _chunks(marks, _PARAMETERS_A_CALL):
            self._client.log_batch(run_id, tags=some)

    @_telling
    def add_data(self, run_id: str, data: Data) -> None:
        """Names the data set that a run learned from, by its hash."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = {"name": data.name, "sha256": data.sha256}
        profile = {"images": data.images} | {
            f"{split}, {label}": number for split, of_split in data.counts.items() for label, number in of_split.items()
        }
        dataset = Dataset(
            name=data.name[:400], digest=data.sha256[:_LONGEST_DIGEST], source_type="local",
            source=json.dumps(source), profile=json.dumps(profile),
        )  # fmt: skip
        self._client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])

    @_telling
    def log(self, run_id: str, figures: Sequence[Figure]) -> None:
        """Sends figures."""
        from mlflow.entities import Metric

        for some in _chunks(figures, _METRICS_A_CALL):
            self._client.log_batch(run_id, [Metric(each.name, each.value, each.time, each.step) for each in some])

    @_telling
    def upload(self, run_id: str, path: Path, folder: str) -> None:
        """Sends a file as an artefact."""
        self._client.log_artifact(run_id, str(path), folder or None)

    @_telling
    def set_status(self, run_id: str, status: str, ended: float | None = None) -> None:
        """Sets the state: RUNNING, FINISHED, FAILED or KILLED, with the time of its end."""
        if ended is None:
            self._client.update_run(run_id, status=status)
        else:
            self._client.set_terminated(run_id, status, round(1000 * ended))


def _chunks(values: Sequence[_Result], most: int) -> Iterable[Sequence[_Result]]:
    return (values[start : start + most] for start in range(0, len(values), most))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _reason(error: Exception) -> str:
    text = " ".join(redacted(error).split())
    lower = text.lower()
    for signs, words in _REASONS:
        if any(sign in lower for sign in signs):
            return f"{words} ({_begun(printable(text), 200)})"
    return _begun(printable(text), 400) or type(error).__name__


def _begun(text: str, most: int) -> str:
    """The beginning of a text, which ends with a whole word."""
    return text if len(text) <= most else f"{text[:most].rpartition(' ')[0] or text[:most]} …"
