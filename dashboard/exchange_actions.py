"""Actions on detectors from and to elsewhere: roles are checked and actions logged, as in `actions`.

The token of a hub is the server's own, from its environment; no page asks for one.
"""

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dashboard import background
from dashboard.actions import needs
from dashboard.roles import Role
from dfcore import workspace
from dfcore.errors import AccessError, BusyError, InputError

if TYPE_CHECKING:
    from dfcore.foreign.adopt import Adopted, Said
    from dfcore.foreign.read import Network
    from dfcore.hub.pull import Offer
    from dfcore.hub.push import Plan, Pushed

_Result = TypeVar("_Result")


# === Other runtimes ===


@needs(Role.TRAINER, "Exporting a detector")
def start_export(folder: Path, to: str, name: str, *, quantize: str | None, data_root: Path | None) -> None:
    """Exports a detector for another runtime in the background; does nothing if that is under way.

    The result is what was exported and its archive, see `dfcore.export.packed`.
    """

    def work(task: background.Task) -> Any:
        from dfcore.export.packed import packed

        report, shown = task.step("Starting"), ""

        def progress(title: str, done: int, total: int) -> None:
            nonlocal report, shown
            if title != shown:
                report, shown = task.step(title), title
            report(done, total)

        return packed(folder, to, name, progress, quantize=quantize, data_root=data_root)

    background.start(background.export_key(folder), f"Exporting {name}", work)


# === The Hugging Face Hub ===


@needs(Role.TRAINER, "Preparing to publish a detector", noted=False)
def would_send(
    folder: Path, address: str, *, public: bool, licence: str, message: str, predictions: bool | None
) -> "Plan":  # fmt: skip
    """See `dfcore.hub.push.prepare`; sends nothing."""
    from dfcore.hub import push
    from dfcore.hub.addresses import parse

    return push.prepare(
        folder, parse(address), public=public, licence=licence, message=message, predictions=predictions
    )


@needs(Role.TRAINER, "Publishing a detector")
def start_publishing(address: str, plan: "Plan") -> None:
    """Publishes a detector in the background.

    Raises:
        BusyError: If it is being published already, there or elsewhere, or other long work is running.
    """
    key = background.publish_key(plan.bundle.name)
    if (task := background.find(key)) is not None and task.running:
        raise BusyError(f"It is being published already: {task.what}. Publish it again when that has ended.")

    def work(task: background.Task) -> "Pushed":
        from dfcore.hub import push

        return push.push(plan, step=task.step)

    background.start(key, f"Publishing {plan.bundle.name} as {address}", work)


@needs(Role.TRAINER, "Asking the Hugging Face Hub for a detector")
def look(address: str) -> "Offer":
    """See `dfcore.hub.pull.look`; loads nothing."""
    from dfcore.hub import pull
    from dfcore.hub.addresses import parse

    _require_taking_in()
    return pull.look(parse(address))


@needs(Role.TRAINER, "Fetching a detector")
def start_fetching(name: str, offer: "Offer", digest: str) -> None:
    """Fetches a detector in the background, and checks it in isolation; does nothing if one is being fetched.

    Raises:
        BundleError: If the name is taken or invalid.
    """
    from dfcore.hub import pull

    _require_taking_in()
    pull.require_free(offer, workspace.models_dir(), name)

    def work(task: background.Task) -> Path:
        return pull.pull(offer, workspace.models_dir(), name, digest=digest, step=task.step)

    background.start(background.FETCH_DETECTOR, f"Fetching {offer.address} as {name}", work)


def _require_taking_in() -> None:
    if os.environ.get("DFCORE_TAKE_IN") != "1":
        raise AccessError(
            "This server takes in no detectors from elsewhere. Its operator can allow it with DFCORE_TAKE_IN=1."
        )


# === Models made elsewhere ===


@needs(Role.TRAINER, "Reading a model from elsewhere")
def read_model(name: str, source: bytes | Path) -> "Network":
    """What is in a model file; see `dfcore.foreign.read.read_network`.

    Args:
        name: What it is called.
        source: Its content, or a file on this machine in a folder that may be read.
    """
    from dfcore.foreign.read import read_network

    return _with_file(name, source, lambda path: read_network(path, name))


@needs(Role.TRAINER, "Importing a model from elsewhere")
def start_adopting(
    name: str, source: bytes | Path, file: str, root: Path, said: "Said", *, title: str, insist: bool
) -> None:
    """Makes a detector of a model file in the background; does nothing if that is under way.

    Args:
        name: Name of the new detector.
        source: As for `read_model`.
        file: What the file is called.
        root: Labelled images.
        said: What was said of its preprocessing.
        title: Title of the new detector.
        insist: Whether to go on although another preprocessing is clearly better.
    """
    workspace.require_readable(root)
    if isinstance(source, Path):
        workspace.require_readable(source)

    def work(task: background.Task) -> "Adopted":
        from dfcore.foreign.adopt import adopt

        reports = {"": task.step("")}

        def tell(text: str, done: int, total: int) -> None:
            if text not in reports:
                reports.clear()
                reports[text] = task.step(text[:1].upper() + text[1:])
            reports[text](done, total)

        def make(path: Path) -> "Adopted":
            return adopt(path, root, said, name, file=file, title=title, insist=insist, tell=tell)

        return _with_file(file, source, make)

    background.start(background.ADOPT_KEY, f"Importing {file}", work)


def _with_file(name: str, source: bytes | Path, do: Callable[[Path], _Result]) -> _Result:
    """Does something with the file of a model; what was uploaded is kept only as long as that takes."""
    if isinstance(source, Path):
        workspace.require_readable(source)
        if not source.exists():
            raise InputError(f"Expected an existing file on this machine. Received: {str(source)!r}.")
        return do(source)
    with tempfile.TemporaryDirectory(prefix="dfcore-upload-") as folder:
        # The name is a stranger's: its ending tells why some kinds are refused, the rest is no path.
        ending = re.fullmatch(r"\.[a-z0-9]{1,12}", Path(name).suffix.lower())
        path = Path(folder) / f"model{ending[0] if ending else ''}"
        path.write_bytes(source)
        return do(path)
