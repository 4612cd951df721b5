"""Each architecture's network is built, compiled and converted once for all the contracts that it goes through."""

import pytest

from dfcore import architectures
from dfcore.engines import KerasEngine, OpenVinoEngine, convert
from dfcore.errors import BundleError
from tests.conftest import give_memory_back
from tests.contract.networks import HEAVY, INEXPRESSIBLE, LARGE, NAMES, lively


@pytest.fixture(
    scope="session", params=[pytest.param(name, marks=[pytest.mark.slow] * (name in HEAVY)) for name in NAMES]
)
def name(request):
    """The architecture; its tests run one after the other, so that its networks are made once and then let go."""
    import keras

    yield request.param
    keras.backend.clear_session()
    give_memory_back()


@pytest.fixture(scope="session")
def large(name):
    """Its network for images of 64 pixels; nobody may change it."""
    return lively(name, size=LARGE)


@pytest.fixture(scope="session")
def reference(large) -> KerasEngine:
    return KerasEngine(large)


@pytest.fixture(scope="session")
def converted(name, large):
    """The network's form for OpenVINO, heat-map included, or why there is none."""
    try:
        return convert(large, tta_flip=False, layer=architectures.get(name).cam_layer)
    except BundleError as error:
        return error


@pytest.fixture(scope="session")
def engine(name, converted) -> OpenVinoEngine:
    if name in INEXPRESSIBLE:
        pytest.skip("OpenVINO cannot represent it")
    assert isinstance(converted, tuple), converted
    return OpenVinoEngine(*converted)
