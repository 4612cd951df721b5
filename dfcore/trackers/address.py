"""Which MLflow server runs are mirrored to, as the environment says; and texts without the secrets that are in it.

`DFCORE_MLFLOW`, or MLflow's own `MLFLOW_TRACKING_URI`, is the address; `DFCORE_MLFLOW=off` switches mirroring off.
`MLFLOW_EXPERIMENT_NAME` is the experiment. Credentials are MLflow's own: `MLFLOW_TRACKING_USERNAME` with
`MLFLOW_TRACKING_PASSWORD`, `MLFLOW_TRACKING_TOKEN`, or `~/.mlflow/credentials`.
"""

import base64
import os
import re
from dataclasses import dataclass, field

from dfcore.errors import InputError
from dfcore.utils.texts import printable

OWN, THEIRS, EXPERIMENT = "DFCORE_MLFLOW", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"
DEFAULT_EXPERIMENT = "dfcore"
_SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")
_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|TOKEN|SECRET|CREDENTIAL|_KEY$", re.IGNORECASE)
# Shorter values would black out ordinary words.
_SHORTEST = 4
_USERINFO = re.compile(r"(?<=://)[^/\s]*@")
_QUERY = re.compile(r"(https?://[^\s?'\"<>]+)\?[^\s'\"<>]+")


@dataclass(frozen=True)
class Tracker:
    """A tracking server of MLflow.

    Attributes:
        uri: Its address, which may hold a password; never shown.
        experiment: Name of the experiment that runs belong to.
        variable: The variable of the environment that gave the address.
    """

    uri: str = field(repr=False)
    experiment: str = DEFAULT_EXPERIMENT
    variable: str = THEIRS

    @property
    def shown(self) -> str:
        """The address as it may be shown and stored, without name and password."""
        return printable(_USERINFO.sub("", self.uri.partition("?")[0]).rstrip("/"))

    @property
    def is_http(self) -> bool:
        """Whether it is a server that a browser can open too."""
        return self.uri.startswith(("http://", "https://"))

    def page(self, experiment_id: str, run_id: str) -> str:
        """Address of a run in MLflow's own pages; "" if it has none."""
        return f"{self.shown}/#/experiments/{experiment_id}/runs/{run_id}" if self.is_http and run_id else ""


def configured() -> Tracker | None:
    """The tracking server that the environment names; None if there is none, or mirroring is switched off.

    Raises:
        InputError: If the address is none of a tracking server.
    """
    variable = OWN if os.environ.get(OWN, "").strip() else THEIRS
    uri = os.environ.get(variable, "").strip()
    if not uri or uri.lower() == "off":
        return None
    scheme = re.split(r"[:+]", uri.lower())[0]
    if scheme not in _SCHEMES or (scheme != "databricks" and "://" not in uri):
        raise InputError(
            f"Expected the address of an MLflow server in {variable}, such as http://127.0.0.1:5000 (MLflow keeps no "
            f"runs in plain folders any more; sqlite:///FILE is a database). Received: {redacted(uri)[:200]}."
        )
    return Tracker(uri, os.environ.get(EXPERIMENT, "").strip() or DEFAULT_EXPERIMENT, variable)


def redacted(text: object) -> str:
    """A text in which secrets of the environment, names in addresses and queries of addresses are blacked out."""
    result = str(text)
    for secret in sorted(_secrets(), key=len, reverse=True):
        result = result.replace(secret, "***")
    return _QUERY.sub(r"\1", _USERINFO.sub("***@", result))


def _secrets() -> set[str]:
    values = {value for name, value in os.environ.items() if _SECRET_NAME.search(name)}
    user, password = (os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD"))
    if password:  # As it is sent.
        values.add(base64.b64encode(f"{user}:{password}".encode()).decode())
    for name in (OWN, THEIRS):
        found = _USERINFO.search(os.environ.get(name, ""))
        values |= set(found[0].rstrip("@").split(":")[1:]) if found else set()
    return {value for value in values if len(value) >= _SHORTEST}
