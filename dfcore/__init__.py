"""dfcore: a Keras workbench for telling real images from machine-made ones.

The face of the package stands here; each name is imported when it is first used. Importing the package costs
milliseconds and brings no TensorFlow.

Example:
    >>> import dfcore
    >>> sorted(name for name in dfcore.__all__ if name[0].islower())[:4]
    ['compare', 'evaluate', 'explain', 'list_architectures']
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dfcore.api import compare, evaluate, explain, list_architectures, list_detectors
    from dfcore.architectures.registry import register_architecture
    from dfcore.datasets.scan import scan
    from dfcore.detectors.detector import Detector
    from dfcore.detectors.verdict import Verdict
    from dfcore.training.config import TrainConfig
    from dfcore.training.session import train

__version__ = "0.6.0"

# Where each name of the face lives.
_PLACES = {
    "Detector": "dfcore.detectors.detector",
    "TrainConfig": "dfcore.training.config",
    "Verdict": "dfcore.detectors.verdict",
    "compare": "dfcore.api",
    "evaluate": "dfcore.api",
    "explain": "dfcore.api",
    "list_architectures": "dfcore.api",
    "list_detectors": "dfcore.api",
    "register_architecture": "dfcore.architectures.registry",
    "scan": "dfcore.datasets.scan",
    "train": "dfcore.training.session",
}

__all__ = [
    "Detector",
    "TrainConfig",
    "Verdict",
    "compare",
    "evaluate",
    "explain",
    "list_architectures",
    "list_detectors",
    "register_architecture",
    "scan",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'dfcore' has no attribute {name!r}")
    value = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
