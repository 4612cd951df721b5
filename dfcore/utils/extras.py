"""Optional dependencies: whether they are installed, and how to install them."""

import sys
from importlib.util import find_spec
from typing import Any

from dfcore.errors import MissingExtraError


def installed(module: str) -> bool:
    """Whether a package can be imported (not if blocked in `sys.modules`); does not import it."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # Blocked by None in sys.modules.
        return False


def require(module: str, extra: str, purpose: str) -> None:
    """Checks that an optional dependency is installed.

    Args:
        module: Name of the package.
        extra: The extra of dfcore that installs it.
        purpose: What needs it, as the beginning of a sentence.

    Raises:
        MissingExtraError: If it is not installed; the text states the command that installs it.
    """
    if not installed(module):
        raise MissingExtraError(f"{purpose} needs {module}, which is not installed. {install(extra)} installs it.")


def install(extra: str) -> str:
    """Command that installs an extra."""
    return f"pip install 'dfcore[{extra}]'"


def openvino(purpose: str) -> Any:
    """Imports OpenVINO; see `require`."""
    # Prevents OpenVINO from sending telemetry.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: importing it fails
    require("openvino", "openvino", purpose)
    import openvino
    import openvino.opset13
    import openvino.passes
    import openvino.preprocess

    return openvino
