"""Forensic views of hostile files: a result or a clear reason."""

import json
from itertools import islice

import pytest

from dfcore.errors import ImageError
from dfcore.forensics import VIEWS, compute, figures
from tests.security import hostile_images

_KINDS = (hostile_images.sound, hostile_images.exif_blocks)


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: kind.__name__)
def test_hostile_files_get_figures_or_a_clear_reason(kind):
    for one in islice((one for one in kind() if len(one.data) < 100_000), 12):
        try:
            json.dumps(figures(one.data), allow_nan=False)
            for key in VIEWS:
                assert compute(key, one.data).words
        except ImageError as error:
            assert one.expect != "accepted", one.name
            assert str(error)
