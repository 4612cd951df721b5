"""Optional dependencies: what to install for what is missing."""

from importlib.util import find_spec

from dfcore.errors import MissingExtraError


def installed(module: str) -> bool:
    """Whether a package can be imported, without importing it; one that was blocked in this process cannot."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # Blocked by None in sys.modules.
        return False


def require(module: str, extra: str, purpose: str) -> None:
    """Checks that a package is installed which only an extra of dfcore installs.

    Args:
        module: its name.
        extra: which installs it.
        purpose: what needs it, to begin a sentence with.

    Raises:
        MissingExtraError: with the command that installs it.
    """
    if not installed(module):
        raise MissingExtraError(f"{purpose} needs {module}, which is not installed. {install(extra)} installs it.")


def install(extra: str) -> str:
    """The command that installs an extra."""
    return f"pip install 'dfcore[{extra}]'"
