"""Actions that send detectors to the Hugging Face Hub or fetch them: roles are checked, actions logged, see `actions`.

The token is the server's own, from its environment; no page asks for one.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard import background
from dashboard.actions import needs
from dashboard.roles import Role
from dfcore import workspace
from dfcore.errors import AccessError

if TYPE_CHECKING:
    from dfcore.hub.pull import Offer
    from dfcore.hub.push import Plan, Pushed


@needs(Role.TRAINER, "Preparing to publish a detector", noted=False)
def would_send(
    folder: Path, address: str, *, public: bool, licence: str, message: str, predictions: bool
) -> "Plan":  # fmt: skip
    """See `dfcore.hub.push.prepare`; sends nothing."""
    from dfcore.hub import push
    from dfcore.hub.addresses import parse

    return push.prepare(
        folder, parse(address), public=public, licence=licence, message=message, predictions=predictions
    )


@needs(Role.TRAINER, "Publishing a detector")
def start_publishing(address: str, plan: "Plan") -> None:
    """Publishes a detector in the background; does nothing if that is under way."""

    def work(task: background.Task) -> "Pushed":
        from dfcore.hub import push

        return push.push(plan, step=task.step)

    background.start(background.publish_key(plan.bundle.name), f"Publishing {plan.bundle.name} as {address}", work)


@needs(Role.TRAINER, "Asking the Hugging Face Hub for a detector")
def look(address: str) -> "Offer":
    """See `dfcore.hub.pull.look`; loads nothing."""
    from dfcore.hub import pull
    from dfcore.hub.addresses import parse

    _require_taking_in()
    return pull.look(parse(address))


@needs(Role.TRAINER, "Fetching a detector")
def start_fetching(name: str, offer: "Offer", digest: str) -> None:
    """Fetches a detector in the background, and checks it in isolation; does nothing if one is being fetched."""
    _require_taking_in()

    def work(task: background.Task) -> Path:
        from dfcore.hub import pull

        return pull.pull(offer, workspace.models_dir(), name, digest=digest, step=task.step)

    background.start(background.FETCH_DETECTOR, f"Fetching {offer.address} as {name}", work)


def _require_taking_in() -> None:
    if os.environ.get("DFCORE_TAKE_IN") != "1":
        raise AccessError(
            "This server takes in no detectors from elsewhere. Its operator can allow it with DFCORE_TAKE_IN=1."
        )
