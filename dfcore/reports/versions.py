"""The programs and the machine that a report was made with."""

import platform
from importlib.metadata import PackageNotFoundError, version

from dfcore import __version__

# Packages on which figures, decoding and what a file says of itself depend, beside those of a card.
_PACKAGES = ("numpy", "scipy", "pillow", "pillow-heif", "openvino", "tensorflow", "keras", "c2pa-python", "sd-parsers")
TOOL = f"dfcore {__version__}"


def versions() -> tuple[tuple[str, str], ...]:
    """Names and versions: this program, packages, Python, system and processor."""
    packages = ", ".join(f"{name} {found}" for name in _PACKAGES if (found := _version(name)))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        ("Program", TOOL), ("Packages", packages), ("Python", python),
        ("System", f"{platform.system()} {platform.release()}, {platform.machine()}"),
    )  # fmt: skip


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
