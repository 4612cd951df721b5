"""Every preset can be trained with."""

import pytest

from dfcore.errors import InputError
from dfcore.training import presets
from dfcore.training.config import make_config


@pytest.mark.parametrize("weights", [{}, {"weights": "none"}], ids=["its-own-weights", "no-weights"])
@pytest.mark.parametrize("name", presets.names())
def test_a_recipe_makes_a_valid_config(name, weights):
    values = presets.get(name).values | weights | {"data_root": "data"}
    config = make_config(values)
    assert {key: getattr(config, key) for key in values} == values


@pytest.mark.parametrize("name", presets.names())
def test_a_recipe_is_found_by_its_name_and_told_in_words(name):
    result = presets.get(name)
    assert result.name == name
    assert result.title
    assert result.summary.endswith(".")


def test_names_are_told_apart():
    assert len(set(presets.names())) == len(presets.PRESETS) > 0


@pytest.mark.parametrize("name", ["no such preset", "SMALL", ""])
def test_an_unknown_recipe_is_refused_with_those_that_there_are(name):
    with pytest.raises(InputError, match=rf"{presets.names()[0]}.*Received: '{name}'"):
        presets.get(name)
